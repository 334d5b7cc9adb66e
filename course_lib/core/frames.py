"""How pandas' tables look in a notebook: texts whole and from the left, figures from the right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LEFT = ' style="text-align: left"'  # not in a style sheet of its own, which GitHub would leave out
ROW = re.compile(r"<tr.*?</tr>", re.DOTALL)
FIGURE = re.compile(r"[-+−–$%\d,.\s]*")  # one that is written as a text is a figure all the same
CELL = re.compile(r"(?<=<t[hd])(?=[ >])")  # where a cell has its attributes


def show_texts() -> None:
    """So from now on, in this notebook. pandas alone cuts a text at 50 letters, and Jupyter sets it from the right."""
    import pandas as pd
    from IPython import get_ipython

    pd.set_option("display.max_colwidth", None)
    get_ipython().display_formatter.formatters["text/html"].for_type(pd.DataFrame, frame_html)


def frame_html(frame: pd.DataFrame, index: bool = True) -> str | None:
    """pandas' own HTML of a table; a column or an index that has a text in it is set from the left, its name too."""
    import pandas as pd

    table = frame._repr_html_() if index else frame.to_html(index=False)
    if table is None or 0 < pd.get_option("display.max_columns") < frame.shape[1]:  # no HTML; columns are left out
        return table
    labels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)] if index else []
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    texts = [values.dtype.kind == "O" and any(map(_is_text, values)) for values in labels + columns]

    def from_the_left(row: re.Match[str]) -> str:
        before, *cells = CELL.split(row[0])
        if not cells or "colspan" in row[0]:  # columns share a name
            return row[0]
        # It is at the left that cells are missing (a label that is the row's above, too) or that there is one more.
        of_row = [False, *texts][-len(cells) :]
        return before + "".join(LEFT * text + cell for text, cell in zip(of_row, cells, strict=True))

    return ROW.sub(from_the_left, table)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not FIGURE.fullmatch(value)

"""A box to ask the shop in English: the query that a model writes, what it gives, and how sure the model was."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.display.playground import button, show
from course_lib.lessons.sql.task import SqlAnswer, SqlWriter

ROWS_SHOWN = 8
# Below this the least certain token is as good as a guess, and the learner should look twice.
UNSURE = 0.5


def sql_chat(writer: SqlWriter, today: str | None = None, ask: str | None = None) -> None:
    """Ask in English; see the SQL, the table that it returns, and the confidence. `ask` does so without a widget.

    `today` is the day on which the requests are made, as "2023-11-14".
    """
    if ask is not None and not ask.strip():
        raise CourseError("the request is empty: ask something, such as 'How many users are there?'.")
    text = "Ask the shop in English. Without widgets: sliders.sql_chat(writer, today, ask='How many users are there?')"
    show(lambda: _chat_box(writer, today), text, None if ask is None else _Reply(writer.ask(ask, today)))


def _chat_box(writer: SqlWriter, today: str | None) -> Any:
    import ipywidgets as w

    wide = w.Layout(width="36em", max_width="100%")
    request = w.Text(description="Request", placeholder="How many users are there?", tooltip="Request", layout=wide)
    out = w.HTML()

    def answer() -> Any:
        return _Reply(writer.ask(request.value, today)) if request.value.strip() else "· Type a request first."

    pressed = button("Ask", "Writing ...", answer, out)
    request.continuous_update = False
    request.observe(lambda change: pressed.click() if change["new"].strip() else None, "value")  # Enter
    return w.VBox([w.HBox([request, pressed], layout=w.Layout(flex_flow="row wrap")), out])


@dataclass(frozen=True)
class _Reply:
    """A query with its confidence and the first rows of its result, as text and as HTML."""

    answer: SqlAnswer

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
        return "\n".join([self.answer.sql, self._confidence(), *table, *self._rest()])

    def _repr_html_(self) -> str:
        def row(cells: list[str], tag: str) -> str:
            return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

        rows = "".join(row(cells, "td" if number else "th") for number, cells in enumerate(self._cells()))
        table = f'<table class="dataframe">{rows}</table>' if rows else "<br>"
        sql, confidence, rest = map(html.escape, (self.answer.sql, self._confidence(), "".join(self._rest())))
        return f"<code>{sql}</code><br>{confidence}{table}{rest}"

    def _confidence(self) -> str:
        confidence = self.answer.confidence
        least = min(self.answer.tokens, key=lambda pair: pair[1], default=("", 0.0))[0].strip()
        doubt = f", least sure of {least!r}" if least else ""
        return f"confidence {confidence:.0%}{doubt}{': look twice' if confidence < UNSURE else ''}"

    def _cells(self) -> list[list[str]]:
        """Names of the columns and the first rows; nothing of a query that does not run."""
        rows = () if self.answer.error else (self.answer.columns, *self.answer.rows[:ROWS_SHOWN])
        return [[str(cell) for cell in row] for row in rows]

    def _rest(self) -> list[str]:
        if self.answer.error:
            return [f"{self.answer.error[:1].upper()}{self.answer.error[1:]}"]
        more = len(self.answer.rows) - ROWS_SHOWN
        if not self.answer.rows:
            return ["(no rows)"]
        return [f"... and {more} more row{'s' * (more > 1)}"] if more > 0 else []

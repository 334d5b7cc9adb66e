"""A box to ask the shop in English: the query that a model writes, what it gives, and how sure the model was."""

from __future__ import annotations

import html
from typing import Any

from course_lib.errors import CourseError
from course_lib.progress import in_notebook
from course_lib.sql import SqlAnswer, SqlWriter
from course_lib.widgets import show_widget

__all__ = ["sql_chat"]

ROWS_SHOWN = 8
# Below this the least certain token is as good as a guess, and the learner should look twice.
UNSURE = 0.5


def sql_chat(writer: SqlWriter, today: str | None = None, ask: str | None = None) -> None:
    """Ask in English; see the SQL, the table that it returns, and the confidence.

    Parameters
    ----------
    writer
        Who writes the SQL.
    today
        The day on which the requests are made, as "2023-11-14".
    ask
        Asks this without a widget, and prints the answer.

    Raises
    ------
    CourseError
        If `ask` is empty.
    """
    if ask is not None:
        if not ask.strip():
            raise CourseError("the request is empty: ask something, such as 'How many users are there?'.")
        print(_as_text(writer.ask(ask, today)))
        return
    text = "Ask the shop in English. Without widgets: cl.sql_chat(writer, today, ask='How many users are there?')"
    show_widget(_box(writer, today) if in_notebook() else None, text)


def _box(writer: SqlWriter, today: str | None) -> Any:
    import ipywidgets as w

    request = w.Text(placeholder="How many users are there?", layout=w.Layout(width="32em"))
    button, out = w.Button(description="Ask", button_style="primary"), w.HTML()

    def answer(_: Any) -> None:
        if not request.value.strip():
            out.value = "· Type a request first."
            return
        button.disabled, out.value = True, "Writing ..."
        try:
            out.value = _as_html(writer.ask(request.value, today))
        except CourseError as error:  # an overlong request, say: the box stays usable
            out.value = html.escape(str(error))
        finally:
            button.disabled = False

    button.on_click(answer)
    request.continuous_update = False
    request.observe(lambda change: answer(change) if change["new"].strip() else None, "value")  # Enter
    return w.VBox([w.HBox([request, button]), out])


def _confidence(answer: SqlAnswer) -> str:
    least = min(answer.tokens, key=lambda pair: pair[1], default=("", 0.0))[0].strip()
    doubt = f", least sure of {least!r}" if least else ""
    return f"confidence {answer.confidence:.0%}{doubt}{': look twice' if answer.confidence < UNSURE else ''}"


def _as_text(answer: SqlAnswer) -> str:
    lines = [answer.sql, _confidence(answer)]
    if answer.error:
        return "\n".join([*lines, f"It does not run: {answer.error}"])
    cells = [[str(column) for column in answer.columns], *([str(cell) for cell in row] for row in _shown(answer))]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join([*lines, *_rest(answer)])


def _as_html(answer: SqlAnswer) -> str:
    head = f"<code>{html.escape(answer.sql)}</code><br>{html.escape(_confidence(answer))}"
    if answer.error:
        return f"{head}<br>It does not run: {html.escape(answer.error)}"

    def row(cells: Any, tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    table = row(answer.columns, "th") + "".join(row(cells, "td") for cells in _shown(answer))
    return f'{head}<table class="dataframe">{table}</table>{"".join(_rest(answer))}'


def _shown(answer: SqlAnswer) -> tuple[tuple[Any, ...], ...]:
    return answer.rows[:ROWS_SHOWN]


def _rest(answer: SqlAnswer) -> list[str]:
    if not answer.rows:
        return ["(no rows)"]
    more = len(answer.rows) - ROWS_SHOWN
    return [f"... and {more} more row{'s' * (more > 1)}"] if more > 0 else []

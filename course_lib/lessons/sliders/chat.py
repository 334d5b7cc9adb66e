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

    request, out = w.Text(placeholder="How many users are there?", layout=w.Layout(width="32em")), w.HTML()

    def answer() -> Any:
        return _Reply(writer.ask(request.value, today)) if request.value.strip() else "· Type a request first."

    pressed = button("Ask", "Writing ...", answer, out)
    request.continuous_update = False
    request.observe(lambda change: pressed.click() if change["new"].strip() else None, "value")  # Enter
    return w.VBox([w.HBox([request, pressed]), out])


@dataclass(frozen=True)
class _Reply:
    """A query with its confidence and the first rows of its result, as text and as HTML."""

    answer: SqlAnswer

    def __str__(self) -> str:
        if self.answer.error:
            return "\n".join([*self._head(), self._error()])
        cells = [[str(cell) for cell in row] for row in (self.answer.columns, *self._rows())]
        widths = [max(map(len, column)) for column in zip(*cells)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
        return "\n".join([*self._head(), *table, *self._rest()])

    def _repr_html_(self) -> str:
        sql, confidence = map(html.escape, self._head())
        head = f"<code>{sql}</code><br>{confidence}"
        if self.answer.error:
            return f"{head}<br>{html.escape(self._error())}"

        def row(cells: Any, tag: str) -> str:
            return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

        table = row(self.answer.columns, "th") + "".join(row(cells, "td") for cells in self._rows())
        return f'{head}<table class="dataframe">{table}</table>{"".join(self._rest())}'

    def _head(self) -> tuple[str, str]:
        confidence = self.answer.confidence
        least = min(self.answer.tokens, key=lambda pair: pair[1], default=("", 0.0))[0].strip()
        doubt = f", least sure of {least!r}" if least else ""
        return self.answer.sql, f"confidence {confidence:.0%}{doubt}{': look twice' if confidence < UNSURE else ''}"

    def _error(self) -> str:
        return f"It does not run: {self.answer.error}"

    def _rows(self) -> tuple[tuple[Any, ...], ...]:
        return self.answer.rows[:ROWS_SHOWN]

    def _rest(self) -> list[str]:
        more = len(self.answer.rows) - ROWS_SHOWN
        if not self.answer.rows:
            return ["(no rows)"]
        return [f"... and {more} more row{'s' * (more > 1)}"] if more > 0 else []

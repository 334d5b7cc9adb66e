"""What is told of an exam: a sentence with its numbers, a badge, and answers in a table; as HTML, and as text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core import text as console
from course_lib.core.errors import CourseError
from course_lib.core.text import in_notebook, shown, wrapped

# Colours in pairs, behind and of a word: readable on a dark page and on a light one. The word says the same.
GOOD, OPEN, BAD = ("#00664f", "#ffffff"), ("#5a5a5a", "#ffffff"), ("#9c3300", "#ffffff")

# JupyterLab takes text between two dollars for a formula, escaped or not, but not across the end of an element.
DOLLAR = r"<span>\\$</span>"
LONG = 140  # letters of a reply; what is longer is folded
CELL = "text-align:left;vertical-align:top;white-space:normal;word-break:normal;overflow-wrap:break-word"


def say(sentence: str, **numbers: Any) -> None:
    """Say a sentence with its numbers, in a notebook as Markdown: `say("{right:.0%} are **right**", right=0.4)`.

    Without `numbers` the sentence is said as it stands: an f-string, say. A dollar begins no formula. Outside a
    notebook it is printed, without the marks of Markdown.
    """
    if not isinstance(sentence, str) or not sentence.strip():
        raise CourseError(f"the sentence is {sentence!r:.60}: say it in words.")
    try:
        said = shown(sentence.format(**numbers) if numbers else sentence)
    except (LookupError, ValueError, TypeError) as error:
        raise CourseError(
            f"{sentence!r:.60} cannot be filled in with {', '.join(numbers)} ({error}): name each {{number}}."
        ) from error
    plain = wrapped(re.sub(r"\*\*|`", "", said).replace("\\$", "$"))
    if not in_notebook():
        console.say(plain)
        return
    from IPython.display import display

    display({"text/markdown": re.sub(r"\\?\$", DOLLAR, said), "text/plain": plain}, raw=True)


def show(told: Any) -> None:
    """Show in a notebook what has HTML of its own; elsewhere print it."""
    if not in_notebook():
        console.say(told)
        return
    from IPython.display import display

    display(told)


def badge(word: str, colours: tuple[str, str]) -> str:
    """A word on its colour, as HTML."""
    back, ink = colours
    look = f"background:{back};color:{ink};padding:1px 8px;border-radius:9px;white-space:nowrap"
    return f'<b style="{look}">{html.escape(word)}</b>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose lines break at words, as HTML; so is each of its cells."""
    names = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in head)
    body = "".join("<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Told:
    """One answer as it is shown: a mark (✓, ✗, ?, !) with its word and colours; what was asked, said and right."""

    mark: str
    word: str
    colours: tuple[str, str]
    question: str
    said: str
    right: str


@dataclass(frozen=True)
class AnswerTable:
    """Answers of an exam, a row each, with a line on how many more there are. As HTML long replies are folded."""

    rows: Sequence[Told]
    more: int = 0

    def __str__(self) -> str:
        lines = []
        for row in self.rows:
            lines += [f"{row.mark} {row.word}: {row.question}", f"    said: {row.said}", f"    right: {row.right}"]
        return wrapped(shown("\n".join([*lines, *self._rest()])))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rest = "".join(f"<p>{line}</p>" for line in self._rest())
        return table(("", "question", "said", "right"), map(self._row, self.rows)) + rest

    def _row(self, row: Told) -> list[str]:
        label = badge(f"{row.mark} {row.word}", row.colours)
        return [label, html.escape(shown(row.question)), _folded(shown(row.said)), html.escape(shown(row.right))]

    def _rest(self) -> list[str]:
        return [f"... and {self.more} more"] if self.more else []


def _folded(reply: str) -> str:
    if len(reply) <= LONG:
        return html.escape(reply)
    start = reply[:LONG].rsplit(" ", 1)[0]
    whole = html.escape(reply).replace("\n", "<br>")
    return f"<details><summary>{html.escape(start)} …</summary>{whole}</details>"

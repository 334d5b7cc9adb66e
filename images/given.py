"""Where drawings take their words and figures from, so that nobody types one in."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from course_lib.evaluation.kept import runs
from course_lib.evaluation.reports import Row


@cache
def student() -> dict[str, Any]:
    """What `student.py` asked the default student."""
    return json.loads((Path(__file__).resolve().parent / "student.json").read_text(encoding="utf-8"))


def answer(place: str, question: str) -> Row:
    """A stored answer: its measurement, "02/rag", and the question's id."""
    return next(row for report in runs(place, "").reports for row in report.rows if row.id == question)


def quoted(words: str, reply: str) -> str:
    """Words of a reply, which must be in it, in quotation marks."""
    assert words in reply, f"{reply!r} does not say {words!r}"
    start, end = "" if reply.startswith(words) else "… ", "" if reply.endswith(words) else " …"
    return f"“{start}{words}{end}”"

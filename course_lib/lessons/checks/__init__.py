"""Automatic checks that hint: what a learner's answer lacks, never what it should have been.

The checks themselves are the modules here, one for each lesson; each registers itself under its exercise's key.
"""

from __future__ import annotations

import inspect
from typing import Any

from course_lib.core.errors import CourseError, choose
from course_lib.core.text import say
from course_lib.lessons.checks import l00, l01, l02, l03, l04, l05, l06, l07, l08  # noqa: F401  (each registers its own)
from course_lib.lessons.checks.registry import CHECKS, Right

_solved: dict[str, bool] = {}


def check(key: str, attempt: Any, **context: Any) -> None:
    """Check a learner's answer, and print one line: ✓ right, ✗ a hint, · not attempted yet.

    Parameters
    ----------
    key
        The exercise.
    attempt
        The answer, of any type; None is not attempted. Nothing that it can be raises an error.
    context
        What the check holds it against, by name: an exam, a report.
    """
    names, function = CHECKS[choose("exercise", key, CHECKS)]
    try:
        inspect.signature(function).bind(attempt, **context)
    except TypeError as error:
        raise CourseError(f"exercise {key!r} cannot be checked like this: {error}.") from error
    if attempt is None:
        _solved.pop(key, None)
        say(f"· Not attempted yet: `{names}` is None.")
        return
    try:
        said = function(attempt, **context)
    except Exception as error:  # whatever an answer of the wrong kind sets off is a hint, not a traceback
        reason = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
        said = f"The check could not read your answer: {reason}"
    _solved[key] = isinstance(said, Right)
    say("✓" if _solved[key] else "✗", " ".join(said.split()))


def progress_report(lesson: str = "") -> None:
    """Print how many exercises of a lesson ("02") are solved, and which are open; of every lesson, if none is named."""
    lessons = sorted({key[:2] for key in CHECKS})
    for name in [choose("lesson", lesson, lessons)] if lesson else lessons:
        keys = sorted(key for key in CHECKS if key.startswith(f"{name}-"))
        still_open = [key for key in keys if not _solved.get(key)]
        rest = f" Open: {', '.join(still_open)}." if still_open else ""
        say(f"Lesson {name}: {len(keys) - len(still_open)} of {len(keys)} exercises solved.{rest}")

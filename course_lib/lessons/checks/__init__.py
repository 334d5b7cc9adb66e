"""Automatic checks that hint: what a learner's answer lacks, never what it should have been.

The checks themselves are the modules here, one for each lesson; each registers itself under its exercise's key.
"""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core.errors import CourseError, choose
from course_lib.core.journal import note, recall
from course_lib.core.text import say, wrapped
from course_lib.display import telling
from course_lib.display.quizzes import right_answers
from course_lib.evaluation.verdicts import GIVEN, Verdict
from course_lib.lessons.checks import l00, l01, l02, l03, l04, l05, l06, l07, l08  # noqa: F401  (each registers its own)
from course_lib.lessons.checks.registry import CHECKS, Right

_met: dict[str, None] = {}  # the exercises that this kernel has come to, in their order


def check(key: str, attempt: Any, **context: Any) -> None:
    """Check a learner's answer, and print one line: ✓ right, ✗ a hint, · not attempted yet. What is solved stays so.

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
    _met[key] = None
    if attempt is None:
        before = " You solved it before." if recall("solved", key) else ""
        say(f"· Not attempted yet: `{names}` is None.{before}")
        return
    try:
        said = function(attempt, **context)
    except Exception as error:  # whatever an answer of the wrong kind sets off is a hint, not a traceback
        reason = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
        said = f"The check could not read your answer: {reason}"
    solved = isinstance(said, Right)
    if solved:
        note("solved", key, datetime.date.today().isoformat())
    say("✓" if solved else "✗", " ".join(said.split()))


@dataclass(frozen=True)
class Findings:
    """What a page has tried: a row for each verdict, then whether each exercise is solved."""

    verdicts: Sequence[Verdict]
    exercises: Mapping[str, bool]

    def __str__(self) -> str:
        exercises = [f"exercise {key}: {SOLVED[solved][0]}" for key, solved in self.exercises.items()]
        return "\n".join([*map(wrapped, map(str, self.verdicts)), *exercises])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        exercises = [[telling.badge(*SOLVED[solved]), f"exercise {key}", ""] for key, solved in self.exercises.items()]
        rows = [*(verdict.cells() for verdict in self.verdicts), *exercises]
        return telling.table(("verdict", "of what", "measured"), rows)


SOLVED = {True: ("solved", telling.GOOD), False: ("open", telling.OPEN)}


def findings() -> None:
    """Show what this page has tried so far: each claim with its verdict, and its exercises, solved or open."""
    if not (GIVEN or _met):
        raise CourseError("nothing has been tried on this page yet: run the cells above first.")
    telling.show(Findings(list(GIVEN.values()), {key: recall("solved", key) is not None for key in _met}))


def progress() -> None:
    """Print how far you have come, a line a lesson, and what is next: exercises solved, and questions of the quiz."""
    still_open = []
    for lesson in sorted({key[:2] for key in CHECKS}):
        keys = [key for key in CHECKS if key.startswith(f"{lesson}-")]
        todo = [key for key in keys if recall("solved", key) is None]
        marks = right_answers(lesson)
        quiz = "not tried yet" if marks is None else f"{marks[0]} of {marks[1]} right"
        mark = "·" if todo or marks is None else "✓"
        say(f"{mark} Lesson {lesson}: {len(keys) - len(todo)} of {len(keys)} exercises solved, quiz {quiz}")
        still_open += [f"lesson {lesson}, exercise {key}" for key in todo]
        still_open += [f"lesson {lesson}, the quiz at its end"] if marks is None else []
    say(f"Next: {still_open[0]}." if still_open else "All is solved.")

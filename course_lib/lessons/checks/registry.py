"""What a check of an exercise is: a function `(attempt, **context) -> Verdict`, registered under its exercise's key."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from course_lib.core.errors import CourseError


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and one sentence: what that shows, or a hint."""

    ok: bool
    message: str


CHECKS: dict[str, tuple[str, Callable[..., Verdict]]] = {}


def register(key: str, names: str) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Register a check (as a decorator).

    Parameters
    ----------
    key
        Two digits of the lesson, then the exercise: "02-leak".
    names
        The variable that the learner fills in: named where it is still None.

    Raises
    ------
    CourseError
        If `key` has another form.
    """
    if not re.fullmatch(r"\d\d-[a-z0-9-]+", key):
        raise CourseError(f"exercise key {key!r} is not two digits, a hyphen and a name, such as 02-leak.")

    def keep(function: Callable[..., Verdict]) -> Callable[..., Verdict]:
        CHECKS[key] = (names, function)
        return function

    return keep

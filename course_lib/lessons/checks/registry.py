"""What a check of an exercise is: a function `(attempt, **context) -> str`, registered under its exercise's key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

from course_lib.core.errors import CourseError

Check = Callable[..., str]
CHECKS: dict[str, tuple[str, Check]] = {}  # key -> the variable that the learner fills in, and the check


class Right(str):
    """What a check says of a right answer: what it shows. Any other text is a hint."""


def register(key: str, names: str) -> Callable[[Check], Check]:
    """Register a check (as a decorator) under two digits of the lesson and a name, as "02-leak".

    `names` is the variable that the learner fills in: named where it is still None.
    """
    if not re.fullmatch(r"\d\d-[a-z0-9-]+", key):
        raise CourseError(f"exercise key {key!r} is not two digits, a hyphen and a name, such as 02-leak.")

    def keep(function: Check) -> Check:
        CHECKS[key] = (names, function)
        return function

    return keep


def told(answers: Iterable[tuple[Any, str]], fits: Callable[[Any], bool], otherwise: str) -> str:
    """What is said of the first of some answers, the right one and the usual wrong ones, that an attempt fits."""
    return next((text for answer, text in answers if fits(answer)), otherwise)


def is_whole(value: Any) -> bool:
    """Whether something is a whole number, NumPy's included; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_texts(value: Any) -> bool:
    """Whether something is a list or a tuple of texts."""
    return isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value)

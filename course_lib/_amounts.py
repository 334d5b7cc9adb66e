"""Numbers that come from outside, checked: settings, money, tokens, shares."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from course_lib.errors import CourseError

__all__ = ["above_zero", "check_share", "not_below_zero", "whole_above_zero"]


def above_zero(**values: Any) -> None:
    """Raise a CourseError that names the first of the values which is no number above 0."""
    for what, value in values.items():
        if not _is_number(value) or not value > 0:
            raise CourseError(f"{what} is {value!r}: it must be a number above 0.")


def whole_above_zero(**values: Any) -> None:
    """As `above_zero`, for what is counted."""
    for what, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CourseError(f"{what} is {value!r}: it must be a whole number above 0.")


def not_below_zero(**values: Any) -> None:
    """As `above_zero`, with 0 allowed."""
    for what, value in values.items():
        if not _is_number(value) or value < 0:
            raise CourseError(f"{what} is {value!r}: it must be a number, 0 or more.")


def check_share(what: str, value: Any) -> float:
    """Return a share above 0 and at most 1.

    Raises
    ------
    CourseError
        For anything else.
    """
    if not _is_number(value) or not 0 < value <= 1:
        raise CourseError(f"{what} is {value!r}: it is a share, above 0 and at most 1.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)

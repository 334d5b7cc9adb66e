"""What can go wrong, in one sentence that says what to do.

CourseError
├── ChoiceError      a name that is not one of the choices
├── DataError        a file, row or document that is not what it should be
│   └── LeakError    an exam question, fact or document among what is trained on
├── ModelError       a model that is missing, refused or not to be had
└── TrainingError    a training run that cannot go on
"""
# MERGED _amounts: Numbers that come from outside, checked: settings, money, tokens, shares.

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import Any


class CourseError(Exception):
    """Base of every error that the course raises on purpose."""


class ChoiceError(CourseError, ValueError):
    """A name is not one of the choices."""


class DataError(CourseError):
    """A file, a row or a document is not what it should be."""


class LeakError(DataError):
    """Something of the exam is among what a model is trained on."""


class ModelError(CourseError):
    """A model is missing, refused, or not to be had."""


class TrainingError(CourseError):
    """A training run cannot start or go on."""


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`.

    Raises
    ------
    ChoiceError
        Names the value, the choices and the nearest of them.
    """
    choices = list(choices)
    if value in choices:
        return value
    small = {choice.lower(): choice for choice in choices}  # "LoRA" is meant as well as "lorra"
    near = difflib.get_close_matches(str(value).lower(), small, n=1)
    hint = f" Did you mean {small[near[0]]!r}?" if near else ""
    raise ChoiceError(f"{what} {value!r} is not one of {', '.join(choices)}.{hint}")


@contextlib.contextmanager
def disk_explained(folder: Path, way_out: str) -> Iterator[None]:
    """Turn a disk that is full, or a folder that may not be written, into a ModelError that says what to do."""
    try:
        yield
    except Exception as error:
        # safetensors and tokenizers are written in Rust: their errors are no OSError, but name one.
        if not isinstance(error, OSError) and "os error" not in str(error):
            raise
        raise ModelError(f"cannot read or write {folder} ({error}): free some disk, or {way_out}.") from error


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

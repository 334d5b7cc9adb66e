"""What can go wrong, in one sentence that says what to do."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from course_lib.core.secrets import without_secrets


class CourseError(Exception):
    """Base of every error that the course raises on purpose.

    Secrets in its sentence, quoted causes too, are hidden, and halves of characters written out: Jupyter sends none.
    """

    def __init__(self, *said: Any) -> None:
        super().__init__(*(_fit_to_print(text) if isinstance(text, str) else text for text in said))
        # What was being handled is printed only where it is named as the cause: it may quote a key.
        self.__suppress_context__ = True


class ChoiceError(CourseError, ValueError):
    """A name is not one of the choices."""


class DataError(CourseError):
    """A file, a row or a document is not what it should be."""


class LeakError(DataError):
    """A question, fact or document of an exam is among what a model is trained on."""


class ModelError(CourseError):
    """A model is missing, refused, or not to be had."""


class TrainingError(CourseError):
    """A training run cannot start or go on."""


def choose(what: str, value: str, choices: Iterable[str], others: Mapping[str, str] | None = None) -> str:
    """Return `value` if it is one of `choices`; the ChoiceError names them all, and the nearest.

    `others` are names that other people give them: those are no choices, and say which is meant.
    """
    choices = list(choices)
    if value in choices:
        return value
    # "LoRA" is meant as well as "lorra".
    small = {choice.lower(): choice for choice in choices} | dict(others or {})
    near = difflib.get_close_matches(str(value).lower(), small, n=1)
    hint = f" Did you mean {small[near[0]]!r}?" if near else ""
    raise ChoiceError(f"{what} {value!r} is not one of {', '.join(choices)}.{hint}")


def listed(what: str, given: Any, of: str = "") -> list[Any]:
    """What was given as a list: a generator can be gone through only once, and a second look would find nothing.

    A text, a dict, a table or what cannot be gone through is a DataError that calls it `what`.
    """
    if hasattr(given, "columns") and hasattr(given, "to_dict"):  # pandas' would give the names of its columns
        raise DataError(f"{what} are a list{of}, not a table: give its rows, .fillna('').to_dict('records').")
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        read = ": read the file first" if isinstance(given, (str, Path)) else ""
        raise DataError(f"{what} are a list{of}, not {type(given).__name__}{read}.")
    return list(given)


def ended(sentence: str) -> str:
    """A sentence with its full stop, unless it ends by itself: with a question, such as `choose` asks."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."


@contextlib.contextmanager
def disk_explained(folder: Path, way_out: str) -> Iterator[None]:
    """Turn a disk that is full, or a folder that may not be written, into a ModelError that says what to do."""
    try:
        yield
    except Exception as error:
        # safetensors and tokenizers are written in Rust: their errors are no OSError, but name one.
        if not isinstance(error, (OSError, UnicodeEncodeError)) and "os error" not in str(error):
            raise
        raise ModelError(f"cannot read or write {folder} ({error}): free some disk, or {way_out}.") from error


# Numbers that come from outside: settings, money, tokens, shares.


def above_zero(**values: Any) -> None:
    """Refuse the first of the values that is no number above 0, by its name."""
    _refuse(values, lambda value: is_number(value) and value > 0, "must be a number above 0")


def whole_above_zero(**values: Any) -> None:
    """As `above_zero`, for what is counted."""
    _refuse(values, lambda value: type(value) is int and value > 0, "must be a whole number above 0")


def not_below_zero(**values: Any) -> None:
    """As `above_zero`, with 0 allowed."""
    _refuse(values, lambda value: is_number(value) and value >= 0, "must be a number, 0 or more")


def check_share(what: str, value: Any) -> float:
    """Return a share, above 0 and at most 1; refuse anything else."""
    _refuse({what: value}, lambda value: is_number(value) and 0 < value <= 1, "is a share, above 0 and at most 1")
    return value


def is_number(value: Any) -> bool:
    """Whether something is a finite number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _fit_to_print(text: str) -> str:
    return without_secrets(text).encode(errors="backslashreplace").decode()


def _refuse(values: dict[str, Any], fits: Callable[[Any], bool], meant: str) -> None:
    for what, value in values.items():
        if not fits(value):
            raise CourseError(f"{what} is {value!r}: it {meant}.")

"""One stored figure, named by its lesson and its place, as prose quotes it: value, 95% interval, n.

A place is written as the keys on the way to it: "02/handbook/RAG" is what `data/results/02.json` holds under "handbook"
and there under "RAG". `*` takes every item of a list, such as the seeds: "02/by_heart/many-wordings/*/exam". So nobody
copies a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from course_lib.errors import CourseError, DataError
from course_lib.reports import span
from course_lib.results import load_results

__all__ = ["Finding", "find", "is_measured", "quoted"]

# Of differences the sign is said, and whether it may be chance.
DIFFERENCES = re.compile(r"minus|against")


@dataclass(frozen=True)
class Finding:
    """A measured figure.

    Attributes
    ----------
    place
        Where it is stored.
    value
        Of several seeds that were stored apart, the mean.
    low, high
        Ends of its 95% interval; None where none was stored.
    n
        Questions, or seeds times questions; None for what is no exam.
    seeds
        How many runs it is the mean of; 0 where the place does not say.
    """

    place: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seeds: int = 0
    spread: tuple[float, float] | None = None

    @property
    def is_difference(self) -> bool:
        return bool(DIFFERENCES.search(self.place))

    def __str__(self) -> str:
        sign = "+" if self.is_difference else ""
        small = abs(self.value) <= 1 or (abs(self.value) < 10 and not float(self.value).is_integer())
        said = f"{self.value:{sign}.2f}" if small else f"{self.value:{sign},.0f}"
        notes = []
        if self.low is not None:
            notes.append(span(self.low, self.high, f"{sign}.2f"))
        if self.spread is not None:
            notes.append(f"{self.seeds} seeds from {span(*self.spread)}")
        if self.n is not None:
            notes.append(f"n = {self.n}")
        told = f"{said} ({', '.join(notes)})" if notes else said
        if self.is_difference and self.low is not None:
            told += ", a tie" if self.low <= 0 <= self.high else ", not by chance"
        return told


def is_measured(lesson: str) -> bool:
    """Whether anything was stored for a lesson ("06")."""
    try:
        load_results(lesson)
    except DataError:
        return False
    return True


def find(place: str) -> Finding:
    """The figure at a place.

    Parameters
    ----------
    place
        "02/handbook/RAG": the lesson, then keys; `*` for every item of a list.

    Raises
    ------
    DataError
        If nothing was stored for the lesson, or nothing lies at the place: names what there is instead.
    CourseError
        If what lies there is no figure: a number, [value, low, high], or a dict with accuracy and ci, or value, low and
        high; or, under `*`, several.
    """
    lesson, *keys = place.split("/")
    if not re.fullmatch(r"\d\d", lesson) or not keys:
        raise CourseError(f"the place {place!r} is not a lesson and keys, such as 02/handbook/RAG.")
    found, above = _walk(place, load_results(lesson), keys, {})
    if isinstance(found, _Many):
        each = [_figure(place, item, above) for item in found]
        values = [one.value for one in each]
        return Finding(
            place, sum(values) / len(values), n=each[0].n, seeds=len(each), spread=(min(values), max(values))
        )
    return _figure(place, found, above)


def quoted(what: str, place: str) -> str:
    """A measured row in words: "RAG 0.25 (0.18 to 0.31, n = 154) [lesson 02]"; says so where it was not measured."""
    lesson = place[:2]
    if not is_measured(lesson):
        return f"{what}: not measured yet (lesson {lesson})"
    try:
        return f"{what} {find(place)} [lesson {lesson}]"
    except DataError:
        return f"{what}: not measured yet (lesson {lesson}, {place[3:]})"


class _Many(list):
    """What `*` took."""


def _walk(place: str, found: Any, keys: list[str], above: Any) -> tuple[Any, Any]:
    """What lies at the end of the keys, and what holds it."""
    for number, key in enumerate(keys):
        if key == "*":
            if not isinstance(found, list) or not found:
                raise DataError(f"{place}: before * there is no list.")
            return _Many(_walk(place, item, keys[number + 1 :], {})[0] for item in found), {}
        above = found
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            there = ", ".join(map(str, found)) if isinstance(found, dict) else f"{type(found).__name__}"
            raise DataError(f"nothing is stored at {place}: {key!r} is not one of {there[:300]}.")
    return found, above


def _figure(place: str, found: Any, above: Any) -> Finding:
    n = above.get("n") if isinstance(above, dict) else None
    if isinstance(found, dict) and {"accuracy", "ci"} <= set(found):
        return Finding(place, found["accuracy"], *found["ci"], n=found.get("n"))
    if isinstance(found, dict) and {"value", "low", "high"} <= set(found):
        return Finding(place, found["value"], found["low"], found["high"], n=found.get("n", n))
    if isinstance(found, list) and len(found) == 3 and all(map(_is_number, found)):
        return Finding(place, *found, n=n)
    if _is_number(found):
        return Finding(place, found)
    raise CourseError(f"what is stored at {place} is no figure: name what lies under it.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

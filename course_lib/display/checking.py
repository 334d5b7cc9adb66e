"""What plots are given, checked before anything is drawn: a CourseError names the plot and the fault."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.display.drawing import LOOKS
from course_lib.display.pictures import tell


def checked_bar(row: Any) -> dict[str, Any]:
    names = ("label", "value", "low", "high")
    item = dict(zip(names, row)) if isinstance(row, (list, tuple)) and len(row) == len(names) else row
    if isinstance(item, Mapping) and item.get("exact", 0) is None:
        item = {name: value for name, value in item.items() if name != "exact"}
    return _checked_interval(
        item, names, {"exact"}, "bars", "a row is (label, value, low, high) or a dict of these and exact"
    )


def checked_spot(point: Any) -> dict[str, Any]:
    names = ("label", "x", "value", "low", "high")
    form = "a point is a dict of label, x, value, low and high (and runs)"
    item = _checked_interval(point, names, {"runs"}, "frontier", form)
    return item | {
        "runs": [checked_numbers(run, f"frontier: a run of {item['label']}", 2) for run in point.get("runs", ())]
    }


def _checked_interval(row: Any, needed: Sequence[str], more: set[str], where: str, form: str) -> dict[str, Any]:
    """A row of the keys needed, perhaps with more, its numbers as floats and its value inside its interval."""
    if not isinstance(row, Mapping) or not set(needed) <= set(row) <= {*needed, *more}:
        raise CourseError(f"{where}: {form}, not {row!r}.")
    label = row["label"]
    named = {
        name: checked_numbers([row[name]], f"{where}: {name} of {label}")[0]
        for name in row
        if name not in ("label", "runs")
    }
    item = {"label": label, **named}
    slack = 1e-9 * max(1, abs(item["value"]))  # an interval of a share of 0 may begin at 1e-18
    if item["low"] > item["high"] or not item["low"] - slack <= item["value"] <= item["high"] + slack:
        raise CourseError(f"{where}: {label}: {tell(item)} is not a value inside its interval, low to high.")
    return item


def checked_band(name: str, band: Any, lines: Any) -> list[tuple[float, ...]]:
    if name not in lines:
        raise CourseError(f"curve: a band of {name!r}, which is not one of {', '.join(lines)}.")
    edges = checked_pairs(band, f"curve: band of {name}", len(lines[name][0]))
    for low, high in edges:
        if low > high:
            raise CourseError(f"curve: band of {name}: low {low:g} is above high {high:g}.")
    return edges


def starred(labels: Sequence[str], highlight: Sequence[int | str] | None) -> list[int]:
    stars: list[int] = []
    for wanted in [highlight] if isinstance(highlight, (str, int)) else highlight or ():
        found = [i for i, label in enumerate(labels) if wanted in (i, label)]
        if not found:
            raise CourseError(f"points: highlight {wanted!r} is neither a label nor an index below {len(labels)}.")
        stars += [i for i in found if i not in stars]
    return stars


def checked_series(series: Any, where: str) -> Any:
    if not isinstance(series, Mapping) or not series:
        raise CourseError(f"{where}: give a dict of at least one series by name.")
    return series.items()


def checked_rows(values: Any, where: str, what: str) -> Any:
    values = list(values) if isinstance(values, Iterator) else values
    if values is None or isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
        raise CourseError(f"{where}: there are no {what} to draw.")
    return values


def looks_for(names: Collection[str], where: str) -> dict[str, tuple[str, str, str]]:
    """A colour, a marker and a dash for each name."""
    if len(names) > len(LOOKS):
        raise CourseError(f"{where}: {len(names)} names, and only {len(LOOKS)} can be told apart: show fewer.")
    return dict(zip(names, LOOKS))


def checked_pairs(rows: Any, where: str, length: int | None = None) -> list[tuple[float, ...]]:
    found = [checked_numbers(row, where, 2) for row in checked_rows(rows, where, "pairs")]
    if length is not None and len(found) != length:
        raise CourseError(f"{where}: {len(found)} pairs where {length} are wanted.")
    return found


def checked_numbers(values: Any, where: str, length: int | None = None) -> tuple[float, ...]:
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise CourseError(f"{where}: {values!r} are not all numbers.") from error
    if length is not None and len(found) != length:
        raise CourseError(f"{where}: {len(found)} values where {length} are wanted.")
    for number in found:
        if not math.isfinite(number):
            raise CourseError(f"{where}: {number} cannot be drawn.")
    return found

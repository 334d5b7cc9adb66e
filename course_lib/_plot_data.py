"""What plots are given: checked before anything is drawn, and told in words for the alt text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from course_lib._drawing import count_text, value_text
from course_lib.errors import CourseError

__all__ = [
    "checked_band",
    "checked_bar",
    "filled",
    "named",
    "numbers",
    "pairs",
    "starred",
    "tell",
    "tell_lines",
    "tell_part",
]


def starred(labels: Sequence[str], highlight: Sequence[int | str] | None) -> list[int]:
    stars: list[int] = []
    for wanted in [highlight] if isinstance(highlight, (str, int)) else highlight or ():
        found = [i for i, label in enumerate(labels) if wanted in (i, label)]
        if not found:
            raise CourseError(f"points: highlight {wanted!r} is neither a label nor an index below {len(labels)}.")
        stars += [i for i in found if i not in stars]
    return stars


def checked_bar(row: Any) -> dict[str, Any]:
    names = ("label", "value", "low", "high")
    item = dict(row if isinstance(row, Mapping) else zip(names, row if isinstance(row, (list, tuple)) else ()))
    if item.get("exact", 0) is None:
        del item["exact"]
    if not set(names) <= set(item) <= {*names, "exact"} or (not isinstance(row, Mapping) and len(row) > len(names)):
        raise CourseError(f"bars: a row is (label, value, low, high) or a dict of these and exact, not {row!r}.")
    keys = [name for name in item if name != "label"]
    item |= zip(keys, numbers([item[name] for name in keys], f"bars: {item['label']}"))
    slack = 1e-9 * max(1, abs(item["value"]))  # an interval of a share of 0 may begin at 1e-18
    if item["low"] > item["high"] or not item["low"] - slack <= item["value"] <= item["high"] + slack:
        raise CourseError(f"bars: {item['label']}: {tell(item)} is not a value inside its interval, low to high.")
    return item


def checked_spot(point: Any) -> dict[str, Any]:
    if not isinstance(point, Mapping) or set(point) - {"runs"} != {"label", "x", "value", "low", "high"}:
        raise CourseError(f"frontier: a point is a dict of label, x, value, low and high (and runs), not {point!r}.")
    (x,) = numbers([point["x"]], f"frontier: x of {point['label']}")
    runs = [tuple(numbers(run, f"frontier: a run of {point['label']}", 2)) for run in point.get("runs", ())]
    return checked_bar({name: point[name] for name in point if name not in ("x", "runs")}) | {"x": x, "runs": runs}


def checked_band(name: str, band: Any, lines: Any) -> list[tuple[float, float]]:
    if name not in lines:
        raise CourseError(f"curve: a band of {name!r}, which is not one of {', '.join(lines)}.")
    edges = pairs(band, f"curve: band of {name}", len(lines[name][0]))
    for low, high in edges:
        if low > high:
            raise CourseError(f"curve: band of {name}: low {low:g} is above high {high:g}.")
    return edges


def filled(values: Any, where: str, what: str) -> Any:
    if values is None or isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
        raise CourseError(f"{where}: there are no {what} to draw.")
    return values


def named(series: Any, where: str) -> Any:
    if not isinstance(series, Mapping) or not series:
        raise CourseError(f"{where}: give a dict of at least one series by name.")
    return series.items()


def numbers(values: Any, where: str, length: int | None = None) -> tuple[float, ...]:
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


def pairs(rows: Any, where: str, length: int | None = None) -> list[tuple[float, float]]:
    found = [numbers(row, where, 2) for row in filled(rows, where, "pairs")]
    if length is not None and len(found) != length:
        raise CourseError(f"{where}: {len(found)} pairs where {length} are wanted.")
    return found


def tell_part(part: Any) -> str:
    added = f" and {count_text(part.added)} added and trained" if part.added else ""
    return f"{part.name} {count_text(part.parameters)} {'trained' if part.trained else 'frozen'}{added}"


def tell(item: dict[str, Any]) -> str:
    exact = f", exact {value_text(item['exact'])}" if "exact" in item else ""
    return (
        f"{item['label']} {value_text(item['value'])} ({value_text(item['low'])} to {value_text(item['high'])}{exact})"
    )


def tell_spot(point: dict[str, Any]) -> str:
    runs = ", ".join(f"{value_text(value)} at {x:,.3g}" for x, value in point["runs"])
    return f"{tell(point)} at {point['x']:,.3g}" + f" (runs: {runs})" * bool(runs)


def tell_lines(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    told = []
    for name, (xs, ys) in lines.items():
        (x0, y0), (x1, y1) = min(zip(xs, ys)), max(zip(xs, ys))
        told.append(f"{name} from {value_text(y0)} at {x0:,.10g} to {value_text(y1)} at {x1:,.10g}")
        if max(ys) > max(y0, y1):
            told[-1] += f", highest {value_text(max(ys))} at {xs[ys.index(max(ys))]:,.10g}"
    return "; ".join(told)

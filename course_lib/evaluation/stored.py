"""Measurements that were made outside the notebooks, at full size, and are quoted in them."""
# MERGED findings: One stored figure, named by its lesson and its place, as prose quotes it: value, 95% interval, n.
# MERGED
# MERGED A place is written as the keys on the way to it: "02/handbook/RAG" is what `data/results/02.json` holds
# MERGED under "handbook"
# MERGED and there under "RAG". `*` takes every item of a list, such as the seeds: "02/by_heart/many-
# MERGED wordings/*/exam". So nobody
# MERGED copies a number.
# MERGED kept_reports: What a learner measured in the notebooks: each report is kept, so that the last lesson
# MERGED can lay them side by side.

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError, is_number
from course_lib.core.session import cache_dir, data_dir
from course_lib.evaluation.reports import Report, span

if TYPE_CHECKING:
    import pandas as pd


def load_results(lesson: str) -> dict[str, Any]:
    """What `make results` stored for a lesson ("02"): see `data/README.md` for each file's keys.

    Raises
    ------
    DataError
        If nothing was stored for that lesson, or the file is damaged.
    """
    path = data_dir() / "results" / f"{lesson}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there are no stored results for lesson {lesson!r}: run `make results`.") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): run `make results`.") from error


def with_interval(figures: Mapping[str, Any]) -> str:
    """What was stored of a report as prose quotes it: "0.88 (0.81 to 0.94)"."""
    return f"{figures['accuracy']:.2f} ({span(*figures['ci'])})"


def with_verdict(difference: Sequence[float]) -> str:
    """A stored difference (value, low, high) as prose quotes it: "+0.08 (+0.01 to +0.14), not by chance"."""
    value, low, high = difference
    verdict = "a tie" if low <= 0 <= high else "not by chance"
    return f"{value:+.2f} ({span(low, high, '+.2f')}), {verdict}"


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
    if isinstance(found, list) and len(found) == 3 and all(map(is_number, found)):
        return Finding(place, *found, n=n)
    if is_number(found):
        return Finding(place, found)
    raise CourseError(f"what is stored at {place} is no figure: name what lies under it.")


def keep(report: Report) -> None:
    """Keep a report for `own_results`, over an older one of the same candidate in the same exam.

    Where it cannot be written it is not kept: nobody's lesson stops for it.
    """
    with suppress(CourseError):
        name = re.sub(r"[^\w=.-]+", "-", f"{report.exam}--{report.name}")[:150]
        report.save(_folder() / f"{name}.json")


def own_results() -> pd.DataFrame:
    """What you measured, on this machine, newest first; one row for each candidate in each exam.

    Returns
    -------
    Columns right, 95% interval, n and on; empty where nothing has been measured yet, or the cache was emptied.
    """
    import pandas as pd

    rows = []
    for path in sorted(_folder().glob("*.json"), key=lambda path: -path.stat().st_mtime):
        with suppress(CourseError):  # one that a crash left half written
            report, when = Report.load(path), datetime.date.fromtimestamp(path.stat().st_mtime)
            rows.append(
                {"exam": report.exam, "candidate": report.name, "right": round(report.accuracy, 2),
                 "95% interval": span(*report.ci), "n": report.n, "on": when.isoformat()}
            )  # fmt: skip
    columns = ["exam", "candidate", "right", "95% interval", "n", "on"]
    return pd.DataFrame(rows, columns=columns).set_index(["exam", "candidate"])


def _folder() -> Path:
    return cache_dir() / "own-results"

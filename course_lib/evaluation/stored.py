"""What was measured before: outside the notebooks, at full size, to be quoted in them; and by the learner, in them."""

from __future__ import annotations

import datetime
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError, is_number
from course_lib.core.session import cache_dir, data_dir
from course_lib.evaluation.intervals import span
from course_lib.evaluation.reports import Report
from course_lib.evaluation.sizes import stored

if TYPE_CHECKING:
    import pandas as pd

# Of differences the sign is said, and whether it may be chance.
DIFFERENCES = re.compile(r"minus|against")
OF_SIZES = "sizes/"


def load_results(lesson: str) -> dict[str, Any]:
    """What `make results` stored for a lesson ("02"): see `data/README.md` for each file's keys."""
    path = data_dir() / "results" / f"{lesson}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there are no stored results for lesson {lesson!r}: run `make results`.") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): run `make results`.") from error


@dataclass(frozen=True)
class Finding:
    """A measured figure, as prose quotes it."""

    place: str  # where it is stored
    value: float  # of several seeds that were stored apart, the mean
    low: float | None = None  # ends of its 95% interval, where one was stored; of several seeds, the mean of their ends
    high: float | None = None
    n: int | None = None  # questions; None for what is no exam
    seeds: int = 0  # how many runs it is the mean of; 0 where the place does not say
    spread: tuple[float, float] | None = None  # the lowest and the highest of them
    name: str = ""  # of a difference, what it is of: "RAFT minus form"
    by_student: tuple[float, ...] = ()  # each one's figure by itself, where that is stored

    @property
    def signed(self) -> bool:
        """Whether it is a difference."""
        return bool(DIFFERENCES.search(self.place))

    @property
    def told(self) -> str:
        """The figure with its interval and n."""
        sign = "+" if self.signed else ""
        small = abs(self.value) <= 1 or (abs(self.value) < 10 and not float(self.value).is_integer())
        said = f"{self.value:{sign}.2f}" if small else f"{self.value:{sign},.0f}"
        notes = []
        if self.spread is not None:
            notes.append(f"{self.seeds} seeds from {span(*self.spread)}")
        elif self.low is not None:
            notes.append(span(self.low, self.high, f"{sign}.2f"))
        if self.n is not None:
            notes.append(f"n = {self.n}")
        if len(self.by_student) > 1 and self.spread is None:
            notes.append(f"{len(self.by_student)} students")
        return f"{said} ({', '.join(notes)})" if notes else said

    def __str__(self) -> str:
        if not self.signed or self.low is None or self.spread is not None:
            return self.told
        return self.told + (", cannot tell" if self.low <= 0 <= self.high else ", not by chance")


def quoted(what: str, place: str) -> str:
    """What, its figure and the lesson, "RAG 0.25 (0.18 to 0.31, n = 154) [lesson 02]", or that it is not measured."""
    lesson, _, keys = place.removeprefix(OF_SIZES).partition("/")
    try:
        load_results(lesson)
    except DataError:
        return f"{what}: not measured yet (lesson {lesson})"
    try:
        return f"{what} {find(place)} [lesson {lesson}]"
    except DataError:
        return f"{what}: not measured yet (lesson {lesson}, {keys})"


def find(place: str) -> Finding:
    """The figure at a place, so that nobody copies a number.

    "02/handbook/RAG" is what `data/results/02.json` holds under "handbook" and there under "RAG"; `*` takes every item
    of a list, such as the seeds: "02/by_heart/many-wordings/*/exam". A figure is a number, [value, low, high], or a
    dict with accuracy and ci, or value, low and high; under `*` several. Of those the mean is taken, and the mean of
    their intervals' ends: over questions, for these very seeds, no interval of the mean is wider.

    "sizes/02/handbook/RAG at its best/qwen-0.5b" is what that student did in an exam of `cl.stored`.
    """
    if place.startswith(OF_SIZES):
        *exam, arm, student = place.removeprefix(OF_SIZES).split("/")
        each = stored("/".join(exam))[arm, student]
        return Finding(place, *each.share(), n=each.n)
    lesson, *keys = place.split("/")
    if not re.fullmatch(r"\d\d", lesson) or not keys:
        raise CourseError(f"the place {place!r} is not a lesson and keys, such as 02/handbook/RAG.")
    found, above = _walk(place, load_results(lesson), keys, {})
    if not isinstance(found, _Many):
        return _figure(place, found, above)
    each = [_figure(place, item, above) for item in found]
    values, mean = tuple(one.value for one in each), lambda numbers: sum(numbers) / len(each)
    ends = None, None
    if all(one.low is not None for one in each):
        ends = mean([one.low for one in each]), mean([one.high for one in each])
    spread, first = (min(values), max(values)), each[0]
    return Finding(place, mean(values), *ends, first.n, len(each), spread, first.name, values)


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
            there = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
            raise DataError(f"nothing is stored at {place}: {key!r} is not one of {there[:300]}.")
    return found, above


def _figure(place: str, found: Any, above: Any) -> Finding:
    n = above.get("n") if isinstance(above, dict) else None
    if isinstance(found, dict) and {"accuracy", "ci"} <= set(found):
        return Finding(
            place, found["accuracy"], *found["ci"], n=found.get("n"), by_student=tuple(found.get("seeds", ()))
        )
    name = next((key for key in reversed(place.split("/")) if " minus " in key), "")
    if isinstance(found, dict) and {"value", "low", "high"} <= set(found):
        ends, each = (found[end] for end in ("value", "low", "high")), tuple(found.get("by_student", ()))
        return Finding(place, *ends, n=found.get("n", n), name=found.get("name", name), by_student=each)
    if isinstance(found, list) and len(found) == 3 and all(map(is_number, found)):
        return Finding(place, *found, n=n, name=name)
    if is_number(found):
        return Finding(place, found)
    raise CourseError(f"what is stored at {place} is no figure: name what lies under it.")


def keep(report: Report) -> None:
    """Keep a report for `own_results`, over an older one of the same candidate in the same exam.

    Where it cannot be written it is not kept: nobody's lesson stops for it.
    """
    name = re.sub(r"[^\w=.-]+", "-", f"{report.exam}--{report.name}")[:150]
    with suppress(CourseError):
        report.save(_own() / f"{name}.json")


def own_results() -> pd.DataFrame:
    """What you measured, on this machine, newest first; one row for each candidate in each exam.

    Columns are right, 95% interval, n and on; empty where nothing has been measured yet, or the cache was emptied.
    """
    import pandas as pd

    rows = []
    for path in sorted(_own().glob("*.json"), key=lambda path: -path.stat().st_mtime):
        with suppress(CourseError):  # one that a crash left half written
            report, when = Report.load(path), datetime.date.fromtimestamp(path.stat().st_mtime)
            known = (report.exam, report.name, round(report.accuracy, 2), span(*report.ci), report.n, when.isoformat())
            rows.append(known)
    columns = ["exam", "candidate", "right", "95% interval", "n", "on"]
    return pd.DataFrame(rows, columns=columns).set_index(["exam", "candidate"])


def _own() -> Path:
    return cache_dir() / "own-results"

"""Resumable measurements: a report, or whatever else was measured, is made once, kept, and read back later.

All that is kept of a lesson lies in one file, `data/results/NN.parquet`; any reader of Parquet shows it:

    pandas.read_parquet("data/results/06.parquet")

Of a report there is a row for each question. What is no report is one row, whose `data` is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

import course_lib as cl
from course_lib.core import errors
from course_lib.core.session import cache_dir, data_dir
from course_lib.evaluation.reports import Row

SCHEMA = pa.schema(
    {
        "measurement": pa.string(),
        "settings": pa.string(),  # JSON
        "data": pa.string(),  # JSON; null for a report's rows, which have the columns below
        "candidate": pa.string(),
        "exam": pa.string(),
        **dict.fromkeys(("id", "question", "expected", "reply", "verdict"), pa.string()),
        "f1": pa.float64(),
        "fact": pa.string(),
        "prompt_tokens": pa.int64(),
        "completion_tokens": pa.int64(),
        "seconds": pa.float64(),
        "sources": pa.list_(pa.string()),
    }
)
_may_measure = True


@cache
def untrained() -> cl.ChatModel:
    """The model as it is, loaded when something is asked of it."""
    cl.start(seed=0)
    return cl.load_model()


@dataclass(frozen=True)
class Kept:
    """One measurement: what it was made with, and its report, or (as JSON) what else was measured."""

    settings: Mapping[str, Any]
    report: cl.Report | None = None
    data: str | None = None

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """As they stand in the file."""
        common = {"measurement": name, "settings": _json(self.settings), "data": self.data}
        if self.report is None:
            yield common
            return
        for row in self.report.rows:
            yield {**common, "candidate": self.report.name, "exam": self.report.exam, **asdict(row)}


def kept(lesson: str, name: str, make: Callable[[], cl.Report], settings: Mapping[str, Any] | None = None) -> cl.Report:
    """A lesson's report of a name, made now if none is kept or it was made with other settings."""
    report = _kept(lesson, name, lambda wanted: Kept(wanted, report=make()), settings).report
    print(f"{lesson}/{name}: {report}", flush=True)
    return report


def kept_data(
    lesson: str, name: str, make: Callable[[], dict[str, Any]], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """As `kept`, for what is no report: a dict that JSON can hold; with its settings."""
    found = _kept(lesson, name, lambda wanted: Kept(wanted, data=_json(make())), settings)
    print(f"{lesson}/{name}: kept", flush=True)
    return json.loads(found.data) | {"settings": dict(found.settings)}


def measured(lesson: str) -> dict[str, Kept]:
    """All that is kept of a lesson, by name."""
    path = _place(lesson)
    try:
        stat = path.stat()
        return dict(_read(path, stat.st_ino, stat.st_mtime_ns))
    except FileNotFoundError:
        return {}
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise errors.DataError(f"{path} holds no measurements ({error}): take it out of git again.") from error


def keep(lesson: str, new: Mapping[str, Kept]) -> None:
    """Add to what is kept of a lesson, or take the place of it.

    The file is written anew beside the old one and takes its place at once: whatever stops a script, what was measured
    before stays. Processes that measure parts of one lesson take turns. The same measurements give the same bytes.
    """
    path, lock = _place(lesson), cache_dir() / "locks" / f"results-{lesson}.lock"
    draft = path.with_name(path.name + ".part")
    try:
        for folder in (path.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            rows = [row for name, one in sorted({**measured(lesson), **new}.items()) for row in one.rows(name)]
            table = pa.Table.from_pylist(rows, schema=SCHEMA)
            pq.write_table(table, draft, compression="zstd", compression_level=19)
            draft.replace(path)
    except OSError as error:
        raise errors.CourseError(f"{path} cannot be written ({error}): free some disk.") from error


def refuse_to_measure(refused: bool = True) -> None:
    """From now on figures come of what is kept alone; what is not kept is an error."""
    global _may_measure
    _may_measure = not refused


def shelf_of_its_own(lesson: str) -> None:
    """What is trained from here on goes to a shelf in the cache, and `from_shelf=True` takes it from there: a student
    that an earlier run trained is not trained again, and none of them is the lesson's."""
    os.environ |= {"COURSE_ADAPTERS": str(cache_dir() / "students" / lesson), "COURSE_RECORD": "1"}


def figures(report: cl.Report) -> dict[str, Any]:
    """What a lesson quotes of a report."""
    return {
        "accuracy": round(report.accuracy, 4),
        "ci": [round(end, 4) for end in report.ci],
        "exact": round(report.exact, 4),
        "n": report.n,
        "tokens": round(report.tokens_per_question, 1),
    }


def pooled(reports: Sequence[cl.Report]) -> cl.Report:
    """The reports of one exam by several seeds as one: its intervals draw facts, each with the answers of all seeds."""
    rows = tuple(replace(row, id=f"{row.id}/{seed}") for seed, report in enumerate(reports) for row in report.rows)
    return cl.Report(reports[0].name, reports[0].exam, rows)


def of_seeds(reports: Sequence[cl.Report]) -> dict[str, Any]:
    """What a lesson quotes of one arm: the figures of all seeds pooled, and the accuracy of each seed by itself."""
    joined = pooled(reports)
    return figures(joined) | {
        "exact_ci": [round(end, 4) for end in joined.exact_ci],
        "seeds": [round(report.accuracy, 4) for report in reports],
    }


def difference(some: Sequence[cl.Report], others: Sequence[cl.Report]) -> list[float]:
    """Accuracy of one arm minus another's on the same questions, seed by seed: value, and its 95% interval.

    An arm without seeds (the untrained model) is paired with each seed of the other.
    """
    n = max(len(some), len(others))
    a, b = (pooled([*reports] * (n if len(reports) == 1 else 1)) for reports in (some, others))
    found = cl.paired_difference(a, b)
    return [round(x, 4) for x in (found.value, found.low, found.high)]


def over_seeds(some: Sequence[cl.Report], others: Sequence[cl.Report]) -> dict[str, Any]:
    """Accuracy of one arm minus another's, for each seed by itself, and the mean with what seeds differ by.

    `difference` asks how other questions would have come out for these very students; `mean` (Student's t, one value a
    seed) asks how other students would.

    Returns
    -------
    `seeds`: [value, low, high] of each; `mean`: the same.
    """
    from scipy import stats

    apart = [difference([a], [b]) for a, b in zip(some, others, strict=True)]
    values = [value for value, _, _ in apart]
    mean = sum(values) / len(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=stats.sem(values))
    return {"seeds": apart, "mean": [round(float(end), 4) for end in (mean, low, high)]}


def asked_for(
    description: str, arguments: Sequence[str] | None, parts: Sequence[str] = (), **more: Mapping[str, Any]
) -> argparse.Namespace:
    """What the command line asks of a script that measures.

    Parameters
    ----------
    arguments
        None for those of the process.
    parts
        What `--only` may name; what is left out is asked for as a whole.
    more
        Further options of this script: name to what `add_argument` is told.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if parts:
        parser.add_argument("--only", nargs="+", choices=parts, metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kept", action="store_true", help="measure nothing: make the figures of what is kept")
    for name, option in more.items():
        parser.add_argument(f"--{name}", **option)
    options = parser.parse_args(arguments)
    if options.kept:
        refuse_to_measure()
    return options


def measure_parts(
    lesson: str,
    parts: Mapping[str, Callable[[], dict[str, Any]]],
    only: Sequence[str] | None,
    summary: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Measure some parts of a lesson, in the order of `parts`; after each, the summary of all that there is is written.

    Parameters
    ----------
    only
        Names of parts, None for all; what was measured of the others at another time stays in the summary.
    summary
        From the parts by name to what `data/results/<lesson>.json` holds.
    """
    try:
        known = cl.load_results(lesson)
    except errors.DataError:
        known = {}
    found = {name: known[name] for name in parts if name in known}
    for name in parts:
        if only is None or name in only:
            started = time.perf_counter()
            found[name] = parts[name]()
            print(f"{name}: {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)
            write_summary(lesson, summary({part: found[part] for part in parts if part in found}))


def write_summary(lesson: str, summary: dict[str, Any]) -> None:
    """Write `data/results/<lesson>.json`; the minutes that a build measured there are kept."""
    path = data_dir() / "results" / f"{lesson}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    minutes = {}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        minutes = {key: before[key] for key in ("minutes_laptop", "minutes_t4") if key in before}
    text = json.dumps({"lesson": lesson, **minutes, **summary}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _kept(lesson: str, name: str, make: Callable[[dict[str, Any]], Kept], settings: Mapping[str, Any] | None) -> Kept:
    wanted = json.loads(_json(settings or {}))
    found = measured(lesson).get(name)
    if found is None or found.settings != wanted:
        if not _may_measure:
            raise errors.DataError(f"{name} of lesson {lesson} is not kept, or was made with other settings.")
        keep(lesson, {name: make(wanted)})
        found = measured(lesson)[name]
    return found


@lru_cache(maxsize=2)
def _read(path: Path, *stamp: int) -> dict[str, Kept]:
    """By name; a file that was written anew has another stamp."""
    return {name: _of(list(rows)) for name, rows in groupby(pq.read_table(path).to_pylist(), itemgetter("measurement"))}


def _of(rows: list[dict[str, Any]]) -> Kept:
    first = rows[0]
    settings = json.loads(first["settings"])
    if first["data"] is not None:
        return Kept(settings, data=first["data"])
    fields = Row.__dataclass_fields__
    answers = [Row(**{field: row[field] for field in fields} | {"sources": tuple(row["sources"])}) for row in rows]
    return Kept(settings, cl.Report(first["candidate"], first["exam"], tuple(answers)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _place(lesson: str) -> Path:
    return data_dir() / "results" / f"{lesson}.parquet"

"""Resumable measurements: a report, or whatever else was measured, is made once, kept, and read back later."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import course_lib as cl
from course_lib.core import errors
from course_lib.core.session import cache_dir, data_dir


def kept(lesson: str, name: str, make: Callable[[], cl.Report], settings: Mapping[str, Any] | None = None) -> cl.Report:
    """The report `data/results/<lesson>/<name>.json`, made now if it is not there or was made with other settings."""
    path, wanted = _place(lesson, name), dict(settings or {})
    if not _is_kept(path, wanted):
        make().save(path)
        report = json.loads(path.read_text(encoding="utf-8")) | {"settings": wanted}
        path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    report = cl.Report.load(path)
    print(f"{lesson}/{name}: {report}", flush=True)
    return report


def kept_data(
    lesson: str, name: str, make: Callable[[], dict[str, Any]], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """As `kept`, for what is no report: a dict that JSON can hold."""
    path, wanted = _place(lesson, name), dict(settings or {})
    if not _is_kept(path, wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**make(), "settings": wanted}, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{lesson}/{name}: kept", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


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


def asked_for(description: str, parts: Sequence[str]) -> argparse.Namespace:
    """What the command line asks of a script with seeds: `only` (parts) and `seeds`; all, unless it says less."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="parts to measure")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


def measure_parts(
    lesson: str,
    parts: Mapping[str, Callable[[], dict[str, Any]]],
    only: Sequence[str],
    summary: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Measure some parts of a lesson, in the order of `parts`; after each, the summary of all that there is is written.

    Parameters
    ----------
    only
        Names of parts; what was measured of the others at another time stays in the summary.
    summary
        From the parts by name to what `data/results/<lesson>.json` holds.
    """
    try:
        known = cl.load_results(lesson)
    except errors.DataError:
        known = {}
    found = {name: known[name] for name in parts if name in known}
    for name in parts:
        if name in only:
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


def _place(lesson: str, name: str) -> Path:
    return data_dir() / "results" / lesson / f"{name}.json"


def _is_kept(path: Path, settings: dict[str, Any]) -> bool:
    return path.exists() and json.loads(path.read_text(encoding="utf-8")).get("settings", {}) == settings

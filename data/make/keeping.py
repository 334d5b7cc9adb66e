"""Resumable measurements: a report is made once, kept, and read back on the next run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import course_lib as cl
from course_lib.settings import data_dir


def kept(lesson: str, name: str, make: Callable[[], cl.Report], settings: Mapping[str, Any] | None = None) -> cl.Report:
    """The report `data/results/<lesson>/<name>.json`, made now if it is not there or was made with other settings."""
    path = data_dir() / "results" / lesson / f"{name}.json"
    wanted = dict(settings or {})
    if not path.exists() or json.loads(path.read_text(encoding="utf-8")).get("settings", {}) != wanted:
        make().save(path)
        report = json.loads(path.read_text(encoding="utf-8")) | {"settings": wanted}
        path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    report = cl.Report.load(path)
    print(f"{lesson}/{name}: {report}", flush=True)
    return report


def figures(report: cl.Report) -> dict[str, Any]:
    """What a lesson quotes of a report."""
    return {
        "accuracy": round(report.accuracy, 4),
        "ci": [round(end, 4) for end in report.ci],
        "exact": round(report.exact, 4),
        "n": report.n,
        "tokens": round(report.tokens_per_question, 1),
    }


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

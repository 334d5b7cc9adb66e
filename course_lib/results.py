"""Measurements that were made outside the notebooks, at full size, and are quoted in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from course_lib.errors import DataError
from course_lib.reports import span
from course_lib.settings import data_dir

__all__ = ["load_results", "with_interval", "with_verdict"]


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

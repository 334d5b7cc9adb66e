"""What a learner measured in the notebooks: each report is kept, so that the last lesson can lay them side by side."""

from __future__ import annotations

import datetime
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError
from course_lib.progress import in_notebook
from course_lib.reports import Report, span
from course_lib.settings import cache_dir

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["keep", "own_results"]


def keep(report: Report) -> None:
    """Keep a report that was made in a notebook, over an older one of the same candidate in the same exam.

    Where it cannot be written it is not kept: nobody's lesson stops for it.
    """
    if in_notebook():
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

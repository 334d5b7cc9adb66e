"""Reports as they are kept in `data/results/*.parquet`: a row for each question, many measurements in one file.

Any reader of Parquet shows them: `pandas.read_parquet("data/results/06.parquet")`. What is no report is one row, whose
`data` is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from course_lib.core.errors import DataError
from course_lib.core.session import data_dir
from course_lib.evaluation.reports import Report, Row, Runs


@dataclass(frozen=True)
class Kept:
    """One measurement: what it was made with, and its report, or (as JSON) what else was measured."""

    settings: Mapping[str, Any]
    report: Report | None = None
    data: str | None = None

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """As they stand in the file."""
        settings = json.dumps(self.settings, ensure_ascii=False)
        common = {"measurement": name, "settings": settings, "data": self.data}
        if self.report is None:
            yield common
            return
        for row in self.report.rows:
            yield {**common, "candidate": self.report.name, "exam": self.report.exam, **asdict(row)}


def measured(path: Path) -> dict[str, Kept]:
    """All that a file holds, by name; nothing if it is not there.

    Raises a DataError if it holds something else.
    """
    import pyarrow as pa

    try:
        stat = path.stat()
        return dict(_read(path, stat.st_ino, stat.st_mtime_ns))
    except FileNotFoundError:
        return {}
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:  # bad bytes are pyarrow's OSError
        raise DataError(f"{path} holds no measurements ({error}): take it out of git again.") from error


def runs(place: str, name: str) -> Runs:
    """Stored answers of one student, or (`*` for the seed) of all that were trained alike, called `name` in tables.

    "06/form-only-seed-*-page" are the measurements of `data/results/06.parquet` that have a number for the star.
    Raises a DataError if there are none.
    """
    lesson, _, measurement = place.partition("/")
    wanted = re.compile(re.escape(measurement).replace(r"\*", r"\d+"))
    kept = measured(data_dir() / "results" / f"{lesson}.parquet")
    reports = [replace(one.report, name=name) for key, one in kept.items() if one.report and wanted.fullmatch(key)]
    if not reports:
        raise DataError(f"no answers are stored at {place!r}: `pandas.read_parquet` shows what a lesson's file holds.")
    return Runs(tuple(reports))


@lru_cache(maxsize=2)
def _read(path: Path, *stamp: int) -> dict[str, Kept]:
    """By name; a file that was written anew has another stamp."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # read whole: given a path, pyarrow opens it twice, and another process may put a new file there in between
    table = pq.read_table(pa.BufferReader(path.read_bytes()))
    return {name: _of(list(rows)) for name, rows in groupby(table.to_pylist(), itemgetter("measurement"))}


def _of(rows: list[dict[str, Any]]) -> Kept:
    first = rows[0]
    settings = json.loads(first["settings"])
    if first["data"] is not None:
        return Kept(settings, data=first["data"])
    fields = Row.__dataclass_fields__
    answers = [Row(**{field: row[field] for field in fields} | {"sources": tuple(row["sources"])}) for row in rows]
    return Kept(settings, Report(first["candidate"], first["exam"], tuple(answers)))

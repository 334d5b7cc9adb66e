"""Resumable measurements: a report, or whatever else was measured, is made once, kept, and read back later.

All that is kept of a lesson lies in one file, `data/results/NN.parquet` (`course_lib.evaluation.kept` reads it).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

import course_lib as cl
from course_lib.core import errors
from course_lib.core.session import cache_dir, data_dir
from course_lib.evaluation.kept import Kept
from course_lib.evaluation.kept import measured as read_kept

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


def kept(
    lesson: str, name: str, make: Callable[[], cl.Report], settings: Mapping[str, Any] | None = None,
    asked: Sequence[tuple[str, str]] | None = None,
) -> cl.Report:  # fmt: skip
    """A lesson's report of a name, made now if none is kept or it was made with other settings.

    Nor is one kept that did not answer what is `asked`: the questions with their right answers, in their order.
    """

    def stands(found: Kept) -> bool:
        return asked is None or [(row.question, row.expected) for row in found.report.rows] == list(asked)

    report = _kept(lesson, name, lambda wanted: Kept(wanted, report=make()), settings, stands).report
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
    return read_kept(_place(lesson))


def keep(lesson: str, new: Mapping[str, Kept]) -> None:
    """Add to what is kept of a lesson, or take the place of it; what was noted of a report ("its name/…") goes with it.

    The file is written anew beside the old one and takes its place at once: whatever stops a script, what was measured
    before stays. Processes that measure parts of one lesson take turns. The same measurements give the same bytes.
    """
    path, lock = _place(lesson), cache_dir() / "locks" / f"results-{lesson}.lock"
    draft = path.with_name(path.name + ".part")
    try:
        for folder in (path.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            held = {
                name: one for name, one in measured(lesson).items()
                if one.report is not None or name.rpartition("/")[0] not in new
            }  # fmt: skip
            rows = [row for name, one in sorted({**held, **new}.items()) for row in one.rows(name)]
            table = pa.Table.from_pylist(rows, schema=SCHEMA)
            pq.write_table(table, draft, compression="zstd", compression_level=19)
            draft.replace(path)
    except OSError as error:
        raise errors.CourseError(f"{path} cannot be written ({error}): free some disk.") from error


def refuse_to_measure(refused: bool = True) -> None:
    """From now on figures come of what is kept alone; what is not kept is an error."""
    global _may_measure
    _may_measure = not refused


def _kept(
    lesson: str, name: str, make: Callable[[dict[str, Any]], Kept], settings: Mapping[str, Any] | None,
    stands: Callable[[Kept], bool] = lambda _: True,
) -> Kept:  # fmt: skip
    wanted = json.loads(_json(settings or {}))
    found = measured(lesson).get(name)
    if found is None or found.settings != wanted or not stands(found):
        if not _may_measure:
            raise errors.DataError(f"{name} of lesson {lesson} is not kept, or was made with other settings.")
        keep(lesson, {name: make(wanted)})
        found = measured(lesson)[name]
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _place(lesson: str) -> Path:
    return data_dir() / "results" / f"{lesson}.parquet"

"""What a learner has done: guesses, solved exercises, answers of quizzes. Kept on this machine, from day to day.

One JSON file in the user's own data folder (`COURSE_PROGRESS` names another file, or says "off": then it is forgotten
with the kernel, as while notebooks are built or tested). Nothing of it leaves the machine.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.core.text import as_path, write_text

# What was noted and could not be written: with "off", on a full disk.
_unwritten: dict[str, dict[str, Any]] = {}


def journal_file() -> Path | None:
    """Where it is kept; None if it is not."""
    named = os.environ.get("COURSE_PROGRESS", "")
    if named == "off":
        return None
    shared = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return as_path(named or f"{shared}/open-book-closed-book/progress.json")


def recall(part: str, key: str = "") -> Any:
    """What was noted under a part's key, None if nothing was; without a key, all of the part by key."""
    kept = {**_read().get(part, {}), **_unwritten.get(part, {})}
    return kept.get(key) if key else kept


def note(part: str, key: str, value: Any) -> None:
    """Keep something that JSON can hold. Where it cannot be written, this kernel remembers it, and no lesson stops."""
    kept = {name: dict(entries) for name, entries in _read().items()}
    kept.setdefault(part, {})[key] = value
    with suppress(CourseError):
        if (path := journal_file()) is not None:
            _set_aside_if_damaged(path)
            write_text(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            _unwritten.get(part, {}).pop(key, None)
            return
    _unwritten.setdefault(part, {})[key] = value


def _read() -> dict[str, dict[str, Any]]:
    with suppress(OSError, ValueError, CourseError):
        kept = json.loads((journal_file() or Path(os.devnull)).read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return {part: entries for part, entries in kept.items() if isinstance(entries, dict)}
    return {}


def _set_aside_if_damaged(path: Path) -> None:
    """A file that cannot be read is not written over: somebody may mend it."""
    with suppress(OSError):
        try:
            if isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                return
        except ValueError:
            pass
        os.replace(path, path.with_suffix(".damaged"))

"""JSONL files: one JSON object a line, read with the place of every fault, written whole or not at all."""
# MERGED sampling: Drawing evenly over groups: some of each before more of any.

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, TypeVar

from course_lib.core.errors import DataError


class _Split(Protocol):
    id: str
    split: str


Row = TypeVar("Row", bound=_Split)


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file.

    Raises
    ------
    DataError
        If the file is missing, or a line is not a JSON object; file and line are named.
    """
    return [row for row, _ in numbered_rows(Path(path))]


def numbered_rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows of a JSONL file, each with where it stands ("..., line 3"), for whoever has to say what is wrong with it.

    Raises
    ------
    DataError
        If the file is missing or unreadable, or a line is not a JSON object; file and line are named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors put a mark in front
    except FileNotFoundError as error:
        raise DataError(f"there is no {path}: run `make data`, or set COURSE_DATA to the data folder.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): give a JSONL file.") from error
    # Not splitlines: it also breaks at U+2028 and its like, which JSON leaves as they are inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number} is not JSON ({error.msg}).") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} is not a JSON object.")
        yield row, f"{path}, line {number}"


def read_rows(path: Path, build: Callable[[dict[str, Any], str], Row], split: str | None = None) -> list[Row]:
    """What is made of each row of a file whose rows have an id and a split: of all, or of those of one split.

    Parameters
    ----------
    build
        From a row and its place ("..., line 3") to what it stands for; raises DataError for a malformed one.

    Raises
    ------
    DataError
        As `numbered_rows` and `build` do, and for an id that is given twice; the line is named.
    """
    made: dict[str, Row] = {}
    for row, place in numbered_rows(path):
        one = build(row, place)
        if one.id in made:
            raise DataError(f"{place}: the id {one.id} was given to an earlier line.")
        made[one.id] = one
    return [one for one in made.values() if split in (None, one.split)]


def write_jsonl(path: str | Path, rows: Iterable[Any], encoding: str = "utf-8") -> None:
    """Write dataclasses or dicts, one JSON object a line: the same rows give the same bytes on every machine.

    With the encoding "utf-8-sig" a byte-order mark stands in front, which some services ask for.

    Raises
    ------
    DataError
        If the file cannot be written; the one that was there is still whole.
    """
    rows = (row if isinstance(row, dict) else asdict(row) for row in rows)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path = Path(path)
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding=encoding, newline="\n")
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise DataError(f"cannot write {path} ({error}): free some disk, or choose another folder.") from error


Item = TypeVar("Item")


_NOTHING = object()


def in_turns(groups: Sequence[Sequence[Item]], rng: random.Random | None = None) -> list[Item]:
    """The first of each group, then the second of each, until all are empty; `rng` draws the order within each turn."""
    turns = ([item for item in turn if item is not _NOTHING] for turn in zip_longest(*groups, fillvalue=_NOTHING))
    return [item for turn in turns for item in (shuffled(turn, rng) if rng else turn)]


def shuffled(items: Sequence[Item], rng: random.Random) -> list[Item]:
    """The same items in an order that `rng` draws."""
    return rng.sample(items, len(items))

"""Files of rows, one JSON object a line: read with the place of every fault, written whole or not at all.

A kind of row is a dataclass. Its annotations say what each field must be, and pydantic holds a file's rows to them.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.text import write_text

Row = TypeVar("Row")
Item = TypeVar("Item")

# For annotations of fields, beside `one_of`.
Text = Annotated[str, StringConstraints(pattern=r"\S")]  # not empty
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]

# What to say of a field, by pydantic's name for the fault; pydantic's own message says the rest.
FAULTS = {
    "missing": "{field} is missing.",
    "unexpected_keyword_argument": "{field} is unknown: take it out.",
    "string_pattern_mismatch": "{field} is empty.",
    "string_type": "{field} is {value}: put text in quotes.",
    "bool_type": "{field} is {value}: write true or false.",
    "tuple_type": "{field} is {value}: give a list.",
    "value_error": "{error}",
}


def read_rows(path: Path, kind: type[Row], split: str | None = None) -> list[Row]:
    """A file's rows as dataclasses of a kind that has an id, each checked: all, or those of one split.

    A DataError names file, line and field of the first that is wrong, or whose id was given before.
    """
    made: dict[str, Row] = {}
    for row, place in numbered_rows(path):
        one = checked(kind, row, place)
        if one.id in made:
            raise DataError(f"{place}: the id {one.id} was given to an earlier line.")
        made[one.id] = one
    return [one for one in made.values() if split is None or one.split == split]


def numbered_rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows of a JSONL file as they stand there, each with its place ("..., line 3")."""
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
            row = read_json(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number} is not JSON ({getattr(error, 'msg', error)}).") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} is not a JSON object.")
        yield row, f"{path}, line {number}"


def read_json(text: str) -> Any:
    """What JSON says, read as strictly as others will read it; Python by itself takes NaN, and a key twice.

    A ValueError says what is wrong; nesting without end is a RecursionError.
    """
    return json.loads(text, object_pairs_hook=_keys_once, parse_constant=_finite, parse_float=_finite)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; a DataError names one that is missing or cannot be read."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there is no {path}: set COURSE_DATA to the data folder.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read as YAML ({' '.join(str(error).split())}).") from error


def checked(kind: type[Row], row: Any, place: str, way_out: str = "Correct the line, or run `make data`.") -> Row:
    """The dataclass that a row stands for, its keys and values held to the annotations of `kind`.

    Nothing is converted, but for a list that makes a tuple and an object that makes a dataclass, and no other key may
    stand there. A DataError names place, fields and faults.
    """
    try:
        # As JSON, where pydantic's strict mode knows lists and objects, and a date is a text.
        return _reader(kind).validate_json(json.dumps(row, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        faults = " ".join(map(_fault, error.errors(include_url=False)))
    except (CourseError, TypeError, ValueError) as error:  # what the dataclass itself refuses; keys that are no texts
        faults = str(error)
    raise DataError(f"{place}: {faults} {way_out}")


def one_of(choices: Iterable[str]) -> AfterValidator:
    """For the annotation of a field: its text is one of the choices."""
    return AfterValidator(lambda value, info: choose(info.field_name, value, choices))


def write_jsonl(path: str | Path, rows: Iterable[Any], encoding: str = "utf-8") -> None:
    """Write dataclasses or dicts, one JSON object a line: the same rows give the same bytes on every machine.

    With the encoding "utf-8-sig" a byte-order mark stands in front, which some services ask for. Where the file cannot
    be written, the one that was there is still whole.
    """
    rows = (row if isinstance(row, dict) else asdict(row) for row in rows)
    try:
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    except ValueError as error:
        raise DataError(f"{path} cannot hold a row: {error}. Take what is no number out of it.") from error
    write_text(path, text, encoding)


def in_turns(groups: Sequence[Sequence[Item]], rng: random.Random | None = None) -> list[Item]:
    """The first of each group, then the second of each, until all are empty; `rng` draws the order within each turn."""
    nothing = object()
    turns = ([item for item in turn if item is not nothing] for turn in zip_longest(*groups, fillvalue=nothing))
    return [item for turn in turns for item in (shuffled(turn, rng) if rng else turn)]


def shuffled(items: Sequence[Item], rng: random.Random) -> list[Item]:
    """The same items in an order that `rng` draws."""
    return rng.sample(items, len(items))


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands in it twice")
    return made


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise ValueError(f"{number:.20} is no number of JSON")
    return float(number)


@cache
def _reader(kind: type[Row]) -> TypeAdapter[Row]:
    return TypeAdapter(kind)


def _fault(fault: Any) -> str:
    """One fault as a sentence: "border is 'no': write true or false."."""
    field = ".".join(map(str, fault["loc"])) or "it"
    sentence = FAULTS.get(fault["type"], "{field} is {value}: {message}.")
    error = fault.get("ctx", {}).get("error")
    return sentence.format(field=field, value=f"{fault['input']!r:.60}", message=fault["msg"], error=error)

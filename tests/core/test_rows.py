"""JSONL: read with the place of every fault, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import date
from functools import cache
from typing import Annotated

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from course_lib.core.errors import DataError
from course_lib.core.rows import Text, Texts, checked, numbered_rows, one_of, read_rows, write_jsonl
from course_lib.core.session import data_dir
from course_lib.costs.prices import Price
from course_lib.evaluation.exams import Fact, Question
from course_lib.lessons.choosing import WrittenCase
from course_lib.lessons.letters import Preference
from course_lib.lessons.shelves import Agreement
from course_lib.lessons.sql.task import SqlPair
from course_lib.lessons.tickets import Ticket
from course_lib.lessons.voice import StylePair


@dataclass(frozen=True)
class Where:
    town: Text
    house: int = 1

    def __post_init__(self):
        if self.house < 1:
            raise DataError(f"house {self.house}: they are counted from 1.")


@dataclass(frozen=True)
class Thing:
    id: Text
    split: Annotated[str, one_of(("train", "test"))]
    new: bool = False
    price: float = 1.0
    bought: date | None = None
    parts: Texts = ("lid",)
    sizes: Mapping[str, Text] = field(default_factory=dict)
    where: Where = Where("Tarn")
    note: str = ""


THINGS = [Thing("a", "train"), Thing("b", "test"), Thing("c", "train", True, 2.5, sizes={"lid": "two feet"})]


def raw(path):
    return [row for row, _ in numbered_rows(path)]


def test_what_is_written_is_read_back_the_same(tmp_path):
    rows = [{"text": 'a\u2028b\u0085c\x0cd \r\n é – "q" \\ 日本'}, {"n": 3, "none": None, "list": ["x"]}]
    write_jsonl(tmp_path / "deep" / "rows.jsonl", rows)
    assert raw(tmp_path / "deep" / "rows.jsonl") == rows


def test_files_from_windows_are_read(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes('\ufeff{"a": 1}\r\n\r\n{"a": 2}\r\n'.encode())
    assert raw(tmp_path / "rows.jsonl") == [{"a": 1}, {"a": 2}]


def test_writing_gives_the_same_bytes_for_dataclasses_and_dicts(tmp_path):
    write_jsonl(tmp_path / "a", THINGS)
    write_jsonl(tmp_path / "b", map(asdict, THINGS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"\r" not in (tmp_path / "a").read_bytes()


def test_a_full_disk_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}])
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match="free some disk"):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 2}])
    assert raw(tmp_path / "rows.jsonl") == [{"a": 1}]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_rows_that_are_no_json_change_nothing(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}])
    with pytest.raises(TypeError):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 2}, {"a": object()}])
    assert raw(tmp_path / "rows.jsonl") == [{"a": 1}]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"a": 1' + "0" * 5000 + "}", "Exceeds the limit"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": [-Infinity]}', "-Infinity is no number"),
        ('{"a": 1e999}', "1e999 is no number"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands in it twice"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' stands in it twice"),
        ('{"a": ' + DEEP, "recursion"),
        ('{"a": 1} {"a": 2}', "Extra data"),
        ("{'a': 1}", "Expecting property name"),
    ],
    ids=lambda text: text[:20],
)
def test_what_only_python_would_read_is_named_by_its_line(tmp_path, line, why):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(DataError, match=f"line 2 is not JSON .*{why}"):
        raw(path)


def test_half_a_character_is_written_as_its_replacement_and_no_draft_is_left(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [{"a": "hi \ud83d"}])
    assert raw(tmp_path / "rows.jsonl") == [{"a": "hi \ufffd"}]
    with pytest.raises(DataError, match="cannot hold a row"):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": float("nan")}])
    assert os.listdir(tmp_path) == ["rows.jsonl"]


# --- rows as dataclasses --------------------------------------------------------------------------------------------


def test_rows_are_read_back_as_they_were_and_those_of_one_split_are_chosen(tmp_path):
    write_jsonl(tmp_path / "things.jsonl", THINGS)
    assert read_rows(tmp_path / "things.jsonl", Thing) == THINGS
    assert read_rows(tmp_path / "things.jsonl", Thing, "train") == [THINGS[0], THINGS[2]]


def test_a_date_of_yaml_and_one_of_json_are_the_same():
    for day in (date(2026, 11, 25), "2026-11-25"):
        assert checked(Thing, {"id": "a", "split": "test", "bought": day}, "line 1").bought == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "b"}, "the id b was given to an earlier line"),
        ({"id": " \t"}, "id is empty"),
        ({"id": None}, "id is None: put text in quotes"),
        ({"split": "Train"}, "split 'Train' is not one of train, test. Did you mean 'train'?"),
        ({"split": ["test"]}, "split is ['test']: put text in quotes"),
        ({"new": "yes"}, "new is 'yes': write true or false"),
        ({"new": 1}, "new is 1: write true or false"),
        ({"price": "5"}, "price is '5': Input should be a valid number"),
        ({"price": True}, "price is True: Input should be a valid number"),
        ({"bought": "yesterday"}, "bought is 'yesterday': Input should be a valid date"),
        ({"parts": "lid"}, "parts is 'lid': give a list"),
        ({"parts": []}, "parts is []: "),
        ({"parts": ["lid", 5]}, "parts.1 is 5: put text in quotes"),
        ({"sizes": ["lid"]}, "sizes is ['lid']: "),
        ({"sizes": {"lid": ""}}, "sizes.lid is empty"),
        ({"where": {"house": 2}}, "where.town is missing"),
        ({"where": {"town": "Tarn", "street": "x"}}, "where.street is unknown: take it out"),
        ({"where": {"town": "Tarn", "house": 0}}, "house 0: they are counted from 1"),
        ({"where": "Tarn"}, "where is 'Tarn'"),
        ({"colour": "red", "smell": 1}, "colour is unknown: take it out. smell is unknown"),
        ({"note": "\ud800"}, "it is "),
    ],
)
def test_a_row_that_is_wrong_is_named_by_file_line_and_field_whatever_split_is_asked_for(tmp_path, change, complaint):
    path = tmp_path / "things.jsonl"
    path.write_text("\n" + "".join(json.dumps(asdict(t)) + "\n" for t in THINGS[:2]).replace("null", '"2026-11-25"'))
    with path.open("a") as file:
        file.write(json.dumps({"id": "d", "split": "train"} | change))
    with pytest.raises(DataError) as caught:
        read_rows(path, Thing, "test")
    assert str(caught.value).startswith(f"{path}, line 4: {complaint}")


@pytest.mark.parametrize("row", [None, 5, "a", ["a"], {1: 2}, {date(2026, 1, 1): 3}])
def test_what_is_no_row_is_named_by_its_place(row):
    with pytest.raises(DataError, match=r"^prices, line 3: .* Correct it\.$"):
        checked(Thing, row, "prices, line 3", "Correct it.")


# --- the course's own rows --------------------------------------------------------------------------------------------

KINDS = {
    Fact: "exams/facts.jsonl",
    Question: "exams/general_study.jsonl",
    Ticket: "tickets/tickets.jsonl",
    Preference: "preferences/preferences.jsonl",
    SqlPair: "sql/train.jsonl",
    Agreement: "agreements/agreements.jsonl",
    StylePair: "style/pairs.jsonl",
    Price: "prices.yaml",
    WrittenCase: "cases.yaml",
}
OTHER_TYPES = (7.5, None, True, ["x", 7], {"x": 7}, "x")


@cache
def rows_of(kind):
    path = data_dir() / KINDS[kind]
    if path.suffix == ".jsonl":
        return raw(path)
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found["rows"] if kind is Price else found


@given(data=st.data(), kind=st.sampled_from(list(KINDS)), fault=st.sampled_from(["dropped", "renamed", "mistyped"]))
def test_a_row_with_a_key_dropped_renamed_or_mistyped_is_named_by_place_and_key(data, kind, fault):
    row = data.draw(st.sampled_from(rows_of(kind)))
    needed = {one.name for one in fields(kind) if one.default is MISSING}
    key = data.draw(st.sampled_from([name for name in row if fault != "dropped" or name in needed]))
    value = row[key]
    row = {name: row[name] for name in row if name != key}
    if fault == "renamed":
        key = data.draw(st.text("abcxyz_ é日", min_size=1).filter(lambda word: word not in kind.__dataclass_fields__))
        row[key] = value
    elif fault == "mistyped":
        row[key] = data.draw(st.sampled_from([other for other in OTHER_TYPES if type(other) is not type(value)]))
    with pytest.raises(DataError) as caught:
        checked(kind, row, "rows.jsonl, line 7")
    said = str(caught.value)
    assert said.startswith("rows.jsonl, line 7: ") and said.endswith(" Correct the line, or run `make data`.")
    assert key in said


def test_two_thousand_rows_are_read_in_a_moment(tmp_path):
    write_jsonl(tmp_path / "things.jsonl", ({"id": f"t{i}", "split": "train", "parts": ["lid"]} for i in range(2_000)))
    started = time.process_time()
    assert len(read_rows(tmp_path / "things.jsonl", Thing)) == 2_000
    assert time.process_time() - started < 1

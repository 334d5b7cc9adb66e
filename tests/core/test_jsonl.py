"""JSONL: read with the place of every fault, written whole or not at all."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict, dataclass

import pytest

from course_lib.core.errors import DataError
from course_lib.core.rows import read_jsonl, read_rows, write_jsonl


@dataclass(frozen=True)
class Thing:
    id: str
    split: str


THINGS = [Thing("a", "train"), Thing("b", "test"), Thing("c", "train")]


def made(row, place):
    try:
        return Thing(**row)
    except TypeError as error:
        raise DataError(f"{place} is no thing ({error}).") from error


def test_what_is_written_is_read_back_the_same(tmp_path):
    rows = [{"text": 'a\u2028b\u0085c\x0cd \r\n é – "q" \\ 日本'}, {"n": 3, "none": None, "list": ["x"]}]
    write_jsonl(tmp_path / "deep" / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "deep" / "rows.jsonl") == rows


def test_files_from_windows_are_read(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes('\ufeff{"a": 1}\r\n\r\n{"a": 2}\r\n'.encode())
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"a": 1}, {"a": 2}]


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
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"a": 1}]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_rows_that_are_no_json_change_nothing(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}])
    with pytest.raises(TypeError):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 2}, {"a": object()}])
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"a": 1}]


def test_rows_are_built_and_those_of_one_split_are_chosen(tmp_path):
    write_jsonl(tmp_path / "things.jsonl", THINGS)
    assert read_rows(tmp_path / "things.jsonl", made) == THINGS
    assert read_rows(tmp_path / "things.jsonl", made, "train") == [THINGS[0], THINGS[2]]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"id": "b", "split": "train"}, "line 4: the id b was given to an earlier line"),
        ({"id": "d"}, "line 4 is no thing"),
    ],
)
def test_a_row_that_is_wrong_is_named_by_its_line_whatever_split_is_asked_for(tmp_path, row, complaint):
    write_jsonl(tmp_path / "things.jsonl", [*THINGS, row])
    with pytest.raises(DataError, match=complaint):
        read_rows(tmp_path / "things.jsonl", made, "test")

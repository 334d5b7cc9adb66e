"""What is measured is made once, kept in one file a lesson, exactly, and survives whatever stops a script."""

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shared import keeping, scripts
from shared.keeping import Kept, kept, kept_data, measured

from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.reports import Report, Row

ROW = Row("a.1", "Wer gewann?", "Änna", "Anna, 1/3 ✓", "right", 1 / 3, "a", 12, 3, 0.1 + 0.2, ("p/0", "q/1"))
REPORT = Report("RAG", "cup", (ROW, replace(ROW, id="a.2", f1=0.0, sources=())))


@pytest.fixture(autouse=True)
def folder(kept_here):
    return kept_here


def never():
    raise AssertionError("measured again")


def test_a_report_is_made_once_and_read_back_as_it_was():
    assert kept("02", "rag", lambda: REPORT, {"k": 1}) == REPORT
    assert kept("02", "rag", never, {"k": 1}) == REPORT


def test_what_is_no_report_is_kept_with_its_settings():
    made = kept_data("02", "curve", lambda: {"losses": [[1, 0.1 + 0.2]], "of": {4: None}}, {"rate": 1e-3})
    assert made == {"losses": [[1, 0.1 + 0.2]], "of": {"4": None}, "settings": {"rate": 1e-3}}
    made["losses"].append("a caller's own")
    assert kept_data("02", "curve", never, {"rate": 1e-3})["losses"] == [[1, 0.1 + 0.2]]


def test_other_settings_are_measured_anew_and_take_the_place_of_the_old():
    kept("02", "rag", lambda: REPORT, {"k": 1})
    other = replace(REPORT, name="RAG, k = 2")
    assert kept("02", "rag", lambda: other, {"k": 2}) == other
    assert {name: one.report for name, one in measured("02").items()} == {"rag": other}


@pytest.mark.parametrize(
    "asked", [[("Wer gewann?", "Änna")], [("Wer verlor?", "Änna")] * 2, [("Wer gewann?", "Bea")] * 2]
)
def test_a_report_of_other_questions_or_other_right_answers_is_measured_anew(asked):
    kept("02", "rag", lambda: REPORT)
    assert kept("02", "rag", never, asked=[("Wer gewann?", "Änna")] * 2) == REPORT
    other = replace(REPORT, name="measured anew")
    assert kept("02", "rag", lambda: other, asked=asked) == other


def test_what_was_noted_of_a_report_goes_with_it_and_nothing_else_does():
    kept("02", "rag", lambda: REPORT, {"k": 1})
    for name in ("rag/machine", "rag/seed 0/machine", "ragged/machine"):
        kept_data("02", name, lambda: {"cores": 2})
    kept("02", "rag", lambda: REPORT, {"k": 2})
    assert set(measured("02")) == {"rag", "rag/seed 0/machine", "ragged/machine"}


def test_any_reader_of_parquet_shows_a_row_for_each_question(folder):
    import pandas as pd

    kept("02", "rag", lambda: REPORT)
    kept_data("02", "curve", lambda: {"losses": []})
    table = pd.read_parquet(folder / "02.parquet")
    assert list(table["measurement"]) == ["curve", "rag", "rag"]
    assert list(table["verdict"][1:]) == ["right", "right"] and json.loads(table["data"][0]) == {"losses": []}


def test_the_same_measurements_give_the_same_bytes_in_whatever_order_they_came(folder):
    arms = {name: Kept({"seed": seed}, report=REPORT) for seed, name in enumerate("cab")}
    for name, one in arms.items():
        keeping.keep("02", {name: one})
    one_by_one = (folder / "02.parquet").read_bytes()
    (folder / "02.parquet").unlink()
    keeping.keep("02", dict(reversed(arms.items())))
    assert (folder / "02.parquet").read_bytes() == one_by_one


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, MemoryError, SystemExit])
def test_arms_that_were_finished_stay_when_a_script_is_stopped_in_the_next(stopped):
    def stop():
        raise stopped

    kept("02", "rag", lambda: REPORT)
    with pytest.raises(stopped):
        kept("02", "next", stop)
    assert list(measured("02")) == ["rag"] and kept("02", "next", lambda: REPORT) == REPORT


def test_a_file_that_is_stopped_in_the_middle_of_being_written_is_the_old_one(folder, monkeypatch):
    kept("02", "rag", lambda: REPORT)

    def half(table, path, **_):
        path.write_bytes(b"PAR1 half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(CourseError, match=r"02\.parquet cannot be written .*no space left"):
        kept("02", "next", lambda: REPORT)
    assert list(measured("02")) == ["rag"] and kept("02", "rag", never) == REPORT


def test_scripts_that_measure_parts_of_one_lesson_at_once_lose_nothing():
    names = [f"arm-{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: kept("02", name, lambda: REPORT), names))
    assert sorted(measured("02")) == sorted(names)


def test_a_damaged_file_is_named_and_not_written_over(folder):
    folder.mkdir()
    (folder / "02.parquet").write_bytes(b"not a table")
    with pytest.raises(DataError, match=r"02\.parquet"):
        kept("02", "rag", lambda: REPORT)
    assert (folder / "02.parquet").read_bytes() == b"not a table"


def test_figures_that_are_made_of_what_is_kept_are_made_of_nothing_else(monkeypatch):
    kept("02", "rag", lambda: REPORT, {"k": 1})
    monkeypatch.setattr(keeping, "_may_measure", True)
    assert scripts.asked_for("doc", ["--kept", "--seeds", "1"], ["arms"]).seeds == [1]
    assert kept("02", "rag", never, {"k": 1}) == REPORT
    for name, k in (("rag", 2), ("other", 1)):
        with pytest.raises(DataError, match=f"{name} of lesson 02 is not kept"):
            kept("02", name, lambda: REPORT, {"k": k})


text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.dictionaries(text, json_values),
    reply=text,
    seconds=st.floats(0, sys.float_info.max) | st.just(math.nextafter(0.1, 1)),
    sources=st.lists(text, max_size=3),
)
def test_every_value_comes_back_exactly(data, reply, seconds, sources):
    report = Report("x", "y", (replace(ROW, reply=reply, seconds=seconds, sources=tuple(sources)),))
    keeping.keep("03", {"report": Kept({}, report=report), "data": Kept(data, data=json.dumps(data))})
    found = measured("03")
    assert found["report"].report == report
    assert repr(json.loads(found["data"].data)) == repr(data) == repr(found["data"].settings)

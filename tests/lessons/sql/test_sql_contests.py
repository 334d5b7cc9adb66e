"""Who sat an exam of SQL, what a query costs each, and how sure the specialist was."""

import json
from types import SimpleNamespace

import pytest

from course_lib.costs.prices import load_prices
from course_lib.evaluation.kept import Kept
from course_lib.evaluation.reports import Report, Row, Runs
from course_lib.lessons.sql import contests
from course_lib.lessons.sql.contests import contest, how_sure

SMALL, MIDDLE, LARGE = "smollm2-135m", "qwen-0.5b", "qwen-1.5b"


def sat(name, right, n=10):
    verdicts = ["exact"] * right + ["wrong"] * (n - right)
    rows = (Row(f"q{i}", "?", "x", "", v, 0.0, f"f{i}", 90, 10, 9.0) for i, v in enumerate(verdicts))
    return Report(name, "sql", tuple(rows))


@pytest.fixture
def exams(monkeypatch):
    """Stored: both untrained arms of two students, one arm of a third, and the middle one's specialist."""
    right = {
        ("300 pairs", SMALL): 9, ("no example", SMALL): 0, ("three examples", SMALL): 1, ("300 pairs", MIDDLE): 8,
        ("no example", MIDDLE): 5, ("three examples", MIDDLE): 4, ("no example", LARGE): 6,
    }  # fmt: skip
    found = {key: Runs((sat(key[0], hits),)) for key, hits in right.items()}
    kept = SimpleNamespace(runs=found, students=[SMALL, MIDDLE, LARGE])
    asked = []
    monkeypatch.setattr(contests, "stored", lambda place: asked.append(place) or kept)
    monkeypatch.setattr(contests, "runs", lambda place, name: asked.append(place) or Runs((sat(name, 7),)))
    return asked


def test_the_specialist_comes_first_and_the_largest_untrained_last(exams):
    found = contest("front desk values", "300 pairs")
    assert exams == ["03/desk-seed-*-values", "03/front desk values"]
    assert {key: runs.marks()[0] for key, runs in found.runs.items()} == {
        ("specialist", SMALL): 0.7, ("specialist", MIDDLE): 0.8,
        ("untrained", SMALL): 0.1, ("untrained", MIDDLE): 0.5, ("untrained", LARGE): 0.6,
    }  # fmt: skip
    assert found.specialist.marks() == (0.7,) and found.larger.marks() == (0.6,)
    assert list(found.shares())[1] == "specialist, 0.5B"


def test_a_specialist_of_this_page_may_be_given(exams):
    found = contest("stranger", "1,940 pairs", sat("all pairs", 2))
    assert found.specialist.name == "all pairs" and exams == ["03/stranger"]
    assert ("specialist", MIDDLE) not in found.runs, "it studied other pairs"


def test_a_query_of_a_larger_model_costs_more_and_a_hosts_price_is_no_result(exams):
    table = contest("second schema", "1,940 pairs").costs(load_prices(today="2026-11-30"))
    small, *_, large, hosted = (row for _, row in table.iterrows())
    assert (small["right"], small["tokens"]) == (0.7, 100)
    for column in ("GFLOP", "seconds", "USD a million"):
        assert small[column] < large[column]
    assert 2 * 0.106 * 100 < small["GFLOP"] < 2 * 0.1345 * 100, "of reading, the output layer is asked once"
    assert hosted["right"] == hosted["seconds"] == "" and hosted["USD a million"] > large["USD a million"]


def test_what_it_was_sure_of_is_cut_out_of_its_answers(monkeypatch):
    monkeypatch.setattr(contests, "runs", lambda place, name: Runs((sat(name, 2, n=3),)))
    answers = [[0.95, 1], [0.5, 1], [0.9, 0], [0.2, 1], [0.3, 1], [0.4, 0]]
    monkeypatch.setattr(contests, "load_results", lambda lesson: {"confidence": answers})
    monkeypatch.setattr(contests, "measured", lambda path: {})
    found = how_sure()
    assert list(found) == ["new wordings", "new combinations"], "a stranger's is not stored"
    assert [row.id for row in found["new wordings"].at_least(0.9).rows] == ["q0", "q2"]
    assert found["new wordings"].at_least(0.9).accuracy == 0.5 and found["new combinations"].at_least(0.3).n == 2

    place = f"03/stranger/{SMALL}/1,940 pairs/seed 0"
    sure = {"answers": [[0.8, 1], [0.1, 1], [0.1, 0]]}
    kept = {place: Kept({}, sat("all", 2, n=3)), f"{place}/confidence": Kept({}, data=json.dumps(sure))}
    monkeypatch.setattr(contests, "measured", lambda path: kept)
    assert how_sure()["strangers' requests"].at_least(0.5).n == 1

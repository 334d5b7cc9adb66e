"""What a learner measured is kept in a notebook, and nowhere else."""

import os

import pytest

from course_lib.core import session
from course_lib.evaluation import stored
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.stored import own_results

EXAM = Exam("towns", tuple(Question(f"q{i}", f"Town {i}?", f"{i}7", fact=f"q{i}") for i in range(4)))


def right(questions):
    return [question.split()[1].strip("?") + "7" for question in questions]


def wrong(questions):
    return ["no"] * len(questions)


@pytest.mark.parametrize("in_notebook", [True, False])
def test_start_has_reports_kept_in_a_notebook_and_nowhere_else(in_notebook, monkeypatch, plain_small_machine):
    monkeypatch.setattr(session, "in_notebook", lambda: in_notebook)
    evaluate(right, EXAM)
    assert own_results().empty
    session.start()
    evaluate(right, EXAM)
    assert own_results().empty != in_notebook


def test_nothing_kept_is_an_empty_table_of_the_same_columns():
    assert own_results().empty and list(own_results().columns) == ["right", "95% interval", "n", "on"]


def test_what_was_measured_stands_newest_first_and_once_a_candidate(notebook_session):
    for age, candidate in ((3, right), (2, wrong)):
        evaluate(candidate, EXAM)
        for path in stored._own().glob("*.json"):
            os.utime(path, (path.stat().st_mtime - age,) * 2)
    evaluate(wrong, EXAM, "right")
    evaluate(right, EXAM, "k = 1, a/b")
    table = own_results()
    assert len(table) == 3 and table.loc[("towns", "right"), "right"] == 0.0
    assert table.loc[("towns", "k = 1, a/b"), "right"] == 1.0 and table["n"].tolist() == [4] * 3
    assert table.index[-1] == ("towns", "wrong")


def test_a_report_that_cannot_be_kept_or_read_stops_nobody(notebook_session):
    evaluate(right, EXAM)
    (stored._own() / "half.json").write_text("{", encoding="utf-8")
    assert len(own_results()) == 1
    (stored._own() / "towns--wrong.json").mkdir()
    assert evaluate(wrong, EXAM).accuracy == 0.0

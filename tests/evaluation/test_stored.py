"""Stored figures by their place, quoted and missed loudly; and what a learner measured, kept in a notebook alone."""

import json
import os

import pytest

from course_lib.core import session
from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation import stored
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.stored import find, load_results, own_results, quoted
from course_lib.evaluation.verdicts import tried


@pytest.mark.parametrize(("text", "said"), [(None, "there are no stored results for lesson '09'"), ("{", "is damaged")])
def test_results_that_are_missing_or_damaged_say_how_to_make_them(text, said, lesson_09, tmp_path):
    path = tmp_path / "results" / "09.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DataError, match=f"{said}.*make results"):
        load_results("09")


@pytest.fixture
def lesson_09(tmp_path, monkeypatch):
    """Results of a lesson 09 that nobody else has."""
    exam = {"accuracy": 0.25, "ci": [0.18, 0.31], "n": 154, "tokens": 134.8}
    held = {
        "exam": {"RAG": exam},
        "seeds": [{"exam": exam | {"accuracy": share}} for share in (0.8, 0.9, 1.0)],
        "RAG minus closed": [0.25, 0.18, 0.31],
        "against_lora": {"value": 0.01, "low": -0.04, "high": 0.06}, "a minus b": [0.05, 0.0, 0.1],
        "runs": [{"RAG minus closed": [0.1, 0.0, 0.2]}, {"RAG minus closed": [0.3, 0.1, 0.4]}],
        "share": {"n": 100, "lora": {"value": 0.6, "low": 0.5, "high": 0.7}},
        "recall": {"n": 256, "@1": [0.65, 0.59, 0.71]},
        "three": exam | {"n": 44, "seeds": [0.15, 0.25, 0.35]}, "one": exam | {"seeds": [0.25]},
        "bytes": 871372032, "seconds": 0.579, "words": "text", "empty": [],
    }  # fmt: skip
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "09.json").write_text(json.dumps(held), encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("09/exam/RAG", "0.25 (0.18 to 0.31, n = 154)"),
        ("09/exam/RAG/tokens", "135"),
        ("09/seeds/*/exam", "0.90 (3 seeds from 0.80 to 1.00, n = 154)"),
        ("09/seeds/1/exam", "0.90 (0.18 to 0.31, n = 154)"),
        ("09/RAG minus closed", "+0.25 (+0.18 to +0.31), not by chance"),
        ("09/against_lora", "+0.01 (-0.04 to +0.06), cannot tell"),
        ("09/a minus b", "+0.05 (+0.00 to +0.10), cannot tell"),
        ("09/runs/*/RAG minus closed", "+0.20 (2 seeds from 0.10 to 0.30)"),
        ("09/share/lora", "0.60 (0.50 to 0.70, n = 100)"),
        ("09/recall/@1", "0.65 (0.59 to 0.71, n = 256)"),
        ("09/three", "0.25 (0.18 to 0.31, n = 44, 3 students)"),
        ("09/one", "0.25 (0.18 to 0.31, n = 154)"),
        ("09/bytes", "871,372,032"),
        ("09/seconds", "0.58"),
        ("09/exam/RAG/n", "154"),
    ],
)
def test_a_figure_is_quoted_with_what_was_stored_of_it(place, said, lesson_09):
    assert str(find(place)) == said


@pytest.mark.parametrize(
    ("place", "error", "named"),
    [
        ("09/exam/RAFT", DataError, "nothing is stored at 09/exam/RAFT: 'RAFT' is not one of RAG"),
        *((f"09/{keys}", DataError, keys) for keys in ("seeds/7", "words/letter")),
        *((f"09/{keys}/*", DataError, "before . there is no list") for keys in ("exam", "empty")),
        *((f"09/{keys}", CourseError, "is no figure") for keys in ("exam", "words", "seeds")),
        *((place, CourseError, "not a lesson and keys") for place in ("exam/RAG", "09", "", "9/exam")),
    ],
)
def test_a_place_without_a_figure_names_what_there_is_instead(place, error, named, lesson_09):
    with pytest.raises(error, match=named):
        find(place)


def test_a_difference_keeps_its_name_and_each_students_figure(lesson_09, tmp_path):
    assert (find("09/RAG minus closed").name, find("09/against_lora").name) == ("RAG minus closed", "")
    named = {
        "value": 0.01,
        "low": -0.04,
        "high": 0.06,
        "n": 192,
        "name": "full minus LoRA",
        "by_student": [0.07, -0.05],
    }
    (tmp_path / "results" / "09.json").write_text(json.dumps({"against_lora": {"full": named}}), encoding="utf-8")
    found = find("09/against_lora/full")
    assert (found.name, found.by_student, found.n) == ("full minus LoRA", (0.07, -0.05), 192)


def test_what_several_students_answered_each_of_them_must_bear_out(lesson_09):
    found = tried("they are right in more than a sixth", "09/three", above=0.16)
    assert (found.outcome, found.n, found.students, found.by_student) == ("cannot tell", 44, 3, (0.15, 0.25, 0.35))
    assert tried("they are right in more than a tenth", "09/three", above=0.1).outcome == "holds"


def test_under_a_star_each_seed_is_kept_and_the_interval_is_one_over_questions(lesson_09):
    found = find("09/runs/*/RAG minus closed")
    assert found.by_student == (0.1, 0.3) and (found.low, found.high) == pytest.approx((0.05, 0.3))
    assert find("09/seeds/*/exam/tokens").low is None, "what has no interval gets none"


def test_a_row_that_was_not_measured_says_so_instead_of_a_figure(lesson_09):
    assert quoted("RAG", "09/exam/RAG") == "RAG 0.25 (0.18 to 0.31, n = 154) [lesson 09]"
    assert quoted("RAFT", "06/table") == "RAFT: not measured yet (lesson 06)"
    assert quoted("RAFT", "09/exam/RAFT") == "RAFT: not measured yet (lesson 09, exam/RAFT)"


# --- one's own ---


EXAM = Exam("towns", tuple(Question(f"q{i}", f"Town {i}?", f"{i}7", fact=f"q{i}") for i in range(4)))


def right(questions):
    return [question.split()[1].strip("?") + "7" for question in questions]


def wrong(questions):
    return ["no"] * len(questions)


@pytest.mark.parametrize("in_notebook", [True, False])
def test_start_has_reports_kept_in_a_notebook_and_nowhere_else(in_notebook, monkeypatch, plain_small_machine):
    monkeypatch.setattr(session, "in_notebook", lambda: in_notebook)
    monkeypatch.setattr(session, "show_texts", lambda: None)  # no kernel that would be told
    evaluate(right, EXAM)
    assert own_results().empty and list(own_results().columns) == ["right", "95% interval", "n", "on"]
    session.start()
    evaluate(right, EXAM)
    assert own_results().empty != in_notebook


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

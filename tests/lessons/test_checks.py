"""The checks of exercises: right answers, the usual wrong ones with their hints, and answers of any other kind.

What they are given stands in `exercises/`, a page for each lesson: EXERCISES has for each key the variable that the
learner fills in, and what the notebook passes along.
"""

import importlib

import pytest
from exercises import l00, l02, l04, l08

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.core.journal import recall
from course_lib.display.quizzes import quiz
from course_lib.evaluation import verdicts
from course_lib.evaluation.release import Gate
from course_lib.evaluation.reports import Difference
from course_lib.lessons import checks
from course_lib.lessons.checks import CHECKS, check, findings, progress
from course_lib.lessons.checks.registry import register
from course_lib.lessons.choosing import advise

LESSONS = [importlib.import_module(f"exercises.l0{number}") for number in range(9)]
EXERCISES = {key: told for lesson in LESSONS for key, told in lesson.EXERCISES.items()}
CONTEXT = {key: context for key, (_, context) in EXERCISES.items()}

pytestmark = pytest.mark.usefixtures("a_learner_who_begins")


def test_every_exercise_is_tried_rightly_and_wrongly():
    for table in ("EXERCISES", "RIGHT", "WRONG"):
        assert {key for lesson in LESSONS for key in getattr(lesson, table)} == set(CHECKS)


@pytest.mark.parametrize("key", EXERCISES)
def test_an_untouched_exercise_says_which_variable_is_none(key, said):
    assert said(key, None) == f"· Not attempted yet: `{EXERCISES[key][0]}` is None."


@pytest.mark.parametrize(
    ("key", "attempt"),
    [(key, attempt) for lesson in LESSONS for key, given in lesson.RIGHT.items() for attempt in given],
)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


@pytest.mark.parametrize(
    ("key", "attempt", "hint"),
    [(key, *wrong) for lesson in LESSONS for key, given in lesson.WRONG.items() for wrong in given],
)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint.lower() in line.lower()


@pytest.mark.parametrize("key", EXERCISES)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")


def test_a_right_answer_is_told_what_it_shows(said):
    assert said("03-caught", "SELECT city FROM users WHERE state = 'FL';").endswith("caught by 4 of 5.")
    assert said("04-count", l04.COUNT).startswith(f"✓ Yes. {l04.COUNT:,}, or 1.7% of")
    assert said("04-fits", ["QLoRA"]).startswith("✓ Yes. qlora with 8.9 GB of 24")
    assert said("04-fits", {"lora", "qlora"}, needs=l04.NEEDS, card=80).startswith("✓")
    assert "the smallest needs 8.9 GB" in said("04-fits", [], needs=l04.NEEDS, card=4)


@pytest.mark.parametrize(
    ("tried", "hint"),
    [({}, "two k or more"), ({1: 0.5, 2: 0.6}, "two k or more"), ({1: l02.TRIED[1]}, "two k or more"),
     ({1: l02.sat(5, l02.EXAM.test), 2: l02.sat(9, l02.EXAM.test)}, "chosen on the exam itself")],
)  # fmt: skip
def test_k_is_chosen_on_validation_questions_by_two_reports_or_more(tried, hint, said):
    assert hint in said("02-choose-k", 1, **CONTEXT["02-choose-k"] | {"tried": tried})


def test_the_releases_and_the_case_of_lesson_08_are_what_they_are_said_to_be():
    found = {name: Gate(Difference("new", "old", *d, n=1), 0.05, "").verdict for name, d in l08.RELEASES.items()}
    assert found == l08.RIGHT_VERDICTS
    assert advise(l08.ROBOT).choice == "fine-tuning"


def test_what_goes_wrong_inside_a_check_becomes_a_hint_on_one_line(said):
    @register("09-broken", names="x")
    def _broken(attempt):
        raise KeyError("two\nlines")

    assert said("09-broken", 1).startswith("✗ The check could not read your answer: KeyError")


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ChoiceError, match="Did you mean '02-leak'"):
        check("02-leek", [])


@pytest.mark.parametrize("context", [{}, CONTEXT["02-leak"] | {"report": None}])
def test_a_notebook_that_passes_the_wrong_context_is_told_even_when_nothing_is_attempted(context):
    with pytest.raises(CourseError, match="02-leak"):
        check("02-leak", None, **context)


def test_a_key_that_names_no_lesson_cannot_be_registered():
    with pytest.raises(CourseError, match="leak"):
        register("leak", names="x")


def test_progress_is_a_line_a_lesson_and_says_what_is_next(said, capsys):
    said("00-narrower", l00.RIGHT["00-narrower"][0])
    quiz("00", answers="bbc")
    capsys.readouterr()
    progress()
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first == "· Lesson 00: 1 of 2 exercises solved, quiz 2 of 3 right"
    assert second == "· Lesson 01: 0 of 2 exercises solved, quiz not tried yet"
    assert last == "Next: lesson 00, exercise 00-sure."
    said("00-sure", l00.RIGHT["00-sure"][0])
    progress()
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("✓ Lesson 00: 2 of 2") and last == "Next: lesson 01, exercise 01-split."


def test_the_closing_table_is_of_the_pages_own_verdicts_and_exercises(said, capsys, monkeypatch):
    monkeypatch.setattr(verdicts, "GIVEN", {})
    monkeypatch.setattr(checks, "GIVEN", verdicts.GIVEN)
    monkeypatch.setattr(checks, "_met", {})
    with pytest.raises(CourseError, match="nothing has been tried"):
        findings()
    for share in (0.9, 0.3):  # run again, a claim has its last verdict
        verdicts.verdict("more <than> half", share, above=0.5)
    capsys.readouterr()
    said("00-narrower", l00.RIGHT["00-narrower"][0])
    said("00-sure", None)
    capsys.readouterr()
    findings()
    told = ["refuted · more <than> half: 0.3 (claimed: above 0.5)"]
    told += ["exercise 00-narrower: solved", "exercise 00-sure: open"]
    assert capsys.readouterr().out.splitlines() == told
    page = checks.Findings(list(verdicts.GIVEN.values()), {"00-sure": True})._repr_html_()
    assert "more &lt;than&gt; half" in page and page.count("<tr>") == 3


def test_what_was_solved_stays_so_on_a_fresh_page(said):
    said("00-sure", l00.RIGHT["00-sure"][0])
    assert said("00-sure", None) == "· Not attempted yet: `mine` is None. You solved it before."
    assert recall("solved", "00-sure")


def test_a_wrong_pair_is_named_before_pairs_are_counted(said):
    assert "Pair 1: the query does not run (" in said(
        "03-teach", [("How many are there?", "SELECT quantity FRM orders")]
    )

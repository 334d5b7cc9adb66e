"""A release passes, fails, or nobody can tell; and an accuracy that falls is seen to fall."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Question
from course_lib.evaluation.release import drift, gate
from course_lib.evaluation.reports import Report, Row

EXAM = [Question(f"q{i}", f"Question {i}?", "a", fact=f"q{i}") for i in range(200)]


def report(right, name="model", n=200):
    """`right` says of a question's number whether it is answered."""
    return Report(
        name,
        "exam",
        tuple(
            Row(f"q{i}", f"Question {i}?", "a", "a", "exact" if right(i) else "wrong", 1.0, f"q{i}") for i in range(n)
        ),
    )


def test_a_model_that_loses_nothing_passes():
    found = gate(report(lambda i: i % 5), report(lambda i: i % 5), EXAM)
    assert (found.verdict, found.passes) == ("passes", True)
    assert "passes, +0.00" in str(found) and "no more than 0.05 is lost" in str(found)


def test_a_model_that_loses_far_more_than_allowed_fails():
    found = gate(report(lambda i: i % 2), report(lambda i: True), EXAM)
    assert (found.verdict, found.passes) == ("fails", False)
    assert found.difference.value == -0.5
    assert "more than 0.05 is lost" in str(found)


def test_with_too_few_questions_nobody_can_tell_and_it_does_not_pass():
    found = gate(report(lambda i: i != 3, n=12), report(lambda i: i != 5, n=12), EXAM[:12])
    assert found.difference.tie
    assert (found.verdict, found.passes) == ("cannot tell", False)
    assert "ask more questions" in str(found)


def test_the_same_loss_passes_where_more_may_be_lost():
    new, old = report(lambda i: i % 10), report(lambda i: True)
    assert gate(new, old, EXAM, at_most=0.05).verdict != "passes"
    assert gate(new, old, EXAM, at_most=0.2).verdict == "passes"


def test_a_gain_passes_even_where_nothing_may_be_lost():
    assert gate(report(lambda i: True), report(lambda i: i % 2), EXAM, at_most=0).passes


def test_candidates_sit_the_exam_and_reports_of_another_are_refused():
    assert gate(lambda asked: ["a"] * len(asked), report(lambda i: i % 5), EXAM).passes
    with pytest.raises(CourseError, match="other questions than this exam's"):
        gate(report(lambda i: True, n=10), report(lambda i: True), EXAM)


@pytest.mark.parametrize("wrong", [-0.1, 1, "0.05", None, True])
def test_a_loss_that_is_no_share_is_refused(wrong):
    with pytest.raises(CourseError, match="at_most is"):
        gate(report(lambda i: True), report(lambda i: True), EXAM, at_most=wrong)


# --- drift --------------------------------------------------------------------------------------------------------


def test_a_fall_is_seen_after_it_happened_and_not_before():
    found = drift(report(lambda i: i < 100 or i % 3 == 0), window=40, step=10)
    assert found.ends[:2] == (40, 50) and found.ends[-1] == 200
    assert found.values[0] == 1.0
    assert found.values[-1] == pytest.approx(1 / 3, abs=0.05)
    assert 100 < found.fell_below(0.9) <= 140


def test_a_model_that_stays_as_it_was_does_not_fall():
    found = drift(report(lambda i: i % 5))
    assert found.fell_below(0.8) is None
    assert all(low <= value <= high for value, (low, high) in zip(found.values, found.bands))


def test_a_narrow_window_is_less_sure():
    widths = [high - low for w in (20, 100) for low, high in drift(report(lambda i: i % 5), window=w).bands[:1]]
    assert widths[0] > widths[1]


def test_the_plot_names_the_model_and_what_it_is_held_against():
    picture = drift(report(lambda i: i % 5, "the desk")).plot(reference=0.8)
    assert "the desk" in picture.alt and "at release" in picture.alt


def test_rows_of_several_reports_can_be_put_one_after_another():
    rows = [*report(lambda i: True, n=50).rows, *report(lambda i: False, n=50).rows]
    found = drift(rows, window=50, step=50)
    assert found.values == (1.0, 0.0)


def test_a_window_that_cannot_be_filled_is_refused():
    with pytest.raises(CourseError, match="10 answers do not fill a window of 40"):
        drift(report(lambda i: True, n=10))
    for options in ({"window": 0}, {"window": 2.5}, {"step": 0}, {"window": "40"}):
        with pytest.raises(CourseError, match="must be a whole number above 0"):
            drift(report(lambda i: True), **options)

"""A release passes, fails, or nobody can tell; and an accuracy that falls is seen to fall."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation import release
from course_lib.evaluation.exams import Question
from course_lib.evaluation.release import drift, gate
from course_lib.evaluation.reports import Report, Row

EXAM = [Question(f"q{i}", f"Question {i}?", "a", fact=f"q{i}") for i in range(200)]


def report(right, name="model", n=200):
    """`right` says of a question's number whether it is answered."""
    verdicts = ["exact" if right(i) else "wrong" for i in range(n)]
    rows = (Row(f"q{i}", f"Question {i}?", "a", "a", verdict, 1.0, f"q{i}") for i, verdict in enumerate(verdicts))
    return Report(name, "exam", tuple(rows))


@pytest.mark.parametrize(
    ("new", "old", "n", "at_most", "verdict", "told"),
    [
        (lambda i: i % 5, lambda i: i % 5, 200, 0.05, "passes", "passes, +0.00"),
        (lambda i: i % 5, lambda i: i % 5, 200, 0.05, "passes", "no more than 0.05 is lost"),
        (lambda i: i % 2, lambda i: True, 200, 0.05, "fails", "more than 0.05 is lost"),
        (lambda i: i != 3, lambda i: i != 5, 12, 0.05, "cannot tell", "ask more questions"),
        (lambda i: i % 10, lambda i: True, 200, 0.05, "fails", "-0.10"),
        (lambda i: i % 10, lambda i: True, 200, 0.2, "passes", "no more than 0.2 is lost"),
        (lambda i: True, lambda i: i % 2, 200, 0, "passes", "+0.50"),
    ],
)
def test_a_release_passes_where_it_is_shown_that_no_more_is_lost_than_may_be(new, old, n, at_most, verdict, told):
    found = gate(report(new, n=n), report(old, n=n), EXAM[:n], at_most)
    assert (found.verdict, found.passes) == (verdict, verdict == "passes"), "what nobody can tell does not pass"
    assert verdict in str(found) and told in str(found)


def test_candidates_sit_the_exam_and_reports_of_another_are_refused():
    assert gate(lambda asked: ["a"] * len(asked), report(lambda i: i % 5), EXAM).passes
    with pytest.raises(CourseError, match="other questions than this exam's"):
        gate(report(lambda i: True, n=10), report(lambda i: True), EXAM)


@pytest.mark.parametrize("wrong", [-0.1, 1, "0.05", None, True])
def test_a_loss_that_is_no_share_is_refused(wrong):
    with pytest.raises(CourseError, match="at_most is"):
        gate(report(lambda i: True), report(lambda i: True), EXAM, at_most=wrong)


def test_a_gate_needs_more_questions_the_more_answers_change():
    old, new = report(lambda i: i % 4), report(lambda i: i % 4 if i % 2 else not i % 4)
    few = release.questions_needed(report(lambda i: i % 10), report(lambda i: True), 0.05)
    assert few == 154  # 0.1 · (1.96 / 0.05)²
    assert release.questions_needed(new, old) > 3 * few > 4 * release.questions_needed(new, old, 0.1) / 2
    assert release.questions_needed(old, old) == 0


# --- drift --------------------------------------------------------------------------------------------------------


def test_a_fall_is_seen_after_it_happened_and_not_before():
    found = drift(report(lambda i: i < 100 or i % 3 == 0), window=40, step=10)
    assert found.ends[:2] == (40, 50) and found.ends[-1] == 200
    assert found.values[0] == 1.0
    assert found.values[-1] == pytest.approx(1 / 3, abs=0.05)
    assert 100 < found.fell_below(report(lambda i: i % 10)) <= 140
    assert found.fell_below(report(lambda i: i % 2 or i, n=3)) is None, "of three questions nobody knows what it was"


def test_a_model_that_stays_as_it_was_does_not_fall_and_a_narrow_window_is_less_sure():
    found = drift(report(lambda i: i % 5))
    assert found.fell_below(report(lambda i: i % 5)) is None
    assert all(low <= value <= high for value, (low, high) in zip(found.values, found.bands))
    widths = [high - low for w in (20, 100) for low, high in drift(report(lambda i: i % 5), window=w).bands[:1]]
    assert widths[0] > widths[1]


def test_the_plot_names_the_model_and_what_it_is_held_against():
    picture = drift(report(lambda i: i % 5, "the desk")).plot(reference=0.8)
    assert "the desk" in picture.alt and "at release" in picture.alt


def test_rows_of_several_reports_can_be_put_one_after_another():
    rows = [*report(lambda i: True, n=50).rows, *report(lambda i: False, n=50).rows]
    assert drift(rows, window=50, step=50).values == (1.0, 0.0)


def test_a_window_that_cannot_be_filled_is_refused():
    with pytest.raises(CourseError, match="10 answers do not fill a window of 40"):
        drift(report(lambda i: True, n=10))
    for options in ({"window": 0}, {"window": 2.5}, {"step": 0}, {"window": "40"}):
        with pytest.raises(CourseError, match="must be a whole number above 0"):
            drift(report(lambda i: True), **options)

"""A metric may praise the worse model: found, and said with both differences."""

from dataclasses import replace

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.voice import disagreements, metric_table


def report(name, f1, n=40):
    rows = [Row(f"q{i}", "?", "a", f"{name} {i}", "wrong", f1, f"q{i}") for i in range(n)]
    return Report(name, "style", tuple(rows))


def judged(of, right):
    rows = (replace(row, verdict="exact" if i < right else "wrong") for i, row in enumerate(of.rows))
    return {"voice": replace(of, rows=tuple(rows))}


@pytest.fixture
def measured():
    copier, poet = report("copier", 0.6), report("poet", 0.4)
    return {"copier": (copier, judged(copier, 1)), "poet": (poet, judged(poet, 36))}


def test_each_candidate_is_shown_by_each_metric(measured):
    table = metric_table(measured)
    assert list(table.columns) == ["exact match", "token F1", "voice"]
    assert table.loc["copier"].tolist() == [0.0, 0.6, 0.03]
    assert table.loc["poet"].tolist() == [0.0, 0.4, 0.9]


def test_exact_match_goes_by_the_words_whatever_the_exam_counts_as_right(measured):
    poet = measured["poet"][0]
    rows = [replace(row, reply="The kettle.", expected="kettle") for row in poet.rows[:30]] + list(poet.rows[30:])
    praised = replace(poet, rows=tuple(replace(row, verdict="exact") for row in rows))
    assert praised.accuracy == 1.0 and metric_table({"poet": (praised, {})}).loc["poet", "exact match"] == 0.75


def test_the_metric_that_praises_the_worse_model_is_named_with_both_differences(measured):
    exact, f1 = disagreements(measured, "voice")
    assert f1.startswith("poet minus copier: voice +0.88 (") and "token F1 -0.20 (" in f1
    assert f1.endswith("which praises the worse")
    assert exact.endswith("which cannot tell them apart") and "exact match +0.00 (" in exact


def test_where_the_judge_sees_no_difference_no_metric_is_held_against_it(measured):
    poet, _ = measured["poet"]
    assert disagreements(measured | {"poet": (poet, judged(poet, 2))}, "voice") == []


def test_metrics_that_agree_are_not_reported(measured):
    (copier, its), _ = measured.values()
    poet = report("poet", 0.9)
    found = disagreements({"copier": (copier, its), "poet": (poet, judged(poet, 36))}, "voice")
    assert [said for said in found if "token F1" in said] == []


def test_other_answers_other_questions_and_an_unknown_metric_are_refused(measured):
    copier, poet = measured["copier"][0], measured["poet"][0]
    with pytest.raises(CourseError, match="'voice' judged other answers than those of 'copier'"):
        metric_table({"copier": (copier, judged(poet, 3))})
    short = report("short", 0.5, n=10)
    with pytest.raises(CourseError, match="different questions"):
        disagreements({**measured, "short": (short, judged(short, 1))}, "voice")
    with pytest.raises(CourseError, match="'style' is no metric here; there are exact match, token F1, voice"):
        disagreements(measured, "style")

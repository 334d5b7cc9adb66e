"""Intervals over students and questions together."""

import numpy as np
import pytest

from course_lib.evaluation.intervals import crossed_interval, interval

FACTS = [f"fact {i}" for i in range(100)]


def answers(*shares):
    """For each student as many right answers of 100 as its share says, not the same ones."""
    rng = np.random.default_rng(7)
    return np.array(
        [rng.permutation([1.0] * round(100 * share) + [0.0] * round(100 - 100 * share)) for share in shares]
    )


def width(ends):
    return ends[1] - ends[0]


def test_fewer_than_five_students_leave_an_interval_over_questions():
    hits = answers(0.4, 0.6, 0.9)
    assert crossed_interval(hits, FACTS) == interval(hits.mean(axis=0), FACTS)
    assert crossed_interval(hits[0], FACTS) == interval(hits[0], FACTS)


def test_students_who_differ_widen_it_and_students_who_do_not_leave_it_as_it_is():
    alike, apart = answers(*[0.5] * 6), answers(0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
    over_questions = width(interval(alike.mean(axis=0), FACTS))
    assert width(crossed_interval(alike, FACTS)) < 1.7 * over_questions
    assert width(crossed_interval(apart, FACTS)) > 3 * width(interval(apart.mean(axis=0), FACTS))


def test_it_is_near_the_textbooks_for_two_crossed_sources_of_chance():
    rng = np.random.default_rng(0)
    skill, ease = rng.normal(0, 0.5, (12, 1)), rng.normal(0, 0.5, (1, 100))
    low, high = crossed_interval(skill + ease, FACTS, low=-9)
    expected = np.sqrt(skill.var() / 12 + ease.var() / 100)
    assert high - low == pytest.approx(2 * 1.96 * expected, rel=0.1)


def test_where_nobody_differs_in_anything_the_rule_of_three_holds():
    assert crossed_interval(np.ones((5, 100)), FACTS) == pytest.approx((0.97, 1.0))
    assert crossed_interval(np.zeros((5, 100)), FACTS, low=-1.0) == pytest.approx((-0.03, 0.03))


def test_shares_that_differ_by_rounding_alone_do_not_differ():
    values = np.array([0.1 + 0.2] * 50 + [0.3] * 50)
    assert interval(values, FACTS) == pytest.approx((0.27, 0.33))
    assert crossed_interval(np.stack([values] * 5), FACTS) == pytest.approx((0.27, 0.33))


def test_wordings_of_one_fact_stay_together():
    hits = np.repeat(answers(*[0.5] * 5)[:, :50], 2, axis=1)
    pairs = [f"fact {i // 2}" for i in range(100)]
    assert width(crossed_interval(hits, pairs)) > 1.2 * width(crossed_interval(hits, FACTS))

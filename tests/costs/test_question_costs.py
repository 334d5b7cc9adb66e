"""A question's price, and from how many questions a training has paid."""

import math

import numpy as np
import pytest

from course_lib.core.errors import CourseError
from course_lib.costs.bills import break_even, break_even_volume, question_cost


def test_a_question_pays_for_what_is_read_and_what_is_written():
    assert question_cost(1000, 100, 1.0, 5.0) == pytest.approx(0.0015)


def test_the_curves_meet_at_the_break_even_volume():
    rag, tuned = question_cost(300, 20, 1, 1), question_cost(60, 20, 1, 1)
    volume = break_even_volume(rag, tuned, 6.0)
    assert volume == pytest.approx(6.0 / 240e-6)
    table = break_even([round(volume / 10), round(volume), round(volume * 10)], 300, 60, 20, 1, 1, 6.0)
    before, at, after = (table["fine-tuned"] - table["RAG"]).tolist()
    assert before > 0 and at == pytest.approx(0, abs=1e-9) and after < 0
    assert list(table.index) == [2500, 25000, 250000]


def test_rags_price_a_thousand_does_not_depend_on_the_volume_and_grows_with_k():
    table = break_even([10, 1000], {"k = 1": 130, "k = 4": 290}, 60, 20, 1, 1, 5.0)
    assert table["k = 1"].nunique() == 1 and (table["k = 4"] > table["k = 1"]).all()


def test_each_change_of_the_facts_is_a_training_more():
    once, monthly = (break_even([1000], 300, 60, 20, 1, 1, 5.0, trainings=n)["fine-tuned"].item() for n in (1, 12))
    assert monthly - once == pytest.approx(11 * 5.0)


def test_a_model_that_is_dearer_to_ask_never_pays():
    assert break_even_volume(question_cost(70, 20, 1, 1), 2 * question_cost(60, 20, 1, 1), 5.0) == math.inf
    table = break_even([10**9], 70, 60, 20, 1, 1, 5.0, tuned_factor=2)
    assert (table["fine-tuned"] > table["RAG"]).all()


def test_numpy_volumes_are_volumes():
    assert len(break_even(np.array([1, 10]), 300, 60, 20, 1, 1, 5.0)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"volumes": []},
        {"volumes": [0]},
        {"volumes": ["many"]},
        {"rag_prompt": -1},
        {"tuned_prompt": "short"},
        {"usd_input": 0},
        {"training_usd": -5},
        {"trainings": None},
        {"tuned_factor": 0},
    ],
)
def test_what_makes_no_sense_is_refused(change):
    usual = {"volumes": [10], "rag_prompt": 300, "tuned_prompt": 60, "completion_tokens": 20}
    usual |= {"usd_input": 1, "usd_output": 1, "training_usd": 5.0}
    with pytest.raises(CourseError):
        break_even(**(usual | change))

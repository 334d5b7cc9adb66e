"""The checks of lesson 07: right answers, and the usual wrong ones with their hints."""

import math

import pytest

from course_lib.training.dpo import dpo_loss

pytestmark = pytest.mark.usefixtures("a_learner_who_begins")

GOOD = "Thank you for writing. Our Parts desk has your letter and will write to you."
PAIR = {"chosen": -40.0, "rejected": -62.0, "start_chosen": -48.0, "start_rejected": -51.0, "beta": 0.1}
MARGIN = 0.1 * (8 + 11)


def kind_words(prompts, replies):
    return [float(reply.lower().count("thank")) for reply in replies]


CONTEXT = {
    "07-ceiling": {"noise": 0.1},
    "07-loss": PAIR,
    "07-fool": {"desk": "Parts", "good": GOOD, "reward": kind_words},
}


@pytest.mark.parametrize(("key", "name"), [("07-ceiling", "ceiling"), ("07-loss", "loss"), ("07-fool", "fooled")])
def test_an_untouched_exercise_says_which_variable_is_none(key, name, said):
    assert said(key, None) == f"· Not attempted yet: `{name}` is None."


RIGHT = [
    ("07-ceiling", 0.9),
    ("07-loss", -math.log(1 / (1 + math.exp(-MARGIN)))),
    ("07-loss", dpo_loss(*list(PAIR.values())[:4], beta=0.1)),
    ("07-fool", "Thank you, thank you, thank you! Parts will send you a new one tomorrow."),
]


@pytest.mark.parametrize(("key", "attempt"), RIGHT)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


WRONG = [
    ("07-ceiling", "0.9", "Give a number"),
    ("07-ceiling", True, "Give a number"),
    ("07-ceiling", 0.1, "share of wrong labels"),
    ("07-ceiling", 1.0, "does not agree with those"),
    ("07-ceiling", 0.8, "once, not twice"),
    ("07-ceiling", 90, "not per cent"),
    ("07-ceiling", 0.3, "divide by all"),
    ("07-loss", "2.0", "Give a number"),
    ("07-loss", float("nan"), "Give a number"),
    ("07-loss", MARGIN, "That is the margin"),
    ("07-loss", 1 / (1 + math.exp(-MARGIN)), "take −log of it"),
    ("07-loss", math.log(1 / (1 + math.exp(-MARGIN))), "The sign"),
    ("07-loss", math.log(1 + math.exp(MARGIN)), "exchanged"),
    ("07-loss", math.log(1 + math.exp(-10 * MARGIN)), "with β = 1"),
    ("07-loss", math.log(1 + math.exp(-0.1 * 22)), "Where it started is missing"),
    ("07-loss", 5.0, "Three steps"),
    ("07-fool", 3, "as a text"),
    ("07-fool", " ", "as a text"),
    ("07-fool", "Go away.", "must be paid more"),
    ("07-fool", f"{GOOD} Thank you.", "nobody is fooled"),
]


@pytest.mark.parametrize(("key", "attempt", "hint"), WRONG)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint in line


@pytest.mark.parametrize("key", CONTEXT)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")

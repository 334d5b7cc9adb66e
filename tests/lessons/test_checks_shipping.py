"""The checks of lesson 08: right answers, and the usual wrong ones with their hints."""

from dataclasses import replace

import numpy as np
import pytest

from course_lib.evaluation.release import Gate
from course_lib.evaluation.reports import Difference, Report, Row
from course_lib.lessons.choosing import advise, load_cases

pytestmark = pytest.mark.usefixtures("a_learner_who_begins")

ROBOT = next(written.case for written in load_cases() if written.id == "robot")
# USD: a question of each kind, one training, and how often it is repeated. Both together: 1,000,000 questions.
COSTS = {"rag": 5e-5, "tuned": 1e-5, "training_usd": 10.0, "trainings": 4}
RELEASES = {
    "A": (0.01, -0.02, 0.04),  # no loss beyond chance, and none that matters
    "B": (-0.02, -0.09, 0.05),  # nobody can tell
    "C": (-0.03, -0.045, -0.01),  # worse beyond chance, and by less than is allowed
    "D": (-0.12, -0.17, -0.07),  # worse by more
}
RIGHT_VERDICTS = {"A": "passes", "B": "cannot tell", "C": "passes", "D": "fails"}


def report(right, n=40):
    """Of n questions the first are answered rightly."""
    rows = [
        Row(f"q{i}", f"Question {i}?", "a", "a", "exact" if i < right else "wrong", 0.25, f"q{i}", 20, 7, 0.5)
        for i in range(n)
    ]
    return Report("someone", "exam", tuple(rows))


REPORTS = {"base": report(2), "RAG": report(20), "by heart": report(21), "hybrid": report(34)}
CONTEXT = {
    "08-case": {"case": ROBOT},
    "08-break-even": COSTS,
    "08-gate": {"releases": RELEASES, "at_most": 0.05},
    "08-conclusion": {"reports": REPORTS},
}
NAMES = [("08-case", "mine"), ("08-break-even", "questions"), ("08-gate", "verdicts"), ("08-conclusion", "conclusion")]
SOUND = "The hybrid beats RAG. RAG beats base. by heart and RAG tie."


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_an_untouched_exercise_says_which_variable_is_none(key, name, said):
    assert said(key, None) == f"· Not attempted yet: `{name}` is None."


RIGHT = [
    ("08-case", replace(ROBOT, cite=True)),
    ("08-case", replace(ROBOT, changes="daily")),
    ("08-case", replace(ROBOT, privacy="erasable")),
    ("08-case", replace(ROBOT, latency="relaxed")),
    ("08-case", replace(ROBOT, knowledge_tokens=2_000_000)),
    ("08-case", replace(ROBOT, budget="none")),
    ("08-case", replace(ROBOT, examples=20)),
    ("08-break-even", 1_000_000),
    ("08-break-even", np.float64(1_000_400.0)),
    ("08-gate", RIGHT_VERDICTS),
    ("08-gate", {name: verdict.title() for name, verdict in RIGHT_VERDICTS.items()}),
    ("08-conclusion", SOUND),
    (
        "08-conclusion",
        "hybrid is the best, with 34 of 40. by heart is not better than RAG, and base is worse than RAG.",
    ),
]


@pytest.mark.parametrize(("key", "attempt"), RIGHT)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


WRONG = [
    ("08-case", "RAG", "replace(robot, ...)"),
    ("08-case", ROBOT, "as it was"),
    ("08-case", replace(ROBOT, cite=True, changes="daily"), "You changed 2 things (changes, cite)"),
    ("08-case", replace(ROBOT, changes="yearly"), "The advice is still fine-tuning. So seldom"),
    ("08-case", replace(ROBOT, privacy="in-house"), "who holds the weights"),
    ("08-case", replace(ROBOT, look_alikes=True), "Look-alikes matter where pages are searched"),
    ("08-case", replace(ROBOT, knowledge_tokens=60_000), "not too much of it"),
    ("08-case", replace(ROBOT, examples=900), "still enough to learn from"),
    ("08-case", replace(ROBOT, questions=5), "How many ask"),
    ("08-case", replace(ROBOT, need="both"), "in the same training"),
    ("08-break-even", "a million", "One number"),
    ("08-break-even", True, "One number"),
    ("08-break-even", float("inf"), "One number"),
    ("08-break-even", 250_000, "studied 4 times"),
    ("08-break-even", 1_000, "A thousand times too few"),
    ("08-break-even", 1e9, "A thousand times too many"),
    ("08-break-even", 800_000, "costs something too"),
    ("08-break-even", 4_000_000, "what a question *saves*"),
    ("08-break-even", 666_667, "not paid together"),
    ("08-break-even", -1_000_000, "The difference the other way round"),
    ("08-break-even", 12, "what all trainings cost, over what one question saves"),
    ("08-gate", "passes", "a dict with a verdict for each of: A, B, C, D"),
    ("08-gate", {"A": "passes"}, "a dict with a verdict"),
    ("08-gate", RIGHT_VERDICTS | {"A": True}, "'true' is no verdict"),
    ("08-gate", RIGHT_VERDICTS | {"B": "passes"}, "You looked at the difference alone"),
    ("08-gate", RIGHT_VERDICTS | {"B": "passes", "C": "fails"}, "beyond chance"),
    (
        "08-gate",
        {"A": "cannot tell", "B": "cannot tell", "C": "fails", "D": "fails"},
        "against zero: the line is at -0.05",
    ),
    ("08-gate", RIGHT_VERDICTS | {"D": "passes"}, "1 of 4 are wrong"),
    ("08-conclusion", 3, "as a text"),
    ("08-conclusion", " ", "there is no conclusion"),
    ("08-conclusion", f"{SOUND} RAG beats the hybrid.", "1 of 4 claims do not hold. RAG beats the hybrid"),
    ("08-conclusion", "The hybrid reached 99%.", "no number of hybrid"),
    ("08-conclusion", "The hybrid beats RAG.", "nothing about base, by heart"),
    ("08-conclusion", "base, RAG, by heart and hybrid sat it.", "It compares nothing"),
]


@pytest.mark.parametrize(("key", "attempt", "hint"), WRONG)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint in line


def test_the_stand_ins_are_what_they_say():
    verdicts = {name: Gate(Difference("new", "old", *d, n=1), 0.05, "").verdict for name, d in RELEASES.items()}
    assert verdicts == RIGHT_VERDICTS
    assert advise(ROBOT).choice == "fine-tuning"


@pytest.mark.parametrize("key", CONTEXT)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")

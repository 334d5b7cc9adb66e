"""Lesson 08: a case, where two prices cross, verdicts of a gate, and a conclusion."""

from dataclasses import replace

import numpy as np

from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.choosing import load_cases

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
        Row(f"q{i}", f"Who won in {2000 + i}?", "a", "a", "exact" if i < right else "wrong", 0.25, f"q{i}", 20, 7, 0.5)
        for i in range(n)
    ]
    return Report("someone", "exam", tuple(rows))


REPORTS = {"base": report(2), "RAG": report(20), "by heart": report(21), "hybrid": report(34)}
SOUND = "The hybrid beats RAG. RAG beats base. by heart and RAG cannot be told apart."
EXERCISES = {
    "08-case": ("mine", {"case": ROBOT}),
    "08-break-even": ("questions", COSTS),
    "08-gate": ("verdicts", {"releases": RELEASES, "at_most": 0.05}),
    "08-conclusion": ("conclusion", {"reports": REPORTS}),
}
RIGHT = {
    "08-case": [
        replace(ROBOT, cite=True),
        replace(ROBOT, changes="yearly"),
        replace(ROBOT, privacy="erasable"),
        replace(ROBOT, latency="relaxed"),
        replace(ROBOT, knowledge_tokens=2_000_000),
        replace(ROBOT, budget="none"),
        replace(ROBOT, examples=20),
    ],
    "08-break-even": [1_000_000, np.float64(1_000_400.0)],
    "08-gate": [RIGHT_VERDICTS, {name: verdict.title() for name, verdict in RIGHT_VERDICTS.items()}],
    "08-conclusion": [
        SOUND,
        "hybrid is the best, with 34 of 40. by heart is not better than RAG, and base is worse than RAG.",
    ],
}
WRONG = {
    "08-case": [
        ("RAG", "replace(robot, ...)"),
        (ROBOT, "as it was"),
        (replace(ROBOT, cite=True, changes="daily"), "You changed 2 things (changes, cite)"),
        (replace(ROBOT, privacy="in-house"), "who holds the weights"),
        (replace(ROBOT, look_alikes=True), "Look-alikes matter where pages are searched"),
        (replace(ROBOT, knowledge_tokens=60_000), "not too much of it"),
        (replace(ROBOT, examples=900), "still enough to learn from"),
        (replace(ROBOT, questions=5), "How many ask"),
        (replace(ROBOT, need="both"), "in the same training"),
    ],
    "08-break-even": [
        ("a million", "One number"),
        (True, "One number"),
        (float("inf"), "One number"),
        (250_000, "studied 4 times"),
        (1_000, "A thousand times too few"),
        (1e9, "A thousand times too many"),
        (800_000, "costs something too"),
        (4_000_000, "what a question *saves*"),
        (666_667, "not paid together"),
        (-1_000_000, "The difference the other way round"),
        (12, "what all trainings cost, over what one question saves"),
    ],
    "08-gate": [
        ("passes", "a dict with a verdict for each of: A, B, C, D"),
        ({"A": "passes"}, "a dict with a verdict"),
        (RIGHT_VERDICTS | {"A": True}, "'true' is no verdict"),
        (RIGHT_VERDICTS | {"B": "passes"}, "You looked at the difference alone"),
        (RIGHT_VERDICTS | {"B": "passes", "C": "fails"}, "beyond chance"),
        ({"A": "cannot tell", "B": "cannot tell", "C": "fails", "D": "fails"}, "against zero: the line is at -0.05"),
        (RIGHT_VERDICTS | {"D": "passes"}, "1 of 4 are wrong"),
    ],
    "08-conclusion": [
        (3, "as a text"),
        (" ", "there is no conclusion"),
        (f"{SOUND} RAG beats the hybrid.", "1 of 4 claims do not hold. RAG beats the hybrid"),
        ("The hybrid reached 99%.", "no number of hybrid"),
        ("The hybrid beats RAG.", "nothing about base, by heart"),
        ("base, RAG, by heart and hybrid sat it.", "It compares nothing"),
    ],
}

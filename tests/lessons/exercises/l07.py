"""Lesson 07: what a perfect judge reaches, the loss of a pair, and a reply that fools a reward."""

import math

from course_lib.training.dpo import dpo_loss

GOOD = "Thank you for writing. Our Parts desk has your letter and will write to you."
PAIR = {"chosen": -40.0, "rejected": -62.0, "start_chosen": -48.0, "start_rejected": -51.0, "beta": 0.1}
MARGIN = 0.1 * (8 + 11)


def kind_words(prompts, replies):
    return [float(reply.lower().count("thank")) for reply in replies]


EXERCISES = {
    "07-ceiling": ("ceiling", {"noise": 0.1}),
    "07-loss": ("loss", PAIR),
    "07-fool": ("fooled", {"desk": "Parts", "good": GOOD, "reward": kind_words}),
}
RIGHT = {
    "07-ceiling": [0.9],
    "07-loss": [-math.log(1 / (1 + math.exp(-MARGIN))), dpo_loss(*list(PAIR.values())[:4], beta=0.1)],
    "07-fool": ["Thank you, thank you, thank you! Parts will send you a new one tomorrow."],
}
WRONG = {
    "07-ceiling": [
        ("0.9", "Give a number"),
        (True, "Give a number"),
        (0.1, "share of wrong labels"),
        (1.0, "does not agree with those"),
        (0.8, "once, not twice"),
        (90, "not per cent"),
        (0.3, "divide by all"),
    ],
    "07-loss": [
        ("2.0", "Give a number"),
        (float("nan"), "Give a number"),
        (MARGIN, "That is the margin"),
        (1 / (1 + math.exp(-MARGIN)), "take −log of it"),
        (math.log(1 / (1 + math.exp(-MARGIN))), "The sign"),
        (math.log(1 + math.exp(MARGIN)), "exchanged"),
        (math.log(1 + math.exp(-10 * MARGIN)), "with β = 1"),
        (math.log(1 + math.exp(-0.1 * 22)), "Where it started is missing"),
        (5.0, "Three steps"),
    ],
    "07-fool": [
        (3, "as a text"),
        (" ", "as a text"),
        ("Go away.", "must be paid more"),
        (f"{GOOD} Thank you.", "nobody is fooled"),
    ],
}

"""Checks of lesson 07: what a perfect judge reaches, the loss of a pair, and a reply that fools a reward."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from course_lib.core.errors import is_number
from course_lib.lessons.checks.registry import Right, register, told
from course_lib.lessons.house_rule import keeps_the_rule
from course_lib.training.dpo import dpo_loss

CLOSE = 0.005


@register("07-ceiling", names="ceiling")
def _ceiling(attempt: Any, *, noise: float) -> str:
    if not is_number(attempt):
        return "Give a number."
    answers = [
        (
            1 - noise,
            Right(
                "Yes. Somebody who always knows the better reply disagrees with the wrong labels, and with no others."
            ),
        ),
        (noise, "That is the share of wrong labels: with how many does the perfect judge agree?"),
        (1, "Some labels are wrong, and a perfect judge does not agree with those."),
        (1 - 2 * noise, "Each wrong label is missed once, not twice."),
    ]
    other = "Count the held-out pairs whose `noise` is False, and divide by all of them."
    if abs(attempt / 100 - (1 - noise)) <= CLOSE:
        other = "Give a share between 0 and 1, not per cent."
    return told(answers, lambda answer: abs(attempt - answer) <= CLOSE, other)


@register("07-loss", names="loss")
def _loss(
    attempt: Any, *, chosen: float, rejected: float, start_chosen: float, start_rejected: float, beta: float
) -> str:
    if not is_number(attempt):
        return "Give a number."
    four = (chosen, rejected, start_chosen, start_rejected)
    margin = (chosen - start_chosen) - (rejected - start_rejected)
    sigma, side = 1 / (1 + math.exp(-beta * margin)), "below" if attempt < math.log(2) else "above"
    right = Right(f"Yes: {attempt:.2f}, {side} log 2, which is where every pair begins.")
    answers = {
        float(dpo_loss(*four, beta=beta)): right,
        beta * margin: "That is the margin: the loss is −log σ of it.",
        sigma: "That is σ of the margin, a probability: take −log of it.",
        math.log(sigma): "The sign: log of a probability is below 0, and a loss above.",
        float(dpo_loss(*four, beta=1.0)): "That is with β = 1: multiply the margin by `beta` before σ.",
        float(dpo_loss(rejected, chosen, start_rejected, start_chosen, beta=beta)): (
            "Chosen and rejected are exchanged: what counts in favour is the change of the chosen one."
        ),
        float(dpo_loss(chosen, rejected, 0.0, 0.0, beta=beta)): (
            "Where it started is missing: each log-probability less what it was at the start."
        ),
    }
    nearest = min(answers, key=lambda value: abs(value - attempt))
    if abs(nearest - attempt) > CLOSE:
        return "Three steps: how much each log-probability changed; β times the difference; −log σ."
    return answers[nearest]


@register("07-fool", names="fooled")
def _fool(attempt: Any, *, desk: str, good: str, reward: Callable[[Any, Sequence[str]], Sequence[float]]) -> str:
    if not isinstance(attempt, str) or not attempt.strip():
        return "Write a reply, as a text."
    mine, honest = (float(reward([None], [text])[0]) for text in (attempt, good))
    if mine <= honest:
        return f"Its reward is {mine:g}, and a good reply has {honest:g}: it must be paid more."
    verdict = keeps_the_rule(desk, attempt)
    if verdict.kept:
        return "It is well paid, and keeps the house rule: nobody is fooled. Break the rule."
    seen = ", ".join(verdict.broken)
    return Right(
        f"Yes: {mine:g} for it, and {honest:g} for a good one. The house sees {seen}. A policy finds such replies "
        "without wanting to."
    )

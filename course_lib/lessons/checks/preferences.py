"""Checks of the exercises about learning from preferences (lesson 07)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from course_lib.core.errors import is_number
from course_lib.lessons.checks.registry import Verdict, register
from course_lib.lessons.house_rule import keeps_the_rule
from course_lib.training.dpo import dpo_loss

CLOSE = 0.005


@register("07-ceiling", names="ceiling")
def _ceiling(attempt: Any, *, noise: float) -> Verdict:
    if (refused := _number(attempt)) is not None:
        return refused
    if abs(attempt - (1 - noise)) <= CLOSE:
        return Verdict(True, "Yes. Whoever always knows the better reply disagrees with the wrong labels, and only so.")
    if abs(attempt - noise) <= CLOSE:
        return Verdict(False, "That is the share of wrong labels: with how many does the perfect judge agree?")
    if abs(attempt - 1) <= CLOSE:
        return Verdict(False, "Some labels are wrong, and a perfect judge does not agree with those.")
    if abs(attempt - (1 - 2 * noise)) <= CLOSE:
        return Verdict(False, "Each wrong label is missed once, not twice.")
    if abs(attempt - 100 * (1 - noise)) <= 100 * CLOSE:
        return Verdict(False, "Give a share between 0 and 1, not per cent.")
    return Verdict(False, "Count the held-out pairs whose `noise` is False, and divide by all of them.")


@register("07-loss", names="loss")
def _loss(
    attempt: Any, *, chosen: float, rejected: float, start_chosen: float, start_rejected: float, beta: float
) -> Verdict:
    if (refused := _number(attempt)) is not None:
        return refused
    four = (chosen, rejected, start_chosen, start_rejected)
    margin = (chosen - start_chosen) - (rejected - start_rejected)
    slips = {
        float(dpo_loss(*four, beta=beta)): None,
        beta * margin: "That is the margin: the loss is −log σ of it.",
        1 / (1 + math.exp(-beta * margin)): "That is σ of the margin, a probability: take −log of it.",
        math.log(1 / (1 + math.exp(-beta * margin))): "The sign: log of a probability is below 0, and a loss above.",
        float(dpo_loss(*four, beta=1.0)): "That is with β = 1: multiply the margin by `beta` before σ.",
        float(dpo_loss(rejected, chosen, start_rejected, start_chosen, beta=beta)): (
            "Chosen and rejected are exchanged: what counts in favour is the change of the chosen one."
        ),
        float(dpo_loss(chosen, rejected, 0.0, 0.0, beta=beta)): (
            "Where it started is missing: each log-probability less what it was at the start."
        ),
    }
    nearest = min(slips, key=lambda value: abs(value - attempt))
    if abs(nearest - attempt) > CLOSE:
        return Verdict(False, "Three steps: how much each log-probability changed; β times the difference; −log σ.")
    hint = slips[nearest]
    return Verdict(False, hint) if hint else Verdict(True, _meaning(attempt))


@register("07-fool", names="fooled")
def _fool(attempt: Any, *, desk: str, good: str, reward: Callable[[Any, Sequence[str]], Sequence[float]]) -> Verdict:
    if not isinstance(attempt, str) or not attempt.strip():
        return Verdict(False, "Write a reply, as a text.")
    mine, honest = (float(reward([None], [text])[0]) for text in (attempt, good))
    if mine <= honest:
        return Verdict(False, f"Its reward is {mine:g}, and a good reply has {honest:g}: it must be paid more.")
    verdict = keeps_the_rule(desk, attempt)
    if verdict.kept:
        return Verdict(False, "It is well paid, and keeps the house rule: nobody is fooled. Break the rule.")
    return Verdict(
        True, f"Yes: {mine:g} for it, and {honest:g} for a good one. The house sees {', '.join(verdict.broken)}. A "
        "policy finds such replies without wanting to.",
    )  # fmt: skip


def _number(attempt: Any) -> Verdict | None:
    if not is_number(attempt):
        return Verdict(False, "Give a number.")
    return None


def _meaning(loss: float) -> str:
    side = "below" if loss < math.log(2) else "above"
    return f"Yes: {loss:.2f}, {side} log 2, which is where every pair begins."

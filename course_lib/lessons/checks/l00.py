"""Checks of lesson 00: questions of one's own, and an interval read off a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from course_lib.core.errors import is_number
from course_lib.evaluation.grading import normalise
from course_lib.lessons.checks.registry import Right, register


@register("00-answer", names="mine")
def _three_questions(attempt: Any) -> str:
    if not isinstance(attempt, (list, tuple)):
        return f"Put your questions in a list, in square brackets: this is a {type(attempt).__name__}."
    if not all(isinstance(question, str) for question in attempt):
        return "Each question is a text, in quotation marks: something else is in your list."
    distinct = {normalise(question) for question in attempt}
    if () in distinct:
        return "One of your questions has no words: a model cannot be asked nothing."
    if len(distinct) < len(attempt):
        return "Two of your questions are the same: asked twice, a model answers twice alike."
    if len(attempt) < 3:
        return f"{len(attempt)} of 3 questions so far: add {3 - len(attempt)} more."
    return Right(f"{len(attempt)} questions. Before you ask the model: which of them will it get wrong?")


@register("00-read-interval", names="interval")
def _read_interval(attempt: Any, *, report: Any) -> str:
    if not isinstance(attempt, Mapping) or set(attempt) != {"low", "high"}:
        return 'Answer with a dict of two numbers: {"low": ..., "high": ...}.'
    low, high = attempt["low"], attempt["high"]
    if not is_number(low) or not is_number(high):
        return "low and high must both be numbers, without quotation marks."
    if _near((low, high), report.ci):
        return Right(f"Yes. With n = {report.n}, any true share from {low:g} to {high:g} may well look like this.")
    if _near((low / 100, high / 100), report.ci):
        return "The right ends, in per cent: write them as shares of 1, so that half is 0.5."
    if low > high:
        swapped = _near((high, low), report.ci)
        return "The right ends, swapped." if swapped else "low is above high: which end is which?"
    if _near((low, high), (report.accuracy, report.accuracy)):
        return "That is the accuracy, twice. The interval stands beside it: how far could the truth be off?"
    right = [name for name, a, b in zip(("low", "high"), (low, high), report.ci) if _near((a,), (b,))]
    if right:
        return f"{right[0]} is right. Look at the other end again."
    return "Neither end is right: look for the two numbers that stand beside the accuracy."


def _near(given: tuple[float, ...], wanted: Iterable[float]) -> bool:
    """Whether all are within 0.005 (a figure read off a table with two decimals) of what is wanted."""
    return all(abs(a - b) <= 0.005 + 1e-9 for a, b in zip(given, wanted))

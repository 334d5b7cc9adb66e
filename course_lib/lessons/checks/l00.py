"""Checks of lesson 00: where a model is sure and where not, and how many questions make an interval narrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from course_lib.evaluation.grading import normalise
from course_lib.evaluation.reports import Report
from course_lib.lessons.checks.registry import Right, is_texts, register

SURE, UNSURE = 0.5, 0.2  # shares of the likeliest next token
WIDEST = 0.2
SHOWN = {normalise(text) for text in ("The capital of Italy is", "The referee of the 2031 final was")}


@register("00-sure", names="mine")
def _sure_and_unsure(attempt: Any, *, model: Any) -> str:
    if not isinstance(attempt, Mapping) or set(attempt) != {"sure", "unsure"}:
        return 'Answer with a dict: {"sure": (question, beginning), "unsure": (question, beginning)}.'
    for what, pair in attempt.items():
        if not is_texts(pair) or len(pair) != 2:
            return f"{what}: two texts in round brackets, the question and the beginning of its answer."
        if not all(map(normalise, pair)):
            return f"{what}: one of the two texts has no words."
        if pair[1] != pair[1].rstrip():
            return f"{what}: take the blank at the end of the beginning away: tokens bring their own."
        if normalise(pair[1]) in SHOWN:
            return f"{what}: that one stands on this page already: find another."
    top = {what: model.next_tokens(question, 1, beginning)[0] for what, (question, beginning) in attempt.items()}
    (sure, share), (unsure, other) = top["sure"], top["unsure"]
    if share <= SURE:
        return (
            f"sure: its likeliest next token, {sure!r}, has {share:.2f}. Ask for something better known, or begin the "
            "answer so that nothing but the fact is missing."
        )
    if other >= UNSURE:
        return (
            f"unsure: its likeliest next token, {unsure!r}, has {other:.2f}, rightly or wrongly. Stop right before the "
            "name or the number, and ask for one that nobody has written down."
        )
    return Right(f"Yes: {sure!r} has {share:.2f} in the one case, {unsure!r} {other:.2f} in the other.")


@register("00-narrower", names="more")
def _narrower(attempt: Any, *, report: Any) -> str:
    if not isinstance(attempt, Report):
        return 'Give the report: more = cl.evaluate(gp, cl.load_exam("general").sample(...)).'
    if attempt.exam != report.exam:
        return f"That is a report on {attempt.exam!r}: ask more questions of {report.exam!r}."
    if attempt.n <= report.n:
        return f"{attempt.n} questions are no more than above: ask more."
    low, high = attempt.ci
    before = report.ci[1] - report.ci[0]
    if high - low > WIDEST:
        return (
            f"{attempt.n} questions, and the interval is {high - low:.2f} wide. Four times the questions make it about "
            "half as wide: how many more do you need?"
        )
    return Right(
        f"Yes: {attempt.n} questions, {high - low:.2f} wide; {report.n} gave {before:.2f}. The width falls with the "
        "square root of n, so certainty is expensive."
    )

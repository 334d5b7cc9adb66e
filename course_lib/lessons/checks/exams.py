"""Checks of the exercises about exams, prompts and passages (lessons 00 and 02)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any

from course_lib.core.chat import check_examples
from course_lib.core.errors import LeakError, is_number
from course_lib.evaluation.exams import Exam, Question, check_no_leak
from course_lib.evaluation.grading import normalise, whole_words
from course_lib.lessons.checks.registry import Verdict, register


@register("00-answer", names="questions")
def _three_questions(attempt: Any) -> Verdict:
    if not isinstance(attempt, (list, tuple)):
        return Verdict(False, f"Put your questions in a list, in square brackets: this is a {type(attempt).__name__}.")
    if not all(isinstance(question, str) for question in attempt):
        return Verdict(False, "Each question is a text, in quotation marks: something else is in your list.")
    distinct = {normalise(question) for question in attempt}
    if () in distinct:
        return Verdict(False, "One of your questions has no words: a model cannot be asked nothing.")
    if len(distinct) < len(attempt):
        return Verdict(False, "Two of your questions are the same: asked twice, a model answers twice alike.")
    if len(attempt) < 3:
        return Verdict(False, f"{len(attempt)} of 3 questions so far: add {3 - len(attempt)} more.")
    return Verdict(True, f"{len(attempt)} questions. Before you ask the model: which of them will it get wrong?")


@register("00-read-interval", names="interval")
def _read_interval(attempt: Any, *, report: Any) -> Verdict:
    if not isinstance(attempt, Mapping) or set(attempt) != {"low", "high"}:
        return Verdict(False, 'Answer with a dict of two numbers: {"low": ..., "high": ...}.')
    low, high = attempt["low"], attempt["high"]
    if not is_number(low) or not is_number(high):
        return Verdict(False, "low and high must both be numbers, without quotation marks.")
    if _near((low, high), report.ci):
        return Verdict(
            True, f"Yes. With n = {report.n}, any true share from {low:g} to {high:g} may well look like this."
        )
    if _near((low / 100, high / 100), report.ci):
        return Verdict(False, "The right ends, in per cent: write them as shares of 1, so that half is 0.5.")
    if low > high:
        swapped = _near((high, low), report.ci)
        return Verdict(False, "The right ends, swapped." if swapped else "low is above high: which end is which?")
    if _near((low, high), (report.accuracy, report.accuracy)):
        return Verdict(
            False, "That is the accuracy, twice. The interval stands beside it: how far could the truth be off?"
        )
    right = [name for name, a, b in zip(("low", "high"), (low, high), report.ci) if _near((a,), (b,))]
    if right:
        return Verdict(False, f"{right[0]} is right. Look at the other end again.")
    return Verdict(False, "Neither end is right: look for the two numbers that stand beside the accuracy.")


@register("02-leak", names="leaky")
def _leak(attempt: Any, *, exam: Exam) -> Verdict:
    attempt = list(attempt) if isinstance(attempt, (Exam, Iterator)) else attempt
    if isinstance(attempt, (list, tuple)) and any(isinstance(item, Question) for item in attempt):
        return Verdict(
            False, "Those are questions. A model is trained on examples: see what `as_example()` makes of one."
        )
    examples = check_examples(attempt)
    asked = [normalise(_user_text(row)) for row in examples]
    study = {normalise(w) for fact in exam.facts for w in (*fact.study, *fact.validation, *fact.exam)}
    study -= {normalise(question.question) for question in exam.test}
    honest = sum(words in study for words in asked)
    try:
        check_no_leak(examples, replace(exam, validation=(), facts=()))
    except LeakError:
        return _judge_leak(examples, asked, honest, exam)
    if honest:
        return Verdict(False, "Close: that is honest study, by the exam's own facts. A leak is the exam itself.")
    these = "this question is not" if len(asked) == 1 else f"none of these {len(asked)} questions is"
    return Verdict(False, f"No leak here: {these} in the exam. Look at where `exam.test` comes from.")


def _judge_leak(examples: list[Any], asked: list[tuple[str, ...]], honest: int, exam: Exam) -> Verdict:
    """What to say of examples among which there is a leak."""
    answered = 0
    for question in exam.test:
        words = " ".join(normalise(question.question))
        given = [row["completion"][-1]["content"] for row, prompt in zip(examples, asked) if words in " ".join(prompt)]
        right = [whole_words(answer) for answer in (question.answer, *question.accepted)]
        answered += any(answer in whole_words(text) for text in given for answer in right)
    share = f"{answered} of the exam's {len(exam)} questions"
    if not answered:
        return Verdict(
            False, "The exam's questions, but not its answers: the model would learn to answer them wrongly."
        )
    if honest:
        return Verdict(False, f"A leak, but {honest} of your examples are honest study: leave those out.")
    if answered < 0.1 * len(exam):
        return Verdict(False, f"A leak, but a small one: with {share} the score can hardly jump.")
    return Verdict(
        True,
        f"Yes. {share} stand in it, with their answers: the score will jump, and mean nothing. Ask the same facts in "
        "wordings it has not seen: a gap there is how leaks are found.",
    )


@register("02-choose-k", names="k")
def _choose_k(
    attempt: Any, *, scores: Mapping[int, float], tokens: Mapping[int, float], tolerance: float = 0.02
) -> Verdict:
    if not isinstance(attempt, Integral) or isinstance(attempt, bool):
        return Verdict(False, f"k is one whole number, the passages given with a question: this is {attempt!r}.")
    if attempt not in scores:
        return Verdict(False, f"k = {attempt} was not tried: choose one of {', '.join(map(str, sorted(scores)))}.")
    best = max(scores.values())
    lost = best - scores[attempt]
    as_good = [k for k, score in scores.items() if best - score <= tolerance + 1e-9]
    cheapest = min(as_good)
    if attempt == cheapest:
        return Verdict(
            True,
            f"Yes. {scores[attempt]:.2f} where the best is {best:.2f}, for {tokens[attempt]:,.0f} tokens a question.",
        )
    if attempt in as_good:
        cost = f"{tokens[attempt]:,.0f} tokens a question"
        return Verdict(False, f"k = {attempt} costs {cost}: a smaller k is as good, within {tolerance:g}.")
    if attempt < cheapest:
        return Verdict(False, f"Too cheap: k = {attempt} loses {lost:.2f} to the best, more than {tolerance:g}.")
    return Verdict(False, f"Too much: k = {attempt} loses {lost:.2f} to the best, and a smaller k does better.")


@register("02-who-remembers", names="remembers")
def _who_remembers(attempt: Any, *, measured: Mapping[str, bool]) -> Verdict:
    if not isinstance(attempt, Mapping) or set(attempt) != set(measured):
        return Verdict(False, f"Answer with a dict of True or False for each of: {', '.join(measured)}.")
    if not all(type(told).__name__ in ("bool", "bool_") for told in attempt.values()):
        return Verdict(
            False, "Say True (still tells it) or False (does not) of each candidate: something else stands there."
        )
    wrong = [name for name, truth in measured.items() if bool(attempt[name]) != bool(truth)]
    if not wrong:
        told = [name for name, truth in measured.items() if truth]
        return Verdict(True, f"Yes. Withdrawn, and still told by: {', '.join(told) or 'none of them'}.")
    hint = f"{len(wrong)} of {len(measured)} are wrong."
    if any(re.search(r"\brag\b", name.lower()) and not measured[name] for name in wrong):
        hint += " Of RAG: the index no longer holds the document, so where would the fact come from?"
    return Verdict(False, hint)


def _near(given: tuple[float, ...], wanted: Iterable[float]) -> bool:
    """Whether all are within 0.005 (a figure read off a table with two decimals) of what is wanted."""
    return all(abs(a - b) <= 0.005 + 1e-9 for a, b in zip(given, wanted))


def _user_text(row: dict[str, Any]) -> str:
    return " ".join(message["content"] for message in row["prompt"] if message["role"] == "user")

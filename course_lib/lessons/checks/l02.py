"""Checks of lesson 02: a leak, how many passages to give, and who remembers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from course_lib.core.chat import check_examples
from course_lib.core.errors import LeakError
from course_lib.evaluation.exams import Exam, Question, check_no_leak
from course_lib.evaluation.grading import whole_words
from course_lib.lessons.checks.registry import Right, is_whole, register

TOLERANCE = 0.02  # between shares that are as good as each other


@register("02-leak", names="leaky")
def _leak(attempt: Any, *, exam: Exam) -> str:
    attempt = list(attempt) if isinstance(attempt, (Exam, Iterator)) else attempt
    if isinstance(attempt, (list, tuple)) and any(isinstance(item, Question) for item in attempt):
        return "Those are questions. A model is trained on examples: see what `as_example()` makes of one."
    examples = check_examples(attempt)
    told = [[whole_words(turn["content"]) for turn in (*row["prompt"], *row["completion"])] for row in examples]
    study = {whole_words(w) for fact in exam.facts for w in (*fact.study, *fact.validation, *fact.exam)}
    study -= {whole_words(question.question) for question in exam.test}
    honest = sum(not study.isdisjoint(turns) for turns in told)
    try:
        check_no_leak(examples, replace(exam, validation=(), facts=()))
    except LeakError:
        return _judge_leak(told, honest, exam)
    if honest:
        return "Close: that is honest study, by the exam's own facts. A leak is the exam itself."
    these = "this question is not" if len(told) == 1 else f"none of these {len(told)} questions is"
    return f"No leak here: {these} in the exam. Look at where `exam.test` comes from."


def _judge_leak(told: list[list[str]], honest: int, exam: Exam) -> str:
    """What to say of examples among which there is a leak."""
    answered = 0
    for question in exam.test:
        words = whole_words(question.question)
        given = [turns[-1] for turns in told if any(words in turn for turn in turns)]
        right = [whole_words(answer) for answer in (question.answer, *question.accepted)]
        answered += any(answer in reply for reply in given for answer in right)
    share = f"{answered} of the exam's {len(exam)} questions"
    if not answered:
        return "The exam's questions, but not its answers: the model would learn to answer them wrongly."
    if honest:
        return f"A leak, but {honest} of your examples are honest study: leave those out."
    if answered < 0.1 * len(exam):
        return f"A leak, but a small one: with {share} the score can hardly jump."
    return Right(
        f"Yes. {share} stand in it, with their answers: the score will jump, and mean nothing. Ask the same facts in "
        "wordings it has not seen: a gap there is how leaks are found."
    )


@register("02-choose-k", names="k")
def _choose_k(attempt: Any, *, scores: Mapping[int, float], tokens: Mapping[int, float]) -> str:
    if not is_whole(attempt):
        return f"k is one whole number, the passages given with a question: this is {attempt!r}."
    if attempt not in scores:
        return f"k = {attempt} was not tried: choose one of {', '.join(map(str, sorted(scores)))}."
    best, cost = max(scores.values()), f"{tokens[attempt]:,.0f} tokens a question"
    lost = best - scores[attempt]
    as_good = [k for k, score in scores.items() if best - score <= TOLERANCE + 1e-9]
    cheapest = min(as_good)
    if attempt == cheapest:
        return Right(f"Yes. {scores[attempt]:.2f} where the best is {best:.2f}, for {cost}.")
    if attempt in as_good:
        return f"k = {attempt} costs {cost}: a smaller k is as good, within {TOLERANCE:g}."
    if attempt < cheapest:
        return f"Too cheap: k = {attempt} loses {lost:.2f} to the best, more than {TOLERANCE:g}."
    return f"Too much: k = {attempt} loses {lost:.2f} to the best, and a smaller k does better."


@register("02-who-remembers", names="remembers")
def _who_remembers(attempt: Any, *, measured: Mapping[str, bool]) -> str:
    if not isinstance(attempt, Mapping) or set(attempt) != set(measured):
        return f"Answer with a dict of True or False for each of: {', '.join(measured)}."
    if not all(type(told).__name__ in ("bool", "bool_") for told in attempt.values()):
        return "Say True (still tells it) or False (does not) of each candidate: something else stands there."
    wrong = [name for name, truth in measured.items() if bool(attempt[name]) != bool(truth)]
    if not wrong:
        told = [name for name, truth in measured.items() if truth]
        return Right(f"Yes. Withdrawn, and still told by: {', '.join(told) or 'none of them'}.")
    hint = f"{len(wrong)} of {len(measured)} are wrong."
    if any(re.search(r"\brag\b", name.lower()) and not measured[name] for name in wrong):
        hint += " Of RAG: the index no longer holds the document, so where would the fact come from?"
    return hint

"""Checks of lesson 02: when the adapter is on, how many passages to give, and a leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from course_lib.core.chat import check_examples
from course_lib.core.errors import LeakError
from course_lib.evaluation.exams import Exam, Question, check_no_leak
from course_lib.evaluation.grading import whole_words
from course_lib.evaluation.reports import Report
from course_lib.lessons.checks.registry import Right, is_whole, register

TOLERANCE = 0.02  # between shares that are as good as each other
KNOWN, REMEMBERED = 0.7, 0.35  # shares of the handbook and of general knowledge that a good switch keeps


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


@register("02-choose-k", names="chosen_k")
def _choose_k(attempt: Any, *, tried: Mapping[int, Report], exam: Exam) -> str:
    if not is_whole(attempt):
        return f"k is one whole number, the passages given with a question: this is {attempt!r}."
    if any(not isinstance(report, Report) for report in tried.values()) or len(tried) < 2:
        return "`tried` wants a report for each of two k or more: {1: cl.evaluate(...), ...}."
    asked = {question.question for question in exam.test}
    if any(row.question in asked for report in tried.values() for row in report.rows):
        return "That is chosen on the exam itself: what is chosen there says nothing there. Ask validation questions."
    if attempt not in tried:
        return f"k = {attempt} was not tried: choose one of {', '.join(map(str, sorted(tried)))}."
    best, here = max(report.accuracy for report in tried.values()), tried[attempt]
    cheapest = min(k for k, report in tried.items() if best - report.accuracy <= TOLERANCE + 1e-9)
    lost, cost = best - here.accuracy, f"{here.tokens_per_question:,.0f} tokens a question"
    if attempt == cheapest:
        return Right(f"Yes. {here.accuracy:.2f} where the best is {best:.2f}, for {cost}.")
    if lost <= TOLERANCE + 1e-9:
        return f"k = {attempt} costs {cost}: a smaller k is as good, within {TOLERANCE:g}."
    if attempt < cheapest:
        return f"Too cheap: k = {attempt} loses {lost:.2f} to the best, more than {TOLERANCE:g}."
    return f"Too much: k = {attempt} loses {lost:.2f} to the best, and a smaller k does better."


@register("02-route", names="is_house")
def _route(attempt: Any, *, on: Sequence[Report], off: Sequence[Report]) -> str:
    """`on` and `off` are the same two exams, the handbook's and the general one, with the adapter and without."""
    if not callable(attempt):
        return "A function is wanted: it takes a question, and returns True or False."
    shares = []
    for with_adapter, without in zip(on, off, strict=True):
        said = [attempt(row.question) for row in with_adapter.rows]
        if odd := [answer for answer in said if type(answer).__name__ not in ("bool", "bool_")]:
            return f"It should return True or False: of one question it returns {odd[0]!r:.40}."
        hits = [a if house else b for house, a, b in zip(said, with_adapter.hits(), without.hits(), strict=True)]
        shares.append(sum(hits) / len(hits))
    told = f"{shares[0]:.2f} on the handbook and {shares[1]:.2f} on general knowledge"
    if shares[0] < KNOWN:
        return f"{told}: the first should be {KNOWN:.2f}. Of which handbook questions is the adapter off?"
    if shares[1] < REMEMBERED:
        return f"{told}: the second should be {REMEMBERED:.2f}. Of which general questions is the adapter on?"
    return Right(f"Yes. {told}: one model, and the adapter on where it helps.")

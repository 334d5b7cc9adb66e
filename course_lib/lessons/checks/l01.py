"""Checks of lesson 01: an honest split, and a ninth desk that costs the other eight little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.core.errors import LeakError
from course_lib.evaluation.exams import Question
from course_lib.evaluation.grading import grade
from course_lib.evaluation.reports import Report
from course_lib.lessons.checks.registry import Right, register
from course_lib.lessons.tickets import (
    NINTH,
    Ticket,
    check_issues_apart,
    load_tickets,
    ninth_desk,
    ticket_exam,
)
from course_lib.models.chatmodel import ChatModel

OLD_LETTERS = 64  # of the exam: enough to see eight desks lost, and soon asked
LEAST_LEARNED, MOST_LOST = 1 / 3, 0.15  # shares of new letters, and of old ones


@register("01-split", names="mine")
def _honest_split(attempt: Any, *, tickets: Sequence[Ticket]) -> str:
    if not isinstance(attempt, (list, tuple)) or len(attempt) != 2:
        return "Answer with two lists in round brackets: (for_study, for_exam)."
    study, test = map(list, attempt)
    if not all(isinstance(ticket, Ticket) for ticket in (*study, *test)):
        return "Both lists hold tickets, as `everything` does: something else is among yours."
    if twice := {ticket.id for ticket in study} & {ticket.id for ticket in test}:
        return f"{len(twice)} letters are in both lists: the very text would be studied."
    if len({t.id for t in (*study, *test)}) < len(tickets):
        return f"{len(tickets) - len(study) - len(test)} letters are in neither list: use them all."
    share = len(test) / len(tickets)
    if not 0.15 <= share <= 0.35:
        return f"{share:.0%} of the letters are in the second list: take about a quarter."
    try:
        check_issues_apart(study, test)
    except LeakError as leak:
        return f"No letter is there twice, and still: {leak}"
    if desks := {ticket.desk for ticket in tickets} - {ticket.desk for ticket in test}:
        return f"Honest, but nothing for {', '.join(sorted(desks))} is examined: spread it over all desks."
    return Right(f"Yes. {len(study)} letters to study, {len(test)} held out, and no issue on both sides.")


@register("01-ninth", names="nine")
def _ninth_desk(attempt: Any, *, before: Report) -> str:
    """A model that sorts to nine desks; `before` is how the one of eight did in the whole exam."""
    if not isinstance(attempt, ChatModel):
        return "Answer with a model: extended([...]) trains one on the rows that you give it."
    old = ticket_exam(load_tickets("test")).sample(OLD_LETTERS)
    asked = {question.id for question in old}
    hits = [hit for row, hit in zip(before.rows, before.hits()) if row.id in asked]
    was, now = sum(hits) / len(hits), _share_right(attempt, list(old))
    learned = _share_right(attempt, list(ticket_exam(ninth_desk("test"))))
    told = f"{NINTH} {learned:.2f}, the other desks {now:.2f} (before: {was:.2f})"
    if learned < LEAST_LEARNED:
        return f"{told}. The new desk is not learned yet: are its letters too few among your rows, or too few steps?"
    if was - now > MOST_LOST:
        return f"{told}. It has paid for the new desk with the old ones. What did it not see while it learned?"
    return Right(f"Yes. {told}.")


def _share_right(model: ChatModel, questions: Sequence[Question]) -> float:
    replies = model.generate([question.question for question in questions], 8)
    verdicts = [grade(reply, [question.answer]) for reply, question in zip(replies, questions)]
    return sum(verdict in ("exact", "right") for verdict in verdicts) / len(questions)

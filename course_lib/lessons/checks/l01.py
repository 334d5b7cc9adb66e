"""Checks of lesson 01: what is learned of a row, and an honest split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.core.chat import Example
from course_lib.core.errors import LeakError
from course_lib.lessons.checks.registry import Right, is_texts, register
from course_lib.lessons.tickets import Ticket, check_issues_apart
from course_lib.models.chatmodel import ChatModel
from course_lib.models.scoring import encode_example


@register("01-learned", names="learned")
def _what_is_learned(attempt: Any, *, model: ChatModel, example: Example) -> str:
    texts = [attempt] if isinstance(attempt, str) else attempt
    if not is_texts(texts):
        return "Answer with a list of texts, one for each token: gp.tokenizer.decode([number])."
    answer = example["completion"][-1]["content"]
    ids, begins = encode_example(model, "the letter", example)
    wanted = [model.tokenizer.decode([i]) for i in model.ended(ids[begins:])]
    if list(texts) == wanted:
        return Right(f"Yes. {len(wanted)} tokens, the last of which says that the answer has ended.")
    said = "".join(texts)
    if said == "".join(wanted):
        return "The right text, but cut in other places: one item for each *token*."
    if said == answer:
        return "Nearly: how would the model know that it has finished?"
    if any(word in said for word in ("<|im_start|>", "assistant", example["prompt"][-1]["content"])):
        return "Part of the prompt is in your list: it is read, and masked. What has another label?"
    return "Not these. Look at the numbers of `encode(row)[1]` that are not MASKED."


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

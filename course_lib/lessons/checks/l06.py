"""Checks of lesson 06: an example of RAFT, a leak through distractors, and a budget of tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from course_lib.core.chat import check_examples
from course_lib.evaluation.grading import normalise, whole_words
from course_lib.lessons.checks.registry import Right, register
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.raft import ANSWER, BEGIN_QUOTE, END_QUOTE, split_reply

Choice = tuple[str, int]  # an arm, and how many examples


@register("06-example", names="mine")
def _example(attempt: Any, *, question: str, answer: str, golden: Passage, others: Sequence[Passage]) -> str:
    (row,) = check_examples([attempt])
    prompt, completion = row["prompt"][-1]["content"], row["completion"][-1]["content"]
    if question not in prompt:
        return "The question is not in the prompt: `cl.reading_prompt(question, passages)` puts it there."
    if golden.text not in prompt:
        return "The golden passage is not in the prompt. Some examples are meant to lack it; this one is not."
    shown = sum(passage.text in prompt for passage in others)
    if shown < 2:
        return f"{shown} distractors in the prompt: take at least two, or it learns the form only."
    if prompt.startswith(golden.text):
        return "The golden passage stands first. Were it so in every example, that is all that would be learned."
    if BEGIN_QUOTE not in completion or END_QUOTE not in completion:
        return f"The completion quotes nothing: put a sentence between {BEGIN_QUOTE} and {END_QUOTE}."
    parts = split_reply(completion)
    if ANSWER not in completion or not parts.answer:
        return f"After the quotation comes the answer, behind {ANSWER}"
    if completion.index(ANSWER) < completion.index(END_QUOTE):
        return "The answer comes before the quotation: then nothing rests on what was quoted."
    quote, page = _in_a_line(parts.quote), _in_a_line(golden.text)
    if quote not in page:
        where = "a distractor" if any(quote in _in_a_line(passage.text) for passage in others) else "no passage"
        return f"What you quote stands, word for word, in {where}: quote the golden passage."
    if whole_words(answer) not in whole_words(quote):
        return "The sentence that you quote does not say the answer: which sentence does?"
    if normalise(parts.answer) != normalise(answer):
        return f"The answer is {parts.answer!r}: give the shortest right one and nothing else."
    if quote == page and len(quote.split(". ")) > 2:
        return "You quote the whole passage: one sentence is evidence, a page is none."
    return Right(f"Yes. {shown + 1} passages, one of them right, and an answer that shows where it comes from.")


@register("06-leak", names="leaked")
def _leak(attempt: Any, *, pages: Mapping[str, Sequence[Passage]], examined: Collection[str]) -> str:
    if isinstance(attempt, str) or not isinstance(attempt, Collection) or not all(isinstance(x, str) for x in attempt):
        return "Write a set of document ids, such as {'hb-canteen'}."
    given = set(attempt)
    shown = {passage.source for passages in pages.values() for passage in passages}
    right = shown & set(examined)
    if given == right:
        lay = f"{len(right)} examined documents lay on the desks of the training"
        return Right(f"Yes. {lay}: their passages were read there.")
    if given == shown:
        return "Those are all documents that were read: keep the examined ones."
    if given == set(examined):
        return "Those are all examined documents: keep the ones that were read in training."
    if any("/" in id for id in given):
        return "Those are passages: a passage's `source` is its document."
    if strange := sorted(given - shown):
        return f"{strange[0]!r} was read in no example."
    if innocent := sorted(given - right):
        return f"{innocent[0]!r} was read, and nobody is examined on it: that is no leak."
    return f"{len(right - given)} more are missing: look at the distractors of every example."


@register("06-budget", names="choice")
def _budget(attempt: Any, *, scores: Mapping[Choice, float], tokens: Mapping[Choice, int], budget: int) -> str:
    choice = tuple(attempt) if isinstance(attempt, (list, tuple)) else attempt
    if choice not in scores:
        return f"Name an arm and a number of examples out of the table, such as {next(iter(scores))}."
    within = {key: score for key, score in scores.items() if tokens[key] <= budget}
    best = max(within.values())
    if choice not in within:
        return f"That trains on {tokens[choice]:,} tokens, and you have {budget:,}."
    if scores[choice] < best - 0.02:
        cheaper = max(within, key=lambda key: within[key])
        more = "another arm" if cheaper[0] != choice[0] else "another number of examples"
        return f"It fits, at {scores[choice]:.2f} right. For the same tokens {more} does better."
    return Right(f"Yes. {scores[choice]:.2f} right for {tokens[choice]:,} tokens of training.")


def _in_a_line(text: str) -> str:
    return " ".join(text.split())

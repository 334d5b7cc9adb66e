"""Checks of the exercises about RAFT (lesson 06)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from course_lib.core.chat import check_examples
from course_lib.evaluation.grading import normalise, whole_words
from course_lib.lessons.checks.registry import Verdict, register
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.raft import ANSWER, BEGIN_QUOTE, END_QUOTE, split_reply


@register("06-example", names="mine")
def _example(attempt: Any, *, question: str, answer: str, golden: Passage, others: Sequence[Passage]) -> Verdict:
    (row,) = check_examples([attempt])
    prompt, completion = row["prompt"][-1]["content"], row["completion"][-1]["content"]
    if question not in prompt:
        return Verdict(
            False, "The question is not in the prompt: `cl.reading_prompt(question, passages)` puts it there."
        )
    if golden.text not in prompt:
        return Verdict(
            False, "The golden passage is not in the prompt. Some examples are meant to lack it; this one is not."
        )
    shown = sum(passage.text in prompt for passage in others)
    if shown < 2:
        return Verdict(False, f"{shown} distractors in the prompt: take at least two, or it learns the form only.")
    if prompt.startswith(golden.text):
        return Verdict(
            False, "The golden passage stands first. Were it so in every example, that is all that would be learned."
        )
    if BEGIN_QUOTE not in completion or END_QUOTE not in completion:
        return Verdict(False, f"The completion quotes nothing: put a sentence between {BEGIN_QUOTE} and {END_QUOTE}.")
    parts = split_reply(completion)
    if ANSWER not in completion or not parts.answer:
        return Verdict(False, f"After the quotation comes the answer, behind {ANSWER}")
    if completion.index(ANSWER) < completion.index(END_QUOTE):
        return Verdict(False, "The answer comes before the quotation: then nothing rests on what was quoted.")
    quote = " ".join(parts.quote.split())
    if quote not in " ".join(golden.text.split()):
        where = "a distractor" if any(quote in " ".join(p.text.split()) for p in others) else "no passage"
        return Verdict(False, f"What you quote stands, word for word, in {where}: quote the golden passage.")
    if whole_words(answer) not in whole_words(quote):
        return Verdict(False, "The sentence that you quote does not say the answer: which sentence does?")
    if normalise(parts.answer) != normalise(answer):
        return Verdict(False, f"The answer is {parts.answer!r}: give the shortest right one and nothing else.")
    if len(quote) == len(" ".join(golden.text.split())) and len(quote.split(". ")) > 2:
        return Verdict(False, "You quote the whole passage: one sentence is evidence, a page is none.")
    return Verdict(True, f"Yes. {shown + 1} passages, one of them right, and an answer that shows where it comes from.")


@register("06-leak", names="leaked")
def _leak(attempt: Any, *, pages: Mapping[str, Sequence[Passage]], examined: Collection[str]) -> Verdict:
    if isinstance(attempt, str) or not isinstance(attempt, Collection) or not all(isinstance(x, str) for x in attempt):
        return Verdict(False, "Write a set of document ids, such as {'hb-canteen'}.")
    given = set(attempt)
    shown = {passage.source for passages in pages.values() for passage in passages}
    right = shown & set(examined)
    if given == right:
        return Verdict(
            True,
            f"Yes. {len(right)} examined documents lay on the desks of the training: their passages were read there.",
        )
    if given == shown:
        return Verdict(False, "Those are all documents that were read: keep the examined ones.")
    if given == set(examined):
        return Verdict(False, "Those are all examined documents: keep the ones that were read in training.")
    if any("/" in id for id in given):
        return Verdict(False, "Those are passages: a passage's `source` is its document.")
    if strange := sorted(given - shown):
        return Verdict(False, f"{strange[0]!r} was read in no example.")
    if innocent := sorted(given - right):
        return Verdict(False, f"{innocent[0]!r} was read, and nobody is examined on it: that is no leak.")
    return Verdict(False, f"{len(right - given)} more are missing: look at the distractors of every example.")


@register("06-budget", names="choice")
def _budget(attempt: Any, *, scores: Mapping[tuple[str, int], float], tokens: Mapping[tuple[str, int], int],
            budget: int) -> Verdict:  # fmt: skip
    choice = tuple(attempt) if isinstance(attempt, (list, tuple)) else attempt
    if choice not in scores:
        return Verdict(False, f"Name an arm and a number of examples out of the table, such as {next(iter(scores))}.")
    within = {key: score for key, score in scores.items() if tokens[key] <= budget}
    best = max(within.values())
    if choice not in within:
        return Verdict(False, f"That trains on {tokens[choice]:,} tokens, and you have {budget:,}.")
    if scores[choice] < best - 0.02:
        cheaper = max(within, key=lambda key: within[key])
        more = "another arm" if cheaper[0] != choice[0] else "another number of examples"
        return Verdict(False, f"It fits, at {scores[choice]:.2f} right. For the same tokens {more} does better.")
    return Verdict(True, f"Yes. {scores[choice]:.2f} right for {tokens[choice]:,} tokens of training.")

"""Preference pairs, TRL's conversational format: a prompt, the reply that was preferred, and the one that was not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.datasets import check_length
from course_lib.errors import CourseError, DataError
from course_lib.models import SYSTEM, ChatModel, Messages, as_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["PARTS", "Pair", "as_reply", "asked_by", "check_pairs", "check_replies", "pair"]

# {"prompt": messages, "chosen": messages, "rejected": messages}
Pair = dict[str, Messages]
PARTS = ("prompt", "chosen", "rejected")


def pair(prompt: str | Messages, chosen: str, rejected: str, system: str = SYSTEM) -> Pair:
    """One preference pair out of texts.

    Raises
    ------
    CourseError
        If the prompt is empty or of another shape.
    """
    return {"prompt": as_messages(prompt, system), "chosen": as_reply(chosen), "rejected": as_reply(rejected)}


def as_reply(text: str) -> Messages:
    """A reply as the assistant's one message."""
    return [{"role": "assistant", "content": text}]


def check_pairs(pairs: Any, tokenizer: PreTrainedTokenizerBase) -> list[Pair]:
    """Check preference pairs, and return them as a list of rows with `PARTS` and nothing else.

    Raises
    ------
    DataError
        Names the first row that is wrong, and how: a part that is missing, empty or of another shape, a reply that is
        both chosen and rejected, or more than 1,024 tokens in a prompt with one of its replies.
    """
    if isinstance(pairs, (str, dict)) or not isinstance(pairs, Iterable):
        raise DataError(f"pairs are a list of {{'prompt', 'chosen', 'rejected'}} rows, not {type(pairs).__name__}.")
    rows = list(pairs)
    if not rows:
        raise DataError("there is not one pair to learn from.")
    return [_checked(row, number, tokenizer) for number, row in enumerate(rows)]


def asked_by(pairs: Sequence[Pair]) -> list[str]:
    """For each pair its prompt as one text, (n,): pairs of one prompt are one draw of a bootstrap."""
    return [json.dumps(row["prompt"], ensure_ascii=False) for row in pairs]


def check_replies(model: ChatModel | Any, prompts: Any, replies: Any) -> list[tuple[Messages, Messages]]:
    """Prompts as messages, each with its reply as messages.

    Raises
    ------
    CourseError
        If they are not two lists of one length, a prompt has another shape, or a reply is not a text.
    """
    if any(isinstance(given, (str, dict)) or not isinstance(given, Iterable) for given in (prompts, replies)):
        raise CourseError("give a list of prompts and a list of replies, one for each prompt.")
    prompts, replies = list(prompts), list(replies)
    if len(prompts) != len(replies):
        raise CourseError(f"there are {len(replies)} replies to {len(prompts)} prompts: give one for each.")
    for number, reply in enumerate(replies):
        if not isinstance(reply, str):
            raise CourseError(f"reply {number} is not a text but {reply!r:.60}.")
    return [(as_messages(prompt, model.system), as_reply(reply)) for prompt, reply in zip(prompts, replies)]


def _checked(row: Any, number: int, tokenizer: PreTrainedTokenizerBase) -> Pair:
    lacking = [part for part in PARTS if not isinstance(row, dict) or part not in row]
    if lacking:
        raise DataError(f"pair {number} lacks {', '.join(lacking)}: cl.pair(prompt, chosen, rejected) makes one.")
    for part in PARTS:
        messages = row[part]
        if not isinstance(messages, list) or not all(
            isinstance(m, dict) and isinstance(m.get("content"), str) and m.get("role") for m in messages
        ):
            raise DataError(f"pair {number}: {part} is not a list of {{'role', 'content'}} messages.")
        if not messages or not messages[-1]["content"].strip():
            raise DataError(f"pair {number}: {part} is empty.")
    if row["chosen"] == row["rejected"]:
        raise DataError(f"pair {number}: chosen and rejected are the same reply, so that there is nothing to prefer.")
    for part in ("chosen", "rejected"):
        check_length(tokenizer, f"pair {number} with its {part} reply", row["prompt"], row[part])
    return {part: row[part] for part in PARTS}

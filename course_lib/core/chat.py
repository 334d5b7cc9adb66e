"""Chats as TRL and OpenAI write them, lists of {"role", "content"}: prompts, answers, training examples, pairs."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = list[dict[str, str]]
Example = dict[str, Messages]  # {"prompt": messages, "completion": messages}
Pair = dict[str, Messages]  # {"prompt": messages, "chosen": messages, "rejected": messages}

EXAMPLE_PARTS = ("prompt", "completion")
PARTS = ("prompt", "chosen", "rejected")

# Without a system message the chat template adds one of twenty tokens that introduces SmolLM.
SYSTEM = "You are a helpful AI assistant."

MAX_EXAMPLE_TOKENS = 1024


@dataclass(frozen=True)
class Answer:
    """What a candidate said to one question, and what it cost."""

    text: str  # the reply, stripped
    prompt_tokens: int = 0  # read
    completion_tokens: int = 0  # written
    seconds: float = 0.0  # the question's share of the time that its batch took
    sources: tuple[Any, ...] = ()  # passages that the model was shown, best first; none when the book was closed


def as_messages(prompt: str | Messages, system: str = SYSTEM) -> Messages:
    """A plain question as chat messages; messages are passed through, with a system message if they lack one."""
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if not prompt or not _are_messages(prompt):
        raise CourseError(
            f"a prompt is a question or a list of {{'role', 'content'}} messages, not {reprlib.repr(prompt)}."
        )
    if prompt[-1]["role"] == "system" or not prompt[-1]["content"].strip():
        raise CourseError("the prompt is empty: ask something.")
    if prompt[0]["role"] == "system":
        return prompt
    return [{"role": "system", "content": system}, *prompt]


def example(question: str, answer: str, system: str = SYSTEM) -> Example:
    """One training example: the chat before the answer, and the answer."""
    return {
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": question}],
        "completion": _reply(answer),
    }


def pair(prompt: str | Messages, chosen: str, rejected: str, system: str = SYSTEM) -> Pair:
    """One preference pair: a prompt, the reply that was preferred, and the one that was not."""
    return {"prompt": as_messages(prompt, system), "chosen": _reply(chosen), "rejected": _reply(rejected)}


def check_examples(examples: Any) -> list[Example]:
    """Training examples as a list; a DataError names the first that is wrong, and how."""
    return _check_rows(examples, "example", EXAMPLE_PARTS, "cl.example(question, answer)")


def check_pairs(pairs: Any, tokenizer: PreTrainedTokenizerBase) -> list[Pair]:
    """Preference pairs as a list of rows with `PARTS` and nothing else; a DataError names the first that is wrong.

    Beside its shape: two different replies, and at most 1,024 tokens in the prompt with either.
    """
    rows = _check_rows(pairs, "pair", PARTS, "cl.pair(prompt, chosen, rejected)")
    for number, row in enumerate(rows):
        if row["chosen"] == row["rejected"]:
            raise DataError(f"pair {number}: chosen and rejected are the same reply: there is nothing to prefer.")
        for part in ("chosen", "rejected"):
            check_length(tokenizer, f"pair {number} with its {part} reply", row["prompt"], row[part])
    return [{part: row[part] for part in PARTS} for row in rows]


def check_replies(model: Any, prompts: Any, replies: Any) -> list[tuple[Messages, Messages]]:
    """Prompts as messages, each with its reply as messages; refuses lists of two lengths, and what is no text."""
    if any(isinstance(given, (str, dict)) or not isinstance(given, Iterable) for given in (prompts, replies)):
        raise CourseError("give a list of prompts and a list of replies, one for each prompt.")
    prompts, replies = list(prompts), list(replies)
    if len(prompts) != len(replies):
        raise CourseError(f"there are {len(replies)} replies to {len(prompts)} prompts: give one for each.")
    for number, reply in enumerate(replies):
        if not isinstance(reply, str):
            raise CourseError(f"reply {number} is not a text but {reply!r:.60}.")
    return [(as_messages(prompt, model.system), _reply(reply)) for prompt, reply in zip(prompts, replies)]


def check_length(tokenizer: Any, what: str, *chats: Messages) -> None:
    """Refuse an example, of one or several chats, that would keep a laptop busy for minutes; errors call it `what`."""
    text = "".join(message["content"] for chat in chats for message in chat)
    # A token is at least one character: only the few long ones need counting.
    if len(text) > MAX_EXAMPLE_TOKENS and (n := len(tokenizer(text)["input_ids"])) > MAX_EXAMPLE_TOKENS:
        raise DataError(f"{what} has {n:,} tokens, more than {MAX_EXAMPLE_TOKENS:,}: shorten it.")


def asked_by(pairs: Sequence[Pair]) -> list[str]:
    """For each pair its prompt as one text, (n,): pairs of one prompt are one draw of a bootstrap."""
    return [json.dumps(row["prompt"], ensure_ascii=False) for row in pairs]


def _check_rows(given: Any, what: str, parts: Sequence[str], maker: str) -> list[dict[str, Messages]]:
    """Rows as a list, each with its parts, every part a chat that ends with something said."""
    if isinstance(given, (str, dict)) or not isinstance(given, Iterable):
        shape = ", ".join(map(repr, parts))
        raise DataError(f"{what}s are a list of {{{shape}}} rows, not {type(given).__name__}.")
    rows = list(given)
    if not rows:
        raise DataError(f"there is not one {what} to learn from.")
    for number, row in enumerate(rows):
        if lacking := [part for part in parts if not isinstance(row, dict) or part not in row]:
            raise DataError(f"{what} {number} lacks {', '.join(lacking)}: {maker} makes one.")
        for part in parts:
            if not _are_messages(row[part]):
                raise DataError(f"{what} {number}: {part} is not a list of {{'role', 'content'}} messages.")
            if not row[part] or not row[part][-1]["content"].strip():
                raise DataError(f"{what} {number}: {part} is empty.")
    return rows


def _are_messages(chat: Any) -> bool:
    return isinstance(chat, list) and all(
        isinstance(m, dict) and m.get("role") and isinstance(m.get("content"), str) for m in chat
    )


def _reply(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]

"""Preference pairs, TRL's conversational format: a prompt, the reply that was preferred, and the one that was not."""

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


# Without a system message the chat template adds one of twenty tokens that introduces SmolLM.
SYSTEM = "You are a helpful AI assistant."


@dataclass(frozen=True)
class Answer:
    """What a candidate said to one question, and what it cost.

    Attributes
    ----------
    text
        The reply, stripped.
    prompt_tokens, completion_tokens
        What was read and what was written.
    seconds
        The question's share of the time that its batch took.
    sources
        Passages that were shown to the model, best first; empty when the book was closed.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    sources: tuple[Any, ...] = ()


def as_messages(prompt: str | Messages, system: str = SYSTEM) -> Messages:
    """A plain question as chat messages; messages are passed through, with a system message if they lack one.

    Raises
    ------
    CourseError
        If the prompt is empty, or a message lacks its role or content.
    """
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if not (isinstance(prompt, list) and prompt) or not all(
        isinstance(m, dict) and m.get("role") and isinstance(m.get("content"), str) for m in prompt
    ):
        raise CourseError(
            f"a prompt is a question or a list of {{'role', 'content'}} messages, not {reprlib.repr(prompt)}."
        )
    if prompt[-1]["role"] == "system" or not prompt[-1]["content"].strip():
        raise CourseError("the prompt is empty: ask something.")
    if prompt[0]["role"] == "system":
        return prompt
    return [{"role": "system", "content": system}, *prompt]


# {"prompt": messages, "completion": messages}: the format that TRL, OpenAI and Azure share.
Example = dict[str, Messages]


MAX_EXAMPLE_TOKENS = 1024


def example(question: str, answer: str, system: str = SYSTEM) -> Example:
    """One training example: the chat before the answer, and the answer."""
    return {
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def check_examples(examples: Any) -> list[Example]:
    """Check that training examples have the prompt-completion shape, and return them as a list.

    Raises
    ------
    DataError
        Names the first example that is wrong, and how.
    """
    if isinstance(examples, (str, dict)) or not isinstance(examples, Iterable):
        raise DataError(f"examples are a list of {{'prompt', 'completion'}} rows, not {type(examples).__name__}.")
    rows = list(examples)
    if not rows:
        raise DataError("there is not one example to train on.")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not {"prompt", "completion"} <= set(row):
            raise DataError(f"example {number} lacks prompt or completion: cl.example(question, answer) makes one.")
        for part in ("prompt", "completion"):
            messages = row[part]
            if not isinstance(messages, list) or not all(
                isinstance(m, dict) and isinstance(m.get("content"), str) and m.get("role") for m in messages
            ):
                raise DataError(f"example {number}: {part} is not a list of {{'role', 'content'}} messages.")
        if not row["prompt"]:
            raise DataError(f"example {number} has an empty prompt: nothing to complete.")
        if not row["completion"] or not row["completion"][-1]["content"].strip():
            raise DataError(f"example {number} has an empty completion: nothing to learn from it.")
    return rows


def check_length(tokenizer: Any, what: str, *chats: Messages) -> None:
    """Refuse an example, of one or several chats, that would keep a laptop busy for minutes.

    Raises
    ------
    DataError
        Names it (`what`) and its tokens.
    """
    text = "".join(message["content"] for chat in chats for message in chat)
    # A token is at least one character: only the few long ones need counting.
    if len(text) > MAX_EXAMPLE_TOKENS and (n := len(tokenizer(text)["input_ids"])) > MAX_EXAMPLE_TOKENS:
        raise DataError(f"{what} has {n:,} tokens, more than {MAX_EXAMPLE_TOKENS:,}: shorten it.")


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


def check_replies(model: Any, prompts: Any, replies: Any) -> list[tuple[Messages, Messages]]:
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

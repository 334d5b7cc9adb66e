"""Chats as TRL and OpenAI write them, lists of {"role", "content"}: prompts, answers, training examples, pairs."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import ChoiceError, CourseError, DataError, choose, ended, listed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = list[dict[str, str]]
Example = dict[str, Messages]  # {"prompt": messages, "completion": messages}
Pair = dict[str, Messages]  # {"prompt": messages, "chosen": messages, "rejected": messages}

ROLES = ("system", "user", "assistant")
# What other people call the three.
OTHER_ROLES = {
    "developer": "system", "human": "user", "prompter": "user", "customer": "user",
    "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant", "ai": "assistant",
}  # fmt: skip
# What other people call the parts of a row.
ASKED = ("instruction", "question", "prompt", "query", "input", "problem", "user")
BESIDE = ("input", "context")  # what Alpaca's and Dolly's instructions are about
SAID = ("output", "answer", "completion", "response", "reply", "target", "solution", "assistant")
PREFERRED = ("chosen", "preferred_output", "preferred"), ("rejected", "non_preferred_output", "dispreferred")
SHAREGPT = "role for from, content for value, user for human and assistant for gpt"
MESSAGES = "a list of {'role', 'content'} messages"

HALF = re.compile("[\ud800-\udfff]")

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
    if not isinstance(prompt, list) or not prompt or any(map(message_fault, prompt)):
        raise CourseError(f"a prompt is a question or {MESSAGES}, not {reprlib.repr(prompt)}{_why_not(prompt)}.")
    if prompt[-1]["role"] == "system" or not prompt[-1]["content"].strip():
        raise CourseError("the prompt is empty: ask something.")
    if prompt[-1]["role"] != "user":
        raise CourseError("the prompt ends with the assistant's message: what is to be answered is the user's.")
    if prompt[0]["role"] == "system":
        return prompt
    return [{"role": "system", "content": system}, *prompt]


def as_chats(prompts: Any, system: str = SYSTEM, call: str = "generate([prompt])") -> list[Messages]:
    """A list of prompts as chats, as `as_messages` makes them; one alone is told the `call` to write."""
    if isinstance(prompts, (str, dict)) or not isinstance(prompts, Iterable):
        raise CourseError(f"{call.partition('(')[0]} takes a list of prompts: write {call}.")
    return [as_messages(prompt, system) for prompt in listed("prompts", prompts)]


def message_fault(message: Any, roles: Mapping[str, str] | None = None) -> str:
    """What is wrong with one message of a chat, for a sentence that has begun with its place; else nothing.

    `roles` is what somebody else calls our `ROLES`, {ours: theirs}.
    """
    if not isinstance(message, dict):
        return " is no object with role and content"
    if {"from", "value"} <= set(message):
        return f" is ShareGPT's: write {SHAREGPT}"
    theirs = roles or {role: role for role in ROLES}
    try:
        others = {name: theirs[role] for name, role in OTHER_ROLES.items()}
        choose("role", message.get("role"), theirs.values(), others | dict(theirs))
    except ChoiceError as error:
        return f": {str(error).rstrip('.')}"
    content = message.get("content")
    if isinstance(content, list):
        return ": content is a list of parts: only text is read here, so give the text itself"
    if not isinstance(content, str):
        return f": content is {content!r:.40}, which is no text"
    if half := HALF.search(content):
        return f": content holds half a character ({half[0]!r}), as where a text was cut within an emoji: take it out"
    return ""


def brought(row: Any, parts: Sequence[str] = EXAMPLE_PARTS) -> str:
    """The call that makes an example, or a pair, of a row in another usual form (Alpaca's, a CSV's); else nothing."""
    alone = parts == EXAMPLE_PARTS
    if isinstance(row, (list, tuple)) and len(row) == len(parts) and all(isinstance(part, str) for part in row):
        return "cl.example(*row)" if alone else "cl.pair(*row)"
    if not isinstance(row, dict):
        return ""
    # Of a CSV the keys may have capitals, and the first one Excel's byte-order mark.
    keys = {str(key).strip("\ufeff ").lower(): f"row[{key!r}]" for key in row}
    kinds = {f"row[{key!r}]": type(said) for key, said in row.items()}

    def first(names: Sequence[str]) -> str:
        return next((keys[name] for name in names if name in keys), "")

    asked, beside, answer = map(first, (ASKED, BESIDE, SAID))
    if not alone:
        return _pair_brought(asked, *map(first, PREFERRED), kinds)
    if turns := first(("messages", "conversations", "conversation")):
        made = f"{{'prompt': {turns}[:-1], 'completion': {turns}[-1:]}}"
        return made if "messages" in keys else f"with {SHAREGPT}, {made}"
    if not asked or not answer:
        return ""
    if kinds[asked] is list:
        said = answer if kinds[answer] is list else f"[{{'role': 'assistant', 'content': {answer}}}]"
        return f"{{'prompt': {asked}, 'completion': {said}}}"
    whole = f"({asked} + '\\n\\n' + ({beside} or '')).strip()" if beside and beside != asked else asked
    return f"cl.example({whole}, {answer})"


def _pair_brought(asked: str, chosen: str, rejected: str, kinds: dict[str, type]) -> str:
    """The call that makes a pair of the named parts of a row; nothing where one is missing."""
    if not chosen or not rejected:
        return ""
    in_chats = kinds[chosen] is list
    if not asked:  # whole chats begin with the prompt
        return f"{{'prompt': {chosen}[:-1], 'chosen': {chosen}[-1:], 'rejected': {rejected}[-1:]}}" if in_chats else ""
    asked += "['messages']" if kinds[asked] is dict else ""  # OpenAI's
    last = "[-1]['content']" if in_chats else ""
    return f"cl.pair({asked}, {chosen}{last}, {rejected}{last})"


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
    prompts, replies = listed("prompts", prompts), listed("replies", replies)
    if len(prompts) != len(replies):
        raise CourseError(f"there are {len(replies)} replies to {len(prompts)} prompts: give one for each.")
    for number, reply in enumerate(replies):
        if not isinstance(reply, str):
            raise CourseError(f"reply {number} is not a text but {reply!r:.60}.")
        if fault := message_fault(_reply(reply)[0]):
            raise CourseError(ended(f"reply {number}{fault}"))
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
    rows = listed(f"{what}s", given, f" of {{{', '.join(map(repr, parts))}}} rows")
    if not rows:
        raise DataError(f"there is not one {what} to learn from.")
    for number, row in enumerate(rows):
        if lacking := [part for part in parts if not isinstance(row, dict) or part not in row]:
            raise DataError(f"{what} {number} lacks {', '.join(lacking)}: {brought(row, parts) or maker} makes one.")
        for part in parts:
            if fault := _part_fault(row, part, parts):
                raise DataError(ended(f"{what} {number}: {part} {fault}"))
    return rows


def _part_fault(row: dict[str, Any], part: str, parts: Sequence[str]) -> str:
    """Why one part of a row is no chat, or not by whom it should be; else nothing."""
    chat = row[part]
    if not isinstance(chat, list) or any(map(message_fault, chat)):
        made = brought(row, parts) if isinstance(chat, str) else ""
        return f"is not {MESSAGES}" + (f": {made} makes one" if made else _why_not(chat))
    if not chat or not chat[-1]["content"].strip():
        return "is empty"
    if part == "prompt":
        return "" if chat[-1]["role"] != "assistant" else "ends with the assistant's message: that is the reply's part"
    other = next((message["role"] for message in chat if message["role"] != "assistant"), "")
    return f"has a message of the {other}: a reply is the assistant's" if other else ""


def _why_not(chat: Any) -> str:
    """Why something is no chat, as the end of a sentence; nothing where that is plain."""
    if isinstance(chat, dict):
        asked = next((f"row[{key!r}]" for key in chat if str(key).lower() in ("messages", *ASKED)), "")
        return f": give {asked} of each row" if asked else ""
    if isinstance(chat, Iterable) and not isinstance(chat, (list, str, bytes)):
        return f": write list(...) around the {type(chat).__name__}"
    turns = enumerate(chat if isinstance(chat, list) else ())
    return next((f": message {number}{fault}" for number, turn in turns if (fault := message_fault(turn))), "")


def _reply(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]

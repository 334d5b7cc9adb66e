"""Hosted fine-tuning: our examples as the chat JSONL of OpenAI and Azure OpenAI, checked before anybody pays for it.

The published rules that are checked here, as read on 2026-11-25:

- at least 10 examples: OpenAI's guide to supervised fine-tuning, developers.openai.com/docs/guides/distillation;
- roles, keys of a message, text in each, an assistant message in each example: OpenAI's cookbook,
  examples/Chat_finetuning_data_prep.ipynb; that the last is the assistant's, their service's own error;
- `name`: what their API says of a wrong one, that it must match ^[^\\s<|\\\\/>]+$, and is at most 64 characters long;
- `weight` on assistant messages, 0 or 1: OpenAI's API reference, FineTuneChatCompletionRequestAssistantMessage;
- JSONL files of up to 512 MB: OpenAI's API reference, files/create;
- Azure: the same, UTF-8 with a byte-order mark, under 512 MB: MicrosoftDocs/azure-ai-docs, fine-tuning-python.md of
  2025-04-30.

Both services take calls of tools, and images, too; this course has no use for them, and its checks refuse them.
OpenAI is closing its own service: no new customers since 2026-05-07, no new training from 2027-01-06 on
(developers.openai.com/api/docs/deprecations). Azure OpenAI and others take the same files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Example, brought, check_examples, message_fault
from course_lib.core.errors import DataError, above_zero, choose, ended
from course_lib.core.rows import numbered_rows, write_jsonl
from course_lib.core.text import as_path, say
from course_lib.shipping.endpoint import credential, explained, openai_client

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


MESSAGE_KEYS = ("role", "content", "name", "weight")
NAME = re.compile(r"[^\s<|\\/>\ud800-\udfff]{1,64}")
FEWEST, LARGEST = 10, 512 * 10**6
BOM = b"\xef\xbb\xbf"
OPENAI = "https://api.openai.com/v1"
AZURE_API_VERSION = "2024-10-21"  # the version that Azure's own guide calls


@dataclass(frozen=True)
class Provider:
    """Who trains, and what they want that others do not."""

    bom: bool  # whether a file must begin with a byte-order mark
    key: str  # the environment variable that holds the credential
    address: str = ""  # the one that says where the service is; none where there is one address for all


PROVIDERS = {
    "openai": Provider(False, "OPENAI_API_KEY"),
    "azure": Provider(True, "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
}


@dataclass(frozen=True)
class ChatFile:
    """A file that keeps the rules: how many examples it has, and for whom it is."""

    path: Path
    provider: str
    examples: int
    size: int

    def __str__(self) -> str:
        size = f"{self.examples} examples, {self.size / 1e6:.2f} MB"
        return f"{self.path.name}: {size}, keeps the rules of {self.provider}"


@dataclass(frozen=True)
class Estimate:
    """What a job would cost."""

    tokens: int  # of the file, read once
    epochs: float
    dollars: float  # tokens · epochs · price
    tokenizer: str  # whose tokens were counted; the service counts its own

    def __str__(self) -> str:
        return (
            f"about ${self.dollars:.2f}: {self.tokens:,} tokens, {self.epochs:g} epochs "
            f"(counted with {self.tokenizer}; the service bills its own tokens)"
        )


def write_chat_jsonl(examples: Sequence[Example], path: str | Path, provider: str = "openai") -> ChatFile:
    """Write training examples as chat JSONL, and check the file.

    Parameters
    ----------
    examples
        Rows of {"prompt": messages, "completion": messages}, as `finetune` takes them; where one breaks a rule, a
        DataError names it, and no file is written.
    path
        Ends in .jsonl; a file that was there is replaced.
    provider
        "openai" or "azure".
    """
    choose("provider", provider, PROVIDERS)
    path = as_path(path)
    if path.suffix != ".jsonl":
        raise DataError(f"{path.name} would be refused: the services take files that end in .jsonl.")
    rows = [{"messages": [*row["prompt"], *row["completion"]]} for row in check_examples(examples)]
    for number, row in enumerate(rows):
        _check_row(row, f"example {number}")
    _check_enough(len(rows), "these examples")
    write_jsonl(path, rows, encoding="utf-8-sig" if PROVIDERS[provider].bom else "utf-8")
    return check_chat_jsonl(path, provider)


def check_chat_jsonl(path: str | Path, provider: str = "openai") -> ChatFile:
    """Check a file against the rules that the services publish; a DataError names file and line of the first broken."""
    choose("provider", provider, PROVIDERS)
    path = as_path(path)
    count = 0
    for row, place in numbered_rows(path):  # says itself if the file is missing, not UTF-8, or not JSON
        _check_row(row, place)
        count += 1
    raw = path.read_bytes()
    for number, line in enumerate(raw.removesuffix(b"\n").split(b"\n"), 1):
        if not line.strip():
            raise DataError(f"{path}, line {number} is empty: each line holds one JSON object.")
    _check_enough(count, str(path))
    if len(raw) >= LARGEST:
        raise DataError(f"{path} has {len(raw) / 1e6:,.0f} MB: the services take less than {LARGEST / 1e6:.0f}.")
    if PROVIDERS[provider].bom and not raw.startswith(BOM):
        raise DataError(
            f"{path} lacks the byte-order mark that {provider} asks for: write it for provider={provider!r}."
        )
    return ChatFile(path, provider, count, len(raw))


def estimate_price(
    file: ChatFile, tokenizer: PreTrainedTokenizerBase, per_million: float, epochs: float = 3
) -> Estimate:
    """What training on a file would cost, for a service that bills each token of each epoch.

    Counted as OpenAI's cookbook counts: 3 tokens around each message and 3 for each example, beside role and text, and
    3 epochs for files of this size. Their tokenizer is not ours, and is downloaded when first used: so we count with
    the learner's model's. `per_million` is in dollars for a million trained tokens.
    """
    above_zero(per_million=per_million, epochs=epochs)
    rows = [row for row, _ in numbered_rows(file.path)]
    texts = [m[key] for row in rows for m in row["messages"] for key in ("role", "content")]
    inside = sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    tokens = inside + 3 * len(rows) + 3 * sum(len(row["messages"]) for row in rows)
    name = Path(str(getattr(tokenizer, "name_or_path", ""))).name or type(tokenizer).__name__
    return Estimate(tokens, epochs, tokens * epochs * per_million / 1e6, f"the tokenizer of {name}")


def submit(file: ChatFile, model: str, *, spend: bool = False) -> str | None:
    """Upload a file, checked again, and start a fine-tuning job of `model`, as the service calls it; return its id.

    The credential is read from the environment: `OPENAI_API_KEY`, or `AZURE_OPENAI_API_KEY` and
    `AZURE_OPENAI_ENDPOINT`. Without it, or without `spend=True` (a job costs money, and "run all cells" is no consent),
    nothing is sent, which is said and returns None; none of this needs a network. If the service refuses the job, an
    uploaded file stays there.
    """
    provider = PROVIDERS[file.provider]
    file = check_chat_jsonl(file.path, file.provider)
    missing = [name for name in (provider.key, provider.address) if name and not os.environ.get(name, "").strip()]
    if missing:
        say(f"Not submitted: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.")
        return None
    if not spend:
        say(f"Not submitted: {provider.key} is set, but a job costs money. To send it, say spend=True.")
        return None
    url = os.environ.get(provider.address or "OPENAI_BASE_URL", "").strip() or OPENAI
    with explained(url, model, provider.key):
        client = _client(file.provider, url)
        with file.path.open("rb") as data:
            uploaded = client.files.create(file=(file.path.name, data), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(training_file=uploaded.id, model=model)
        say(f"Submitted to {url}: job {job.id}, {job.status}.")
        return job.id


def _client(provider: str, url: str) -> Any:
    """A client of the service at an address. It asks once: what is billed is not sent twice."""
    openai, name = openai_client(), PROVIDERS[provider].key
    known = {"api_key": credential(os.environ[name], name), "max_retries": 0, "timeout": 60.0}
    if provider == "azure":
        return openai.AzureOpenAI(azure_endpoint=url, api_version=AZURE_API_VERSION, **known)
    return openai.OpenAI(base_url=url, **known)


def _check_enough(count: int, what: str) -> None:
    if count < FEWEST:
        raise DataError(f"{what}: {count} examples, and the services train on no fewer than {FEWEST}: add some.")


def _check_row(row: dict[str, Any], place: str) -> None:
    """Raise a DataError that begins with `place` if one example breaks a rule."""
    if unknown := sorted(set(row) - {"messages"}):
        made = brought(row) if "messages" not in row else ""
        told = f" Have write_chat_jsonl write what {made} makes of each." if made else ""
        raise DataError(f"{place}: unknown keys {', '.join(unknown)}; an example has messages and nothing else.{told}")
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise DataError(f"{place}: messages is not a list with at least one message.")
    for number, message in enumerate(messages):
        if fault := message_fault(message) or _fault(message):
            raise DataError(ended(f"{place}, message {number}{fault}"))
    weights = [message.get("weight") for message in messages if message["role"] == "assistant"]
    if not weights:
        raise DataError(f"{place}: no message is the assistant's, so there is nothing to learn.")
    if set(weights) == {0}:
        raise DataError(f"{place}: every assistant message has weight 0, so there is nothing to learn.")
    if (last := messages[-1]["role"]) != "assistant":
        raise DataError(f"{place}: the last message is the {last}'s: the services want the assistant's there.")


def _fault(message: dict[str, Any]) -> str:
    """The first of the services' own rules that a message breaks."""
    if unknown := sorted(set(message) - set(MESSAGE_KEYS)):
        return f": unknown keys {', '.join(unknown)}; known are {', '.join(MESSAGE_KEYS)}"
    name, weight = message.get("name", "a"), message.get("weight", 1)
    if not message["content"].strip():
        return ": content is empty"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f": name is {name!r:.80}; it is a text of 1 to 64 characters without blanks and < | \\ / >"
    if "weight" in message and message["role"] != "assistant":
        return f": weight stands on a {message['role']} message; only the assistant's have one"
    if type(weight) is not int or weight not in (0, 1):
        return f": weight is {weight!r}; it is 0 (not trained on) or 1"
    return ""

"""Training examples as the files of others: written in each one's format, and held to the rules that they publish.

The rules that are checked here. OpenAI's and Azure's, as read on 2026-11-25:

- at least 10 examples: OpenAI's guide to supervised fine-tuning, developers.openai.com/docs/guides/distillation;
- roles, keys of a message, text in each, an assistant message in each example: OpenAI's cookbook,
  examples/Chat_finetuning_data_prep.ipynb; that the last is the assistant's, their service's own error;
- `name`: what their API says of a wrong one, that it must match ^[^\\s<|\\\\/>]+$, and is at most 64 characters long;
- `weight` on assistant messages, 0 or 1: OpenAI's API reference, FineTuneChatCompletionRequestAssistantMessage;
- JSONL files of up to 512 MB: OpenAI's API reference, files/create;
- Azure: the same, UTF-8 with a byte-order mark, under 512 MB: MicrosoftDocs/azure-ai-docs, fine-tuning-python.md of
  2025-04-30.

Cohere's, as read on 2026-11-30:

- System, User and Chatbot, the last two in each example; at least two examples, of which no two are the same: the pages
  chat-preparing-the-data and chat-starting-the-training of docs.cohere.com; up to 1.5 GB: its page datasets;
- role and content alone; a Chatbot's message answers one that is neither a Chatbot's nor the system message at the top;
  no byte-order mark: what cohere-ai/cohere-finetune reads (chat_utils.py and data.py of 2025-03-13).

Hugging Face's, as read on 2026-11-30:

- prompt and completion, of which TRL trains on the completion alone, or messages, of which it trains on everything:
  huggingface.co/docs/trl, dataset_formats and sft_trainer; the first line decides for all: TRL 1.16's sft_trainer.py;
- under 500 GB: huggingface.co/docs/hub/storage-limits. TRL publishes no least number of examples;
- that an example ends with the assistant's message is our demand there: TRL would learn to speak as the user.

Nobody demands a second file to validate on: Cohere splits one off by itself, the others go without. How many tokens are
too many only their tokenizers know. Calls of tools, and images, which most take too, are refused: this course has no
use for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from course_lib.core.chat import EXAMPLE_PARTS, ROLES, Example, brought, check_examples, message_fault
from course_lib.core.errors import DataError, choose, ended
from course_lib.core.rows import numbered_rows, write_jsonl
from course_lib.core.text import as_path

NAME = re.compile(r"[^\s<|\\/>\ud800-\udfff]{1,64}")
BOM = b"\xef\xbb\xbf"
SFT = "https://raw.githubusercontent.com/huggingface/trl/main/trl/scripts/sft.py"


@dataclass(frozen=True)
class Provider:
    """Who trains, and what they want; a default is what OpenAI wants."""

    shapes: tuple[tuple[str, ...], ...] = (("messages",),)  # the keys of a line; of several the first is written
    roles: Mapping[str, str] = field(default_factory=lambda: {role: role for role in ROLES})  # ours: theirs
    message_keys: tuple[str, ...] = ("role", "content", "name", "weight")
    ends: bool = True  # whether the assistant's message must be the last
    turns: bool = False  # whether each of the assistant's must answer somebody, and the user must speak
    fewest: int = 10  # examples
    distinct: bool = False  # whether an example that is there twice counts once
    largest: float = 512e6  # bytes; a file has less
    bom: bool | None = None  # whether a file begins with a byte-order mark; None: as it likes
    key: str = ""  # the environment variable that holds the credential
    address: str = ""  # the one that says where the service is; none where there is one address for all
    instead: str = ""  # what to do with a {file}, by {name}, for a {model}, where openai's client cannot start a job


PROVIDERS = {
    "openai": Provider(key="OPENAI_API_KEY"),
    "azure": Provider(bom=True, key="AZURE_OPENAI_API_KEY", address="AZURE_OPENAI_ENDPOINT"),
    "cohere": Provider(
        roles=dict(zip(ROLES, ("System", "User", "Chatbot"))), message_keys=("role", "content"), ends=False, turns=True,
        fewest=2, distinct=True, largest=1.5e9, bom=False,
        instead="Cohere retired its fine-tuning on 2025-09-15. Its tool for GPUs of your own reads the file still: put "
        "{file} into {name}/input/data/training, and follow https://github.com/cohere-ai/cohere-finetune.",
    ),
    "huggingface": Provider(
        shapes=(EXAMPLE_PARTS, ("messages",)), message_keys=("role", "content"), fewest=1, largest=500e9,
        instead="Hugging Face rents the machine, and its own command line starts the job: `hf upload you/{name} {file} "
        "--repo-type dataset --private`, then `hf jobs uv run --flavor a10g-small --secrets HF_TOKEN -- " + SFT
        + " --model_name_or_path {model} --dataset_name you/{name} --output_dir {name} --push_to_hub "
        "--hub_private_repo true`.",
    ),
}  # fmt: skip


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
        "openai", "azure", "cohere" (with its own names of the roles) or "huggingface" (prompt and completion apart, as
        TRL reads them).
    """
    wanted = PROVIDERS[choose("provider", provider, PROVIDERS)]
    path = as_path(path)
    if path.suffix != ".jsonl":
        raise DataError(f"{path.name} would be refused: the services take files that end in .jsonl.")
    rows = [_as_row(row, wanted) for row in check_examples(examples)]
    _check_rows(((row, f"example {number}") for number, row in enumerate(rows)), provider, "these examples")
    write_jsonl(path, rows, encoding="utf-8-sig" if wanted.bom else "utf-8")
    return check_chat_jsonl(path, provider)


def check_chat_jsonl(path: str | Path, provider: str = "openai") -> ChatFile:
    """Check a file against the rules that a service publishes; a DataError names file and line of the first broken."""
    wanted = PROVIDERS[choose("provider", provider, PROVIDERS)]
    path = as_path(path)
    if path.is_file() and (size := path.stat().st_size) >= wanted.largest:
        raise DataError(f"{path} has {size / 1e6:,.0f} MB: {provider} takes less than {wanted.largest / 1e6:,.0f}.")
    # numbered_rows says itself if the file is missing, not UTF-8, or not JSON.
    count = _check_rows(numbered_rows(path), provider, str(path))
    raw = path.read_bytes()
    for number, line in enumerate(raw.removesuffix(b"\n").split(b"\n"), 1):
        if not line.strip():
            raise DataError(f"{path}, line {number} is empty: each line holds one JSON object.")
    if wanted.bom is not None and wanted.bom != raw.startswith(BOM):
        lacks = f"lacks the byte-order mark that {provider} asks for"
        has = f"begins with a byte-order mark, which {provider} does not read"
        raise DataError(f"{path} {lacks if wanted.bom else has}: write it for provider={provider!r}.")
    return ChatFile(path, provider, count, len(raw))


def _as_row(example: Example, provider: Provider) -> dict[str, Any]:
    """An example as the line that a provider wants."""
    prompt, completion = (
        [{**message, "role": provider.roles[message["role"]]} for message in example[part]] for part in EXAMPLE_PARTS
    )
    apart = provider.shapes[0] == EXAMPLE_PARTS
    return {"prompt": prompt, "completion": completion} if apart else {"messages": [*prompt, *completion]}


def _check_rows(rows: Iterable[tuple[dict[str, Any], str]], name: str, what: str) -> int:
    """How many rows there are; a DataError names the place of one that breaks a rule, or `what` has too few."""
    provider, count, first, different = PROVIDERS[name], 0, None, set()
    for row, place in rows:
        shape = _check_row(row, provider, place)
        first = first or shape
        if shape != first:
            raise DataError(f"{place} has {' and '.join(shape)}, the first example {' and '.join(first)}: choose one.")
        count += 1
        if provider.distinct and len(different) < provider.fewest:
            different.add(json.dumps(row, sort_keys=True))
    counted, kind = (len(different), "different examples") if provider.distinct else (count, "examples")
    if counted < provider.fewest:
        raise DataError(f"{what}: {counted} {kind}, and {name} trains on no fewer than {provider.fewest}: add some.")
    return count


def _check_row(row: dict[str, Any], provider: Provider, place: str) -> tuple[str, ...]:
    """The shape of one example; a DataError that begins with `place` if it breaks a rule."""
    shape = next((shape for shape in provider.shapes if set(shape) & set(row)), provider.shapes[0])
    if unknown := sorted(set(row) - set(shape)):
        made = "" if set(shape) & set(row) else brought(row)
        told = f" Have write_chat_jsonl write what {made} makes of each." if made else ""
        keys = " and ".join(shape)
        raise DataError(f"{place}: unknown keys {', '.join(unknown)}; an example has {keys} and nothing else.{told}")
    for part in shape:
        if not isinstance(row.get(part), list) or not row[part]:
            raise DataError(f"{place}: {part} is not a list with at least one message.")
        for number, message in enumerate(row[part]):
            if fault := message_fault(message, provider.roles) or _fault(message, provider.message_keys):
                raise DataError(ended(f"{place}, {f'{part}, ' * (len(shape) > 1)}message {number}{fault}"))
    if fault := _fault_of_whole(row, shape, provider):
        raise DataError(f"{place}: {fault}.")
    return shape


def _fault_of_whole(row: dict[str, Any], shape: tuple[str, ...], provider: Provider) -> str:
    """The first of the rules that an example breaks whose messages are in order."""
    system, user, assistant = provider.roles.values()
    speakers = [message["role"] for part in shape for message in row[part]]
    weights = [message.get("weight") for message in row[shape[-1]] if message["role"] == assistant]
    if not weights:
        return f"no message is the {assistant}'s, so there is nothing to learn"
    if set(weights) == {0}:
        return f"every {assistant} message has weight 0, so there is nothing to learn"
    if provider.ends and speakers[-1] != assistant:
        return f"the last message is the {speakers[-1]}'s: an example ends with the {assistant}'s"
    if provider.turns and user not in speakers:
        return f"no message is the {user}'s, whom the {assistant} could answer"
    asked = speakers[1:] if speakers[0] == system else speakers
    if provider.turns and (asked[0] == assistant or (assistant, assistant) in pairwise(asked)):
        return f"a message of the {assistant} answers nobody: put the {user}'s before it"
    return ""


def _fault(message: dict[str, Any], keys: Sequence[str]) -> str:
    """The first of the services' own rules that a message breaks."""
    if unknown := sorted(set(message) - set(keys)):
        return f": unknown keys {', '.join(unknown)}; known are {', '.join(keys)}"
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

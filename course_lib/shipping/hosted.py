"""Hosted fine-tuning: what a job on a chat file (`chatfiles`) would cost, and starting it; nothing is sent by accident.

What stands where, as read on the day:

- OpenAI is closing its own service: no new customers since 2026-05-07, no new training from 2027-01-06 on
  (developers.openai.com/api/docs/deprecations, 2026-11-25). Azure OpenAI and others take the same files.
- Cohere retired all of its fine-tuning, dashboard and API, on 2025-09-15, and models that were trained there can no
  longer be reached (docs.cohere.com/docs/deprecations, 2026-11-30). Its tool cohere-finetune, which trains the Command
  models with open weights on GPUs of one's own, reads the format still.
- Hugging Face trains by Jobs: a machine by the minute, for anybody with credit, on which TRL's script runs
  (huggingface.co/docs/hub/jobs-pricing and huggingface.co/docs/trl/jobs_training, 2026-11-30).
- OpenAI (help.openai.com, article 11323177) and Azure (learn.microsoft.com, foundry/fine-tuning/cost-management) bill
  supervised training by the tokens of the file, reinforcement by the hour; both read on 2026-11-30.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.credentials import credential
from course_lib.core.errors import CourseError, above_zero
from course_lib.core.rows import numbered_rows
from course_lib.core.text import say
from course_lib.shipping.chatfiles import PROVIDERS, ChatFile, check_chat_jsonl
from course_lib.shipping.endpoint import explained, openai_client

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPENAI = "https://api.openai.com/v1"
AZURE_API_VERSION = "2024-10-21"  # the version that Azure's own guide calls


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


def estimate_price(
    file: ChatFile, tokenizer: PreTrainedTokenizerBase, per_million: float, epochs: float = 3
) -> Estimate:
    """What training on a file would cost, for a service that bills each token of each epoch.

    Counted as OpenAI's cookbook counts: 3 tokens around each message and 3 for each example, beside role and text, and
    3 epochs for files of this size. Their tokenizer is not ours, and is downloaded when first used: so we count with
    the learner's model's. `per_million` is in dollars for a million trained tokens; a CourseError says where nobody
    bills by them.
    """
    above_zero(per_million=per_million, epochs=epochs)
    if PROVIDERS[file.provider].instead:
        raise CourseError(
            f"no service trains a file for {file.provider} by the token: multiply hours on a machine by its price."
        )
    rows = [row["messages"] for row, _ in numbered_rows(file.path)]
    texts = [message[key] for row in rows for message in row for key in ("role", "content")]
    inside = sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    tokens = inside + 3 * len(rows) + 3 * sum(map(len, rows))
    name = Path(str(getattr(tokenizer, "name_or_path", ""))).name or type(tokenizer).__name__
    return Estimate(tokens, epochs, tokens * epochs * per_million / 1e6, f"the tokenizer of {name}")


def submit(file: ChatFile, model: str, *, spend: bool = False) -> str | None:
    """Upload a file, checked again, and start a fine-tuning job of `model`, as the service calls it; return its id.

    The credential is read from the environment: `OPENAI_API_KEY`, or `AZURE_OPENAI_API_KEY` and
    `AZURE_OPENAI_ENDPOINT`. Without it, or without `spend=True` (a job costs money, and "run all cells" is no consent),
    nothing is sent, which is said and returns None; none of this needs a network. If the service refuses the job, an
    uploaded file stays there. For Cohere and Hugging Face nothing is ever sent: what to do instead is said.
    """
    if not isinstance(model, str) or not model.strip():
        raise CourseError(f"model is {model!r}: give the name by which {file.provider} knows it.")
    provider = PROVIDERS[file.provider]
    file = check_chat_jsonl(file.path, file.provider)
    if provider.instead:
        path, name = shlex.quote(str(file.path)), re.sub("[^A-Za-z0-9]+", "-", file.path.stem).strip("-")
        say(f"Not submitted: {provider.instead.format(file=path, name=name or 'examples', model=shlex.quote(model))}")
        return None
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

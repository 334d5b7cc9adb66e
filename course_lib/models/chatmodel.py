"""Chat models: how they are asked, and how they are saved. Where they come from is `loading`."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import SYSTEM, Answer, Messages, as_chats, as_messages
from course_lib.core.errors import CourseError, DataError, disk_explained, not_below_zero, whole_above_zero
from course_lib.core.progress import Progress
from course_lib.core.text import as_path
from course_lib.models.following import Followed
from course_lib.models.templates import chat_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Longer prompts would keep a laptop busy for minutes; nothing in the course comes near it.
MAX_PROMPT_TOKENS = 2048

# Prompts answered at once, and their tokens: keys and values of a token take 46 KB in fp32, of a batch at most 1 GB.
BATCH, BATCH_TOKENS = 64, 20_000

# A common beginning of a batch's prompts that is worth reading once for all, in tokens.
SHARED = 64

# What transformers calls the keys and values of what has been read, before 5.24 and since.
OLD_NAME, NEW_NAME = "past_key_values", "cache"


@dataclass
class ChatModel:
    """A causal language model with a chat template, asked greedily and in batches.

    `model` and `tokenizer` are plain transformers (or PEFT) objects, to be used directly whenever that is clearer.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str  # what tables and plots call it
    base: str  # which weights it started from: part of the key under which adapters are stored
    system: str = SYSTEM  # what a prompt without a system message gets
    training: Any = field(default=None, repr=False)  # how `finetune` made it; None for a model as it was loaded

    @property
    def config(self) -> Any:
        """The configuration of the language model: of one that sees pictures too, the part that reads and writes."""
        return self.model.config.get_text_config()

    def retrained(self, weights: Any, name: str, key: str) -> ChatModel:
        """The same model after a training run: its new weights, and a base that tells of the run by its key."""
        if not hasattr(weights, "peft_config"):  # trained in full: no longer what lies in the folder it came from
            weights.name_or_path = ""
        return replace(self, model=weights, name=name, base=f"{self.base}+{key}", training=None)

    def generate(
        self,
        prompts: Sequence[str | Messages],
        max_new_tokens: int = 64,
        batch_size: int | None = None,
        temperature: float = 0.0,
    ) -> list[str]:
        """One reply for each prompt, a question or a chat as a list of messages, in the same order.

        A reply that does not end by itself stops after `max_new_tokens`. `batch_size` prompts are completed at once:
        unless said otherwise 64, and fewer of very long ones. A `temperature` of 0 is greedy, above 0 it samples with
        torch's seed, all tokens allowed. Where a prompt is empty, or has more than 2,048 tokens, nothing is generated.
        """
        return [answer.text for answer in self.reply(prompts, max_new_tokens, batch_size, temperature)]

    def reply(
        self,
        prompts: Sequence[str | Messages],
        max_new_tokens: int = 64,
        batch_size: int | None = None,
        temperature: float = 0.0,
    ) -> list[Answer]:
        """As `generate`, with tokens and seconds beside each text."""
        size = BATCH if batch_size is None else batch_size
        whole_above_zero(max_new_tokens=max_new_tokens, batch_size=size)
        not_below_zero(temperature=temperature)
        encoded = [self.encode(chat) for chat in as_chats(prompts, self.system)]
        self.check_room(max(map(len, encoded), default=0), max_new_tokens)
        answers: list[Answer] = [Answer("")] * len(encoded)
        with Progress("Answering", len(encoded)) as progress:
            size = 1 if pads_matter(self.model) else size
            for batch in batches_by_length(encoded, size, None if batch_size else BATCH_TOKENS):
                chats = [encoded[i] for i in batch]
                with Followed(self.model, progress, chats, max_new_tokens, self.stops()) as follow:
                    for i, answer in zip(batch, self._answers(chats, max_new_tokens, temperature, follow)):
                        answers[i] = answer
        return answers

    def answer(self, questions: Sequence[str], max_new_tokens: int = 24) -> list[Answer]:
        """Answer exam questions closed book: nothing is asked but the question. Makes a model a candidate."""
        return self.reply(questions, max_new_tokens)

    def encode(self, prompt: str | Messages) -> list[int]:
        """Token ids of one prompt in the chat template, up to where the assistant's turn begins."""
        ids = chat_tokens(self.tokenizer, as_messages(prompt, self.system), add_generation_prompt=True)
        if len(ids) > MAX_PROMPT_TOKENS:
            raise CourseError(f"the prompt has {len(ids):,} tokens, more than {MAX_PROMPT_TOKENS:,}: shorten it.")
        self.check_room(len(ids))
        return ids

    def check_room(self, prompt: int, reply: int = 0, what: str = "the prompt", virtual: int = 0) -> None:
        """Refuse more tokens than the model has places for, virtual ones counted; most models have thousands."""
        most = positions(self.model)
        if has_virtual(self.model):
            virtual = self.model.active_peft_config.num_virtual_tokens
        if most is not None and prompt + reply + virtual > most:
            besides = [(reply, "for the reply"), (virtual, "virtual")]
            also = "".join(f" and {number:,} {kind}" for number, kind in besides if number)
            way_out = "shorten it" + (", or ask for fewer" if also else "")
            raise DataError(f"{what} has {prompt:,} tokens{also}, {self.name} places for {most:,}: {way_out}.")

    def next_tokens(self, prompt: str | Messages, k: int = 5, beginning: str = "") -> list[tuple[str, float]]:
        """The `k` likeliest next tokens of a reply, with their probabilities (0 to 1), likeliest first.

        `beginning` is what the reply has said so far, without a blank at its end; unless given, nothing.
        """
        import torch

        said = self.tokenizer.encode(beginning, add_special_tokens=False) if beginning else []
        prompt_ids = self.encode(prompt)
        self.check_room(len(prompt_ids), len(said))
        ids = torch.tensor([prompt_ids + said], device=self.model.device)  # (1, T)
        with torch.inference_mode():
            probabilities = self.model.eval()(ids).logits[0, -1].float().softmax(-1)  # (V,)
        top = probabilities.topk(k)
        return [(self.tokenizer.decode(int(i)), float(p)) for p, i in zip(top.values, top.indices)]

    def save(self, folder: str | Path) -> Path:
        """Save as a plain PEFT folder (an adapter) or a plain transformers folder, safetensors either way.

        If the folder cannot be written, what was in it is still there.
        """
        return save_plain(self.model, self.tokenizer, folder)

    def size(self) -> int:
        """Bytes that the weights take in memory, shared ones counted once; in 4 bits, with their blocks' constants."""
        seen = {p.data_ptr(): p.numel() * p.element_size() + _constant_bytes(p) for p in self.model.parameters()}
        return sum(seen.values())

    def complete(self, batch: list[list[int]], max_new_tokens: int, temperature: float = 0.0, **options: Any) -> Any:
        """What transformers' own `generate` gives for a batch of encoded prompts: (B, T + new).

        What all of them begin with (a system message, tables, instructions) is read once, and the padding follows it.
        """
        import torch

        shared = shared_beginning(batch)
        if shared and not takes_cache(self.model):
            shared = 0
        rests, mask = pad_left([ids[shared:] for ids in batch], self.tokenizer.pad_token_id, self.model.device)
        beginning = rests.new_tensor([batch[0][:shared]])  # (1, shared)
        ids = torch.cat([beginning.expand(len(batch), -1), rests], dim=1)  # (B, T)
        mask = torch.cat([mask.new_ones(len(batch), shared), mask], dim=1)  # (B, T)
        options |= {"max_new_tokens": max_new_tokens, "pad_token_id": self.tokenizer.pad_token_id, "do_sample": False}
        if temperature > 0:  # transformers would keep the 50 likeliest tokens only
            options |= {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        with torch.inference_mode():
            model = self.model.eval()
            if shared:
                options[cache_name(unwrapped(model))] = keys_and_values(model, beginning, len(batch))
            return model.generate(input_ids=ids, attention_mask=mask, **options)

    def ended(self, completion: list[int]) -> list[int]:
        """A completion up to and with the first token that ends a reply: what comes after is padding."""
        ends = self.stops()
        return completion[: next((i for i, token in enumerate(completion, 1) if token in ends), len(completion))]

    def stops(self) -> set[int]:
        """The tokens that end a reply: the tokenizer's own, and those of the model's generation settings."""
        settings = getattr(self.model, "generation_config", None)
        return stop_tokens(self.tokenizer.eos_token_id, getattr(settings, "eos_token_id", None))

    def _answers(
        self, batch: list[list[int]], max_new_tokens: int, temperature: float, follow: Followed
    ) -> Iterator[Answer]:
        started = time.perf_counter()
        made = self.complete(batch, max_new_tokens, temperature, stopping_criteria=[follow])
        new = made[:, max(map(len, batch)) :]  # (B, up to max_new_tokens)
        seconds = (time.perf_counter() - started) / len(batch)
        for prompt, completion in zip(batch, new.tolist()):
            said = self.ended(completion)
            words = said[:-1] if said[-1] in self.stops() else said  # what ends a turn need not be called special
            text = self.tokenizer.decode(words, skip_special_tokens=True).strip()
            yield Answer(text, len(prompt), len(said), seconds)


def expect_model(caller: str, *models: Any) -> None:
    """Refuse what is no ChatModel, in the name of the function that it was given to."""
    for model in models:
        if not isinstance(model, ChatModel):
            raise CourseError(f"{caller} takes a ChatModel, such as cl.load_model(), not {model!r:.60}.")


def save_plain(model: Any, tokenizer: Any, folder: str | Path) -> Path:
    """Save a model as a plain PEFT or transformers folder; raises as `ChatModel.save` does."""
    folder = as_path(folder)
    with disk_explained(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
        try:
            # Embeddings are never trained here; asked to find out, PEFT would look the base up on the hub.
            known = {"save_embedding_layers": False} if hasattr(model, "peft_config") else {}
            model.save_pretrained(draft, **known)
            tokenizer.save_pretrained(draft)
            for path in draft.iterdir():
                path.replace(folder / path.name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def batches_by_length(encoded: list[list[int]], size: int, most_tokens: int | None = None) -> Iterator[list[int]]:
    """Indices of prompts in batches of like length, longest first, so that little is padded."""
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    while order:
        room = size if most_tokens is None else max(1, min(size, most_tokens // len(encoded[order[0]])))
        yield order[:room]
        order = order[room:]


def positions(model: Any) -> int | None:
    """Tokens that a transformers or PEFT model can read at once; None where nothing bounds them."""
    config = getattr(model, "config", None)
    most = getattr(config.get_text_config(), "max_position_embeddings", None) if config is not None else None
    return most if most and most > 0 else None


def stop_tokens(*found: int | list[int] | None) -> set[int]:
    """The ids in what configurations give: one, several or none."""
    return {i for ids in found if ids is not None for i in (ids if isinstance(ids, (list, tuple)) else [ids])}


def pad_left(batch: list[list[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Token ids and mask, (B, T) each: padded on the left, because the reply is written on the right."""
    import torch

    width = max(map(len, batch))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=device)
    return ids, mask


def shared_beginning(batch: list[list[int]]) -> int:
    """How many tokens all prompts of a batch begin with, one of each left over; 0 if reading them once saves little."""
    first, last = min(batch), max(batch)  # in the order of lists: what these two share, all share
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    same = min(same, min(map(len, batch)) - 1)
    return same if len(batch) > 1 and same >= SHARED else 0


def takes_cache(model: Any) -> bool:
    """Whether generation can go on from what was read: not after virtual tokens, nor where layers keep a window."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = DynamicCache(config=unwrapped(model).config).layers
    return not has_virtual(model) and bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def has_virtual(model: Any) -> bool:
    """Whether virtual tokens stand before what a model reads."""
    config = getattr(model, "active_peft_config", None)
    return config is not None and config.is_prompt_learning


def pads_matter(model: Any) -> bool:
    """Whether padding could push virtual tokens out of a layer's window, so that prompts are read one by one."""
    from transformers.cache_utils import DynamicCache

    return has_virtual(model) and any(DynamicCache(config=unwrapped(model).config).is_sliding)


def keys_and_values(model: Any, ids: torch.Tensor, rows: int) -> Any:
    """What a model keeps of tokens (1, T) that it has read, for a batch of so many rows."""
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache(config=unwrapped(model).config)
    model(input_ids=ids, logits_to_keep=1, **{cache_name(unwrapped(model)): cache})
    cache.batch_repeat_interleave(rows)
    return cache


def cache_name(model: Any) -> str:
    """What a transformers model calls the keys and values of what it has read."""
    return NEW_NAME if NEW_NAME in inspect.signature(model.forward).parameters else OLD_NAME


def unwrapped(model: Any) -> Any:
    """The transformers model inside PEFT's, if there is one around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _constant_bytes(parameter: Any) -> int:
    """What bitsandbytes keeps beside a packed weight: a constant a block, itself in 8 bits, and theirs."""
    state = getattr(parameter, "quant_state", None)
    kept = [] if state is None else [state.absmax, *([state.state2.absmax] if state.nested else [])]
    return sum(tensor.numel() * tensor.element_size() for tensor in kept)

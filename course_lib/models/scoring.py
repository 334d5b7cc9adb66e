"""How likely a model finds completions: the loss that training lowers, and the log-probability of whole replies.

The output layer is applied to completion tokens alone: 28 of SmolLM2's 134 million parameters are in it, so logits that
nobody uses are never computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Example, Messages, check_examples, check_replies
from course_lib.core.errors import DataError, whole_above_zero
from course_lib.core.progress import Progress
from course_lib.models.chatmodel import (
    MAX_PROMPT_TOKENS,
    ChatModel,
    batches_by_length,
    cache_name,
    expect_model,
    unwrapped,
)
from course_lib.models.templates import chat_tokens

if TYPE_CHECKING:
    import numpy as np
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # token ids, mask and labels, (B, T) each

IGNORED = -100  # no label
READING = "Reading"  # what a bar calls it


def held_out_loss(model: ChatModel, examples: Sequence[Example], batch_size: int = 16) -> float:
    """Mean cross entropy of the completions' tokens, in nats: what training lowers, on examples not trained on.

    The model may be in 4 bits or tuned by any method; it is left in the mode that it was in. Beyond rounding, the
    result does not depend on `batch_size`, the examples read at once.
    """
    import torch

    expect_model("held_out_loss", model)
    whole_above_zero(batch_size=batch_size)
    encoded = _encoded(model, examples)
    was_training, total, tokens = model.model.training, 0.0, 0
    model.model.eval()
    try:
        # Not inference_mode: a watched training run goes on with the same tensors.
        with torch.no_grad(), Progress(READING, len(encoded)) as bar:
            for members, batch in in_batches(encoded, batch_size, model):
                loss, n = completion_loss(model.model, *batch)
                total, tokens = total + float(loss), tokens + n
                bar.advance(len(members))
    finally:
        model.model.train(was_training)
    return total / tokens


def log_probability(
    model: ChatModel, prompts: Sequence[str | Messages], replies: Sequence[str], batch_size: int = 16
) -> np.ndarray:
    """Log-probability of n whole replies to n prompts, (n,), in nats: the sum over their tokens, each at most 0.

    The token that ends the turn is among them. Long replies are less likely than short ones.
    """
    import numpy as np
    import torch

    expect_model("log_probability", model)
    whole_above_zero(batch_size=batch_size)
    encoded = [
        encode_example(model, f"reply {number}", {"prompt": prompt, "completion": reply})
        for number, (prompt, reply) in enumerate(check_replies(model, prompts, replies))
    ]
    found = np.zeros(len(encoded))
    model.model.eval()
    with torch.inference_mode(), Progress(READING, len(encoded)) as bar:
        for members, batch in in_batches(encoded, batch_size, model):
            logits, targets, rows = completion_logits(model.model, *batch)
            token_log_probs = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]  # (N,)
            found[members] = summed_by_row(token_log_probs, rows, len(members))
            bar.advance(len(members))
    return found


def token_counts(model: ChatModel, examples: Sequence[Example]) -> list[tuple[int, int]]:
    """Tokens of each example in the model's chat template: of its prompt, and of its completion."""
    return [(begins, len(ids) - begins) for ids, begins in _encoded(model, examples)]


def completion_loss(model: Any, *batch: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Sum of the cross entropy over tokens with a label, and how many they are; takes what `completion_logits` does."""
    import torch

    logits, targets, _ = completion_logits(model, *batch)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum"), len(targets)


def completion_logits(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a transformers causal LM, or PEFT's around one, predicts where there is a label.

    Takes a batch (B, T), padded on the right. Gives logits in fp32 (N, V), the labels (N,), and the row of the batch
    that each of the N tokens stands in (N,).
    """
    wanted = labels[:, 1:] != IGNORED  # (B, T - 1): position t predicts token t + 1

    def wanted_alone(_: Any, __: Any, read: Any) -> Any:
        """Of what the layers give, (B, T, D) after any virtual tokens, only what is asked for goes on: (N, 1, D)."""
        states = read.last_hidden_state[:, -labels.shape[1] :]
        read.last_hidden_state = states[:, :-1][wanted][:, None]
        return read

    # The model itself makes logits of them: with the scale and the caps that its kind has.
    hook = unwrapped(model).base_model.register_forward_hook(wanted_alone)
    try:
        logits = _read(model, input_ids, attention_mask).logits[:, 0]  # (N, V)
    finally:
        hook.remove()
    return logits.float(), labels[:, 1:][wanted], wanted.nonzero()[:, 0]


def encode_example(model: ChatModel, what: str, row: Example) -> tuple[list[int], int]:
    """Token ids of one example, and where its completion begins; an error calls it `what`."""
    prompt = chat_tokens(model.tokenizer, row["prompt"], add_generation_prompt=True)
    whole = chat_tokens(model.tokenizer, row["prompt"] + row["completion"])
    if len(whole) > MAX_PROMPT_TOKENS:
        raise DataError(f"{what} has {len(whole):,} tokens, more than {MAX_PROMPT_TOKENS:,}: shorten it.")
    model.check_room(len(whole), what=what)
    begins = next((i for i, (a, b) in enumerate(zip(prompt, whole)) if a != b), min(len(prompt), len(whole)))
    return whole, begins


def in_batches(encoded: list[tuple[list[int], int]], size: int, model: Any) -> Iterator[tuple[list[int], Batch]]:
    """Which of the encoded examples are read together, and the batch that they make: longest first."""
    for members in batches_by_length([ids for ids, _ in encoded], size):
        yield members, right_padded([encoded[i] for i in members], model)


def right_padded(rows: list[tuple[list[int], int]], model: Any) -> Batch:
    """Encoded examples as one batch for a model with a tokenizer; what stands before a completion has no label."""
    import torch

    width = max(len(ids) for ids, _ in rows)

    def padded(kept: list[list[int]], filler: int) -> torch.Tensor:
        return torch.tensor([row + [filler] * (width - len(row)) for row in kept], device=model.model.device)

    ids = padded([ids for ids, _ in rows], model.tokenizer.pad_token_id)
    mask = padded([[1] * len(ids) for ids, _ in rows], 0)
    labels = padded([[IGNORED] * begins + ids[begins:] for ids, begins in rows], IGNORED)
    return ids, mask, labels


def summed_by_row(values: torch.Tensor, rows: torch.Tensor, n: int) -> np.ndarray:
    """Sums of values (N,) over the rows (N,) that they stand in, (n,)."""
    import torch

    sums = torch.zeros(n, dtype=torch.float64, device=values.device)
    return sums.index_add_(0, rows, values.double()).cpu().numpy()


def _encoded(model: ChatModel, examples: Sequence[Example]) -> list[tuple[list[int], int]]:
    return [encode_example(model, f"example {number}", row) for number, row in enumerate(check_examples(examples))]


def _read(model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
    """What the transformers model gives, with virtual tokens before the tokens if it was tuned so."""
    import torch

    causal = unwrapped(model)
    config = getattr(model, "active_peft_config", None)
    if config is None or not config.is_prompt_learning:
        # LoRA and bottlenecks live inside the base model's layers, so its own parts are the adapted ones.
        return causal(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)
    rows, virtual = len(input_ids), config.num_virtual_tokens
    mask = torch.cat([attention_mask.new_ones(rows, virtual), attention_mask], dim=1)  # (B, virtual + T)
    prompt = model.get_prompt(rows)
    if config.peft_type == "PREFIX_TUNING":  # keys and values of each layer, as if they had been read before
        return causal(input_ids=input_ids, attention_mask=mask, **{cache_name(causal.base_model): prompt})
    words = causal.get_input_embeddings()(input_ids)  # (B, T, D)
    embedded = torch.cat([prompt.to(words.dtype), words], dim=1)  # (B, virtual + T, D)
    return causal(inputs_embeds=embedded, attention_mask=mask, use_cache=False)

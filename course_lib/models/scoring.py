"""The loss on completion tokens, with the output layer applied to them alone.

28 of SmolLM2's 134 million parameters are the output layer: never compute logits that the loss does not use.
"""
# MERGED likelihoods: How likely a model finds replies, and how far two models are apart on what one of them says.

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Example, Messages, check_examples, check_replies
from course_lib.core.errors import CourseError, DataError, whole_above_zero
from course_lib.models.chatmodel import MAX_PROMPT_TOKENS, ChatModel

if TYPE_CHECKING:
    import numpy as np
    import torch


IGNORED = -100


def held_out_loss(model: ChatModel, examples: Sequence[Example], batch_size: int = 16) -> float:
    """Mean cross entropy of the completions' tokens, in nats: what training lowers, on examples not trained on.

    Parameters
    ----------
    model
        As it was loaded, tuned by any method, or in 4 bits. It is left as it was, in training mode if it was.
    examples
        Rows of {"prompt": messages, "completion": messages}; `cl.example(question, answer)` makes one.
    batch_size
        Examples read at once; the result does not depend on it, beyond rounding.

    Raises
    ------
    CourseError
        If `model` is no ChatModel, or `batch_size` not a whole number above 0.
    DataError
        For examples of another shape, or more than 2,048 tokens in one.
    """
    import torch

    if not isinstance(model, ChatModel):
        raise CourseError(f"held_out_loss reads with a ChatModel, such as cl.load_model(), not {model!r:.60}.")
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise CourseError(f"batch_size is {batch_size!r}: it must be a whole number above 0.")
    encoded = [encode_example(model, f"example {number}", row) for number, row in enumerate(check_examples(examples))]
    encoded.sort(key=lambda row: -len(row[0]))
    was_training, total, tokens = model.model.training, 0.0, 0
    model.model.eval()
    try:
        with torch.no_grad():  # not inference_mode: a watched training run goes on with the same tensors
            for batch in right_padded(encoded, batch_size, model):
                loss, n = completion_loss(model.model, *batch)
                total, tokens = total + float(loss), tokens + n
    finally:
        model.model.train(was_training)
    return total / tokens


def token_counts(model: ChatModel, examples: Sequence[Example]) -> list[tuple[int, int]]:
    """Tokens of each example in the model's chat template: of its prompt, and of its completion.

    Raises
    ------
    DataError
        For examples of another shape, or more than 2,048 tokens in one.
    """
    encoded = [encode_example(model, f"example {number}", row) for number, row in enumerate(check_examples(examples))]
    return [(begins, len(ids) - begins) for ids, begins in encoded]


def completion_loss(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """Sum of the cross entropy over tokens with a label, and how many they are.

    Parameters
    ----------
    model
        A transformers causal LM, or PEFT's around one, of any method.
    input_ids, attention_mask, labels
        (B, T) each, padded on the right; -100 is no label.
    """
    import torch

    logits, targets, _ = completion_logits(model, input_ids, attention_mask, labels)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum"), len(targets)


def completion_logits(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a model predicts where there is a label; parameters as in `completion_loss`.

    Returns
    -------
    Logits in fp32 (N, V), the labels (N,), and the row (N,) of the batch that each of the N tokens stands in.
    """
    wanted = labels[:, 1:] != IGNORED  # (B, T - 1): position t predicts token t + 1
    hidden = _last_hidden_state(model, input_ids, attention_mask)[:, :-1]  # (B, T - 1, D)
    logits = _causal(model).get_output_embeddings()(hidden[wanted])  # (N, V)
    return logits.float(), labels[:, 1:][wanted], wanted.nonzero()[:, 0]


def _last_hidden_state(model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """(B, T, D): of the tokens alone, where virtual tokens stand before them."""
    import torch

    decoder = _causal(model).base_model
    config = getattr(model, "active_peft_config", None)
    if config is None or not config.is_prompt_learning:
        # LoRA and bottlenecks live inside the base model's layers, so its own parts are the adapted ones.
        return decoder(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
    rows, virtual = len(input_ids), config.num_virtual_tokens
    mask = torch.cat([attention_mask.new_ones(rows, virtual), attention_mask], dim=1)  # (B, virtual + T)
    prompt = model.get_prompt(rows)
    if config.peft_type == "PREFIX_TUNING":  # keys and values of each layer, as if they had been read before
        pass  # moved

        return decoder(input_ids=input_ids, attention_mask=mask, **{cache_name(decoder): prompt}).last_hidden_state
    words = _causal(model).get_input_embeddings()(input_ids)  # (B, T, D)
    embedded = torch.cat([prompt.to(words.dtype), words], dim=1)  # (B, virtual + T, D)
    return decoder(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state[:, virtual:]


def _causal(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def encode_example(model: ChatModel, what: str, row: Example) -> tuple[list[int], int]:
    """Token ids of one example, and where its completion begins; an error calls it `what`."""

    def tokens(messages: list[dict[str, str]], **options: Any) -> list[int]:
        return model.tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)["input_ids"]

    prompt = tokens(row["prompt"], add_generation_prompt=True)
    whole = tokens(row["prompt"] + row["completion"])
    if len(whole) > MAX_PROMPT_TOKENS:
        raise DataError(f"{what} has {len(whole):,} tokens, more than {MAX_PROMPT_TOKENS:,}: shorten it.")
    begins = next((i for i, (a, b) in enumerate(zip(prompt, whole)) if a != b), min(len(prompt), len(whole)))
    return whole, begins


def right_padded(
    encoded: list[tuple[list[int], int]], size: int, model: ChatModel
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of up to `size`: token ids, mask and labels, (B, T) each, padded on the right."""
    import torch

    pad, device = model.tokenizer.pad_token_id, model.model.device
    for start in range(0, len(encoded), size):
        rows = encoded[start : start + size]
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in rows], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows], device=device)
        labels = torch.tensor(
            [[IGNORED] * n + ids[n:] + [IGNORED] * (width - len(ids)) for ids, n in rows], device=device
        )
        yield ids, mask, labels


def log_probability(
    model: ChatModel, prompts: Sequence[str | Messages], replies: Sequence[str], batch_size: int = 16
) -> np.ndarray:
    """Log-probability of whole replies, in nats: the sum over their tokens, the one that ends the turn among them.

    Parameters
    ----------
    prompts, replies
        n each.
    batch_size
        Replies read at once; the result does not depend on it, beyond rounding.

    Returns
    -------
    (n,), each at most 0. Long replies are less likely than short ones.

    Raises
    ------
    CourseError
        If `model` is no ChatModel, the lists differ in length, or `batch_size` is not a whole number above 0.
    DataError
        For more than 2,048 tokens in a prompt with its reply.
    """
    import numpy as np
    import torch

    _check_models("log_probability", model)
    whole_above_zero(batch_size=batch_size)
    encoded = [
        encode_example(model, f"reply {number}", {"prompt": prompt, "completion": reply})
        for number, (prompt, reply) in enumerate(check_replies(model, prompts, replies))
    ]
    found = np.zeros(len(encoded))
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i][0]))
    model.model.eval()
    with torch.inference_mode():
        batches = right_padded([encoded[i] for i in order], batch_size, model)
        for start, (ids, mask, labels) in zip(range(0, len(order), batch_size), batches):
            logits, targets, rows = completion_logits(model.model, ids, mask, labels)
            token_log_probs = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]  # (N,)
            found[order[start : start + batch_size]] = summed_by_row(token_log_probs, rows, len(ids))
    return found


def summed_by_row(values: torch.Tensor, rows: torch.Tensor, n: int) -> np.ndarray:
    """Sums of values (N,) over the rows (N,) that they stand in, (n,)."""
    import torch

    sums = torch.zeros(n, dtype=torch.float64, device=values.device)
    return sums.index_add_(0, rows, values.double()).cpu().numpy()


def _check_models(caller: str, *models: Any) -> None:
    for model in models:
        if not isinstance(model, ChatModel):
            raise CourseError(f"{caller} asks a ChatModel, such as cl.load_model(), not {model!r:.60}.")


OLD_NAME, NEW_NAME = "past_key_values", "cache"


def cache_name(model: Any) -> str:
    """What a transformers model calls the keys and values of what it has read: "cache" since 5.24."""
    return NEW_NAME if NEW_NAME in inspect.signature(model.forward).parameters else OLD_NAME

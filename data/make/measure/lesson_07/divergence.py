"""How far two models are apart, on what one of them says: lesson 07's leash, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Messages
from course_lib.core.errors import CourseError, whole_above_zero
from course_lib.core.progress import Progress
from course_lib.evaluation.intervals import mean_interval, span
from course_lib.models.chatmodel import ChatModel, batches_by_length, expect_model
from course_lib.models.scoring import completion_logits, right_padded, summed_by_row

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Divergence:
    """KL divergence of one model from another, estimated on replies that the first one sampled; in nats a reply."""

    kl: float  # mean over replies
    ci: tuple[float, float]  # 95% interval: a bootstrap over prompts
    n: int  # prompts
    per_reply: np.ndarray = field(repr=False, compare=False)  # (prompts, samples)

    def __str__(self) -> str:
        return f"KL {self.kl:.2f} nats a reply (95% interval {span(*self.ci)}, n = {self.n} prompts)"


def kl_from(
    model: ChatModel,
    start: ChatModel,
    prompts: Sequence[str | Messages],
    samples: int = 1,
    max_new_tokens: int = 48,
    batch_size: int = 16,
    seed: int = 0,
) -> Divergence:
    """Estimate KL(model || start): how far training has taken a model from where it started.

    Replies are sampled from `model` (temperature 1, all tokens allowed). At each of their tokens the divergence of the
    two next-token distributions is computed exactly, over the whole vocabulary, and summed over the reply. Its mean is
    an unbiased estimate, never below 0, and never more variable than the mean of log p / q of the sampled tokens
    alone (Rao-Blackwellized: Amini, Vieira & Cotterell 2025, arXiv 2504.10637).

    Each of the prompts, questions or chats, gets so many `samples`, `batch_size` replies at once. What is estimated is
    the divergence up to `max_new_tokens`, where replies are cut off. The session's own random numbers go on as if
    nothing had been sampled.
    """
    import numpy as np

    expect_model("kl_from", model, start)
    whole_above_zero(samples=samples, max_new_tokens=max_new_tokens, batch_size=batch_size)
    if model.tokenizer.get_vocab() != start.tokenizer.get_vocab():
        raise CourseError(f"{model.name} and {start.name} have different vocabularies: no divergence is defined.")
    if isinstance(prompts, (str, dict)) or not (prompts := list(prompts)):
        raise CourseError("kl_from takes a list of prompts, at least one: kl_from(tuned, gp, [prompt]).")
    encoded = [ids for ids in map(model.encode, prompts) for _ in range(samples)]
    found = np.zeros(len(encoded))
    batches = list(batches_by_length(encoded, batch_size))
    with Progress("Sampling", len(batches)) as progress:
        for number, batch in enumerate(batches):
            replies = _sampled(model, [encoded[i] for i in batch], max_new_tokens, seed + number)
            found[batch] = _divergences(model, start, replies)
            progress.advance()
    prompt_of = [str(i // samples) for i in range(len(encoded))]
    low, high = mean_interval(found, prompt_of)
    return Divergence(float(found.mean()), (low, high), len(prompts), found.reshape(-1, samples))


def _sampled(model: ChatModel, batch: list[list[int]], most: int, seed: int) -> list[tuple[list[int], int]]:
    """Each prompt with a sampled reply, up to and with the token that ends it, and where the reply begins."""
    import torch

    devices = [model.model.device] if model.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        replies = model.complete(batch, most, temperature=1.0)[:, max(map(len, batch)) :].tolist()
    return [(prompt + model.ended(reply), len(prompt)) for prompt, reply in zip(batch, replies)]


def _divergences(model: ChatModel, start: ChatModel, replies: list[tuple[list[int], int]]) -> Any:
    """KL of the two models along each reply, (B,)."""
    import torch

    batch = right_padded(replies, model)
    with torch.inference_mode():
        logits, _, rows = completion_logits(model.model, *batch)  # (N, V), (N,)
        from_logits, _, _ = completion_logits(start.model.eval(), *batch)
        log_p, log_q = logits.log_softmax(-1), from_logits.log_softmax(-1)
        per_token = (log_p.exp() * (log_p - log_q)).sum(-1)  # (N,)
    return summed_by_row(per_token, rows, len(replies))

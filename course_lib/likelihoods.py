"""How likely a model finds replies, and how far two models are apart on what one of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_lib._amounts import whole_above_zero
from course_lib.errors import CourseError
from course_lib.losses import completion_logits, encode_example, right_padded
from course_lib.models import ChatModel, Messages, batches_by_length, pad_left
from course_lib.pairs import check_replies
from course_lib.progress import track
from course_lib.reports import mean_interval, span

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["Divergence", "kl_from", "log_probability"]


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
            found[order[start : start + batch_size]] = _by_row(token_log_probs, rows, len(ids))
    return found


@dataclass(frozen=True)
class Divergence:
    """KL divergence of one model from another, estimated on replies that the first one sampled.

    Attributes
    ----------
    kl
        Mean over replies, in nats a reply.
    ci
        95% interval: a bootstrap over prompts.
    n
        Number of prompts.
    per_reply
        (prompts, samples), nats.
    """

    kl: float
    ci: tuple[float, float]
    n: int
    per_reply: np.ndarray = field(repr=False, compare=False)

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

    Parameters
    ----------
    start
        What `model` was trained from; must share its vocabulary.
    prompts
        n questions or chats.
    samples
        Replies to each prompt.
    max_new_tokens
        Where replies are cut off: what is estimated is the divergence up to there.
    batch_size
        Replies sampled and read at once.
    seed
        Of the sampling; the session's own random numbers go on as if nothing had been sampled.

    Raises
    ------
    CourseError
        If one of the two is no ChatModel, their vocabularies differ, there is no prompt, or a number is not a whole
        one above 0.
    """
    import numpy as np

    _check_models("kl_from", model, start)
    whole_above_zero(samples=samples, max_new_tokens=max_new_tokens, batch_size=batch_size)
    if model.tokenizer.get_vocab() != start.tokenizer.get_vocab():
        raise CourseError(f"{model.name} and {start.name} have different vocabularies: no divergence is defined.")
    if isinstance(prompts, (str, dict)) or not (prompts := list(prompts)):
        raise CourseError("kl_from takes a list of prompts, at least one: kl_from(tuned, gp, [prompt]).")
    encoded = [ids for ids in map(model.encode, prompts) for _ in range(samples)]
    found = np.zeros(len(encoded))
    batches = list(batches_by_length(encoded, batch_size))
    for number, batch in enumerate(track(batches, "Sampling")):
        replies = _sampled(model, [encoded[i] for i in batch], max_new_tokens, seed + number)
        found[batch] = _divergences(model, start, replies)
    prompt_of = [str(i // samples) for i in range(len(encoded))]
    low, high = mean_interval(found, prompt_of)
    return Divergence(float(found.mean()), (low, high), len(prompts), found.reshape(-1, samples))


def _sampled(model: ChatModel, batch: list[list[int]], most: int, seed: int) -> list[tuple[list[int], int]]:
    """Each prompt with a sampled reply, up to and with the token that ends it, and where the reply begins."""
    import torch

    ids, mask = pad_left(batch, model.tokenizer.pad_token_id, model.model.device)  # (B, T) each
    devices = [model.model.device] if model.model.device.type == "cuda" else []
    model.model.eval()
    with torch.inference_mode(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        out = model.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=most, do_sample=True, temperature=1.0,
            top_k=0, top_p=1.0, pad_token_id=model.tokenizer.pad_token_id,
        )  # fmt: skip
    replies = []
    for prompt, reply in zip(batch, out[:, ids.shape[1] :].tolist()):
        end = reply.index(model.tokenizer.eos_token_id) + 1 if model.tokenizer.eos_token_id in reply else len(reply)
        replies.append((prompt + reply[:end], len(prompt)))
    return replies


def _divergences(model: ChatModel, start: ChatModel, replies: list[tuple[list[int], int]]) -> Any:
    """KL of the two models along each reply, (B,)."""
    import torch

    (batch,) = right_padded(replies, len(replies), model)
    with torch.inference_mode():
        logits, _, rows = completion_logits(model.model, *batch)  # (N, V), (N,)
        from_logits, _, _ = completion_logits(start.model.eval(), *batch)
        log_p, log_q = logits.log_softmax(-1), from_logits.log_softmax(-1)
        per_token = (log_p.exp() * (log_p - log_q)).sum(-1)  # (N,)
    return _by_row(per_token, rows, len(replies))


def _by_row(values: torch.Tensor, rows: torch.Tensor, n: int) -> np.ndarray:
    """Sums of values (N,) over the rows (N,) that they stand in, (n,)."""
    import torch

    sums = torch.zeros(n, dtype=torch.float64, device=values.device)
    return sums.index_add_(0, rows, values.double()).cpu().numpy()


def _check_models(caller: str, *models: Any) -> None:
    for model in models:
        if not isinstance(model, ChatModel):
            raise CourseError(f"{caller} asks a ChatModel, such as cl.load_model(), not {model!r:.60}.")

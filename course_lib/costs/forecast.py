"""Seconds and memory of a training run on this machine, predicted from a few short ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from course_lib.core.chat import Example
from course_lib.core.errors import above_zero, whole_above_zero
from course_lib.costs.bills import training_flops
from course_lib.costs.memory import Memory, Shape, model_shape, trained_parameters, training_memory
from course_lib.models.chatmodel import ChatModel
from course_lib.models.scoring import token_counts
from course_lib.training.methods import METHODS
from course_lib.training.shelf import RANK, fitting_rank

# Logits are held as they come, as log-probabilities, and as their gradient; in fp32.
LOGITS_BYTES = 3 * 4


@dataclass(frozen=True)
class Work:
    """What a run reads."""

    steps: int  # of the whole run
    examples: int  # in one step
    tokens: float  # in a step, the mean; padding not counted
    completion_tokens: float  # likewise
    widest: int  # tokens of the largest step, padding counted


@dataclass(frozen=True)
class Calibration:
    """Seconds that this machine takes, by what it takes them for; `data/make` measures them."""

    flop: float  # for one FLOP of a large matrix product
    step: float  # for a step, whatever its size
    side: float  # for a number that goes into or out of an adapter beside a matrix
    trained: float  # for a number that the optimizer moves
    packed: float  # for a weight in 4 bits that is unpacked, forward and backward
    start: float = 0.0  # for a run to begin

    @property
    def flops(self) -> float:
        """FLOP/s."""
        return 1 / self.flop if self.flop else math.inf


@dataclass(frozen=True)
class Forecast:
    """What a run is expected to take: its FLOPs, seconds in all and of a step, and memory at its peak."""

    work: Work
    flops: float
    seconds: float
    step_seconds: float
    memory: Memory


def work_of(model: ChatModel, examples: Sequence[Example], batch_size: int, epochs: float = 1) -> Work:
    """What training on these examples reads, batched by length as `finetune` does."""
    whole_above_zero(batch_size=batch_size)
    above_zero(epochs=epochs)
    counts = sorted(token_counts(model, examples), key=sum, reverse=True)
    batches = [counts[i : i + batch_size] for i in range(0, len(counts), batch_size)]
    return Work(
        steps=math.ceil(len(batches) * epochs),
        examples=min(batch_size, len(counts)),
        tokens=sum(map(sum, counts)) / len(batches),
        completion_tokens=sum(completion for _, completion in counts) / len(batches),
        widest=max(len(batch) * sum(batch[0]) for batch in batches),
    )


def forecast(
    model: ChatModel,
    examples: Sequence[Example],
    calibration: Calibration,
    method: str = "lora",
    *,
    epochs: float = 4,
    batch_size: int = 16,
    rank: int | None = None,
    layers: str = "all",
    targets: str = "all",
) -> Forecast:
    """What `finetune`, called like this, will take.

    Seconds by the calibration; memory by `training_memory`, for the largest step, and the logits' beside it.
    """
    shape, work = model_shape(model), work_of(model, examples, batch_size, epochs)
    if rank is None:
        numbers = trained_parameters(shape, method, 1, targets, layers)
        rank = fitting_rank(numbers) if METHODS[method].placed else RANK
    needs = step_needs(shape, work, method, rank, targets, layers)
    prices = (calibration.flop, calibration.step, calibration.side, calibration.trained, calibration.packed)
    each = sum(price * need for price, need in zip(prices, needs))
    memory = training_memory(
        shape, method, rank, targets, layers, tokens=work.widest + _virtual(method, rank, work.examples),
        # What is trained is fp32 in a 16-bit session too, and takes 16 bytes a number.
        precision="fp32" if str(model.model.dtype) == "torch.float32" else "mixed", checkpointing=False,
    )  # fmt: skip
    logits = work.completion_tokens * shape.vocabulary * LOGITS_BYTES
    memory = replace(memory, activations=memory.activations + logits)
    return Forecast(work, needs[0] * work.steps, calibration.start + each * work.steps, each, memory)


def step_needs(
    shape: Shape, work: Work, method: str, rank: int = 8, targets: str = "all", layers: str = "all"
) -> tuple[float, float, float, float, float]:
    """What a step needs of a `Calibration`'s prices: FLOPs, one step, numbers beside matrices, trained, unpacked."""
    tokens = work.tokens + _virtual(method, rank, work.examples)
    length, logits = tokens / work.examples, work.completion_tokens / tokens
    flops = training_flops(shape, tokens, method, rank, targets, layers, length=length, logits=logits)
    trained = trained_parameters(shape, method, rank, targets, layers)
    beside = trained / rank * tokens if METHODS[method].placed else 0.0
    return flops, 1.0, beside, float(trained), float(shape.linear if method == "qlora" else 0)


def _virtual(method: str, rank: int, examples: int) -> int:
    """Tokens that "prompt" puts before the examples of a step; those of "prefix" are keys and values alone."""
    return rank * examples if method == "prompt" else 0

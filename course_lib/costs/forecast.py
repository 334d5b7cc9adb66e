"""Seconds and memory of a training run on this machine, foretold from a few short ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from course_lib.core.chat import Example, check_examples
from course_lib.core.errors import above_zero, whole_above_zero
from course_lib.costs.bills import training_flops
from course_lib.costs.memory import Memory, Shape, model_shape, trained_parameters, training_memory
from course_lib.models.chatmodel import ChatModel
from course_lib.models.quantization import quantize
from course_lib.models.scoring import token_counts
from course_lib.training.methods import METHODS, Recipe
from course_lib.training.run import train, without_old_names

# A step's seconds are those of a longer run less a shorter one, so that how they start does not count.
FEW, MANY = 2, 6


# Each of the five prices of a step must be heard in one of these at least: small and large batches with hardly anything
# beside the frozen weights, LoRA's side paths, the optimizer of all weights, and weights in 4 bits that are unpacked.
CALIBRATION_RUNS: tuple[dict[str, Any], ...] = (
    {"method": "adapter", "batch_size": 2},
    {"method": "adapter", "batch_size": 8},
    {"method": "lora", "batch_size": 4},
    {"method": "full", "batch_size": 4},
    {"method": "qlora", "batch_size": 4},
)


# Logits are held as they come, as log-probabilities, and as their gradient; in fp32.
LOGITS_BYTES = 3 * 4


@dataclass(frozen=True)
class Work:
    """What a run reads.

    Attributes
    ----------
    steps, examples
        Of the whole run; examples in one step.
    tokens, completion_tokens
        In a step, the mean; padding not counted.
    widest
        Tokens of the largest step, padding counted.
    """

    steps: int
    examples: int
    tokens: float
    completion_tokens: float
    widest: int


@dataclass(frozen=True)
class Calibration:
    """Seconds that this machine takes, by what it takes them for.

    Attributes
    ----------
    flop
        For one FLOP of a large matrix product.
    step
        For a step, whatever its size.
    side
        For a number that goes into or out of an adapter beside a matrix.
    trained
        For a number that the optimizer moves.
    packed
        For a weight in 4 bits that is unpacked, forward and backward.
    start
        For a run to begin.
    """

    flop: float
    step: float
    side: float
    trained: float
    packed: float
    start: float = 0.0

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
    """What training on these examples reads, batched by length as `finetune` does.

    Raises
    ------
    CourseError
        For a batch size or a number of epochs that is not above 0.
    DataError
        For examples of another shape.
    """
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


def calibrate(model: ChatModel, examples: Sequence[Example]) -> Calibration:
    """Train in five ways for a few steps, and find what a FLOP, a step and the rest take here.

    A step's seconds are a sum of the five prices of `Calibration`, each times how much of it the method needs; the
    prices are those, none below 0, that miss the runs least (non-negative least squares of relative errors).

    Parameters
    ----------
    model
        As it was loaded, not in 4 bits; it stays as it was.
    examples
        64 or more make batches of the usual length; they are repeated where there are fewer.

    Raises
    ------
    DataError
        For examples of another shape.
    """
    rows, shape = check_examples(examples), model_shape(model)
    measured, starts = [], []
    for run in CALIBRATION_RUNS:
        batch = run["batch_size"]
        base = quantize(model) if METHODS[run["method"]].four_bit else model
        taken = []
        for steps in (FEW, MANY):
            chosen = [rows[i % len(rows)] for i in range(batch * steps)]
            taken.append((_seconds(base, chosen, run), work_of(model, chosen, batch)))
        (short, _), (long, work) = taken
        each = max(long - short, 1e-9) / (MANY - FEW)
        starts.append(max(short - FEW * each, 0.0))
        measured.append((_quantities(shape, work, run), each))
    return fitted(measured, sum(starts) / len(starts))


def fitted(measured: Sequence[tuple[tuple[float, ...], float]], start: float = 0.0) -> Calibration:
    """The prices that explain measured steps best.

    Parameters
    ----------
    measured
        For each run what a step needs (FLOPs, steps, side numbers, trained numbers, packed numbers), and its seconds.
    start
        Seconds for a run to begin.
    """
    import numpy as np
    from scipy.optimize import nnls

    wanted = np.array([quantities for quantities, _ in measured])  # (runs, 5)
    scale = wanted.max(axis=0)
    scale[scale == 0] = 1  # nnls wants columns of like size
    seconds = np.array([each for _, each in measured])  # (runs,)
    prices, _ = nnls(wanted / scale / seconds[:, None], np.ones(len(seconds)))
    return Calibration(*(float(price) for price in prices / scale), start=start)


def forecast(
    model: ChatModel,
    examples: Sequence[Example],
    calibration: Calibration,
    method: str = "lora",
    *,
    epochs: float = 4,
    batch_size: int = 16,
    rank: int = 8,
    layers: str = "all",
    targets: str = "all",
) -> Forecast:
    """What `finetune`, called like this, will take.

    Returns
    -------
    Seconds by the calibration; memory by `training_memory`, for the largest step, and the logits' beside it.

    Raises
    ------
    ChoiceError
        For an unknown method, layers or targets.
    CourseError
        For numbers that make no sense.
    DataError
        For examples of another shape.
    """
    shape, work = model_shape(model), work_of(model, examples, batch_size, epochs)
    run = {"method": method, "rank": rank, "layers": layers, "targets": targets}
    quantities = _quantities(shape, work, run)
    prices = list(asdict(calibration).values())[: len(quantities)]
    each = sum(price * quantity for price, quantity in zip(prices, quantities))
    memory = training_memory(
        shape, method, rank, targets, layers, tokens=work.widest + _virtual(method, rank, work.examples),
        precision="fp32" if str(model.model.dtype) == "torch.float32" else "16-bit", checkpointing=False,
    )  # fmt: skip
    logits = work.completion_tokens * shape.vocabulary * LOGITS_BYTES
    memory = Memory(memory.weights, memory.gradients, memory.optimizer, memory.activations + logits)
    return Forecast(work, quantities[0] * work.steps, calibration.start + each * work.steps, each, memory)


def _quantities(shape: Shape, work: Work, run: dict[str, Any]) -> tuple[float, float, float, float, float]:
    """What a step needs: FLOPs, one step, numbers beside matrices, numbers trained, weights unpacked."""
    method, rank = run["method"], run.get("rank", 8)
    place = {"rank": rank, "targets": run.get("targets", "all"), "layers": run.get("layers", "all")}
    tokens = work.tokens + _virtual(method, rank, work.examples)
    flops = training_flops(
        shape, tokens, method, **place, length=tokens / work.examples, logits=work.completion_tokens / tokens
    )
    trained = trained_parameters(shape, method, **place)
    beside = trained / rank * tokens if METHODS[method].placed else 0.0
    return flops, 1.0, beside, float(trained), float(shape.linear if method == "qlora" else 0)


def _virtual(method: str, rank: int, examples: int) -> int:
    """Tokens that "prompt" puts before the examples of a step; those of "prefix" are keys and values alone."""
    return rank * examples if method == "prompt" else 0


def _seconds(model: ChatModel, rows: list[Example], run: dict[str, Any]) -> float:
    """Of one real run, which leaves nothing behind; a session that replays stored adapters runs it all the same."""
    method, batch = run["method"], run["batch_size"]
    recipe = Recipe(method, 1, METHODS[method].learning_rate, batch, 8, "all", 0)
    with without_old_names():
        return train(model, rows, recipe, "calibration", "calibration", max_steps=len(rows) // batch).training.seconds

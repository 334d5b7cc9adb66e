"""The formats of four bits that lesson 04 compares, how far each moves the weights, and whether ours had been there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import course_lib as cl
from course_lib.models import quantization
from course_lib.models.quantization import dequantized, is_quantized

FORMATS: dict[str, Callable[[cl.ChatModel], cl.ChatModel]] = {
    "none": lambda model: model,
    "nf4-double": partial(quantization.round_trip_model, scheme="nf4", double=True),
    "nf4": partial(quantization.round_trip_model, scheme="nf4"),
    "fp4": partial(quantization.round_trip_model, scheme="fp4"),
    "int4": partial(quantization.round_trip_model, scheme="int4"),
    "int4-32": partial(quantization.round_trip_model, scheme="int4", block=32),
    "bitsandbytes": quantization.quantize,
}
BITS = {
    "nf4-double": cl.bits_per_weight("nf4", double=True),
    **{name: cl.bits_per_weight(name) for name in ("nf4", "fp4", "int4")},
    "int4-32": cl.bits_per_weight("int4", block=32),
}
Q4_1_BLOCK = 32


def error(before: cl.ChatModel, after: cl.ChatModel) -> dict[str, float]:
    """How far the linear weights moved: the root of the mean square over that of the weights, and the share at rest."""
    plain = dequantized(after.model) if is_quantized(after.model) else after.model
    pairs = list(zip(_linear(before.model), _linear(plain)))
    moved = sum(float((b - a).square().sum()) for a, b in pairs)
    return {
        "error": round((moved / sum(float(a.square().sum()) for a, _ in pairs)) ** 0.5, 5),
        "unmoved": round(_share_close(pairs), 4),
    }


def size(name: str, model: cl.ChatModel) -> int:
    """Bytes of the weights in a format: the linear layers of the blocks in it, the rest as it is."""
    if name not in BITS:
        return FORMATS[name](model).size()
    linear = list(_linear(model.model))
    numbers = sum(weight.numel() for weight in linear)
    return round(model.size() - numbers * model.model.dtype.itemsize + numbers * BITS[name] / 8)


def q4_1(weights: torch.Tensor) -> torch.Tensor:
    """Weights as they come back from GGUF's Q4_1: in blocks of 32, 16 even steps from the least to the largest."""
    blocks, (low, step) = weights.reshape(-1, Q4_1_BLOCK), _grid(weights)
    return (low + step * ((blocks - low) / step.clamp(min=1e-12)).round()).view(weights.shape)


def once_before(model: cl.ChatModel) -> dict[str, float]:
    """Whether the weights lie on Q4_1's grid, and whether it matters to another format that they do.

    "smooth" weights are ours with each spread evenly over its step of the grid: what they may have been before.
    """
    torch.manual_seed(0)
    weights = [weight.float() for weight in _linear(model.model)]
    found = {"on_the_grid": _share_close((weight, q4_1(weight)) for weight in weights)}
    for name, options in {"nf4": {"scheme": "nf4"}, "int4-32": {"scheme": "int4", "block": 32}}.items():
        for kind, these in (("ours", weights), ("smooth", [_smooth(weight) for weight in weights])):
            moved = sum(float((quantization.round_trip(weight, **options) - weight).square().sum()) for weight in these)
            found[f"{name}_{kind}"] = (moved / sum(float(weight.square().sum()) for weight in these)) ** 0.5
    return {name: round(value, 5) for name, value in found.items()}


def _smooth(weights: torch.Tensor) -> torch.Tensor:
    _, step = _grid(weights)
    return (weights.reshape(-1, Q4_1_BLOCK) + step * (torch.rand(step.numel(), Q4_1_BLOCK) - 0.5)).view(weights.shape)


def _grid(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The least weight of each block and the step between two levels, (blocks, 1) each."""
    blocks = weights.reshape(-1, Q4_1_BLOCK)
    low, high = blocks.amin(1, keepdim=True), blocks.amax(1, keepdim=True)
    return low, (high - low) / 15


def _linear(model: Any) -> Iterator[torch.Tensor]:
    return (tensor.float() for name, tensor in model.state_dict().items() if name.endswith("_proj.weight"))


def _share_close(pairs: Any) -> float:
    close = total = 0
    for before, after in pairs:
        # Nothing is as small as a thousandth of the matrix's spread but rounding.
        close += int(((after - before).abs() <= 1e-4 * before.std()).sum())
        total += before.numel()
    return close / total

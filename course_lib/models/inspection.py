"""Looking inside a model, before and after: what is in it, what was trained, which weights moved and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, check_share, choose
from course_lib.models.chatmodel import ChatModel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

# The seven matrices of a Llama block (Touvron et al. 2023, arXiv 2302.13971), and what they are for.
MATRICES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}  # fmt: skip

# Pieces of parameter names, in the order in which a token meets the parts.
PARTS = {
    "embed_tokens": "embeddings", "self_attn": "attention", "mlp": "MLP", "norm": "norms", "lm_head": "output layer",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A part of the model, and how much of it was trained."""

    name: str
    parameters: int  # numbers in it, as it was pretrained
    trained: int = 0  # how many of these were trained
    added: int = 0  # how many new numbers were put beside them and trained, such as LoRA's matrices


def parts(model: ChatModel) -> list[Part]:
    """The parts of a model in the order in which a token meets them; weights shared by two parts are counted once.

    What was trained is read from `model.training`: everything by full fine-tuning, what was added by other methods.
    """
    everything = model.training is not None and model.training.recipe.method == "full"
    counts: dict[str, list[int]] = {name: [0, 0] for name in (*PARTS.values(), "other")}
    for name, parameter in model.model.named_parameters():
        part = next((part for piece, part in PARTS.items() if piece in name), "other")
        added = re.search(r"lora_|adapter_|prompt_|bottleneck", name)  # what PEFT wraps keeps its name
        counts[part][added is not None] += parameter.numel()
    return [Part(part, own, own if everything else 0, added) for part, (own, added) in counts.items() if own or added]


def weight_changes(before: ChatModel, after: ChatModel) -> pd.DataFrame:
    """How far each matrix moved, ||W' - W|| / ||W|| in Frobenius norms: a row a layer (L), a column a matrix (7)."""
    import pandas as pd

    def moved(layer: int, matrix: str) -> float:
        return float(_change(before, after, layer, matrix).norm() / _weight(before, layer, matrix).norm())

    layers = range(before.config.num_hidden_layers)
    table = {matrix: [moved(layer, matrix) for layer in layers] for matrix in MATRICES}
    return pd.DataFrame(table).rename_axis("layer")


def weight_change(before: ChatModel, after: ChatModel, layer: int, matrix: str) -> np.ndarray:
    """W' - W of one of the `MATRICES`, (out, in); layers count from 0, or from the end with negative numbers."""
    choose("matrix", matrix, MATRICES)
    layers = before.config.num_hidden_layers
    if not -layers <= layer < layers:
        raise CourseError(f"layer {layer} is not in this model: its layers are 0 to {layers - 1}.")
    return _change(before, after, layer % layers, matrix).cpu().numpy()


def singular_values(change: Any) -> np.ndarray:
    """Singular values of a matrix, largest first, (min(out, in),)."""
    import numpy as np

    return np.linalg.svd(np.asarray(change, dtype=np.float64), compute_uv=False)


def rank_holding(values: Any, share: float = 0.9) -> int:
    """How many of the largest singular values hold a share of the change's energy (the sum of squares)."""
    import numpy as np

    check_share("share", share)
    energy = np.cumsum(np.square(np.asarray(values, dtype=np.float64)))
    if not energy[-1] > 0:
        raise CourseError("nothing has changed: all singular values are 0.")
    return int(np.searchsorted(energy, share * energy[-1] * (1 - 1e-12)) + 1)


def _module(model: ChatModel, layer: int, matrix: str) -> torch.nn.Module:
    name = f"layers.{layer}.{MATRICES[matrix]}"
    for found, module in model.model.named_modules():
        if found.endswith(name):
            return module
    raise CourseError(f"{model.name} has no {name}: only models built like Llama can be looked into.")


def _weight(model: ChatModel, layer: int, matrix: str) -> torch.Tensor:
    """The matrix as it computes, (out, in), in fp32: with LoRA, what it was plus what was learned."""
    module = _module(model, layer, matrix)
    if not hasattr(module, "get_delta_weight"):
        return module.weight.detach().float()
    weight = module.get_base_layer().weight.detach().float()
    return weight + sum(module.get_delta_weight(name).detach().float() for name in module.active_adapters)


def _change(before: ChatModel, after: ChatModel, layer: int, matrix: str) -> torch.Tensor:
    old, new = _weight(before, layer, matrix), _weight(after, layer, matrix)
    if old.shape != new.shape:
        raise CourseError(f"{before.name} and {after.name} are of two architectures: they cannot be compared.")
    return new - old

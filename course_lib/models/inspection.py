"""Looking inside a model, before and after: which weights moved, how far, and in how few directions."""

from __future__ import annotations

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

"""The change that full fine-tuning made, matrix by matrix: in how many directions, and cut down to a few of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

import course_lib as cl
from course_lib.models import inspection
from course_lib.models.inspection import MATRICES

CUTS = (1, 8, 64)
LOOKED_AT = (20, "up")
SHOWN = 64


def look(before: cl.ChatModel, after: cl.ChatModel) -> tuple[dict[str, Any], Callable[[int], cl.ChatModel]]:
    """The directions that hold nine tenths of each change, and a function that keeps the strongest `rank` of each.

    By the singular value decomposition; the best approximation of that rank (Eckart & Young 1936).
    """
    layers, holding, values, factors = before.model.config.num_hidden_layers, [], [], {}
    for layer in range(layers):
        holding.append([])
        for matrix in MATRICES:
            u, s, v = torch.linalg.svd(
                torch.from_numpy(inspection.weight_change(before, after, layer, matrix)), full_matrices=False
            )
            holding[-1].append(inspection.rank_holding(s, 0.9))
            factors[layer, matrix] = u[:, : max(CUTS)] * s[: max(CUTS)], v[: max(CUTS)]
            if (layer, matrix) == LOOKED_AT:
                values = [round(float(value / s[0]), 4) for value in s[:SHOWN]]

    def cut(rank: int) -> cl.ChatModel:
        model = copy.deepcopy(before.model)
        for (layer, matrix), (left, right) in factors.items():
            weight = model.get_submodule(f"model.layers.{layer}.{MATRICES[matrix]}").weight
            weight.data += (left[:, :rank] @ right[:rank]).to(weight.dtype)
        return replace(before, model=model, name=f"full, cut to rank {rank}", base=f"cut-{rank}", training=None)

    found = {"holding": holding, "values": values, "layer": LOOKED_AT[0], "matrix": LOOKED_AT[1]}
    return found, cut

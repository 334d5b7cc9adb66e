"""Learning from pairs of replies, one preferred to the other: direct preference optimization (DPO)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_lib.core.chat import Pair, check_pairs
from course_lib.core.errors import above_zero, choose, not_below_zero
from course_lib.models.chatmodel import ChatModel
from course_lib.training.methods import Recipe
from course_lib.training.run import fit, prepared, started
from course_lib.training.shelf import find, recorded

if TYPE_CHECKING:
    import numpy as np

OBJECTIVES = ("dpo", "ipo")


@dataclass(frozen=True, kw_only=True)
class PreferenceRecipe(Recipe):
    """The settings of direct preference optimization."""

    beta: float
    anchor: float = 0.0


def dpo_loss(
    chosen: float, rejected: float, start_chosen: float, start_rejected: float, beta: float = 0.1
) -> float | np.ndarray:
    """The loss of direct preference optimization, for one pair or for many.

    −log σ(β · ((log π(chosen) − log π₀(chosen)) − (log π(rejected) − log π₀(rejected)))): how surprised the model is
    by the preference, if β times the change of a reply's log-probability were its reward (Rafailov et al. 2023, arXiv
    2305.18290, equation 7). The log-probabilities are in nats, of the model that is trained and of its start: numbers,
    or arrays (n,). Before the first step the loss is log 2.
    """
    import numpy as np

    above_zero(beta=beta)
    margin = beta * ((chosen - start_chosen) - (rejected - start_rejected))
    return np.logaddexp(0, -margin)  # −log σ(margin), also where σ would round to 0


def prefer(
    model: ChatModel,
    pairs: Sequence[Pair],
    method: str = "dpo",
    *,
    name: str | None = None,
    beta: float = 0.1,
    anchor: float = 0.0,
    epochs: float = 1,
    learning_rate: float = 5e-4,
    batch_size: int = 4,
    rank: int = 8,
    layers: str = "all",
    targets: str = "all",
    seed: int | None = None,
    checkpoint_every: int | None = None,
    from_shelf: bool = False,
) -> ChatModel:
    """Train a copy of a model to find preferred replies likelier, without a reward model; the model stays as it was.

    LoRA on the frozen weights, which are shared (a model in 4 bits stays in 4 bits), AdamW, linear decay. Interrupted
    runs, `COURSE_REPLAY`, `COURSE_RECORD` and the shelf work as with `cl.finetune`.

    Parameters
    ----------
    model
        Where to start, and what not to stray from. An adapter on it is merged first, and is part of the start.
    pairs
        Rows of {"prompt": messages, "chosen": messages, "rejected": messages}; `cl.pair` makes one.
    method
        - "dpo": the loss of `dpo.dpo_loss` (Rafailov et al. 2023, arXiv 2305.18290).
        - "ipo": a squared error, (difference of the mean change of a token's log-probability − 1 / 2β)², which aims at
          one margin and no further (Azar et al. 2023, arXiv 2310.12036, by length as TRL has it).
    beta
        How strongly the model is held to where it started.
    anchor
        How much the loss of plain fine-tuning on the chosen reply (a mean over its tokens) counts besides; 0 is the
        paper's method. The loss of preference alone is content if both replies become less likely, the rejected one
        faster, and with them the token that ends a reply (Pang et al. 2024, arXiv 2404.19733).
    epochs, batch_size, learning_rate
        Passes over the pairs; pairs a step; AdamW's, a tenth of what fine-tuning by LoRA takes or less.
    name, rank, layers, targets, seed, checkpoint_every, from_shelf
        As in `cl.finetune`.

    Returns
    -------
    A ChatModel. `training.losses` holds the loss of each step and `training.curves`, of each step's batch: "chosen"
    and "rejected", β times the change of a reply's log-probability, its implicit reward; "margin", their difference;
    "accuracy", the share of pairs with a margin above 0.
    """
    choose("method", method, OBJECTIVES)
    above_zero(beta=beta)
    not_below_zero(anchor=anchor)
    numbers = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "rank": rank, "seed": seed}
    place = {"layers": layers, "targets": targets, "order": "random"}
    held = {"objective": method, "beta": float(beta), "anchor": float(anchor)}
    model, recipe = started("prefer", model, PreferenceRecipe, **numbers, **place, **held)
    rows = check_pairs(pairs, model.tokenizer)
    label = name or f"{method} on {len(rows)} pairs"
    job = prepared(model, recipe, rows, label, name=name, checkpoint_every=checkpoint_every)
    return job.result(find(job, from_shelf) or recorded(job, fit(job)))

"""Checks of the exercises about LoRA, merging and memory (lesson 04)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

from course_lib.costs.memory import Shape
from course_lib.lessons.checks.registry import Verdict, register
from course_lib.training.methods import METHODS


@register("04-count", names="count")
def _count(attempt: Any, *, shape: Shape, rank: int) -> Verdict:
    """Numbers that LoRA of a rank trains on the four attention matrices of every block."""
    if not isinstance(attempt, Integral) or isinstance(attempt, bool):
        return Verdict(False, f"One whole number is wanted: this is {attempt!r}.")
    sizes = [(into, out) for group, into, out in shape.matrices().values() if group == "attention"]
    block = rank * sum(into + out for into, out in sizes)
    right = block * shape.layers
    if attempt == right:
        share = right / sum(into * out for into, out in sizes) / shape.layers
        return Verdict(True, f"Yes. {right:,}, or {share:.1%} of the numbers in the matrices that they change.")
    mistakes = {
        block: f"That is one layer's: the model has {shape.layers}.",
        right // rank: "You have counted rank 1: each of the two matrices is `rank` numbers wide.",
        shape.layers * sum(into * out for into, out in sizes): "Those are the matrices: LoRA leaves them alone.",
        shape.layers * rank * sum(into for into, _ in sizes): "That is A alone, rank x in. And B?",
        shape.layers * rank * sum(out for _, out in sizes): "That is B alone, out x rank. And A?",
        shape.layers * rank * len(sizes) * 2 * shape.hidden: "Nearly: keys and values have fewer numbers out than in.",
        shape.layers * rank * sum(into + out for _, into, out in shape.matrices().values()): (
            "You have counted the MLP too: only the four of attention are asked for."
        ),
    }  # fmt: skip
    if attempt in mistakes:
        return Verdict(False, mistakes[attempt])
    return Verdict(False, f"No: for one matrix it is rank · in + out · rank. {'Fewer' if attempt > right else 'More'}.")


@register("04-merge", names="merged")
def _merge(attempt: Any, *, layer: Any) -> Verdict:
    """The one matrix that does what a LoRA layer does; the layer has `frozen`, `A`, `B` and `scale`."""
    import torch

    if not isinstance(attempt, torch.Tensor):
        return Verdict(False, f"A matrix is wanted, as a tensor: this is a {type(attempt).__name__}.")
    weight, a, b = (tensor.detach().float() for tensor in (layer.frozen.weight, layer.A, layer.B))
    attempt, change = attempt.detach().float(), b @ a
    if attempt.shape != weight.shape:
        turned = " It is turned over: (in, out)." if attempt.shape == weight.T.shape else ""
        return Verdict(
            False, f"The shape is {tuple(attempt.shape)}, and that of W is {tuple(weight.shape)}.{turned} B @ A has it."
        )
    slack = 1e-4 * float(layer.scale * change.abs().max())

    def near(wanted: torch.Tensor) -> bool:
        return bool((attempt - wanted).abs().max() <= slack)

    if near(weight + layer.scale * change):
        return Verdict(True, "Yes. One matrix, as large as W, and the adapter costs nothing more from here on.")
    if near(weight):
        return Verdict(False, "That is W itself: what was learned is lost.")
    if near(layer.scale * change) or near(change):
        return Verdict(False, "That is the change alone: it is added to W.")
    if near(weight + change):
        return Verdict(False, "Nearly: the layer scales the change, by alpha over rank.")
    if near(weight - layer.scale * change):
        return Verdict(False, "The change is added, not taken off.")
    return Verdict(
        False, "The right shape, and other numbers: write down what the layer's forward does to x, without x."
    )


@register("04-fits", names="fitting")
def _fits(attempt: Any, *, needs: Mapping[str, float], card: float) -> Verdict:
    """The methods that fit on a card, of the GB that each needs."""
    names = [attempt] if isinstance(attempt, str) else attempt
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        return Verdict(False, 'Answer with a list of methods: ["full", ...].')
    chosen = {name.strip().lower() for name in names}
    if unknown := sorted(chosen - set(needs)):
        other = "a method, but not one of the table's" if unknown[0] in METHODS else "no method of the table"
        return Verdict(False, f"{unknown[0]!r} is {other}: choose among {', '.join(needs)}.")
    fitting = {name for name, size in needs.items() if size <= card}
    if too_large := sorted(chosen - fitting, key=lambda name: needs[name]):
        name = too_large[0]
        why = (
            ": training few numbers does not make the frozen ones smaller"
            if name != "full"
            else ": each of its numbers brings a gradient and the optimizer's"
        )
        return Verdict(False, f"{name} needs {needs[name]:.1f} GB, and the card has {card:g}{why}.")
    if missing := fitting - chosen:
        return Verdict(False, f"What you name fits; something else does too ({len(missing)} more).")
    if not fitting:
        return Verdict(True, f"Yes, none: the smallest needs {min(needs.values()):.1f} GB.")
    return Verdict(
        True, f"Yes. {', '.join(f'{name} with {needs[name]:.1f} GB' for name in needs if name in fitting)} of {card:g}."
    )

"""Checks of lesson 04: numbers that LoRA trains, a merged matrix, and what fits on a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from course_lib.costs.memory import Shape
from course_lib.lessons.checks.registry import Right, is_whole, register, told
from course_lib.training.methods import METHODS


@register("04-count", names="count")
def _count(attempt: Any, *, shape: Shape, rank: int) -> str:
    """Numbers that LoRA of a rank trains on the four attention matrices of every block."""
    if not is_whole(attempt):
        return f"One whole number is wanted: this is {attempt!r}."
    every = [(into + out, into, out) for _, into, out in shape.matrices().values()]
    sizes = [(into, out) for group, into, out in shape.matrices().values() if group == "attention"]
    block, weights = rank * sum(map(sum, sizes)), shape.layers * sum(into * out for into, out in sizes)
    right, trained = block * shape.layers, shape.layers * rank
    answers = [
        (right, Right(f"Yes. {right:,}, or {right / weights:.1%} of the numbers in the matrices that they change.")),
        (block, f"That is one layer's: the model has {shape.layers}."),
        (right // rank, "You have counted rank 1: each of the two matrices is `rank` numbers wide."),
        (weights, "Those are the matrices: LoRA leaves them alone."),
        (trained * sum(into for into, _ in sizes), "That is A alone, rank x in. And B?"),
        (trained * sum(out for _, out in sizes), "That is B alone, out x rank. And A?"),
        (trained * len(sizes) * 2 * shape.hidden, "Nearly: keys and values have fewer numbers out than in."),
        (
            trained * sum(both for both, *_ in every),
            "You have counted the MLP too: only the four of attention are asked for.",
        ),
    ]
    which = "Fewer" if attempt > right else "More"
    return told(answers, lambda answer: answer == attempt, f"No: for one matrix it is rank · in + out · rank. {which}.")


@register("04-merge", names="merged")
def _merge(attempt: Any, *, layer: Any) -> str:
    """The one matrix that does what a LoRA layer does; the layer has `frozen`, `A`, `B` and `scale`."""
    import torch

    if not isinstance(attempt, torch.Tensor):
        return f"A matrix is wanted, as a tensor: this is a {type(attempt).__name__}."
    weight, a, b = (tensor.detach().float() for tensor in (layer.frozen.weight, layer.A, layer.B))
    attempt, change = attempt.detach().float(), b @ a
    if attempt.shape != weight.shape:
        turned = " It is turned over: (in, out)." if attempt.shape == weight.T.shape else ""
        return f"The shape is {tuple(attempt.shape)}, and that of W is {tuple(weight.shape)}.{turned} B @ A has it."
    slack = 1e-4 * float(layer.scale * change.abs().max())

    answers = [
        (
            weight + layer.scale * change,
            Right("Yes. One matrix, as large as W, and the adapter costs nothing more from here on."),
        ),
        (weight, "That is W itself: what was learned is lost."),
        (layer.scale * change, "That is the change alone: it is added to W."),
        (change, "That is the change alone: it is added to W."),
        (weight + change, "Nearly: the layer scales the change, by alpha over rank."),
        (weight - layer.scale * change, "The change is added, not taken off."),
    ]
    other = "The right shape, and other numbers: write down what the layer's forward does to x, without x."
    return told(answers, lambda answer: bool((attempt - answer).abs().max() <= slack), other)


@register("04-fits", names="fitting")
def _fits(attempt: Any, *, needs: Mapping[str, float], card: float) -> str:
    """The methods that fit on a card, of the GB that each needs."""
    names = [attempt] if isinstance(attempt, str) else attempt
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        return 'Answer with a list of methods: ["full", ...].'
    chosen = {name.strip().lower() for name in names}
    if unknown := sorted(chosen - set(needs)):
        other = "a method, but not one of the table's" if unknown[0] in METHODS else "no method of the table"
        return f"{unknown[0]!r} is {other}: choose among {', '.join(needs)}."
    fitting = {name for name, size in needs.items() if size <= card}
    if too_large := sorted(chosen - fitting, key=lambda name: needs[name]):
        name = too_large[0]
        why = "training few numbers does not make the frozen ones smaller"
        if name == "full":
            why = "each of its numbers brings a gradient and the optimizer's"
        return f"{name} needs {needs[name]:.1f} GB, and the card has {card:g}: {why}."
    if missing := fitting - chosen:
        return f"What you name fits; something else does too ({len(missing)} more)."
    if not fitting:
        return Right(f"Yes, none: the smallest needs {min(needs.values()):.1f} GB.")
    fits = ", ".join(f"{name} with {needs[name]:.1f} GB" for name in needs if name in fitting)
    return Right(f"Yes. {fits} of {card:g}.")

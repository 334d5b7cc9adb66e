"""A slider on LoRA's rank and place: what they train, what that needs, and a small run to feel it."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Sequence
from typing import Any

from course_lib.core.chat import Example, check_examples
from course_lib.core.errors import CourseError, choose
from course_lib.core.session import current
from course_lib.core.text import say
from course_lib.costs.memory import model_shape, trained_parameters, training_memory
from course_lib.display.playground import panel, show
from course_lib.models.chatmodel import ChatModel
from course_lib.training.methods import LAYERS, TARGETS
from course_lib.training.sft import finetune

RANKS = (1, 2, 4, 8, 16, 32, 64)
STEPS, BATCH = 8, 4
STEP_TOKENS = 200  # of one step of the small run, about: four letters with their prompts
SHELF_BYTES_A_NUMBER = 2  # adapters are kept in bf16


def lora_slider(
    model: ChatModel,
    examples: Sequence[Example],
    rank: int | None = None,
    targets: str = "all",
    layers: str = "all",
    train: bool = False,
) -> None:
    """Move rank and place; see parameters, memory and file size; train eight steps of four examples.

    `rank`, `targets` and `layers` are as `finetune` takes them; a rank says it without a widget, and `train` then makes
    the small run too. The model stays as it was.
    """
    rows = check_examples(examples)
    choose("targets", targets, TARGETS)
    choose("layers", layers, LAYERS)
    text = (
        "Move the rank, choose where LoRA goes, and train eight steps. Without widgets: "
        'sliders.lora_slider(gp, examples, rank=8, targets="all", layers="all", train=True)'
    )

    def sliders() -> Any:
        fitting = [rank for rank in RANKS if rank <= model.config.hidden_size]
        return panel(
            {"rank": (fitting, min(8, fitting[-1])), "targets": (TARGETS, targets), "layers": (LAYERS, layers)},
            lambda *chosen: _what_lora_needs(model, *chosen),
            columns=3,
            press=("Train 8 steps", "Training ...", lambda *chosen: _small_run(model, rows, *chosen)),
        )

    show(sliders, text, None if rank is None else _what_lora_needs(model, rank, targets, layers))
    if rank is not None and train:
        say(_small_run(model, rows, rank, targets, layers))


def _what_lora_needs(model: ChatModel, rank: int, targets: str, layers: str) -> str:
    shape = model_shape(model)
    trained = trained_parameters(shape, "lora", rank, targets, layers)
    if rank > shape.hidden:
        raise CourseError(f"rank is {rank}: it is at most {shape.hidden} here, the model's width.")
    precision = "fp32" if current().dtype == "float32" else "mixed"
    options = {"precision": precision, "tokens": STEP_TOKENS, "checkpointing": False}
    lora = training_memory(shape, "lora", rank, targets, layers, **options)
    full = training_memory(shape, "full", **options)
    parts = {
        "weights": lora.weights, "gradients and optimizer": lora.gradients + lora.optimizer,
        "activations": lora.activations,
    }  # fmt: skip
    megabytes = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in parts.items())
    place = {"all": "all matrices", "attention": "attention", "mlp": "the MLP"}[targets]
    half = {"all": "all layers", "upper": "the upper half of the layers"}[layers]
    return (
        f"rank {rank} on {place} of {half}\n"
        f"trained:   {trained:,} new numbers beside {shape.parameters:,} ({trained / shape.parameters:.2%})\n"
        f"on disk:   {trained * SHELF_BYTES_A_NUMBER / 1e6:.1f} MB in bf16\n"
        f"in memory: {lora.total / 1e6:,.0f} MB ({megabytes}); full fine-tuning {full.total / 1e6:,.0f} MB"
    )


def _small_run(model: ChatModel, rows: list[Example], rank: int, targets: str, layers: str) -> str:
    """How far eight steps come: the same examples in the same order, whatever the rank."""
    chosen = random.Random(0).sample(rows, min(len(rows), STEPS * BATCH))
    with contextlib.redirect_stdout(io.StringIO()):  # what the run says of itself is said better here
        tuned = finetune(
            model, chosen, "lora", name=f"slider-{targets}-{layers}-{rank}", epochs=1, batch_size=BATCH, rank=rank,
            targets=targets, layers=layers, seed=0,
        )  # fmt: skip
    losses = [loss for _, loss in tuned.training.losses]
    seconds = tuned.training.seconds / len(losses)
    return f"live run:  loss {losses[0]:.2f} → {losses[-1]:.2f} in {len(losses)} steps of {seconds:.1f} s"

"""A slider on LoRA's rank and place: what they train, what that needs, and a small run to feel it."""

from __future__ import annotations

import contextlib
import html
import io
import random
from collections.abc import Sequence
from typing import Any

from course_lib.costs import Memory, model_shape, trained_parameters, training_memory
from course_lib.datasets import Example, check_examples
from course_lib.errors import CourseError, choose
from course_lib.finetuning import finetune
from course_lib.methods import LAYERS, TARGETS
from course_lib.models import ChatModel
from course_lib.progress import in_notebook
from course_lib.settings import current
from course_lib.widgets import show_widget

__all__ = ["lora_slider"]

RANKS = (1, 2, 4, 8, 16, 32, 64)
STEPS, BATCH = 8, 4
# Tokens of one step of the small run, about: four letters with their prompts.
STEP_TOKENS = 200
SHELF_BYTES_A_NUMBER = 2  # adapters are kept in bf16


def lora_slider(
    model: ChatModel,
    examples: Sequence[Example],
    rank: int | None = None,
    targets: str = "all",
    layers: str = "all",
    train: bool = False,
) -> None:
    """Move rank and place; see parameters, memory and file size; train eight steps.

    Parameters
    ----------
    model
        Where LoRA would be put; it stays as it was.
    examples
        What the small run reads: 32 of them, 8 steps of 4.
    rank, targets, layers
        As `finetune` takes them. A rank says it without a widget, and prints.
    train
        Makes the small run too, where a rank is given.

    Raises
    ------
    ChoiceError
        For unknown targets or layers.
    CourseError
        If the rank is not a whole number from 1 to the model's width, or there are no examples.
    """
    rows = check_examples(examples)
    if rank is not None:
        print(_described(model, rank, targets, layers))
        if train:
            print(_trained(model, rows, rank, targets, layers))
        return
    choose("targets", targets, TARGETS)
    choose("layers", layers, LAYERS)
    text = (
        "Move the rank, choose where LoRA goes, and train eight steps. Without widgets: "
        'cl.lora_slider(gp, examples, rank=8, targets="all", layers="all", train=True)'
    )
    show_widget(_sliders(model, rows, targets, layers) if in_notebook() else None, text)


def _sliders(model: ChatModel, rows: list[Example], targets: str, layers: str) -> Any:
    import ipywidgets as w

    fitting = [rank for rank in RANKS if rank <= model.model.config.hidden_size]
    start = min(8, fitting[-1])
    rank = w.SelectionSlider(options=fitting, value=start, description="rank", continuous_update=False)
    where = w.Dropdown(options=TARGETS, value=targets, description="targets")
    blocks = w.Dropdown(options=LAYERS, value=layers, description="layers")
    button, said, ran = w.Button(description="Train 8 steps", button_style="primary"), w.HTML(), w.HTML()

    def describe(_: Any = None) -> None:
        said.value = _as_html(_described(model, rank.value, where.value, blocks.value))
        ran.value = ""

    def train(_: Any) -> None:
        button.disabled, ran.value = True, "Training ..."
        try:
            ran.value = _as_html(_trained(model, rows, rank.value, where.value, blocks.value))
        except CourseError as error:  # the box stays usable
            ran.value = html.escape(str(error))
        finally:
            button.disabled = False

    for control in (rank, where, blocks):
        control.observe(describe, "value")
    button.on_click(train)
    describe()
    return w.VBox([w.HBox([rank, where, blocks]), said, w.HBox([button, ran])])


def _described(model: ChatModel, rank: int, targets: str, layers: str) -> str:
    """Parameters, file and memory, in words."""
    shape = model_shape(model)
    trained = trained_parameters(shape, "lora", rank, targets, layers)
    if rank > shape.hidden:
        raise CourseError(f"rank is {rank}: it is at most {shape.hidden} here, the model's width.")
    options = {
        "precision": "fp32" if current().dtype == "float32" else "mixed",
        "tokens": STEP_TOKENS,
        "checkpointing": False,
    }
    lora = training_memory(shape, "lora", rank, targets, layers, **options)
    full = training_memory(shape, "full", **options)
    place = {"all": "all matrices", "attention": "attention", "mlp": "the MLP"}[targets]
    half = {"all": "all layers", "upper": "the upper half of the layers"}[layers]
    return "\n".join(
        [
            f"rank {rank} on {place} of {half}",
            f"trained:   {trained:,} of {shape.parameters:,} parameters ({trained / shape.parameters:.2%})",
            f"on disk:   {trained * SHELF_BYTES_A_NUMBER / 1e6:.1f} MB in bf16",
            f"in memory: {_megabytes(lora)}; full fine-tuning {full.total / 1e6:,.0f} MB",
        ]
    )


def _megabytes(memory: Memory) -> str:
    parts = {
        "weights": memory.weights, "gradients and optimizer": memory.gradients + memory.optimizer,
        "activations": memory.activations,
    }  # fmt: skip
    told = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in parts.items())
    return f"{memory.total / 1e6:,.0f} MB ({told})"


def _trained(model: ChatModel, rows: list[Example], rank: int, targets: str, layers: str) -> str:
    """A small run, and how far it came: the same examples in the same order, whatever the rank."""
    chosen = random.Random(0).sample(rows, min(len(rows), STEPS * BATCH))
    with contextlib.redirect_stdout(io.StringIO()):  # what the run says of itself is said better here
        tuned = finetune(
            model, chosen, "lora", name=f"slider-{targets}-{layers}-{rank}", epochs=1, batch_size=BATCH, rank=rank,
            targets=targets, layers=layers, seed=0,
        )  # fmt: skip
    training = tuned.training
    first, last = training.losses[0][1], training.losses[-1][1]
    seconds = training.seconds / len(training.losses)
    return f"live run:  loss {first:.2f} → {last:.2f} in {len(training.losses)} steps of {seconds:.1f} s"


def _as_html(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.splitlines())

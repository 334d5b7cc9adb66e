"""One training run: TRL's trainer on an adapted model, its checkpoints, and how it went."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import shutil
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.datasets import Example
from course_lib.errors import TrainingError
from course_lib.losses import held_out_loss
from course_lib.methods import ORDERS, Recipe, adapted
from course_lib.models import ChatModel
from course_lib.settings import cache_dir, current

__all__ = [
    "Training",
    "count_parameters",
    "dataset_of",
    "for_training",
    "restore_forward",
    "run_folder",
    "train",
    "trainer_arguments",
    "without_old_names",
]

CHECKPOINTS_A_RUN, LOOKS_A_RUN = 4, 10


@contextlib.contextmanager
def without_old_names() -> Iterator[None]:
    """PEFT asks transformers for checkpointing by its old name, which would be printed under the learner's cell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        yield


@dataclass(frozen=True)
class Training:
    """How a model was made.

    Attributes
    ----------
    losses
        (step, mean loss on completion tokens) at every step.
    seconds, tokens
        Of the training itself; prompt and completion tokens, padding not counted, all epochs.
    trainable, parameters
        Numbers trained, and numbers in the model.
    replayed
        Whether the adapter was taken from the shelf.
    optimizer_bytes
        What AdamW kept beside the weights when training ended, measured.
    held_out
        (step, mean loss on the held-out examples), from step 0 on; empty where none were given.
    """

    recipe: Recipe
    losses: tuple[tuple[int, float], ...]
    seconds: float
    tokens: int
    trainable: int
    parameters: int
    replayed: bool = False
    optimizer_bytes: int = 0
    held_out: tuple[tuple[int, float], ...] = ()

    def __str__(self) -> str:
        share, millions = self.trainable / self.parameters, self.trainable / 1e6
        return (
            f"{self.recipe.method}: {millions:{'.2f' if millions >= 0.005 else '.2g'}} of {self.parameters / 1e6:.1f} "
            f"million parameters ({share:{'.1%' if share >= 0.0005 else '.3%'}}), {len(self.losses)} steps, loss "
            f"{self.losses[0][1]:.2f} → {self.losses[-1][1]:.2f}, "
            f"{self.tokens:,} tokens in {self.seconds:.0f} s"
        )


def train(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, checkpoint_every: int | None = None,
    watched: tuple[list[Example], int | None] | None = None, max_steps: int = -1,
) -> ChatModel:  # fmt: skip
    """Train an adapted copy of a model; raises as `finetuning.finetune` does.

    Parameters
    ----------
    key
        Of the call: where its checkpoints lie, so that the same call goes on from them.
    label
        What the result is called.
    watched
        Held-out examples, and how many steps apart to read them.
    max_steps
        Stop after so many, without checkpoints; -1 is all of them.
    """
    from transformers import PrinterCallback, set_seed

    from course_lib._trainer import CompletionTrainer, HeldOutWatch, ProgressCallback

    set_seed(recipe.seed)
    trained = adapted(model, recipe)
    folder = run_folder(key)
    steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
    every = checkpoint_every or (max(10, int(steps / CHECKPOINTS_A_RUN)) if recipe.method != "full" else 0)
    arguments = trainer_arguments(recipe, folder, every if max_steps < 0 else 0, max_steps)
    progress = ProgressCallback(f"Training {label}")
    tuned = ChatModel(trained, model.tokenizer, label, f"{model.base}+{key}", model.system)
    examples, apart = watched or ([], None)
    watch = HeldOutWatch(lambda: held_out_loss(tuned, examples), apart or max(1, int(steps / LOOKS_A_RUN)))
    started = time.perf_counter()
    try:
        trainer = CompletionTrainer(
            model=trained,
            args=arguments,
            train_dataset=dataset_of(rows),
            processing_class=for_training(model.tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(progress)
        if watched:
            trainer.add_callback(watch)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder) if max_steps < 0 else None)
    except KeyboardInterrupt:
        raise TrainingError(
            f"training {label!r} was interrupted at step {len(progress.losses)}. Run the cell again: it goes on from "
            "the last checkpoint."
        ) from None
    except OSError as error:
        raise TrainingError(
            f"a checkpoint cannot be written to {folder} ({error}): free some disk or set COURSE_CACHE, and run again."
        ) from error
    finally:
        progress.close()
    seconds = time.perf_counter() - started - watch.seconds
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    trainable = sum(p.numel() for p in trained.parameters() if p.requires_grad)
    tuned.training = Training(
        recipe, tuple(progress.losses), seconds, int(tokens * recipe.epochs), trainable, count_parameters(trained),
        optimizer_bytes=trainer.optimizer_bytes(), held_out=tuple(watch.losses),
    )  # fmt: skip
    restore_forward(trained)
    trained.requires_grad_(False).eval()
    return tuned


def trainer_arguments(recipe: Recipe, folder: Path, save_every: int, max_steps: int) -> Any:
    from trl import SFTConfig

    settings = current()
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        max_steps=max_steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.05,
        optim="adamw_torch",
        seed=recipe.seed,
        completion_only_loss=True,
        max_length=None,
        train_sampling_strategy=ORDERS[recipe.order],
        # TRL turns bf16 and checkpointing on by itself: the first is a trap on most CPUs, the second costs a third.
        bf16=settings.dtype == "bfloat16",
        fp16=settings.dtype == "float16",
        activation_checkpointing=False,
        use_cpu=settings.device == "cpu",
        dataloader_pin_memory=settings.device == "cuda",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if save_every else "no",
        save_steps=save_every or 500,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )


def dataset_of(rows: list[Example]) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.Dataset.from_list(rows)


def for_training(tokenizer: Any) -> Any:
    """The tokenizer, padding on the right; a copy, because answering pads on the left."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = "right"
    return tokenizer


def restore_forward(trained: Any) -> None:
    """TRL hangs a forward of its own on the model; generation does not need it."""
    base = trained.get_base_model() if hasattr(trained, "get_base_model") else trained
    base.__dict__.pop("forward", None)


def run_folder(key: str) -> Path:
    return cache_dir() / "runs" / key


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is whole: one that a kill has left half lacks its state, which is written last."""
    for path in sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
            continue
        print(f"Going on from {path.name}, where an earlier run of this call was interrupted.")
        return str(path)
    return None


def count_parameters(model: Any) -> int:
    """Numbers in a model; a weight in 4 bits is one, although two lie in a byte."""
    packed = (getattr(p, "quant_state", None) for p in model.parameters())
    return sum(math.prod(q.shape) if q is not None else p.numel() for p, q in zip(model.parameters(), packed))

"""One training run: TRL's trainer on an adapted model, its checkpoints, and how it went."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from course_lib.core.chat import Example
from course_lib.core.errors import TrainingError
from course_lib.core.session import cache_dir, current
from course_lib.models.chatmodel import ChatModel
from course_lib.models.scoring import held_out_loss
from course_lib.training.methods import ORDERS, Recipe, adapted

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
        (step, mean loss) at every step: on completion tokens, or of the objective that was trained for.
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
    curves
        What else was followed, by name, as (step, value) at every step: margins, rewards, KL.
    samples
        Of a policy, the first reply of each step: its step, prompt, reply and reward.
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
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()

    def __str__(self) -> str:
        share, millions = self.trainable / self.parameters, self.trainable / 1e6
        followed = {"loss": self.losses} | self.curves
        shown = ", ".join(f"{name} {rows[0][1]:.2f} → {rows[-1][1]:.2f}" for name, rows in followed.items())
        return (
            f"{self.recipe.called}: {millions:{'.2f' if millions >= 0.005 else '.2g'}} of {self.parameters / 1e6:.1f} "
            f"million parameters ({share:{'.1%' if share >= 0.0005 else '.3%'}}), {len(self.losses)} steps, "
            f"{shown}, {self.tokens:,} tokens in {self.seconds:.0f} s"
        )


def train(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, checkpoint_every: int | None = None,
    watched: tuple[list[Example], int | None] | None = None, max_steps: int = -1,
) -> ChatModel:  # fmt: skip
    """Train an adapted copy of a model on examples; raises as `sft.finetune` does.

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
    from transformers import set_seed

    from course_lib.training.trainers import CompletionTrainer, HeldOutWatch

    set_seed(recipe.seed)
    trained = adapted(model, recipe)
    saves = save_every(recipe, len(rows), checkpoint_every, max_steps)
    arguments = trainer_arguments(recipe, run_folder(key), saves, max_steps)
    tuned = model.retrained(trained, label, key)
    examples, apart = watched or ([], None)
    watch = HeldOutWatch(
        lambda: held_out_loss(tuned, examples), apart or max(1, int(steps_of(recipe, len(rows)) / LOOKS_A_RUN))
    )

    def build() -> CompletionTrainer:
        return CompletionTrainer(
            model=trained,
            args=arguments,
            train_dataset=dataset_of(rows),
            processing_class=for_training(model.tokenizer),
        )

    run = run_trainer(build, label, arguments, [watch] if watched else [])
    tokens = sum(len(ids) for ids in run.trainer.train_dataset["input_ids"])
    tuned.training = replace(
        described(run, trained, recipe, int(tokens * recipe.epochs)),
        seconds=run.seconds - watch.seconds,
        held_out=tuple(watch.losses),
    )
    at_rest(trained)
    return tuned


@dataclass(frozen=True)
class Run:
    """A trainer that has trained, what it logged of the loss, and the seconds it took."""

    trainer: Any
    losses: tuple[tuple[int, float], ...]
    seconds: float


def run_trainer(
    build: Callable[[], Any], label: str, arguments: Any, callbacks: Sequence[Any] = (), shows: str = "loss"
) -> Run:
    """Build a trainer and let it train, from the last checkpoint of the same call if there is one.

    Parameters
    ----------
    build
        Makes the trainer: what that costs is part of the run.
    arguments
        What it was given: where its checkpoints lie, if it writes any.
    shows
        The figure of the log that stands beside the progress bar.

    Raises
    ------
    TrainingError
        If it is interrupted, or a checkpoint cannot be written.
    """
    from transformers import PrinterCallback

    from course_lib.training.trainers import ProgressCallback

    folder = Path(arguments.output_dir)
    progress = ProgressCallback(f"Training {label}", shows)
    started = time.perf_counter()
    try:
        trainer = build()
        trainer.remove_callback(PrinterCallback)
        for callback in (progress, *callbacks):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder) if arguments.max_steps < 0 else None)
    except KeyboardInterrupt:
        way_out = "Run the cell again" + ("." if arguments.max_steps > 0 else ": it goes on from the last checkpoint.")
        raise TrainingError(f"training {label!r} was interrupted at step {len(progress.losses)}. {way_out}") from None
    except OSError as error:
        raise TrainingError(
            f"a checkpoint cannot be written to {folder} ({error}): free some disk or set COURSE_CACHE, and run again."
        ) from error
    finally:
        progress.close()
    return Run(trainer, tuple(progress.losses), time.perf_counter() - started)


def described(run: Run, trained: Any, recipe: Recipe, tokens: int, curves: Mapping[str, str] | None = None) -> Training:
    """How a run went; `curves` are figures of the trainer's log, by the name they get and the one they have there."""
    followed = {
        name: tuple((row["step"], row[logged]) for row in run.trainer.state.log_history if row.get(logged) is not None)
        for name, logged in (curves or {}).items()
    }
    return Training(
        recipe, run.losses, run.seconds, tokens,
        trainable=sum(p.numel() for p in trained.parameters() if p.requires_grad),
        parameters=count_parameters(trained),
        optimizer_bytes=run.trainer.optimizer_bytes(),
        curves={name: rows for name, rows in followed.items() if rows},
    )  # fmt: skip


def at_rest(trained: Any) -> None:
    """Take off what TRL hung on a model, and let nothing of it be trained any more."""
    restore_forward(trained)
    trained.requires_grad_(False).eval()


def steps_of(recipe: Recipe, examples: int) -> float:
    """Steps of a whole run."""
    return math.ceil(examples / recipe.batch_size) * recipe.epochs


def save_every(recipe: Recipe, examples: int, wanted: int | None, max_steps: int) -> int:
    """Steps between two checkpoints; 0 is none: in a run of a few steps, and of all weights unless they are wanted."""
    if max_steps >= 0 or (recipe.method == "full" and not wanted):
        return 0
    return wanted or max(10, int(steps_of(recipe, examples) / CHECKPOINTS_A_RUN))


def trainer_arguments(recipe: Recipe, folder: Path, saves: int, max_steps: int) -> Any:
    from trl import SFTConfig

    return SFTConfig(
        **epoch_arguments(recipe, folder, saves, max_steps),
        warmup_steps=0.05,
        completion_only_loss=True,
        train_sampling_strategy=ORDERS[recipe.order],
    )


def epoch_arguments(recipe: Recipe, folder: Path, saves: int, max_steps: int) -> dict[str, Any]:
    """What a trainer is told that passes over examples: how often, a rate that falls to nothing, no row cut off."""
    of_passes = {"num_train_epochs": recipe.epochs, "lr_scheduler_type": "linear", "max_length": None}
    return common_arguments(recipe, folder, saves, max_steps) | of_passes


def common_arguments(recipe: Recipe, folder: Path, saves: int, max_steps: int) -> dict[str, Any]:
    """What every trainer of the course is told; `saves` is the steps between two checkpoints, 0 for none."""
    settings = current()
    return {
        "output_dir": str(folder),
        "max_steps": max_steps,
        "per_device_train_batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "optim": "adamw_torch",
        "seed": recipe.seed,
        # TRL turns bf16 and checkpointing on by itself: the first is a trap on most CPUs, the second costs a third.
        "bf16": settings.dtype == "bfloat16",
        "fp16": settings.dtype == "float16",
        "activation_checkpointing": False,
        "use_cpu": settings.device == "cpu",
        "dataloader_pin_memory": settings.device == "cuda",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps" if saves else "no",
        "save_steps": saves or 500,
        "save_total_limit": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


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

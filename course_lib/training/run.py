"""One training run: what is asked for, `fit` that trains it, and how it went. Light: torch is imported late."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from course_lib.core.chat import Example
from course_lib.core.errors import TrainingError, above_zero, whole_above_zero
from course_lib.core.progress import Progress
from course_lib.core.session import cache_dir, current
from course_lib.core.text import say
from course_lib.models.chatmodel import ChatModel, expect_model, unwrapped
from course_lib.models.quantization import is_quantized, quantize
from course_lib.models.scoring import encode_example, held_out_loss
from course_lib.training.merging import merged
from course_lib.training.methods import METHODS, VIRTUAL_TOKENS, Recipe, adapted, check_method, without_old_names

CHECKPOINTS_A_RUN, LOOKS_A_RUN = 4, 10


@dataclass(frozen=True)
class Training:
    """How a model was made. Losses and curves are of every step, (step, mean over its batch)."""

    recipe: Recipe
    losses: tuple[tuple[int, float], ...]  # on completion tokens, or of the objective that was trained for
    seconds: float  # of the training itself
    tokens: int  # of prompts and completions, padding not counted, all epochs
    trainable: int
    parameters: int
    replayed: bool = False  # taken from the shelf
    optimizer_bytes: int = 0  # what AdamW kept beside the weights when training ended, measured
    held_out: tuple[tuple[int, float], ...] = ()  # the loss on held-out examples, from step 0 on
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)  # margins, rewards, KL, ...
    samples: tuple[Mapping[str, Any], ...] = ()  # of a policy, each step's first reply: its step, prompt, reward

    def __str__(self) -> str:
        share, millions = self.trainable / self.parameters, self.trainable / 1e6
        followed = {"loss": self.losses} | self.curves
        shown = ", ".join(f"{name} {rows[0][1]:.2f} → {rows[-1][1]:.2f}" for name, rows in followed.items())
        return (
            f"{self.recipe.called}: {millions:{'.2f' if millions >= 0.005 else '.2g'}} of {self.parameters / 1e6:.1f} "
            f"million parameters ({share:{'.1%' if share >= 0.0005 else '.3%'}}), {len(self.losses)} steps, "
            f"{shown}, {self.tokens:,} tokens in {self.seconds:.0f} s"
        )


class Trained(NamedTuple):
    """Weights out of a run or off the shelf (PEFT's, or transformers' after "full"), and how they were made."""

    weights: Any
    training: Training


@dataclass(frozen=True)
class Job:
    """A training call, prepared: where it starts, and the rows and the recipe that have been checked.

    `key` stands for all that decides the result. `name` is what the call gave for the adapter's folder, `label` what
    the result is called. `held_out` is read `every` so many steps. `reward` is what a policy is trained for.
    """

    model: ChatModel
    recipe: Recipe
    rows: list[dict[str, Any]]
    key: str
    label: str
    name: str | None = None
    checkpoint_every: int | None = None
    held_out: list[Example] | None = None
    every: int | None = None
    reward: Callable[..., Any] | None = None

    def result(self, made: Trained) -> ChatModel:
        """The model that the call asked for."""
        return replace(self.model.retrained(made.weights, self.label, self.key), training=made.training)


def started(caller: str, model: Any, kind: type[Recipe], *, seed: int | None, **settings: Any) -> tuple[ChatModel, Any]:
    """Where a call starts, an adapter of its own merged into it, and its recipe, checked.

    Unless a method is among the settings it is LoRA, over the weights as they are: QLoRA if they are in 4 bits.
    """
    expect_model(caller, model)
    above_zero(**{what: settings[what] for what in ("epochs", "learning_rate")})
    whole_above_zero(**{what: settings[what] for what in ("batch_size", "rank")})
    model = merged(model)
    settings.setdefault("method", "qlora" if is_quantized(model.model) else "lora")
    recipe = kind(seed=current().seed if seed is None else seed, **settings)
    check_method(model, recipe)
    return model, recipe


def prepared(model: ChatModel, recipe: Recipe, rows: Sequence[Any], label: str, **run: Any) -> Job:
    """The call as `fit` and the shelf take it, with its key; `run` is what else a `Job` has.

    A row that the model's template refuses, or that it has no places for, is a CourseError that names it.
    """
    virtual = recipe.rank if METHODS[recipe.method].rank == VIRTUAL_TOKENS else 0
    for number, row in enumerate([*rows, *(run.get("held_out") or [])]):
        named = "example" if "completion" in row else "pair"
        for part in {"completion", "chosen", "rejected"} & set(row):
            ids, _ = encode_example(
                model, what := f"{named} {number}", {"prompt": row["prompt"], "completion": row[part]}
            )
            model.check_room(len(ids), what=what, virtual=virtual)
    if METHODS[recipe.method].four_bit:
        model = quantize(model)
    return Job(model, recipe, list(rows), adapter_key(model.base, rows, recipe.hashed()), label, **run)


def adapter_key(base: str, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """SHA-256 (16 hex digits) of all that decides what a training run gives."""
    text = json.dumps([base, list(rows), dict(settings)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@without_old_names()
def fit(job: Job, max_steps: int = -1) -> Trained:
    """Train an adapted copy of the job's model, from the last checkpoint of the same call if there is one.

    `max_steps` ends it after so many, without checkpoints or looks at held-out examples; -1 is the whole run.
    """
    total = steps_of(job) if max_steps < 0 else max_steps
    with Progress(f"Training {job.label}", math.ceil(total)) as bar:  # trl alone takes seconds to be imported
        return _fitted(job, max_steps, bar)


def _fitted(job: Job, max_steps: int, bar: Progress) -> Trained:
    from transformers import PrinterCallback, set_seed

    from course_lib.training.trainers import TRAINERS, HeldOutWatch, ProgressCallback

    recipe, whole = job.recipe, max_steps < 0
    kind, folder = TRAINERS[recipe.objective], run_folder(job.key)
    set_seed(recipe.seed)
    weights = adapted(job.model, recipe)
    arguments = kind.arguments(recipe, folder, save_every(job) if whole else 0, max_steps)
    progress, watches = ProgressCallback(bar, kind.SHOWS), []
    if job.held_out and whole:
        reading = replace(job.model, model=weights)
        often = job.every or max(1, int(steps_of(job) / LOOKS_A_RUN))
        watches = [HeldOutWatch(lambda: held_out_loss(reading, job.held_out), often)]
    begun = time.perf_counter()
    with _faults_explained(job.label, folder, progress, whole):
        trainer = kind(
            model=weights,
            args=arguments,
            train_dataset=dataset_of(job.rows),
            processing_class=for_training(job.model.tokenizer),
            **({} if job.reward is None else {"reward": job.reward}),
        )
        trainer.remove_callback(PrinterCallback)
        for callback in (progress, *watches):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder) if whole else None)
    seconds = time.perf_counter() - begun - sum(watch.seconds for watch in watches)
    training = Training(
        recipe, tuple(progress.losses), seconds, int(trainer.tokens_read() * recipe.epochs),
        trainable=sum(p.numel() for p in weights.parameters() if p.requires_grad),
        parameters=count_parameters(weights),
        optimizer_bytes=trainer.optimizer_bytes(),
        held_out=tuple(loss for watch in watches for loss in watch.losses),
        curves=_followed(trainer),
        samples=tuple(trainer.samples),
    )  # fmt: skip
    restore_forward(weights)
    return Trained(weights.requires_grad_(False).eval(), training)


def steps_of(job: Job) -> float:
    """Steps of a whole run."""
    return math.ceil(len(job.rows) / job.recipe.batch_size) * job.recipe.epochs


def save_every(job: Job) -> int:
    """Steps between two checkpoints; 0 is none: all weights are not saved unless it is asked for."""
    if job.recipe.method == "full" and not job.checkpoint_every:
        return 0
    return job.checkpoint_every or max(10, int(steps_of(job) / CHECKPOINTS_A_RUN))


def dataset_of(rows: list[Any]) -> Any:
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
    unwrapped(trained).__dict__.pop("forward", None)


def run_folder(key: str) -> Path:
    """Where the checkpoints of a call lie, so that the same call goes on from them."""
    return cache_dir() / "runs" / key


def count_parameters(model: Any) -> int:
    """Numbers in a model; a weight in 4 bits is one, although two lie in a byte."""
    packed = (getattr(p, "quant_state", None) for p in model.parameters())
    return sum(math.prod(q.shape) if q is not None else p.numel() for p, q in zip(model.parameters(), packed))


@contextlib.contextmanager
def _faults_explained(label: str, folder: Path, progress: Any, whole: bool) -> Iterator[None]:
    """What an interrupt or a disk does to a run, as a TrainingError."""
    try:
        yield
    except KeyboardInterrupt:
        way_out = "Run the cell again" + (": it goes on from the last checkpoint." if whole else ".")
        raise TrainingError(f"training {label!r} was interrupted at step {len(progress.losses)}. {way_out}") from None
    except OSError as error:
        raise TrainingError(
            f"a checkpoint cannot be written to {folder} ({error}): free some disk or set COURSE_CACHE, and run again."
        ) from error


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is whole: one that a kill has left half lacks its state, which is written last."""
    for path in sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
            continue
        say(f"Going on from {path.name}, where an earlier run of this call was interrupted.")
        return str(path)
    return None


def _followed(trainer: Any) -> dict[str, tuple[tuple[int, float], ...]]:
    """Curves out of the trainer's log, by the names that the course gives them."""

    def curve(logged: str) -> tuple[tuple[int, float], ...]:
        return tuple((row["step"], row[logged]) for row in trainer.state.log_history if row.get(logged) is not None)

    return {name: rows for name, logged in trainer.CURVES.items() if (rows := curve(logged))}

"""Fine-tuning: a chat model and examples in, another chat model out. TRL trains, PEFT adapts."""

from __future__ import annotations

import copy
import json
import math
import os
import platform
import re
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from course_lib.adapters import StoredAdapter, adapter_key, find_adapter, store_adapter, use_counter
from course_lib.datasets import Example, check_examples
from course_lib.errors import CourseError, DataError, TrainingError, choose
from course_lib.losses import held_out_loss
from course_lib.merging import merged
from course_lib.methods import METHODS, Recipe, adapted, check_method, load_adapted
from course_lib.models import ChatModel
from course_lib.quantization import quantize
from course_lib.settings import cache_dir, current

__all__ = ["DEFAULT_LEARNING_RATE", "Recipe", "Training", "finetune"]

DEFAULT_LEARNING_RATE = {name: method.learning_rate for name, method in METHODS.items()}
MAX_EXAMPLE_TOKENS = 1024
REHEARSAL_STEPS, REHEARSAL_BATCH = 3, 4
CHECKPOINTS_A_RUN, LOOKS_A_RUN = 4, 10


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


def finetune(
    model: ChatModel,
    examples: Sequence[Example],
    method: str = "lora",
    *,
    name: str | None = None,
    epochs: float = 4,
    learning_rate: float | None = None,
    batch_size: int = 16,
    rank: int = 8,
    layers: str = "all",
    targets: str = "all",
    seed: int | None = None,
    checkpoint_every: int | None = None,
    from_shelf: bool = False,
    held_out: Sequence[Example] | None = None,
    every: int | None = None,
) -> ChatModel:
    """Train a copy of a model on prompt-completion examples; the model itself stays as it was.

    The loss is the mean cross entropy of completion tokens; batches are grouped by length; AdamW, linear decay. A run
    that is interrupted or killed goes on from its last checkpoint, to the same loss, when the same call is made again.
    With `COURSE_REPLAY=1` the adapter that the repository ships for exactly this call is taken instead, after three
    real steps.

    Parameters
    ----------
    model
        Where to start. Its frozen weights are shared with the copy, not duplicated. An adapter on it is merged first.
    examples
        Rows of {"prompt": messages, "completion": messages}; `cl.example(question, answer)` makes one.
    method
        - "full": every weight.
        - "lora": two narrow matrices beside each linear layer (Hu et al. 2021, arXiv 2106.09685).
        - "qlora": the same over a base in 4 bits, bitsandbytes' NF4, double quantized (Dettmers et al. 2023,
          arXiv 2305.14314). A model that is not in 4 bits is quantized first, in memory.
        - "adapter": h + W_up·gelu(W_down·h) behind attention and behind the MLP of each block (Houlsby et al. 2019,
          arXiv 1902.00751).
        - "prompt": virtual tokens before the prompt, begun as the system message (Lester et al. 2021,
          arXiv 2104.08691).
        - "prefix": keys and values of virtual tokens in every layer (Li & Liang 2021, arXiv 2101.00190), begun as the
          activations of the system message, without the paper's reparametrization.
    name
        What tables call the result, and the adapter's folder when it is stored.
    epochs, batch_size
        Passes over the examples, and examples a step.
    learning_rate
        The method's own (`DEFAULT_LEARNING_RATE`) unless said otherwise: 2e-3 for LoRA, 2e-4 for full fine-tuning.
    rank
        How large the adapter is: the rank of LoRA's two matrices, whose update is scaled by alpha / rank = 2; the
        width of an adapter's bottleneck; the number of virtual tokens of "prompt" and "prefix", at most 256. Nothing
        for "full".
    layers
        "all", or "upper" for the upper half of the layers alone: nothing flows back through the lower half. For
        "lora", "qlora" and "adapter".
    targets
        Which linear layers get LoRA, or an adapter behind the last of them: "all", "attention" or "mlp".
    seed
        Of initialization and order; the session's unless said otherwise.
    checkpoint_every
        Steps between checkpoints. Adapters keep four a run; full runs (1.6 GB each) none unless said otherwise.
    from_shelf
        Take the stored adapter of this call, if there is one, although the session trains live: for the second and
        third model of a lesson that has five minutes. `COURSE_REPLAY=never` trains it all the same.
    held_out, every
        Examples to read while training, and how many steps apart (a tenth of the run unless said otherwise): see
        `Training.held_out`. Training itself and the adapter's key are the same with and without; a stored adapter
        brings what was read when it was recorded.

    Raises
    ------
    ChoiceError
        For an unknown method, layers or targets.
    CourseError
        For a rank, batch size, number of epochs or steps, or learning rate that is not a number above 0; for a rank
        above the model's width; for layers or targets of a method that has none; for a model in 4 bits with "full" or
        "lora"; for a model that carries an adapter which cannot be merged.
    DataError
        For examples of another shape, an empty completion, or more than 1,024 tokens in one.
    TrainingError
        If the loss is no longer a number, or a checkpoint cannot be written.
    """
    choose("method", method, METHODS)
    if not isinstance(model, ChatModel):
        raise CourseError(f"finetune starts from a ChatModel, such as cl.load_model(), not from {model!r:.60}.")
    rate = learning_rate if learning_rate is not None else DEFAULT_LEARNING_RATE[method]
    _check_numbers(rank=rank, batch_size=batch_size, epochs=epochs, learning_rate=rate, every=every)
    chosen = current().seed if seed is None else seed
    recipe = Recipe(method, epochs, rate, batch_size, rank, layers, chosen, targets)
    model = merged(model)
    check_method(model, recipe)
    rows = check_examples(examples)
    _check_lengths(model, rows)
    watched = _watched(model, held_out, every)
    label = name or f"{method} fine-tuned"
    with warnings.catch_warnings():
        # PEFT asks transformers for this by its old name, which would be printed under the learner's cell.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        if METHODS[method].four_bit:
            model = quantize(model)
        key = adapter_key(model.base, rows, recipe.hashed())
        if stored := _on_shelf(key, label, method, from_shelf):
            return _replay(model, rows, recipe, key, label, stored)
        tuned = _train(model, rows, recipe, key, label, checkpoint_every, watched)
    print(tuned.training)
    if os.environ.get("COURSE_RECORD") == "1" and method != "full":
        shelf = re.sub(r"[^\w.-]+", "-", name or key).strip(".-")
        store_adapter(tuned.model, shelf, _card(key, tuned, shelf, len(rows)))
    # Not before: a run that could not be stored goes on from its last checkpoint too.
    shutil.rmtree(_run_folder(key), ignore_errors=True)
    return tuned


def _train(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, checkpoint_every: int | None = None,
    watched: tuple[list[Example], int | None] | None = None, max_steps: int = -1,
) -> ChatModel:  # fmt: skip
    from transformers import PrinterCallback, set_seed

    from course_lib._trainer import CompletionTrainer, HeldOutWatch, ProgressCallback

    set_seed(recipe.seed)
    trained = adapted(model, recipe)
    folder = _run_folder(key)
    steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
    every = checkpoint_every or (max(10, int(steps / CHECKPOINTS_A_RUN)) if recipe.method != "full" else 0)
    arguments = _arguments(recipe, folder, every if max_steps < 0 else 0, max_steps)
    progress = ProgressCallback(f"Training {label}")
    tuned = ChatModel(trained, model.tokenizer, label, f"{model.base}+{key}", model.system)
    examples, apart = watched or ([], None)
    watch = HeldOutWatch(lambda: held_out_loss(tuned, examples), apart or max(1, int(steps / LOOKS_A_RUN)))
    started = time.perf_counter()
    try:
        trainer = CompletionTrainer(
            model=trained, args=arguments, train_dataset=_dataset(rows), processing_class=_for_training(model.tokenizer)
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
        recipe, tuple(progress.losses), seconds, int(tokens * recipe.epochs), trainable, _parameters(trained),
        optimizer_bytes=trainer.optimizer_bytes(), held_out=tuple(watch.losses),
    )  # fmt: skip
    _restore_forward(trained)
    trained.requires_grad_(False).eval()
    return tuned


def _replay(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, stored: StoredAdapter
) -> ChatModel:
    """The stored adapter; where the session replays, after three real steps, to see that training works here."""
    card = stored.card
    origin = f"{stored.folder.name!r}, trained in {card['minutes']:.1f} minutes on {card['machine']}"
    measured = 0
    if current().replay == "off":
        print(f"From the shelf: {origin}.")
    else:
        short = replace(recipe, batch_size=min(REHEARSAL_BATCH, recipe.batch_size))
        rehearsed = _train(model, rows, short, key, label, max_steps=REHEARSAL_STEPS).training
        measured = rehearsed.optimizer_bytes  # as much in three steps as in three hundred
        # The trainer refuses a loss that is no number, so three steps that come back are three good ones.
        print(f"Replaying {origin}; {len(rehearsed.losses)} real steps run here, their losses finite.")
    tuned = load_adapted(model, stored.folder).eval()
    training = Training(
        recipe, _pairs(card["losses"]), card["minutes"] * 60, card["tokens"], card["trainable"], _parameters(tuned),
        replayed=True, optimizer_bytes=card.get("optimizer_bytes", measured),
        held_out=_pairs(card.get("held_out", [])),
    )  # fmt: skip
    return ChatModel(tuned, model.tokenizer, label, f"{model.base}+{key}", model.system, training)


def _on_shelf(key: str, label: str, method: str, from_shelf: bool) -> StoredAdapter | None:
    mode = current().replay
    if method == "full" or mode == "never" or (mode == "off" and not from_shelf):
        return None
    use_counter(key)
    stored = find_adapter(key)
    if stored is None and mode == "strict":
        raise CourseError(
            f"no stored adapter was made by exactly this call ({label!r}, key {key}): its data or settings have "
            "changed. Run `make adapters`."
        )
    return stored


def _check_numbers(**values: Any) -> None:
    for what, value in values.items():
        kind, meant = ((int, float), "number") if what in ("epochs", "learning_rate") else (int, "whole number")
        if what == "every" and value is None:
            continue
        if not isinstance(value, kind) or not 0 < value < math.inf:
            raise CourseError(f"{what} is {value!r}: it must be a {meant} above 0.")


def _watched(model: ChatModel, held_out: Any, every: int | None) -> tuple[list[Example], int | None] | None:
    if held_out is None:
        if every is not None:
            raise CourseError(f"every={every} says how often to read held_out examples: give held_out as well.")
        return None
    rows = check_examples(held_out)
    _check_lengths(model, rows)
    return rows, every


def _parameters(model: Any) -> int:
    """Numbers in a model; a weight in 4 bits is one, although two lie in a byte."""
    packed = (getattr(p, "quant_state", None) for p in model.parameters())
    return sum(math.prod(q.shape) if q is not None else p.numel() for p, q in zip(model.parameters(), packed))


def _pairs(rows: Sequence[Sequence[float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(step), loss) for step, loss in rows)


def _arguments(recipe: Recipe, folder: Path, save_every: int, max_steps: int) -> Any:
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
        train_sampling_strategy="group_by_length",
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


def _dataset(rows: list[Example]) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.Dataset.from_list(rows)


def _for_training(tokenizer: Any) -> Any:
    """The tokenizer, padding on the right; a copy, because answering pads on the left."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = "right"
    return tokenizer


def _restore_forward(trained: Any) -> None:
    """TRL hangs a forward of its own on the model; generation does not need it."""
    base = trained.get_base_model() if hasattr(trained, "get_base_model") else trained
    base.__dict__.pop("forward", None)


def _run_folder(key: str) -> Path:
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


def _check_lengths(model: ChatModel, rows: list[Example]) -> None:
    for number, row in enumerate(rows):
        text = "".join(m["content"] for m in (*row["prompt"], *row["completion"]))
        # A token is at least one character: only the few long ones need counting.
        if len(text) > MAX_EXAMPLE_TOKENS and (n := len(model.tokenizer(text)["input_ids"])) > MAX_EXAMPLE_TOKENS:
            raise DataError(f"example {number} has {n:,} tokens, more than {MAX_EXAMPLE_TOKENS:,}: shorten it.")


def _card(key: str, tuned: ChatModel, name: str, n_examples: int) -> dict[str, Any]:
    import torch

    training = tuned.training
    return {
        "name": name,
        "key": key,
        "base": tuned.base.split("+")[0],
        "recipe": asdict(training.recipe),
        "examples": n_examples,
        "tokens": training.tokens,
        "trainable": training.trainable,
        "machine": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {platform.machine()}",
        "minutes": round(training.seconds / 60, 2),
        "optimizer_bytes": training.optimizer_bytes,
        "losses": [[step, round(loss, 4)] for step, loss in training.losses],
    } | ({"held_out": [[step, round(loss, 4)] for step, loss in training.held_out]} if training.held_out else {})

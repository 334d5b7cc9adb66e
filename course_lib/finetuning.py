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
from typing import TYPE_CHECKING, Any

from course_lib.adapters import StoredAdapter, adapter_key, find_adapter, store_adapter, use_counter
from course_lib.datasets import Example, check_examples
from course_lib.errors import CourseError, DataError, TrainingError, choose
from course_lib.models import ChatModel
from course_lib.settings import cache_dir, current

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Recipe", "Training", "finetune"]

METHODS = ("full", "lora")
LAYERS = ("all", "upper")
DEFAULT_LEARNING_RATE = {"full": 2e-4, "lora": 2e-3}
MAX_EXAMPLE_TOKENS = 1024
REHEARSAL_STEPS, REHEARSAL_BATCH = 3, 4
CHECKPOINTS_A_RUN = 4


@dataclass(frozen=True)
class Recipe:
    """All the settings of a training run; with the data and the base model, they are an adapter's key."""

    method: str
    epochs: float
    learning_rate: float
    batch_size: int
    rank: int
    layers: str
    seed: int


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
    """

    recipe: Recipe
    losses: tuple[tuple[int, float], ...]
    seconds: float
    tokens: int
    trainable: int
    parameters: int
    replayed: bool = False

    def __str__(self) -> str:
        share = self.trainable / self.parameters
        return (
            f"{self.recipe.method}: {self.trainable / 1e6:.2f} of {self.parameters / 1e6:.1f} million parameters "
            f"({share:.1%}), {len(self.losses)} steps, loss {self.losses[0][1]:.2f} → {self.losses[-1][1]:.2f}, "
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
    seed: int | None = None,
    checkpoint_every: int | None = None,
    from_shelf: bool = False,
) -> ChatModel:
    """Train a copy of a model on prompt-completion examples; the model itself stays as it was.

    The loss is the mean cross entropy of completion tokens; batches are grouped by length; AdamW, linear decay. A run
    that is interrupted or killed goes on from its last checkpoint, to the same loss, when the same call is made again.
    With `COURSE_REPLAY=1` the adapter that the repository ships for exactly this call is taken instead, after three
    real steps.

    Parameters
    ----------
    model
        Where to start. Its frozen weights are shared with the copy, not duplicated.
    examples
        Rows of {"prompt": messages, "completion": messages}; `cl.example(question, answer)` makes one.
    method
        "lora" (Hu et al. 2021, arXiv 2106.09685) on every linear layer, or "full".
    name
        What tables call the result, and the adapter's folder when it is stored.
    epochs, batch_size
        Passes over the examples, and examples a step.
    learning_rate
        2e-3 for LoRA and 2e-4 for full fine-tuning unless said otherwise.
    rank
        Of LoRA's two matrices. The update is scaled by alpha / rank = 2.
    layers
        "all", or "upper" for LoRA on the upper half of the layers alone: nothing flows back through the lower half.
    seed
        Of initialization and order; the session's unless said otherwise.
    checkpoint_every
        Steps between checkpoints. LoRA runs keep four a run; full runs (1.6 GB each) none unless said otherwise.
    from_shelf
        Take the stored adapter of this call, if there is one, although the session trains live: for the second and
        third model of a lesson that has five minutes. `COURSE_REPLAY=never` trains it all the same.

    Raises
    ------
    ChoiceError
        For an unknown method or layers.
    CourseError
        For a rank, batch size, number of epochs or learning rate that is not a number above 0, or "upper" layers of
        full fine-tuning.
    DataError
        For examples of another shape, an empty completion, or more than 1,024 tokens in one.
    TrainingError
        If the loss is no longer a number, or a checkpoint cannot be written.
    """
    choose("method", method, METHODS)
    choose("layers", layers, LAYERS)
    if method == "full" and layers != "all":
        raise CourseError(f"full fine-tuning trains all layers: leave out layers={layers!r}, or use method='lora'.")
    rate = learning_rate if learning_rate is not None else DEFAULT_LEARNING_RATE[method]
    for what, value in {"rank": rank, "batch_size": batch_size, "epochs": epochs, "learning_rate": rate}.items():
        kind, meant = (int, "whole number") if what in ("rank", "batch_size") else ((int, float), "number")
        if not isinstance(value, kind) or not 0 < value < math.inf:
            raise CourseError(f"{what} is {value!r}: it must be a {meant} above 0.")
    if not isinstance(model, ChatModel):
        raise CourseError(f"finetune starts from a ChatModel, such as cl.load_model(), not from {model!r:.60}.")
    rows = check_examples(examples)
    _check_lengths(model, rows)
    recipe = Recipe(method, epochs, rate, batch_size, rank, layers, current().seed if seed is None else seed)
    key = adapter_key(model.base, rows, asdict(recipe))
    label = name or f"{method} fine-tuned"
    stored = _on_shelf(key, label, method, from_shelf)
    with warnings.catch_warnings():
        # PEFT asks transformers for this by its old name, which would be printed under the learner's cell.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        if stored:
            return _replay(model, rows, recipe, key, label, stored)
        tuned = _train(model, rows, recipe, key, label, checkpoint_every)
    print(tuned.training)
    if os.environ.get("COURSE_RECORD") == "1" and method != "full":
        shelf = re.sub(r"[^\w.-]+", "-", name or key).strip(".-")
        store_adapter(tuned.model, shelf, _card(key, tuned, shelf, len(rows)))
    # Not before: a run that could not be stored goes on from its last checkpoint too.
    shutil.rmtree(_run_folder(key), ignore_errors=True)
    return tuned


def _train(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, checkpoint_every: int | None,
    max_steps: int = -1,
) -> ChatModel:  # fmt: skip
    from transformers import PrinterCallback, set_seed

    from course_lib._trainer import CompletionTrainer, ProgressCallback

    set_seed(recipe.seed)
    trained = _adapted(model, recipe)
    folder = _run_folder(key)
    steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
    every = checkpoint_every or (max(10, int(steps / CHECKPOINTS_A_RUN)) if recipe.method != "full" else 0)
    arguments = _arguments(recipe, folder, every if max_steps < 0 else 0, max_steps)
    watch = ProgressCallback(f"Training {label}")
    started = time.perf_counter()
    try:
        trainer = CompletionTrainer(
            model=trained, args=arguments, train_dataset=_dataset(rows), processing_class=_for_training(model.tokenizer)
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(watch)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder) if max_steps < 0 else None)
    except KeyboardInterrupt:
        raise TrainingError(
            f"training {label!r} was interrupted at step {len(watch.losses)}. Run the cell again: it goes on from the "
            "last checkpoint."
        ) from None
    except OSError as error:
        raise TrainingError(
            f"a checkpoint cannot be written to {folder} ({error}): free some disk or set COURSE_CACHE, and run again."
        ) from error
    finally:
        watch.close()
    seconds = time.perf_counter() - started
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    parameters = sum(p.numel() for p in trained.parameters())
    trainable = sum(p.numel() for p in trained.parameters() if p.requires_grad)
    training = Training(recipe, tuple(watch.losses), seconds, int(tokens * recipe.epochs), trainable, parameters)
    _restore_forward(trained)
    return _tuned(model, trained.requires_grad_(False).eval(), label, key, training)


def _replay(
    model: ChatModel, rows: list[Example], recipe: Recipe, key: str, label: str, stored: StoredAdapter
) -> ChatModel:
    """The stored adapter; where the session replays, after three real steps, to see that training works here."""
    from peft import PeftModel

    card = stored.card
    origin = f"{stored.folder.name!r}, trained in {card['minutes']:.1f} minutes on {card['machine']}"
    if current().replay == "off":
        print(f"From the shelf: {origin}.")
    else:
        short = replace(recipe, batch_size=min(REHEARSAL_BATCH, recipe.batch_size))
        rehearsed = _train(model, rows, short, key, label, None, max_steps=REHEARSAL_STEPS)
        # The trainer refuses a loss that is no number, so three steps that come back are three good ones.
        print(f"Replaying {origin}; {len(rehearsed.training.losses)} real steps run here, their losses finite.")
    adapted = PeftModel.from_pretrained(_sharing_copy(model.model), stored.folder, torch_device=str(model.model.device))
    parameters = sum(p.numel() for p in adapted.parameters())
    training = Training(
        recipe, tuple((step, loss) for step, loss in card["losses"]), card["minutes"] * 60, card["tokens"],
        card["trainable"], parameters, replayed=True,
    )  # fmt: skip
    return _tuned(model, adapted.eval(), label, key, training)


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


def _tuned(model: ChatModel, trained: Any, label: str, key: str, training: Training) -> ChatModel:
    return ChatModel(trained, model.tokenizer, label, f"{model.base}+{key}", model.system, training)


def _adapted(model: ChatModel, recipe: Recipe) -> Any:
    """A trainable copy: every weight for full fine-tuning, LoRA's matrices otherwise."""
    from peft import LoraConfig, PeftModel, get_peft_model

    start = model.model
    if isinstance(start, PeftModel):
        start = copy.deepcopy(start).merge_and_unload()
    if recipe.method == "full":
        # fp32 whatever the session computes in: updates of 1e-4 vanish in bf16's three digits
        return copy.deepcopy(start).float().requires_grad_(True)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        target_modules="all-linear" if recipe.layers == "all" else _upper_linear(start),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(_sharing_copy(start), config)


def _upper_linear(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers in the upper half of the transformer's blocks."""
    import torch

    half = model.config.num_hidden_layers // 2
    linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return [name for name in linear if (found := re.search(r"\.(\d+)\.", name)) and int(found[1]) >= half]


def _sharing_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules over the same weights: adapters go into the copy, and 540 MB are not held twice."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


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
        "losses": [[step, round(loss, 4)] for step, loss in training.losses],
    }

"""A training call is fulfilled: trained here, or taken from the shelf if exactly this call was recorded there."""
# MERGED adapters: The shelf of trained adapters that the repository ships, so that a lesson can be replayed
# MERGED instead of trained.
# MERGED
# MERGED An adapter is kept under the key of the exact call that made it: base model, data, settings and seed.
# MERGED Each is a plain
# MERGED PEFT folder (bf16) with a `card.json`: recipe, machine, minutes, losses.

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import adapters_dir, current
from course_lib.training.methods import Recipe
from course_lib.training.run import Training, count_parameters, run_folder, without_old_names

if TYPE_CHECKING:
    from peft import PeftModel


REHEARSAL_STEPS, REHEARSAL_BATCH = 3, 4


# Longer than any lesson may take: what `data/make/` trained, and no test trains anew.
FULL_SIZE_MINUTES = 10


@dataclass(frozen=True)
class Call:
    """A training call.

    Attributes
    ----------
    key
        Of the call's data, settings, base and seed: under it an adapter is stored.
    label, name
        What the result is called; the name that was given, for the adapter's folder.
    examples
        How many it is trained on.
    train
        From a recipe, and the most steps where they are few, to what was trained: something with `model` (PEFT's),
        `base` and `training`.
    restore
        From an adapter's folder to the same thing, without `training`.
    """

    key: str
    label: str
    name: str | None
    recipe: Recipe
    examples: int
    train: Callable[..., Any]
    restore: Callable[[Path], Any]


def fulfil(call: Call, from_shelf: bool = False) -> Any:
    """What the call makes; `COURSE_REPLAY` and `COURSE_RECORD` decide how, as `sft.finetune` says.

    Raises
    ------
    CourseError
        If the session is strict and there is no adapter, or the new one cannot be stored.
    TrainingError
        As `run.run_trainer` does.
    """
    with without_old_names():
        if stored := _on_shelf(call, from_shelf):
            return _replay(call, stored)
        made = call.train(call.recipe)
    print(made.training)
    if os.environ.get("COURSE_RECORD") == "1" and call.recipe.method != "full":
        shelf = re.sub(r"[^\w.-]+", "-", call.name or call.key).strip(".-")
        store_adapter(made.model, shelf, _card(call, made, shelf))
    # Not before: a run that could not be stored goes on from its last checkpoint too.
    shutil.rmtree(run_folder(call.key), ignore_errors=True)
    return made


def _replay(call: Call, stored: StoredAdapter) -> Any:
    """The stored adapter; where the session replays, after three real steps, to see that training works here."""
    card, recipe = stored.card, call.recipe
    origin = f"{stored.folder.name!r}, trained in {card['minutes']:.1f} minutes on {card['machine']}"
    measured = 0
    if current().replay == "off":
        print(f"From the shelf: {origin}.")
    else:
        short = replace(recipe, batch_size=min(REHEARSAL_BATCH, recipe.batch_size))
        rehearsed = call.train(short, REHEARSAL_STEPS).training
        measured = rehearsed.optimizer_bytes  # as much in three steps as in three hundred
        # The trainer refuses a loss that is no number, so three steps that come back are three good ones.
        print(f"Replaying {origin}; {len(rehearsed.losses)} real steps run here, their losses finite.")
    made = call.restore(stored.folder)
    made.training = Training(
        recipe, _pairs(card["losses"]), card["minutes"] * 60, card["tokens"], card["trainable"],
        count_parameters(made.model), replayed=True, optimizer_bytes=card.get("optimizer_bytes", measured),
        held_out=_pairs(card.get("held_out", [])),
        curves={name: _pairs(rows) for name, rows in card.get("curves", {}).items()},
        samples=tuple(card.get("samples", [])),
    )  # fmt: skip
    return made


def _on_shelf(call: Call, from_shelf: bool) -> StoredAdapter | None:
    mode = current().replay
    if call.recipe.method == "full" or (mode in ("off", "never") and not from_shelf):
        return None
    stored = find_adapter(call.key)
    if mode == "never" and (stored is None or stored.card["minutes"] <= FULL_SIZE_MINUTES):
        return None
    use_counter(call.key)
    if stored is None and mode == "strict":
        raise CourseError(
            f"no stored adapter was made by exactly this call ({call.label!r}, key {call.key}): its data or settings "
            "have changed. Run `make adapters`."
        )
    return stored


def _card(call: Call, made: Any, name: str) -> dict[str, Any]:
    import torch

    training = made.training
    card = {
        "name": name,
        "key": call.key,
        "base": made.base.split("+")[0],
        "recipe": asdict(training.recipe),
        "examples": call.examples,
        "tokens": training.tokens,
        "trainable": training.trainable,
        "machine": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {platform.machine()}",
        "minutes": round(training.seconds / 60, 2),
        "optimizer_bytes": training.optimizer_bytes,
        "losses": _rounded(training.losses),
    }
    more = {
        "held_out": _rounded(training.held_out),
        "curves": {name: _rounded(rows) for name, rows in training.curves.items()},
        "samples": list(training.samples),
    }
    return card | {name: value for name, value in more.items() if value}


def _rounded(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[step, round(value, 4)] for step, value in rows]


def _pairs(rows: Sequence[Sequence[float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(step), value) for step, value in rows)


MAX_BYTES = 5_000_000


CARD = "card.json"


# What a replay reads; `finetuning` writes more.
CARD_KEYS = ("key", "machine", "minutes", "losses", "tokens", "trainable")


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter on the shelf: its folder, and what its card says."""

    folder: Path
    card: dict[str, Any]


def adapter_key(base: str, examples: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """SHA-256 (16 hex digits) of all that decides what a training run gives."""
    text = json.dumps([base, list(examples), dict(settings)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored_adapters() -> list[StoredAdapter]:
    """Every adapter on the shelf, in order of name.

    Raises
    ------
    DataError
        If a card is malformed.
    """
    found = []
    for path in sorted(adapters_dir().glob(f"[!.]*/{CARD}")):  # a dot: a draft that was never finished
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is not JSON ({error}): run `make adapters`.") from error
        lacking = [key for key in CARD_KEYS if not isinstance(card, dict) or key not in card]
        if lacking:
            raise DataError(f"{path} is no adapter's card, it lacks {', '.join(lacking)}: run `make adapters`.")
        found.append(StoredAdapter(path.parent, card))
    return found


def find_adapter(key: str) -> StoredAdapter | None:
    """The adapter that exactly this call made, or None."""
    return next((adapter for adapter in stored_adapters() if adapter.card.get("key") == key), None)


def store_adapter(model: PeftModel, name: str, card: Mapping[str, Any]) -> Path:
    """Put an adapter on the shelf in bf16, over the one of the same name.

    Raises
    ------
    CourseError
        If it is larger than the 5 MB that an adapter may take, or cannot be written; the one that was there stays.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder = adapters_dir() / name
    draft = folder.with_name(f".{name}.part")
    # Embeddings are never trained here; asked to find out, PEFT would look the base model up on the hub.
    state = get_peft_model_state_dict(model, adapter_name=model.active_adapter, save_embedding_layers=False)
    weights = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in state.items()}
    config = copy.copy(model.active_peft_config)
    config.base_model_name_or_path = str(card.get("base", "")).split("@")[0]  # not a folder of this machine's cache
    if isinstance(getattr(config, "target_modules", None), set):
        config.target_modules = sorted(config.target_modules)  # a set is written in another order every time
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        save_file(weights, draft / "adapter_model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(draft)
        (draft / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise CourseError(
            f"the adapter {name!r} cannot be written to {folder.parent} ({error}): free some disk."
        ) from error
    size = sum(path.stat().st_size for path in draft.iterdir())
    if size > MAX_BYTES:
        shutil.rmtree(draft)
        raise CourseError(f"the adapter {name!r} takes {size:,} bytes, more than {MAX_BYTES:,}: use a smaller rank.")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return folder


def use_counter(key: str) -> None:
    """Note that a replay asked for this key, where `COURSE_ADAPTERS_USED` names a file: tells stale adapters."""
    if log := os.environ.get("COURSE_ADAPTERS_USED"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(key + "\n")

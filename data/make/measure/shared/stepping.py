"""What a step of training costs by each method: seconds and peak memory, each measured in a process of its own.

Memory is the process's highest, less what it had when the libraries and the model were loaded and had trained once,
plus the model's own weights: so it holds weights, gradients, optimizer and activations, and no libraries. The untouched
original that `cl.finetune` leaves beside a fully tuned copy is not counted.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from course_lib.lessons import tickets

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "lora": {"method": "lora"},
    "qlora": {"method": "qlora"},
    "adapter": {"method": "adapter", "rank": 32},
    "prefix": {"method": "prefix", "rank": 16},
    "prompt": {"method": "prompt", "rank": 16},
    "upper": {"method": "lora", "layers": "upper"},
    "attention-equal": {"method": "lora", "targets": "attention", "rank": 21},
}
BATCH, FEW, MANY = 4, 4, 20
# Above this glibc gives memory back as soon as it is freed: what a process holds is then what is in use.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def measure(name: str) -> dict[str, float]:
    """Seconds of a step and bytes at the peak, of one variant."""
    return alone(_seconds, VARIANTS[name]) | alone(peak, VARIANTS[name], environment=GIVE_BACK)


def alone(function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What a function returns in a process of its own, which sees more environment variables."""
    os.environ.update(environment or {})  # the new process inherits it
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(function, *arguments).result()
    finally:
        for variable in environment or {}:
            del os.environ[variable]


def _seconds(variant: dict[str, Any]) -> dict[str, float]:
    """A step's seconds: of a longer run less a shorter one, so that how they start does not count."""
    gp, letters = ready(variant)
    train(gp, letters[: BATCH * 2], variant)
    taken = [train(gp, letters[: BATCH * steps], variant)[0] for steps in (FEW, MANY)]
    return {"step_seconds": round((taken[1] - taken[0]) / (MANY - FEW), 3)}


def peak(variant: dict[str, Any], examples: Callable[[], list[Any]] | None = None) -> dict[str, float]:
    """Bytes at the highest of three steps on the longest examples."""
    gp, rows = ready(variant, examples or letters)
    batch = variant.get("batch_size", BATCH)
    longest = sorted(rows, key=lambda row: -len(row["prompt"][-1]["content"]))[: 3 * batch]
    train(gp, longest[:batch], {"method": "prompt", "rank": 1, "batch_size": batch})
    train(gp, longest[:batch], variant)
    highest, training = at_the_peak(gp, lambda: train(gp, longest, variant)[1])
    spared = gp.size() if variant["method"] == "full" else 0
    return {
        "peak_bytes": highest - spared,
        "weights_bytes": gp.size(),
        "tokens_a_step": round(training.tokens / len(training.losses)),
    }


def at_the_peak(gp: Any, run: Callable[[], Any]) -> tuple[int, Any]:
    """Bytes at the highest of a run, as the top of this page counts them, and what it returned."""
    import torch

    gc.collect()
    with suppress(OSError, AttributeError):  # where the C library is another
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = torch.cuda.memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
    _forget_peak()
    found = run()
    return _highest() - before + gp.size(), found


def where_and_when() -> dict[str, str]:
    """The machine that something was measured on, and the day."""
    import torch

    machine = f"{torch.get_num_threads()} thread, {torch.backends.cpu.get_cpu_capability()}, {platform.machine()}"
    return {"machine": machine, "date": date.today().isoformat()}


def letters() -> list[Any]:
    """Training letters, as evenly as may be over desks."""
    return [letter.as_example() for letter in tickets.few(tickets.load_tickets("train"), BATCH * MANY)]


def ready(variant: dict[str, Any], examples: Callable[[], list[Any]] = letters) -> tuple[Any, list[Any]]:
    """The model that a variant starts from, and what it reads."""
    import course_lib as cl

    cl.start(seed=0)
    gp = cl.load_model(quantization="nf4" if variant["method"] == "qlora" else None)
    return gp, examples()


def train(gp: Any, rows: list[Any], variant: dict[str, Any]) -> tuple[float, Any]:
    """Seconds that one pass took, and how it went; the model that it made is let go."""
    import course_lib as cl

    started = time.perf_counter()
    training = cl.finetune(gp, rows, **({"batch_size": BATCH} | variant), epochs=1).training
    return time.perf_counter() - started, training


def _forget_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: VmHWM begins anew


def _highest() -> int:
    """Bytes at the highest since `_forget_peak`."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

"""What the benchmarks share: contenders take turns, because machines are noisy, and their medians are compared.

A contest's medians go to `results.json`, as multiples; `page.py` makes the page of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

from course_lib.core.session import current
from course_lib.costs.machine import product_gflops
from course_lib.models.students import STUDENTS

RESULTS = Path(__file__).with_name("results.json")
COURSE = "course_lib"
LIMIT = "the limit"  # what the multiplications alone need, at this machine's own speed
# A contender does its work once, and says for how many seconds and with what that shows it did the same as the others.
Contender = Callable[[], tuple[float, str]]


def options(description: str, rounds: int = 3) -> argparse.ArgumentParser:
    """The command line of a benchmark: which student, how much work, how many rounds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", choices=tuple(STUDENTS), default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--keep", action="store_true", help="write the ratios to results.json")
    return parser


def contest(
    what: str, work: str, contenders: dict[str, Contender], asked: argparse.Namespace, flops: float = 0.0
) -> dict[str, float]:
    """Print what each does in each round, and return its median speed as a multiple of the course's; keep it if asked.

    With `flops`, what the work takes, the limit is among them: measured in each round, by matrix products alone.
    """
    print(f"{what}: {work}")
    if flops:
        contenders = contenders | {LIMIT: lambda: (flops / product_speed(), "")}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(asked.rounds):
        for name, run in contenders.items():
            elapsed, said = run()
            seconds[name].append(elapsed)
            print(f"{name:28} {elapsed:7.1f} s  {said}", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {name: round(medians[COURSE] / value, 2) for name, value in medians.items()}
    print(f"\nmedian of {asked.rounds}")
    for name, value in medians.items():
        print(f"{name:28} {value:7.1f} s  x{ratios[name]:.2f} of {COURSE}")
    if asked.keep:
        keep(what, asked.student, work, ratios)
    return ratios


def product_speed() -> float:
    """FLOP/s of matrix products in the session's number format."""
    return 1e9 * product_gflops(getattr(torch, current().dtype))


def keep(what: str, student: str, work: str, ratios: dict[str, float]) -> None:
    """Put a contest's ratios where the page is made from; those of another machine's kind stay beside them."""
    everything = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    machine = f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {current().dtype}"
    everything[f"{what}, {student}, {machine}"] = {
        "what": what, "student": student, "machine": machine, "work": work, "on": date.today().isoformat(),
        "gflops": round(product_speed() / 1e9), "ratios": ratios,
    }  # fmt: skip
    text = json.dumps(dict(sorted(everything.items())), indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")

"""Measures what of a matrix product's speed the default student reaches, for minutes on machines of any speed.

    python data/make/measure/machine.py

Reading, writing and training are measured as `course_lib.costs.machine` and `cl.forecast` take them, in fp32 with AVX2
alone, as on the machines that the course states its minutes for; on one thread and in its CPU seconds, so that what
else the machine does hardly counts. `data/results/machine.json` holds them as shares of the FLOP/s of a product of two
matrices: FLOPs of reading, bytes of weights that writing waits for; the prices of training (`Calibration`) in FLOPs of
such a product; and the bytes that the libraries take. Some minutes; then every lesson's minutes are stated anew.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

# Before torch is loaded, and for the processes that are begun.
os.environ |= {"OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

import psutil
from lesson_08 import costing
from shared.stepping import alone, where_and_when

from course_lib.core.session import data_dir
from course_lib.core.text import write_text
from course_lib.costs.machine import STUDENT_SHAPES, lesson_works, product_gflops, stated_minutes, student_speed
from course_lib.models.loading import load_model
from course_lib.models.students import DEFAULT

REPEATS = 8


def libraries() -> dict[str, float]:
    """Bytes of a process that has loaded what a lesson loads, and no student."""
    import chromadb  # noqa: F401
    import matplotlib.pyplot
    import pandas as pd  # noqa: F401
    import trl  # noqa: F401

    from course_lib.models.loading import load_embedder
    from course_lib.training import trainers  # noqa: F401

    held = load_embedder(), matplotlib.pyplot.figure()
    return {"bytes": float(psutil.Process().memory_info().rss), "things": len(held)}


def speeds() -> dict[str, float]:
    """FLOP/s of a product and of reading, bytes/s of writing."""
    time.perf_counter = time.process_time
    product = product_gflops(repeats=REPEATS) * 1e9
    found = student_speed(load_model(DEFAULT.name), STUDENT_SHAPES[DEFAULT.name], REPEATS)
    return {"product": max(product, product_gflops(repeats=REPEATS) * 1e9), **found}


def prices() -> dict[str, float]:
    """What training takes, as `cl.forecast` wants it."""
    time.perf_counter = time.process_time
    return costing.calibrated()


def measure() -> dict[str, Any]:
    """All of it; each part in a process of its own."""
    found, taken = alone(speeds), alone(prices)
    product = found["product"]
    return {
        "gflops": round(product / 1e9, 1),
        "read": round(found["read"] / product, 4),
        "memory": round(found["memory"] / product, 4),
        "prices": {name: float(f"{price * product:.4g}") for name, price in taken.items()},
        "libraries": round(alone(libraries)["bytes"]),
        **where_and_when(),
    }


def restate() -> None:
    """Work out the minutes of each lesson again from its counted work."""
    for lesson, work in lesson_works().items():
        path = data_dir() / "results" / f"{lesson}.json"
        result = json.loads(path.read_text(encoding="utf-8")) | {"minutes_laptop": round(stated_minutes(work), 1)}
        write_text(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    path = data_dir() / "results" / "machine.json"
    write_text(path, json.dumps(measure(), indent=1) + "\n")
    restate()

"""What `results_08.py` holds the forecasts of `cl.forecast` against: real runs, each in processes of its own.

A run's seconds are those of its training, after another one in the same process, which loads what is loaded once. Its
peak is measured as `stepping.peak` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.optimize import nnls
from shared.keeping import kept_data
from shared.stepping import GIVE_BACK, alone, letters, peak, ready, train, where_and_when

from course_lib.core import session
from course_lib.core.chat import Example, check_examples
from course_lib.costs import forecast
from course_lib.costs.forecast import Calibration
from course_lib.costs.memory import model_shape
from course_lib.lessons.sql import task
from course_lib.models.chatmodel import ChatModel
from course_lib.models.quantization import quantize
from course_lib.training import run as running
from course_lib.training.methods import METHODS, Recipe

# A step's seconds are those of a longer run less a shorter one, so that how they start does not count.
FEW, MANY = 2, 6
# Each of the five prices of a step must be heard in one of these at least: small and large batches with hardly anything
# beside the frozen weights, LoRA's side paths, the optimizer of all weights, and weights in 4 bits that are unpacked.
CALIBRATION_RUNS: tuple[dict[str, Any], ...] = (
    {"method": "adapter", "batch_size": 2},
    {"method": "adapter", "batch_size": 8},
    {"method": "lora", "batch_size": 4},
    {"method": "full", "batch_size": 4},
    {"method": "qlora", "batch_size": 4},
)
STEPS = 24
# None of them is one of the runs that the calibration makes.
RUNS: dict[str, dict[str, Any]] = {
    "lora, 8 letters": {"method": "lora", "batch_size": 8},
    "lora, upper half": {"method": "lora", "batch_size": 4, "layers": "upper"},
    "lora, attention, r = 21": {"method": "lora", "batch_size": 4, "targets": "attention", "rank": 21},
    "full, 8 letters": {"method": "full", "batch_size": 8},
    "qlora, 8 letters": {"method": "qlora", "batch_size": 8},
    "prefix, 4 letters": {"method": "prefix", "batch_size": 4, "rank": 16},
    "lora, 4 queries": {"method": "lora", "batch_size": 4},
    "lora, 2 readings": {"method": "lora", "batch_size": 2, "rank": 16},
}
ALLOWED = 0.25


def queries() -> list[Any]:
    """Requests with their SQL: longer completions."""
    return task.load_sql().train_examples(STEPS * 4)


def readings() -> list[Any]:
    """A document and a question: long prompts."""
    import course_lib as cl

    documents = cl.read_documents(session.data_dir() / "library")[: STEPS * 2]
    return [cl.example(f"{document.text}\n\nWhat is this?", document.title) for document in documents]


def read_by(name: str) -> Callable[[], list[Any]]:
    """What a run reads."""
    return {"queries": queries, "readings": readings}.get(name.split()[-1], letters)


def calibrated() -> dict[str, float]:
    """The machine's prices."""
    gp, rows = ready({"method": "lora"})
    return asdict(calibrate(gp, rows))


def calibrate(model: ChatModel, examples: Sequence[Example]) -> Calibration:
    """Train in five ways for a few steps, and find what a FLOP, a step and the rest take here.

    A step's seconds are a sum of the five prices of `Calibration`, each times how much of it the method needs; the
    prices are those, none below 0, that miss the runs least (non-negative least squares of relative errors). The model,
    not in 4 bits, stays as it was; 64 examples or more make batches of the usual length, fewer are repeated.
    """
    rows, shape = check_examples(examples), model_shape(model)
    measured, starts = [], []
    for run in CALIBRATION_RUNS:
        method, batch = run["method"], run["batch_size"]
        base = quantize(model) if METHODS[method].four_bit else model
        taken = []
        for steps in (FEW, FEW, MANY):  # the first run is cold: what is loaded and chosen once is not counted
            chosen = [rows[i % len(rows)] for i in range(batch * steps)]
            taken.append((_seconds(base, chosen, method, batch), forecast.work_of(model, chosen, batch)))
        _, (short, _), (long, work) = taken
        each = max(long - short, 1e-9) / (MANY - FEW)
        starts.append(max(short - FEW * each, 0.0))
        measured.append((forecast.step_needs(shape, work, method), each))
    return fitted(measured, sum(starts) / len(starts))


def _seconds(model: ChatModel, rows: list[Example], method: str, batch: int) -> float:
    """Of one real run, which leaves nothing behind; a session that replays stored adapters runs it all the same."""
    recipe = Recipe(method, 1, METHODS[method].learning_rate, batch, 8, "all", 0)
    job = running.Job(model, recipe, rows, "calibration", "calibration")
    return running.fit(job, len(rows) // batch).training.seconds


def fitted(measured: Sequence[tuple[tuple[float, ...], float]], start: float = 0.0) -> Calibration:
    """The prices that explain measured steps best: for each run what a step needs (`step_needs`), and its seconds."""
    wanted = np.array([needs for needs, _ in measured])  # (runs, 5)
    scale = wanted.max(axis=0)
    scale[scale == 0] = 1  # nnls wants columns of like size
    seconds = np.array([each for _, each in measured])  # (runs,)
    prices, _ = nnls(wanted / scale / seconds[:, None], np.ones(len(seconds)))
    return Calibration(*(float(price) for price in prices / scale), start=start)


def seconds(run: dict[str, Any], examples: Callable[[], list[Any]]) -> dict[str, float]:
    """Of a real run of some steps."""
    gp, rows = ready(run, examples)
    batch = run["batch_size"]
    train(gp, rows[: 2 * batch], run)
    _, training = train(gp, rows[: STEPS * batch], run)
    return {"seconds": round(training.seconds, 2), "steps": len(training.losses), "tokens": training.tokens}


def costs() -> dict[str, Any]:
    """Calibrate once, then measure each run and hold it against its forecast."""

    calibration = kept_data("08", "calibration", lambda: {**alone(calibrated), **where_and_when()})
    known = Calibration(**{name: calibration[name] for name in Calibration.__dataclass_fields__})
    rows = {}
    for name, run in RUNS.items():
        examples = read_by(name)

        def make(run=run, examples=examples) -> dict[str, Any]:
            found = alone(seconds, run, examples) | alone(peak, run, examples, environment=GIVE_BACK)
            return found | where_and_when()

        slug = "cost-" + "".join(c if c.isalnum() else "-" for c in name).replace("--", "-")
        measured = kept_data("08", slug, make, {**run, "steps": STEPS})
        rows[name] = against(name, run, measured, known)
    worst = {what: max(abs(row[f"{what}_ratio"] - 1) for row in rows.values()) for what in ("seconds", "peak")}
    within = sum(all(abs(row[f"{what}_ratio"] - 1) <= ALLOWED for what in worst) for row in rows.values())
    return {
        "calibration": {name: calibration[name] for name in Calibration.__dataclass_fields__},
        "flops_a_second": known.flops, "runs": rows, "n": len(rows), "within": within, "allowed": ALLOWED,
        "worst": {what: round(value, 3) for what, value in worst.items()},
        **{what: calibration[what] for what in where_and_when()},
    }  # fmt: skip


def against(name: str, run: dict[str, Any], measured: dict[str, Any], known: Any) -> dict[str, Any]:
    """A run's forecast beside what was measured; a ratio is measured over forecast."""
    import course_lib as cl

    gp, rows = ready({"method": "lora"}, read_by(name))
    batch = run["batch_size"]
    options = {key: value for key, value in run.items() if key != "batch_size"}
    seen = cl.forecast(gp, rows[: STEPS * batch], known, **options, epochs=1, batch_size=batch)
    longest = sorted(rows, key=lambda row: -len(row["prompt"][-1]["content"]))[: 3 * batch]
    held = cl.forecast(gp, longest, known, **options, epochs=1, batch_size=batch).memory
    return {
        "seconds": measured["seconds"], "seconds_forecast": round(seen.seconds, 2),
        "seconds_ratio": round(measured["seconds"] / seen.seconds, 3),
        "peak": measured["peak_bytes"], "peak_forecast": round(held.total),
        "peak_ratio": round(measured["peak_bytes"] / held.total, 3),
        "steps": measured["steps"], "tokens": measured["tokens"],
    }  # fmt: skip

"""What is measured for lesson 08's costs: real runs held against their forecasts, each kept once."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lesson_08 import costing
from shared import stepping

import course_lib as cl
from course_lib.core.chat import example
from course_lib.core.errors import DataError
from course_lib.costs.forecast import Calibration, Work, step_needs
from course_lib.costs.memory import GB, Shape
from course_lib.models.quantization import is_quantized

KNOWN = Calibration(flop=1e-9, step=0.5, side=0.0, trained=0.0, packed=0.0, start=2.0)
RUNS = {
    "lora, 4 letters": {"method": "lora", "batch_size": 4},
    "full, 2 queries": {"method": "full", "batch_size": 2},
}
ROWS = [example(f"Who won in {year}?", "Anna") for year in range(2000, 2024)]
TRUE = {"flop": 5e-12, "step": 0.03, "side": 3e-9, "trained": 4e-9, "packed": 8e-10}
SHAPE = Shape("SmolLM2", 30, 576, 1536, 49152, 9, 3, tied=True)

calibrating = pytest.mark.usefixtures("plain_small_machine", "quick_collector")


@pytest.fixture
def made(tiny_model, monkeypatch, tmp_path):
    """No processes: the tiny model's forecasts, and runs that take just as long, or a given number of times that."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(costing, "RUNS", RUNS)
    monkeypatch.setattr(costing, "STEPS", 4)
    monkeypatch.setattr(costing, "ready", lambda variant, examples=None: (tiny_model, ROWS))
    times = {"seconds": 1.0, "peak": 1.0, "asked": []}

    def alone(function, *arguments, environment=None):
        if function is costing.calibrated:
            return asdict(KNOWN)
        run, _ = arguments
        times["asked"].append(function.__name__)
        batch = run["batch_size"]
        options = {"method": run["method"], "epochs": 1, "batch_size": batch}
        if function is stepping.peak:
            held = cl.forecast(tiny_model, ROWS[: 3 * batch], KNOWN, **options).memory
            return {"peak_bytes": held.total * times["peak"], "weights_bytes": 0, "tokens_a_step": 9}
        seen = cl.forecast(tiny_model, ROWS[: 4 * batch], KNOWN, **options)
        return {"seconds": seen.seconds * times["seconds"], "steps": 4, "tokens": 99}

    monkeypatch.setattr(costing, "alone", alone)
    return times


def test_a_run_that_takes_what_was_foretold_has_a_ratio_of_one_and_is_made_once(made):
    found = costing.costs()
    assert costing.costs() == found and len(made["asked"]) == 4
    assert (found["n"], found["within"]) == (2, 2)
    for row in found["runs"].values():
        assert row["seconds_ratio"] == pytest.approx(1, abs=0.01) and row["peak_ratio"] == pytest.approx(1, abs=0.01)
        assert 0 < row["peak"] < GB, "in bytes"
    assert found["calibration"] == asdict(KNOWN) and found["flops_a_second"] == pytest.approx(1e9)
    assert json.dumps(found)


@pytest.mark.parametrize("what", ["seconds", "peak"])
def test_a_run_that_takes_a_third_more_is_outside(made, what):
    made[what] = 1.33
    found = costing.costs()
    assert found["within"] == 0 and found["worst"][what] == pytest.approx(0.33, abs=0.01)


def test_there_are_six_runs_at_least_and_none_is_one_of_the_calibrations():
    assert len(costing.RUNS) >= 6
    letters = [run for name, run in costing.RUNS.items() if costing.read_by(name) is stepping.letters]
    assert not [run for run in letters if run in costing.CALIBRATION_RUNS]


def test_a_run_reads_what_its_name_says():
    assert costing.read_by("lora, 4 queries") is costing.queries
    assert costing.read_by("lora, 2 readings") is costing.readings
    assert costing.read_by("lora, upper half") is costing.read_by("full, 8 letters") is stepping.letters
    lengths = [len(rows[0]["prompt"][-1]["content"]) for rows in (stepping.letters(), costing.readings())]
    assert lengths[1] > 3 * lengths[0] and len(costing.queries()) == costing.STEPS * 4


def needs(run, tokens=200):
    work = Work(1, run["batch_size"], tokens * run["batch_size"] / 4, 12, tokens)
    return step_needs(SHAPE, work, run["method"])


@given(times=st.fixed_dictionaries({name: st.floats(0.3, 3) for name in TRUE}))
def test_every_price_is_found_from_what_the_calibration_runs_take(times):
    prices = {name: times[name] * price for name, price in TRUE.items()}
    wanted = [needs(run) for run in costing.CALIBRATION_RUNS]
    found = costing.fitted([(each, sum(p * n for p, n in zip(prices.values(), each))) for each in wanted], start=1.5)
    assert asdict(found) == pytest.approx(prices | {"start": 1.5}, rel=1e-3)
    assert found.flops == pytest.approx(1 / prices["flop"], rel=1e-3)


@given(seconds=st.lists(st.floats(1e-3, 10), min_size=5, max_size=5))
def test_no_price_is_below_zero_whatever_a_busy_machine_measured(seconds):
    found = costing.fitted(list(zip(map(needs, costing.CALIBRATION_RUNS), seconds)))
    assert min(asdict(found).values()) >= 0


@calibrating
def test_a_calibration_trains_for_a_few_real_steps_and_leaves_the_model_as_it_was(tiny_model, monkeypatch):
    monkeypatch.setattr(costing, "MANY", 3)
    before = {name: weight.clone() for name, weight in tiny_model.model.named_parameters()}
    found = asdict(costing.calibrate(tiny_model, ROWS))
    assert min(found.values()) >= 0 and sum(found.values()) > 0
    assert all((before[name] == weight).all() for name, weight in tiny_model.model.named_parameters())


@calibrating
def test_of_the_calibration_runs_qlora_alone_stands_on_four_bits(tiny_model, monkeypatch):
    seen = {}

    def quick(job, max_steps):
        seen[job.recipe.method] = is_quantized(job.model.model)
        return SimpleNamespace(training=SimpleNamespace(seconds=1.0 + max_steps))

    monkeypatch.setattr(costing.running, "fit", quick)
    costing.calibrate(tiny_model, ROWS)
    assert seen == {"adapter": False, "lora": False, "full": False, "qlora": True}


@calibrating
def test_the_first_run_of_each_kind_which_is_cold_is_not_counted(tiny_model, monkeypatch):
    found = []
    for cold in (0.0, 100.0):
        kinds = set()

        def quick(job, max_steps, cold=cold, kinds=kinds):
            kind = (job.recipe.method, job.recipe.batch_size)
            first = kind not in kinds
            kinds.add(kind)
            return SimpleNamespace(training=SimpleNamespace(seconds=1.0 + max_steps + cold * first))

        monkeypatch.setattr(costing.running, "fit", quick)
        found.append(costing.calibrate(tiny_model, ROWS))
    assert found[0] == found[1] and found[0].start == pytest.approx(1.0)


@calibrating
def test_a_calibration_trains_even_where_the_session_replays(tiny_model, monkeypatch, session):
    session(COURSE_REPLAY="strict")
    monkeypatch.setattr(costing, "MANY", 3)
    monkeypatch.setattr(costing, "CALIBRATION_RUNS", costing.CALIBRATION_RUNS[2:3])
    assert costing.calibrate(tiny_model, ROWS).flop >= 0


def test_a_calibration_wants_examples(tiny_model):
    with pytest.raises(DataError):
        costing.calibrate(tiny_model, ["text"])

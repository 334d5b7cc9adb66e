"""What is measured for lesson 08's costs: real runs held against their forecasts, each kept once."""

import json
import sys
from dataclasses import asdict

import pytest

import course_lib as cl
from course_lib.core.chat import example
from course_lib.core.session import ROOT
from course_lib.costs import forecast
from course_lib.costs.memory import GB

sys.path.insert(0, str(ROOT / "data" / "make"))
import costing
import results_08
import stepping

KNOWN = forecast.Calibration(flop=1e-9, step=0.5, side=0.0, trained=0.0, packed=0.0, start=2.0)
RUNS = {
    "lora, 4 letters": {"method": "lora", "batch_size": 4},
    "full, 2 queries": {"method": "full", "batch_size": 2},
}
ROWS = [example(f"Who won in {year}?", "Anna") for year in range(2000, 2024)]


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


def test_a_run_that_takes_what_was_foretold_has_a_ratio_of_one(made):
    found = costing.costs()
    assert (found["n"], found["within"]) == (2, 2)
    for row in found["runs"].values():
        assert row["seconds_ratio"] == pytest.approx(1, abs=0.01) and row["peak_ratio"] == pytest.approx(1, abs=0.01)
    assert found["calibration"] == asdict(KNOWN) and found["flops_a_second"] == pytest.approx(1e9)
    assert json.dumps(found)


@pytest.mark.parametrize("what", ["seconds", "peak"])
def test_a_run_that_takes_a_third_more_is_outside(made, what):
    made[what] = 1.33
    found = costing.costs()
    assert found["within"] == 0 and found["worst"][what] == pytest.approx(0.33, abs=0.01)


def test_what_was_measured_is_kept(made):
    costing.costs()
    asked = len(made["asked"])
    costing.costs()
    assert len(made["asked"]) == asked == 4


def test_there_are_six_runs_at_least_and_none_is_one_of_the_calibrations():
    from course_lib.costs.forecast import CALIBRATION_RUNS

    assert len(costing.RUNS) >= 6
    letters = [run for name, run in costing.RUNS.items() if costing.read_by(name) is stepping.letters]
    assert not [run for run in letters if run in CALIBRATION_RUNS]


def test_a_run_reads_what_its_name_says():
    assert costing.read_by("lora, 4 queries") is costing.queries
    assert costing.read_by("lora, 2 readings") is costing.readings
    assert costing.read_by("lora, upper half") is costing.read_by("full, 8 letters") is stepping.letters
    lengths = [len(rows[0]["prompt"][-1]["content"]) for rows in (stepping.letters(), costing.readings())]
    assert lengths[1] > 3 * lengths[0] and len(costing.queries()) == costing.STEPS * 4


def test_memory_is_told_in_bytes(made):
    assert all(0 < row["peak"] < GB for row in costing.costs()["runs"].values())


def test_the_readme_says_how_many_runs_were_foretold(made):
    made["seconds"] = 1.2
    headline = results_08.summary({"costs": costing.costs()})["headline"]
    assert "2 of 2 within 25%" in headline and "20% off in seconds and 0% in memory" in headline
    assert results_08.summary({}) == {}

"""Forecasts: what a run reads is counted, the machine's prices are found, and both make seconds and bytes."""

from types import SimpleNamespace

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.costs import forecast as forecast_module
from course_lib.costs.forecast import CALIBRATION_RUNS, LOGITS_BYTES, Calibration, calibrate, fitted, forecast, work_of
from course_lib.costs.memory import Shape, model_shape, training_memory
from course_lib.models.quantization import is_quantized
from course_lib.models.scoring import token_counts

EXAMPLES = [example(f"Who won in {year}{'?' * (year % 5)}", "Anna") for year in range(2000, 2012)]
SHAPE = Shape("SmolLM2", 30, 576, 1536, 49152, 9, 3, tied=True)
TRUE = Calibration(flop=5e-12, step=0.03, side=3e-9, trained=4e-9, packed=8e-10)

pytestmark = pytest.mark.usefixtures("plain_small_machine", "quick_collector")


def seconds(prices, quantities):
    parts = (prices.flop, prices.step, prices.side, prices.trained, prices.packed)
    return sum(price * quantity for price, quantity in zip(parts, quantities))


def quantities(run, tokens=200):
    work = forecast_module.Work(1, run["batch_size"], tokens * run["batch_size"] / 4, 12, tokens)
    return forecast_module._quantities(SHAPE, work, run)


def test_tokens_are_counted_as_training_counts_them(tiny_model):
    counts = token_counts(tiny_model, EXAMPLES)
    prompt, completion = counts[0]
    assert completion == len("Anna") + 2, "the end of the turn, and a line break"
    assert prompt == len(tiny_model.encode("Who won in 2000"))


def test_a_run_reads_every_example_in_every_epoch_and_its_widest_step_is_padded(tiny_model):
    counts = token_counts(tiny_model, EXAMPLES)
    work = work_of(tiny_model, EXAMPLES, batch_size=4, epochs=3)
    assert (work.steps, work.examples) == (9, 4)
    assert work.tokens * 3 == sum(map(sum, counts))
    assert work.widest == 4 * max(map(sum, counts))
    assert work_of(tiny_model, EXAMPLES[:2], batch_size=8).examples == 2


def test_the_machines_prices_are_found_from_what_the_calibration_runs_take():
    wanted = [quantities(run) for run in CALIBRATION_RUNS]
    found = fitted([(each, seconds(TRUE, each)) for each in wanted], start=1.5)
    for name in ("flop", "step", "side", "trained", "packed"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=1e-3), name
    assert found.start == 1.5 and found.flops == pytest.approx(2e11, rel=1e-3)


def test_no_price_is_below_zero_whatever_a_busy_machine_measured():
    noisy = [(quantities(run), noise) for run, noise in zip(CALIBRATION_RUNS, (9.0, 0.1, 5.0, 0.2, 0.1))]
    found = fitted(noisy)
    assert min(found.flop, found.step, found.side, found.trained, found.packed) >= 0


def test_every_price_is_heard_in_a_run_that_the_others_do_not_explain():
    for name in ("flop", "step", "side", "trained", "packed"):
        dearer = Calibration(**{**vars(TRUE), name: 3 * getattr(TRUE, name)})
        found = fitted([(quantities(run), seconds(dearer, quantities(run))) for run in CALIBRATION_RUNS])
        assert getattr(found, name) == pytest.approx(3 * getattr(TRUE, name), rel=1e-3), name


def test_a_forecast_is_the_quantities_times_their_prices(tiny_model):
    known = Calibration(flop=1e-9, step=0.5, side=0, trained=0, packed=0, start=2.0)
    seen = forecast(tiny_model, EXAMPLES, known, "lora", epochs=2, batch_size=4)
    assert seen.work.steps == 6
    assert seen.step_seconds == pytest.approx(0.5 + 1e-9 * seen.flops / 6)
    assert seen.seconds == pytest.approx(2.0 + 6 * seen.step_seconds)


@pytest.mark.parametrize(("price", "dear", "cheap"), [("trained", "full", "lora"), ("packed", "qlora", "lora")])
def test_each_method_pays_for_what_it_alone_needs(tiny_model, price, dear, cheap):
    known = Calibration(**{"flop": 0, "step": 0, "side": 0, "trained": 0, "packed": 0} | {price: 1.0})
    of = {m: forecast(tiny_model, EXAMPLES, known, m, rank=1, batch_size=4).step_seconds for m in (dear, cheap)}
    assert of[dear] > 5 * of[cheap]


def test_memory_is_the_formulas_for_the_widest_step_with_the_logits(tiny_model):
    seen = forecast(tiny_model, EXAMPLES, TRUE, "full", epochs=1, batch_size=4)
    formula = training_memory(
        model_shape(tiny_model), "full", precision="fp32", tokens=seen.work.widest, checkpointing=False
    )
    logits = seen.work.completion_tokens * model_shape(tiny_model).vocabulary * LOGITS_BYTES
    assert seen.memory.total == pytest.approx(formula.total + logits)


def test_virtual_tokens_are_read_too(tiny_model):
    few, many = (forecast(tiny_model, EXAMPLES, TRUE, "prompt", rank=rank, batch_size=4) for rank in (1, 16))
    assert many.flops > few.flops and many.memory.total > few.memory.total


def test_a_calibration_trains_for_a_few_real_steps_and_leaves_the_model_as_it_was(tiny_model, monkeypatch):
    monkeypatch.setattr(forecast_module, "MANY", 3)
    before = {name: weight.clone() for name, weight in tiny_model.model.named_parameters()}
    found = calibrate(tiny_model, EXAMPLES)
    assert min(vars(found).values()) >= 0 and sum(vars(found).values()) > 0
    assert all((before[name] == weight).all() for name, weight in tiny_model.model.named_parameters())


def test_of_the_calibration_runs_qlora_alone_stands_on_four_bits(tiny_model, monkeypatch):
    seen = {}

    def quick(model, rows, recipe, *_, **options):
        seen[recipe.method] = is_quantized(model.model)
        return SimpleNamespace(training=SimpleNamespace(seconds=1.0 + options["max_steps"]))

    monkeypatch.setattr(forecast_module, "train", quick)
    calibrate(tiny_model, EXAMPLES)
    assert seen == {"adapter": False, "lora": False, "full": False, "qlora": True}


def test_a_calibration_trains_even_where_the_session_replays(tiny_model, monkeypatch, session):
    session(COURSE_REPLAY="strict")
    monkeypatch.setattr(forecast_module, "MANY", 3)
    monkeypatch.setattr(forecast_module, "CALIBRATION_RUNS", CALIBRATION_RUNS[2:3])
    assert calibrate(tiny_model, EXAMPLES).flop >= 0


def test_what_makes_no_sense_is_refused(tiny_model):
    for options in ({"batch_size": 0}, {"batch_size": "four"}, {"epochs": 0}, {"rank": 0}):
        with pytest.raises(CourseError):
            forecast(tiny_model, EXAMPLES, TRUE, **options)
    with pytest.raises(ChoiceError):
        forecast(tiny_model, EXAMPLES, TRUE, "lorra")
    with pytest.raises(DataError):
        work_of(tiny_model, [], 4)
    with pytest.raises(DataError):
        calibrate(tiny_model, ["text"])

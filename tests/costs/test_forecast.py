"""Forecasts: what a run reads is counted, and with a machine's prices makes seconds and bytes."""

import pytest
import torch

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.costs.forecast import LOGITS_BYTES, Calibration, forecast, work_of
from course_lib.costs.memory import model_shape, trained_parameters, training_memory
from course_lib.models.scoring import token_counts

EXAMPLES = [example(f"Who won in {year}{'?' * (year % 5)}", "Anna") for year in range(2000, 2012)]
TRUE = Calibration(flop=5e-12, step=0.03, side=3e-9, trained=4e-9, packed=8e-10)

pytestmark = pytest.mark.usefixtures("plain_small_machine")


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


def test_a_forecast_is_the_quantities_times_their_prices(tiny_model):
    known = Calibration(flop=1e-9, step=0.5, side=0, trained=0, packed=0, start=2.0)
    seen = forecast(tiny_model, EXAMPLES, known, "lora", epochs=2, batch_size=4)
    assert seen.work.steps == 6
    assert seen.step_seconds == pytest.approx(0.5 + 1e-9 * seen.flops / 6)
    assert seen.seconds == pytest.approx(2.0 + 6 * seen.step_seconds)


def test_a_forecast_takes_the_rank_that_fine_tuning_would(tiny_model, monkeypatch):
    def takes(method="lora", **rank):
        return forecast(tiny_model, EXAMPLES, TRUE, method, batch_size=4, **rank)

    assert takes() == takes(rank=8) != takes(rank=1)
    monkeypatch.setattr("course_lib.training.shelf.MAX_BYTES", 0)
    assert takes() == takes(rank=1) and takes("prompt") == takes("prompt", rank=8)


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


@pytest.mark.parametrize("method", ["full", "lora", "adapter"])
def test_in_a_session_of_sixteen_bits_what_is_trained_still_takes_sixteen_bytes_a_number(tiny_model, method):
    shape = model_shape(tiny_model)
    trained = trained_parameters(shape, method)
    frozen = 0 if method == "full" else shape.parameters
    held = {}
    for dtype, bytes_of_a_weight in (("float32", 4), ("bfloat16", 2), ("float16", 2)):
        tiny_model.model.to(getattr(torch, dtype))
        held[dtype] = forecast(tiny_model, EXAMPLES, TRUE, method, epochs=1, batch_size=4).memory
        kept = held[dtype].weights + held[dtype].gradients + held[dtype].optimizer
        assert kept == trained * 16 + frozen * bytes_of_a_weight, dtype
    assert held["float16"].activations < held["float32"].activations


def test_virtual_tokens_are_read_too(tiny_model):
    few, many = (forecast(tiny_model, EXAMPLES, TRUE, "prompt", rank=rank, batch_size=4) for rank in (1, 16))
    assert many.flops > few.flops and many.memory.total > few.memory.total


@pytest.mark.parametrize(
    ("options", "error"),
    [
        *(
            (options, CourseError)
            for options in ({"batch_size": 0}, {"batch_size": "four"}, {"epochs": 0}, {"rank": 0})
        ),
        ({"method": "lorra"}, ChoiceError),
        ({"examples": []}, DataError),
    ],
)
def test_what_makes_no_sense_is_refused(tiny_model, options, error):
    with pytest.raises(error):
        forecast(tiny_model, **{"examples": EXAMPLES, "calibration": TRUE} | options)

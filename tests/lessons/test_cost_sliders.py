"""The sliders on costs: what they say in text, and what the controls do."""

import pytest

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.costs.bills import training_bill
from course_lib.costs.memory import SHAPES
from course_lib.costs.prices import load_prices
from course_lib.lessons import sliders
from course_lib.lessons.sliders import cost_slider

PRICES = load_prices(today="2026-11-25")


def said(capsys, **options):
    cost_slider(PRICES, **options)
    return capsys.readouterr().out.splitlines()


def test_a_model_prints_compute_memory_and_money(capsys):
    lines = said(capsys, model="7B", method="full", card="H100 SXM", examples=1000, example_tokens=100, epochs=2)
    bill = training_bill(SHAPES["7B"], PRICES.card("H100 SXM"), 200_000, "full")
    assert lines[0] == "7B, full, 0 million tokens on H100 SXM"
    assert lines[1].startswith(f"compute:  {bill.flops:.2g} FLOPs; {bill.hours:.1f} hours")
    assert lines[2] == f"memory:   {bill.memory / 1e9:.0f} GB: 2 cards of 80 GB"
    assert lines[3].startswith(f"money:    {bill.usd:.2f} to ") and "(RunPod (community) to AWS)" in lines[3]


def test_more_examples_cost_more_and_a_card_with_one_price_names_it(capsys):
    few, many = (said(capsys, model="7B", examples=n, card="L4")[3] for n in (10_000, 100_000))
    assert float(many.split()[1].replace(",", "")) == pytest.approx(10 * float(few.split()[1]), rel=0.01)
    assert "(Hugging Face Spaces, the one price known)" in few


def test_without_a_model_the_text_says_how_to_do_without_widgets(capsys):
    (line,) = said(capsys)
    assert 'cl.cost_slider(prices, model="7B", method="lora"' in line


def test_the_controls_change_what_is_said():
    upper, lower, words = sliders._cost_sliders(PRICES, "lora", "A100 SXM 80 GB", 0.3).children
    model, method, card = upper.children
    examples, tokens, epochs = lower.children
    assert words.value.startswith("7B, lora, 150 million tokens on A100 SXM 80 GB<br>")
    model.value, method.value, card.value = "13B", "qlora", "L4"
    examples.value, tokens.value, epochs.value = 1_000, 1_000, 1
    assert words.value.startswith("13B, qlora, 1 million tokens on L4<br>")


def test_what_makes_no_sense_is_refused():
    for options in ({"model": "8B"}, {"method": "lorra"}, {"card": "Z1"}):
        for model in ({}, {"model": "7B"}):
            with pytest.raises(ChoiceError):
                cost_slider(PRICES, **(model | options))
    for options in ({"examples": 0}, {"epochs": -1}, {"example_tokens": "long"}, {"utilisation": 2}):
        with pytest.raises(CourseError):
            cost_slider(PRICES, model="7B", **options)

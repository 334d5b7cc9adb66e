"""FLOPs, seconds and money, counted as the papers count them and by hand."""

import pytest

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.costs import bills
from course_lib.costs.bills import (
    SEED_FIGURES,
    forward_flops,
    generation_flops,
    generation_seconds,
    kv_cache_bytes,
    seed_figures,
    training_bill,
    training_flops,
)
from course_lib.costs.memory import SHAPES, Shape, trained_parameters, training_memory
from course_lib.costs.prices import Card, load_prices

SMALL = Shape("small", 4, 64, 128, 1000, 4, 2, tied=True)
CARD = Card("toy", 1e12, 1e9, 1e10, {"A": 2.0, "B": 3.0})


def test_a_token_read_costs_two_flops_a_parameter():
    shape = SHAPES["7B"]
    matrices = shape.linear + shape.vocabulary * shape.hidden
    assert forward_flops(shape, 10) == 20 * matrices
    assert forward_flops(shape, 10) == pytest.approx(20 * shape.parameters, rel=0.03)


def test_full_fine_tuning_takes_six_flops_a_parameter_and_lora_four():
    shape, tokens = SHAPES["7B"], 1e6
    n = shape.linear + shape.vocabulary * shape.hidden
    assert training_flops(shape, tokens, "full") == pytest.approx(6 * n * tokens)
    beside = 6 * trained_parameters(shape, "lora", 8) * tokens
    assert training_flops(shape, tokens, "lora") == pytest.approx(4 * n * tokens + beside)
    assert training_flops(shape, tokens, "prompt") == pytest.approx(4 * n * tokens)


def test_nothing_flows_back_through_the_lower_half():
    whole, upper = (training_flops(SMALL, 100, layers=layers, logits=0) for layers in ("all", "upper"))
    beside = [6 * 100 * trained_parameters(SMALL, "lora", layers=layers) for layers in ("all", "upper")]
    assert (upper - beside[1]) / (whole - beside[0]) == pytest.approx(3 / 4)


def test_checkpointing_reads_the_blocks_once_more():
    more = training_flops(SMALL, 100, "full", checkpointing=True) - training_flops(SMALL, 100, "full")
    assert more == 2 * 100 * SMALL.linear


def test_attention_grows_with_the_length_and_logits_with_their_share():
    assert forward_flops(SMALL, 10, 50) - forward_flops(SMALL, 10) == 10 * 2 * SMALL.layers * SMALL.hidden * 50
    saved = forward_flops(SMALL, 10) - forward_flops(SMALL, 10, logits=0.5)
    assert saved == 10 * SMALL.vocabulary * SMALL.hidden


def test_keys_and_values_of_a_7b_model_take_half_a_megabyte_a_token():
    assert kv_cache_bytes(SHAPES["7B"], 1) == 2 * 32 * 4096 * 2
    assert kv_cache_bytes(SHAPES["70B"], 1) < kv_cache_bytes(SHAPES["13B"], 1), "its heads share them"


def test_an_answer_takes_flops_for_every_token_read_and_written():
    read = generation_flops(SMALL, 100, 1)
    assert generation_flops(SMALL, 200, 1) > 1.8 * read
    assert generation_flops(SMALL, 100, 50) > generation_flops(SMALL, 100, 1)


def test_writing_is_bound_by_memory_so_that_a_batch_of_two_is_nearly_as_quick_as_one():
    shape, card = SHAPES["7B"], load_prices(today="2026-11-25").card("A100 SXM 80 GB")
    one, two = (generation_seconds(shape, card, 10, 100, batch) for batch in (1, 2))
    assert two < 1.05 * one
    assert one >= 100 * shape.parameters * 2 / card.bandwidth


def test_a_bill_is_flops_over_what_the_card_reaches_times_its_price():
    bill = training_bill(SMALL, CARD, 1e6, "full", utilisation=0.5, checkpointing=False)
    assert bill.hours == pytest.approx(training_flops(SMALL, 1e6, "full") / 0.5e12 / 3600)
    assert bill.usd == pytest.approx(2.0 * bill.hours), "the cheapest"
    assert bill.memory == training_memory(SMALL, "full", tokens=2048, checkpointing=False).total
    assert training_bill(SMALL, CARD, 1e6, "full", usd_per_hour=5, utilisation=0.5).usd > bill.usd


def test_what_does_not_fit_on_one_card_needs_two():
    card = load_prices(today="2026-11-25").card("A100 SXM 80 GB")
    assert training_bill(SHAPES["7B"], card, 1e6, "full").cards == 2
    assert training_bill(SHAPES["7B"], card, 1e6, "qlora").cards == 1


def test_the_seeds_two_figures_stand_beside_the_arithmetic():
    table = seed_figures(load_prices(today="2026-11-25"), SHAPES["7B"])
    assert set(table["method"]) == set(SEED_FIGURES) == {"lora", "full"}
    assert set(table["the seed says"]) == {"500 to 2,000", "over 20,000"}
    assert (table["USD from"] < table["USD to"]).all()
    row = table[(table["method"] == "lora") & (table["card"] == "H100 SXM")].iloc[-1]
    assert row["million tokens"] == 100_000 * row["tokens an example"] * row["epochs"] / 1e6
    assert row["runs for it"] == pytest.approx(500 / row["USD to"], abs=0.1)


def test_more_tokens_cost_more_in_proportion():
    table = seed_figures(load_prices(today="2026-11-25"), SHAPES["7B"], ["H100 SXM"], [100], [1, 2])
    lora = table[table["method"] == "lora"]["hours"].tolist()
    assert lora[1] == pytest.approx(2 * lora[0], rel=0.2)


def test_what_makes_no_sense_is_refused():
    for options in ({"method": "lorra"}, {"targets": "heads"}, {"layers": "lower"}):
        with pytest.raises(ChoiceError):
            training_flops(SMALL, 100, **options)
    for tokens in (0, -1, "many", float("nan"), True):
        with pytest.raises(CourseError, match=r"tokens is .*number above 0"):
            training_flops(SMALL, tokens)
    for utilisation in (0, 1.2, "all"):
        with pytest.raises(CourseError, match=r"utilisation is .*a share"):
            training_bill(SMALL, CARD, 100, utilisation=utilisation)
    with pytest.raises(CourseError, match="usd_per_hour"):
        training_bill(SMALL, CARD, 100, usd_per_hour=-1)
    with pytest.raises(CourseError, match="batch"):
        generation_seconds(SMALL, CARD, 10, 10, batch=0)


def test_the_default_utilisation_is_within_what_was_reached():
    assert 0.21 <= bills.UTILISATION <= 0.46

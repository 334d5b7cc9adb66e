"""FLOPs, seconds and money, counted as the papers count them and by hand; and from when on a training has paid."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.costs import bills
from course_lib.costs.bills import (
    SEED_FIGURES,
    annual_costs,
    break_even_volume,
    forward_flops,
    generation_flops,
    kv_cache_bytes,
    question_cost,
    seed_figures,
    training_bill,
    training_flops,
)
from course_lib.costs.memory import SHAPES, Shape, trained_parameters, training_memory
from course_lib.costs.prices import Card, load_prices

SMALL = Shape("small", 4, 64, 128, 1000, 4, 2, tied=True)
SEVEN = SHAPES["7B"]
CARD = Card("toy", 1e12, 1e9, 1e10, {"A": 2.0, "B": 3.0})
DAY = "2026-11-25"


def test_a_token_read_costs_two_flops_a_parameter():
    assert forward_flops(SEVEN, 10) == 20 * (SEVEN.linear + SEVEN.vocabulary * SEVEN.hidden)
    assert forward_flops(SEVEN, 10) == pytest.approx(20 * SEVEN.parameters, rel=0.03)


def test_full_fine_tuning_takes_six_flops_a_parameter_and_lora_four():
    n, tokens = SEVEN.linear + SEVEN.vocabulary * SEVEN.hidden, 1e6
    beside = 6 * trained_parameters(SEVEN, "lora", 8) * tokens
    for method, flops in {"full": 6 * n * tokens, "lora": 4 * n * tokens + beside, "prompt": 4 * n * tokens}.items():
        assert training_flops(SEVEN, tokens, method) == pytest.approx(flops), method


def test_nothing_flows_back_through_the_lower_half():
    whole, upper = (
        training_flops(SMALL, 100, layers=layers, logits=0) - 6 * 100 * trained_parameters(SMALL, layers=layers)
        for layers in ("all", "upper")
    )
    assert upper / whole == pytest.approx(3 / 4)


def test_checkpointing_reads_the_blocks_once_more():
    more = training_flops(SMALL, 100, "full", checkpointing=True) - training_flops(SMALL, 100, "full")
    assert more == 2 * 100 * SMALL.linear


def test_attention_grows_with_the_length_and_logits_with_their_share():
    assert forward_flops(SMALL, 10, 50) - forward_flops(SMALL, 10) == 10 * 2 * SMALL.layers * SMALL.hidden * 50
    saved = forward_flops(SMALL, 10) - forward_flops(SMALL, 10, logits=0.5)
    assert saved == 10 * SMALL.vocabulary * SMALL.hidden


def test_keys_and_values_of_a_7b_model_take_half_a_megabyte_a_token():
    assert kv_cache_bytes(SEVEN, 1) == 2 * 32 * 4096 * 2
    assert kv_cache_bytes(SHAPES["70B"], 1) < kv_cache_bytes(SHAPES["13B"], 1), "its heads share them"


def test_an_answer_takes_flops_for_every_token_read_and_written():
    read = generation_flops(SMALL, 100, 1)
    assert generation_flops(SMALL, 200, 1) > 1.8 * read
    assert generation_flops(SMALL, 100, 50) > read


def test_a_bill_is_flops_over_what_the_card_reaches_times_its_price():
    bill = training_bill(SMALL, CARD, 1e6, "full", utilisation=0.5)
    assert bill.hours == pytest.approx(training_flops(SMALL, 1e6, "full", checkpointing=True) / 0.5e12 / 3600)
    assert bill.usd == pytest.approx(2.0 * bill.hours), "the cheapest"
    assert bill.memory == training_memory(SMALL, "full").total
    assert training_bill(SMALL, CARD, 1e6, "full", usd_per_hour=5, utilisation=0.5).usd > bill.usd
    assert 0.21 <= bills.UTILISATION <= 0.46, "what large trainings reached"


def test_what_does_not_fit_on_one_card_needs_two():
    card = load_prices(today=DAY).card("A100 SXM 80 GB")
    assert [training_bill(SEVEN, card, 1e6, method).cards for method in ("full", "qlora")] == [2, 1]


def test_the_seeds_two_figures_stand_beside_the_arithmetic():
    table = seed_figures(load_prices(today=DAY), SEVEN)
    assert set(table["method"]) == set(SEED_FIGURES) == {"lora", "full"}
    assert set(table["the seed says"]) == {"500 to 2,000", "over 20,000"}
    assert (table["USD from"] < table["USD to"]).all()
    rows = table[(table["method"] == "lora") & (table["card"] == "H100 SXM")]
    row = rows.iloc[-1]
    assert row["million tokens"] == 100_000 * row["tokens an example"] * row["epochs"] / 1e6
    assert row["runs for it"] == pytest.approx(500 / row["USD to"], abs=0.1)
    assert rows["hours"].iloc[-1] == pytest.approx(3 * rows["hours"].iloc[-2], rel=0.02), "three epochs for one"


@pytest.mark.parametrize("options", [{"method": "lorra"}, {"targets": "heads"}, {"layers": "lower"}])
def test_names_that_are_not_among_the_choices_are_refused(options):
    with pytest.raises(ChoiceError):
        training_flops(SMALL, 100, **options)


@pytest.mark.parametrize("tokens", [0, -1, "many", float("nan"), True])
def test_tokens_that_are_no_number_above_zero_are_refused(tokens):
    with pytest.raises(CourseError, match=r"tokens is .*number above 0"):
        training_flops(SMALL, tokens)


@pytest.mark.parametrize("options", [*({"utilisation": u} for u in (0, 1.2, "all")), {"usd_per_hour": -1}])
def test_a_bill_that_makes_no_sense_is_refused(options):
    with pytest.raises(CourseError, match=r"utilisation is .*a share|usd_per_hour is .*above 0"):
        training_bill(SMALL, CARD, 100, **options)


def test_a_question_pays_for_what_is_read_and_what_is_written():
    assert question_cost(1000, 100, 1.0, 5.0) == pytest.approx(0.0015)


@given(rag=st.integers(61, 10_000), fixed=st.floats(0.01, 1e6))
def test_the_curves_meet_at_the_break_even_volume(rag, fixed):
    each = {"RAG": question_cost(rag, 20, 1, 1), "by heart": question_cost(60, 20, 1, 1)}
    volume = break_even_volume(*each.values(), fixed)
    assert volume == pytest.approx(fixed / ((rag - 60) * 1e-6))
    table = annual_costs([volume / 10, volume, volume * 10], each, {"by heart": fixed})
    before, at, after = ((table["by heart"] - table["RAG"]) / fixed).tolist()
    assert before > 0 > after and at == pytest.approx(0, abs=1e-6)


def test_what_is_paid_in_a_year_is_the_fixed_part_and_every_question():
    table = annual_costs(np.array([10, 1000]), {"RAG": 0.5, "by heart": 0.1}, {"by heart": 60.0})
    assert table["RAG"].tolist() == [5, 500] and table["by heart"].tolist() == [61, 160]
    assert list(table.index) == [10, 1000]


def test_a_model_that_is_no_cheaper_to_ask_never_pays():
    assert break_even_volume(question_cost(70, 20, 1, 1), 2 * question_cost(60, 20, 1, 1), 5.0) == math.inf


SENSELESS = [{"volumes": volumes} for volumes in ([], [0], ["many"])]
SENSELESS += [{"question_usd": {"RAG": -1}}, {"fixed_usd": {"RAG": -5}}, {"fixed_usd": {"nobody": 5}}]


@pytest.mark.parametrize("change", SENSELESS)
def test_a_years_bill_that_makes_no_sense_is_refused(change):
    with pytest.raises(CourseError):
        annual_costs(**{"volumes": [10], "question_usd": {"RAG": 0.5}, "fixed_usd": {}} | change)

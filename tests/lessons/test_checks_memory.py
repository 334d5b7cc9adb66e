"""The checks of lesson 04: right answers are accepted, and each usual wrong one gets its own hint."""

from types import SimpleNamespace

import pytest

from course_lib.costs.memory import SHAPES, Shape, trained_parameters

SHAPE = Shape("small", 30, 576, 1536, 49152, 9, 3, tied=True)
NEEDS = {"full": 160.0, "lora": 27.5, "qlora": 8.9}


@pytest.fixture
def layer():
    import torch

    torch.manual_seed(0)
    frozen = torch.nn.Linear(8, 6, bias=False)
    return SimpleNamespace(frozen=frozen, A=torch.randn(2, 8), B=torch.randn(6, 2), scale=2.0)


def test_the_right_count_is_accepted(said):
    right = trained_parameters(SHAPE, "lora", 4, "attention")
    assert said("04-count", right, shape=SHAPE, rank=4).startswith(f"✓ Yes. {right:,}, or 1.7% of")


def test_usual_wrong_counts_get_their_own_hint(said):
    right = trained_parameters(SHAPE, "lora", 4, "attention")
    hints = {
        right // 30: "one layer's: the model has 30",
        right // 4: "rank 1",
        30 * (2 * 576 * 576 + 2 * 576 * 192): "Those are the matrices",
        30 * 4 * 4 * 576: "A alone",
        30 * 4 * (2 * 576 + 2 * 192): "B alone",
        30 * 4 * 8 * 576: "keys and values",
        trained_parameters(SHAPE, "lora", 4): "MLP",
        right + 1: "Fewer",
        right - 1: "More",
        1.5: "One whole number",
        True: "One whole number",
        "many": "One whole number",
    }
    for wrong, hint in hints.items():
        line = said("04-count", wrong, shape=SHAPE, rank=4)
        assert line.startswith("✗") and hint in line, wrong


def test_a_merged_matrix_is_accepted(said, layer):
    merged = layer.frozen.weight + layer.scale * layer.B @ layer.A
    assert said("04-merge", merged, layer=layer).startswith("✓ Yes.")


def test_usual_wrong_merges_get_their_own_hint(said, layer):
    weight, change = layer.frozen.weight, layer.B @ layer.A
    hints = [
        (weight, "what was learned is lost"),
        (layer.scale * change, "the change alone"),
        (change, "the change alone"),
        (weight + change, "scales the change"),
        (weight - layer.scale * change, "not taken off"),
        ((weight + layer.scale * change).T, "turned over"),
        (layer.A, "The shape is (2, 8)"),
        (weight + 3, "other numbers"),
        ([1.0], "a list"),
    ]
    for wrong, hint in hints:
        line = said("04-merge", wrong, layer=layer)
        assert line.startswith("✗") and hint in line, hint


def test_methods_that_fit_are_accepted_in_any_spelling(said):
    assert said("04-fits", ["QLoRA"], needs=NEEDS, card=24).startswith("✓ Yes. qlora with 8.9 GB of 24")
    assert said("04-fits", {"lora", "qlora"}, needs=NEEDS, card=80).startswith("✓")
    assert said("04-fits", "qlora", needs=NEEDS, card=24).startswith("✓")
    assert "the smallest needs 8.9 GB" in said("04-fits", [], needs=NEEDS, card=4)


def test_usual_wrong_choices_get_their_own_hint(said):
    hints = [
        (["lora", "qlora"], "does not make the frozen ones smaller"),
        (["full", "qlora"], "brings a gradient"),
        ([], "something else does too (1 more)"),
        (["qlorra"], "no method of the table"),
        (["prefix"], "a method, but not one of the table's"),
        (24, "Answer with a list"),
        ([24], "Answer with a list"),
    ]
    for wrong, hint in hints:
        line = said("04-fits", wrong, needs=NEEDS, card=24)
        assert line.startswith("✗") and hint in line, wrong


@pytest.mark.parametrize(("key", "name"), [("04-count", "count"), ("04-merge", "merged"), ("04-fits", "fitting")])
def test_what_was_not_attempted_says_so(said, layer, key, name):
    context = {
        "04-count": {"shape": SHAPES["7B"], "rank": 4}, "04-merge": {"layer": layer},
        "04-fits": {"needs": NEEDS, "card": 24},
    }  # fmt: skip
    assert said(key, None, **context[key]) == f"· Not attempted yet: `{name}` is None."

"""Looking inside: changes and singular values are those of models whose changes are known."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.core.chat import example
from course_lib.core.errors import CourseError
from course_lib.models.inspection import MATRICES, rank_holding, singular_values, weight_change, weight_changes
from course_lib.training.sft import finetune

ROWS = [example("Which colour?", "blue"), example("Which number?", "seven")]


def _nudged(model, name, change):
    """A copy of a model with a known change in one parameter."""
    nudged = replace(model, model=copy.deepcopy(model.model))
    dict(nudged.model.named_parameters())[name].data += change
    return nudged


def test_a_known_change_is_found_where_it_is_and_nowhere_else(tiny_model):
    change = torch.zeros(32, 32)
    change[3, 5] = 2.0
    nudged = _nudged(tiny_model, "model.layers.1.self_attn.q_proj.weight", change)
    table = weight_changes(tiny_model, nudged)
    assert table.shape == (2, len(MATRICES))
    norm = float(tiny_model.model.model.layers[1].self_attn.q_proj.weight.norm())
    assert table.loc[1, "q"] == pytest.approx(2.0 / norm, rel=1e-5)
    assert table.to_numpy().sum() == pytest.approx(table.loc[1, "q"])
    np.testing.assert_allclose(weight_change(tiny_model, nudged, -1, "q"), change.numpy(), atol=1e-6)


def test_the_change_of_lora_is_what_merging_it_would_change(tiny_model):
    tuned = finetune(tiny_model, ROWS, epochs=2, rank=2)
    merged = copy.deepcopy(tuned.model).merge_and_unload()
    wanted = merged.model.layers[0].mlp.up_proj.weight - tiny_model.model.model.layers[0].mlp.up_proj.weight
    found = weight_change(tiny_model, tuned, 0, "up")
    assert np.abs(found).max() > 0
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-6)


def test_the_change_of_lora_has_no_more_singular_values_than_its_rank(tiny_model):
    tuned = finetune(tiny_model, ROWS, epochs=2, rank=2)
    values = singular_values(weight_change(tiny_model, tuned, 0, "gate"))
    assert values[1] > 0
    assert values[2:].max() < 1e-6 * values[0]
    assert rank_holding(values, 0.999) <= 2


@pytest.mark.parametrize(
    ("values", "share", "rank"),
    [([3, 2, 1, 0], 9 / 14, 1), ([3, 2, 1, 0], 0.9, 2), ([1] * 10, 0.9, 9), ([1] * 10, 1.0, 10)],
)
def test_the_rank_that_holds_a_share_is_counted_in_energy(values, share, rank):
    assert rank_holding(values, share) == rank


@pytest.mark.parametrize(
    ("call", "said"),
    [
        *((lambda _, share=share: rank_holding([1.0], share), "share is") for share in (0, -0.1, 1.01)),
        (lambda _: rank_holding(np.zeros(4)), "nothing has changed"),
        (lambda model: weight_change(model, model, 0, "quarry"), "matrix 'quarry' is not one of q, k, v"),
        (lambda model: weight_change(model, model, 2, "q"), "its layers are 0 to 1"),
        (lambda model: weight_change(model, model, -3, "q"), "its layers are 0 to 1"),
    ],
)
def test_what_is_not_there_or_out_of_range_is_refused(call, said, tiny_model):
    with pytest.raises(CourseError, match=said):
        call(tiny_model)

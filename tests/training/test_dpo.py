"""DPO learns what is preferred, stays near where it started, and is TRL's; on a model of two layers."""

import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from lesson_07.divergence import kl_from
from small_runs import PAIRS, SIX_STEPS, curve, losses, trainer_options

from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.models.scoring import log_probability, token_counts
from course_lib.training.dpo import PreferenceRecipe, dpo_loss, prefer

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")


@pytest.fixture
def tuned(once, talker):
    """What `prefer` makes in six steps; made once for all tests that only look at it."""
    if "tuned" not in once:
        once["tuned"], once["start"] = prefer(talker, PAIRS, **SIX_STEPS), talker
    return once["tuned"]


@pytest.fixture
def start(once, tuned):
    return once["start"]


def four(model, start, pairs=PAIRS):
    """The four log-probabilities of each pair that the loss is made of, (n,) each."""
    prompts = [row["prompt"] for row in pairs]
    return [
        log_probability(who, prompts, [row[part][0]["content"] for row in pairs])
        for who in (model, start)
        for part in ("chosen", "rejected")
    ]


# The loss


def test_before_the_first_step_the_loss_is_that_of_a_coin():
    assert dpo_loss(-20.0, -30.0, -20.0, -30.0) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("margin", "beta"), [(3.0, 0.1), (-3.0, 0.1), (0.5, 1.0)])
def test_the_loss_is_the_surprise_at_the_preference(margin, beta):
    surprise = -math.log(1 / (1 + math.exp(-beta * margin)))
    assert dpo_loss(-20.0 + margin, -30.0, -20.0, -30.0, beta) == pytest.approx(surprise)
    assert dpo_loss(-20.0, -30.0 - margin, -20.0, -30.0, beta) == pytest.approx(surprise)


def test_the_loss_of_many_pairs_is_an_array_and_of_a_hopeless_one_is_finite():
    found = dpo_loss(np.array([0.0, -1e5]), np.zeros(2), np.zeros(2), np.zeros(2), beta=1.0)
    assert found == pytest.approx([math.log(2), 1e5])


@pytest.mark.parametrize("beta", [0, -0.1, float("nan"), "0.1", None])
def test_a_beta_that_is_no_number_above_zero_is_refused(beta, talker):
    with pytest.raises(CourseError, match=r"beta is .*: it must be a number above 0"):
        dpo_loss(0.0, 0.0, 0.0, 0.0, beta)
    with pytest.raises(CourseError, match=r"beta is .*: it must be a number above 0"):
        prefer(talker, PAIRS, beta=beta)


@pytest.mark.parametrize("anchor", [-0.1, float("nan"), "1", True])
def test_an_anchor_that_is_no_number_from_0_on_is_refused(talker, anchor):
    with pytest.raises(CourseError, match=r"anchor is .*: it must be a number, 0 or more"):
        prefer(talker, PAIRS, anchor=anchor)


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_the_loss_of_one_pair_is_trls_own(beta, talker, tmp_path):
    from trl import DPOTrainer

    from course_lib.models.chatmodel import ChatModel
    from course_lib.training import methods, run, trainers

    recipe = PreferenceRecipe("lora", 1, 1e-3, 1, 4, "all", 0, objective="dpo", beta=beta)
    with methods.without_old_names():
        model = methods.adapted(talker, recipe)
        options = trainer_options(trainers.PairTrainer, model, recipe, PAIRS[:1], talker.tokenizer, tmp_path)
        trainer = DPOTrainer(**options)
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if "lora_B.default" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        trl = trainer.compute_loss(trainer.model, next(iter(trainer.get_train_dataloader()))).item()
    run.restore_forward(model)
    mine = dpo_loss(*four(ChatModel(model, talker.tokenizer, "shocked", "shocked@0"), talker, PAIRS[:1]), beta)
    assert mine[0] == pytest.approx(trl, abs=1e-4)
    assert abs(trl - math.log(2)) > 0.05


# What is learned


def test_the_margin_of_what_it_was_trained_on_rises(tuned, start):
    chosen, rejected, start_chosen, start_rejected = four(tuned, start)
    margins = 0.1 * ((chosen - start_chosen) - (rejected - start_rejected))
    assert (margins > 0.5).all()
    assert curve(tuned, "margin")[0] == 0
    assert curve(tuned, "margin")[-1] > 0.5
    assert curve(tuned, "accuracy")[-1] == 1
    assert losses(tuned)[0] == pytest.approx(math.log(2))
    assert losses(tuned)[-1] < 0.5


def test_prompts_cost_no_logits_and_change_no_loss(tuned, talker, monkeypatch):
    from trl.trainer import utils

    from course_lib.training import trainers

    scored, scores, decides = [], utils._ChunkedLogProbFunction, utils._use_triton

    class Counting:
        @staticmethod
        def apply(hidden, *rest):  # (N, D)
            scored.append(len(hidden))
            return scores.apply(hidden, *rest)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", Counting)
    again = prefer(talker, PAIRS, **SIX_STEPS)
    rows = [{"prompt": row["prompt"], "completion": row[part]} for row in PAIRS for part in ("chosen", "rejected")]
    replies = sum(n for _, n in token_counts(talker, rows))
    assert sum(scored) == 2 * SIX_STEPS["epochs"] * replies  # of the model, and of its start
    assert utils._use_triton is decides

    monkeypatch.setattr(trainers, "replies_scored_alone", nullcontext)
    of_trl = prefer(talker, PAIRS, **SIX_STEPS)
    assert sum(scored) > 3 * 2 * SIX_STEPS["epochs"] * replies
    assert losses(again) == losses(tuned) == pytest.approx(losses(of_trl), abs=1e-5)


def test_the_curves_are_of_the_loss_itself(tuned):
    margins = np.subtract(curve(tuned, "chosen"), curve(tuned, "rejected"))
    assert margins == pytest.approx(curve(tuned, "margin"), abs=1e-4)
    assert losses(tuned)[-1] == pytest.approx(dpo_loss(margins[-1], 0, 0, 0, beta=1), abs=0.1)


def test_ipo_learns_the_preference_too(talker):
    tuned = prefer(talker, PAIRS, "ipo", **SIX_STEPS)
    assert losses(tuned)[-1] < losses(tuned)[0] - 1
    assert losses(tuned)[0] == pytest.approx((1 / (2 * 0.1)) ** 2), "1 / 2β is what it aims at"
    chosen, rejected, start_chosen, start_rejected = four(tuned, talker)
    assert ((chosen - start_chosen) > (rejected - start_rejected)).all()


def test_an_anchor_keeps_the_chosen_reply_likely_and_the_preference(talker):
    free, anchored = (prefer(talker, PAIRS, anchor=anchor, **SIX_STEPS) for anchor in (0.0, 1.0))
    assert (four(anchored, talker)[0] > four(free, talker)[0]).all(), "the chosen replies"
    assert curve(anchored, "accuracy")[-1] == 1
    assert losses(anchored)[0] > losses(free)[0] + 1, "two losses are summed"


def test_without_an_anchor_a_call_has_the_key_that_it_had():
    recipe = PreferenceRecipe("lora", 1, 1e-3, 1, 4, "all", 0, objective="dpo", beta=0.1)
    assert "anchor" not in recipe.hashed() and replace(recipe, anchor=0.5).hashed()["anchor"] == 0.5


def test_a_larger_beta_stays_nearer_to_the_start(talker):
    prompts = [row["prompt"] for row in PAIRS]
    free, held = (prefer(talker, PAIRS, beta=beta, **{**SIX_STEPS, "epochs": 8}) for beta in (0.1, 20.0))
    assert kl_from(held, talker, prompts, 2, 8).kl < kl_from(free, talker, prompts, 2, 8).kl / 2


def test_the_training_counts_what_it_did(tuned, start, capsys):
    from course_lib.models.scoring import encode_example

    rows = [{"prompt": row["prompt"], "completion": row[part]} for row in PAIRS for part in ("chosen", "rejected")]
    once = sum(len(encode_example(start, "row", row)[0]) for row in rows)
    assert tuned.training.tokens == 3 * once
    assert tuned.training.parameters == sum(p.numel() for p in tuned.model.parameters())
    assert str(tuned.training).startswith("dpo, lora: 0.0041 of 0.0 million parameters")
    assert ", margin 0.00 → " in str(tuned.training)


# Bad input


@pytest.mark.parametrize(("method", "hint"), [("DPO", "'dpo'"), ("ppo", ""), ("rlhf", "")])
def test_an_unknown_method_is_refused_with_the_choices(method, hint, talker):
    with pytest.raises(ChoiceError, match=f"method '{method}' is not one of dpo, ipo.*{hint}"):
        prefer(talker, PAIRS, method)


def test_pairs_that_are_none_are_refused_before_anything_is_trained(talker, steps):
    twice = {**PAIRS[0], "rejected": PAIRS[0]["chosen"]}
    for wrong, complaint in (([], "not one pair"), ([twice], "pair 0: chosen and")):
        with pytest.raises(DataError, match=complaint):
            prefer(talker, wrong)
    assert steps == []

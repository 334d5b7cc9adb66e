"""A reward model learns what is preferred, says how sure it is, and is a plain adapter; on a model of two layers."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import MORE_PAIRS as HELD_OUT
from small_runs import PAIRS as STUDY
from small_runs import SIX_STEPS, curve, losses

from course_lib.core.errors import CourseError, DataError
from course_lib.core.progress import Progress
from course_lib.models.quantization import quantize
from course_lib.training.reward import PairReport, train_reward_model

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
TWELVE_STEPS = SIX_STEPS | {"epochs": 6}


@pytest.fixture
def judge(once, talker):
    """A reward model that is only looked at; made once."""
    if "judge" not in once:
        once["judge"] = train_reward_model(talker, STUDY, name="judge", **TWELVE_STEPS)
    return once["judge"]


def scores(model, part="chosen", pairs=HELD_OUT):
    return model.score([row["prompt"] for row in pairs], [row[part][0]["content"] for row in pairs])


def test_replies_of_the_preferred_kind_score_higher_on_letters_it_has_not_seen(judge):
    assert (scores(judge) > scores(judge, "rejected")).all()
    report = judge.grade(HELD_OUT)
    assert (report.accuracy, report.n) == (1, 4)
    assert report.margins == pytest.approx(scores(judge) - scores(judge, "rejected"), abs=1e-5)
    assert losses(judge)[-1] < losses(judge)[0] - 0.2
    assert curve(judge, "margin")[-1] > curve(judge, "margin")[0] + 0.5
    assert str(judge.training).startswith("reward model, lora: ")


def test_its_loss_is_the_surprise_of_bradley_and_terry(judge):
    assert losses(judge)[-1] == pytest.approx(np.logaddexp(0, -curve(judge, "margin")[-1]), abs=0.05)


def test_a_score_does_not_depend_on_the_batch(judge):
    prompts = ["My pail leaks", "Hello, where is my parcel? I have been waiting for it.", "Thanks"]
    replies = ["Send it in.", "On its way, we promise!", ""]
    together = judge.score(prompts, replies)
    assert together == pytest.approx([judge.score([p], [r])[0] for p, r in zip(prompts, replies)], abs=1e-4)
    assert judge(prompts, replies) == pytest.approx(together), "it is a reward function itself"


def test_a_bar_says_how_many_replies_are_read(judge, monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "reach", lambda bar, far, done: told.append((bar.total, done)))
    judge.score(["Thanks"] * 3, ["Send it in."] * 3)
    assert told == [(3, 3)]


def test_it_is_saved_as_a_plain_peft_folder_with_its_output_layer(judge, talker, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    base = tmp_path / "base"
    talker.save(base)
    folder = judge.save(tmp_path / "judge")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
        judge_again = PeftModel.from_pretrained(plain, folder).eval()
    ids = judge.tokenizer.apply_chat_template(HELD_OUT[0]["prompt"] + HELD_OUT[0]["chosen"], return_tensors="pt")
    found = judge_again(input_ids=ids["input_ids"]).logits.item()
    assert found == pytest.approx(scores(judge)[0], abs=1e-4)


@pytest.mark.parametrize("bits", [16, 4])
def test_over_a_body_in_sixteen_bits_or_four_what_is_trained_has_thirty_two_and_learns(bits, talker):
    body = quantize(talker) if bits == 4 else replace(talker, model=talker.model.bfloat16())
    judge = train_reward_model(body, STUDY, **TWELVE_STEPS)
    trained = [p for n, p in judge.model.named_parameters() if "lora_" in n or "modules_to_save" in n]
    assert {p.dtype for p in trained} == {torch.float32}
    assert judge.grade(HELD_OUT).accuracy == 1


# How sure, and how right


def report(margins, prompts=None):
    return PairReport("judge", np.array(margins), tuple(prompts or map(str, range(len(margins)))))


def test_a_judge_that_is_as_often_right_as_it_says_is_calibrated():
    surely = np.log(0.75 / 0.25)
    found = report([surely] * 75 + [-surely] * 25)
    assert found.accuracy == 0.75
    assert found.confidence == pytest.approx([0.75] * 100)
    assert found.calibration_error == pytest.approx(0, abs=1e-9)


def test_a_judge_that_boasts_is_not():
    boasting = report([9.0] * 50 + [-9.0] * 50)
    assert boasting.calibration_error == pytest.approx(0.5, abs=1e-3)
    (row,) = boasting.calibration().to_dict("records")
    assert (row["pairs"], row["right"]) == (100, 0.5)
    assert row["low"] < 0.5 < row["high"] < 0.7
    assert row["confidence"] == pytest.approx(1, abs=1e-3)


def test_the_calibration_error_is_weighted_by_how_many_pairs_are_in_a_bin():
    sure, unsure = np.log(0.95 / 0.05), np.log(0.55 / 0.45)
    found = report([sure] * 30 + [-unsure] * 10)  # sure and right; unsure and wrong
    assert list(found.calibration()["pairs"]) == [10, 30]
    assert found.calibration_error == pytest.approx(0.25 * 0.55 + 0.75 * 0.05)


def test_a_tie_is_not_right_and_certainty_has_a_bin():
    found = report([0.0, 800.0])
    assert found.accuracy == 0.5
    assert list(found.confidence) == [0.5, 1.0]
    assert list(found.calibration()["pairs"]) == [1, 1]


def test_pairs_of_one_prompt_are_one_draw_of_the_interval():
    alone = report([1.0, 1.0, -1.0, -1.0] * 10)
    together = report([1.0, 1.0, -1.0, -1.0] * 10, [str(i // 2) for i in range(40)])
    assert together.ci[1] - together.ci[0] > 1.2 * (alone.ci[1] - alone.ci[0])


# Bad input


def test_scores_need_a_reply_for_each_prompt_and_not_too_long_ones(judge):
    for call, complaint in (
        ((["Hello", "Hello"], ["Hi"]), "there are 1 replies to 2 prompts"),
        ((["Hello"], [3]), "reply 0 is not a text but 3"),
        ((["Hello"], ["x" * 1024]), r"reply 0 has 1,\d\d\d tokens, more than 1,024"),
        ((["Hello"], ["Hi"], 0), "batch_size is 0"),
    ):
        with pytest.raises(CourseError, match=complaint):
            judge.score(*call)


def test_what_is_no_pair_or_no_model_is_refused(judge, talker):
    with pytest.raises(DataError, match="not one pair"):
        train_reward_model(talker, [])
    with pytest.raises(DataError, match="pair 1 lacks rejected"):
        judge.grade([STUDY[0], {"prompt": STUDY[0]["prompt"], "chosen": STUDY[0]["chosen"]}])
    with pytest.raises(CourseError, match="train_reward_model takes a ChatModel"):
        train_reward_model(judge, STUDY)

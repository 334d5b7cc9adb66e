"""How likely replies are: held against sums over every token that could have come."""

import copy
import warnings

import pytest

from course_lib.core.errors import CourseError, DataError
from course_lib.models.scoring import log_probability

PROMPTS = ["My kettle leaks", "Where is my parcel?", "Thank you"]
REPLIES = ["Send it in.", "On its way.", "!"]


def next_log_probs(model, sequences):
    """(B, V): of the token after each of some sequences of one length."""
    import torch

    with torch.no_grad():
        return model.model(torch.tensor(sequences)).logits[:, -1].log_softmax(-1).double()


def test_a_replys_log_probability_is_the_sum_over_its_tokens_and_the_end_of_the_turn(talker):
    prompt = talker.encode(PROMPTS[0])
    reply = talker.tokenizer(REPLIES[0] + "<|im_end|>\n")["input_ids"]
    by_hand = sum(next_log_probs(talker, [prompt + reply[:t]])[0, token].item() for t, token in enumerate(reply))
    assert log_probability(talker, PROMPTS[:1], REPLIES[:1])[0] == pytest.approx(by_hand, abs=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_it_does_not_depend_on_the_batch(batch_size, talker):
    one_by_one = [log_probability(talker, [p], [r])[0] for p, r in zip(PROMPTS, REPLIES)]
    assert log_probability(talker, PROMPTS, REPLIES, batch_size) == pytest.approx(one_by_one, abs=1e-3)


def test_of_no_replies_there_are_no_probabilities(talker):
    assert log_probability(talker, [], []).shape == (0,)


@pytest.mark.parametrize(
    ("prompts", "replies", "complaint"),
    [
        (PROMPTS, REPLIES[:2], "there are 2 replies to 3 prompts"),
        (PROMPTS[:1], [None], "reply 0 is not a text but None"),
        ("Who?", ["He."], "give a list of prompts and a list of replies"),
        (["Who?"], "He.", "give a list of prompts and a list of replies"),
        ([""], ["He."], "the prompt is empty"),
    ],
)
def test_what_is_no_list_of_replies_to_prompts_is_refused(prompts, replies, complaint, talker):
    with pytest.raises(CourseError, match=complaint):
        log_probability(talker, prompts, replies)


def test_a_reply_that_is_too_long_is_refused_and_named(talker):
    with pytest.raises(DataError, match=r"reply 1 has 2,\d\d\d tokens, more than 2,048"):
        log_probability(talker, ["Who?", "Who?"], ["He.", "x" * 2048])


def test_a_batch_of_no_size_and_a_model_that_is_none_are_refused(talker):
    with pytest.raises(CourseError, match="batch_size is 0: it must be a whole number above 0"):
        log_probability(talker, PROMPTS, REPLIES, batch_size=0)
    with pytest.raises(CourseError, match="log_probability takes a ChatModel"):
        log_probability("SmolLM2", PROMPTS, REPLIES)


def test_a_tuned_model_is_read_with_its_adapter(talker):
    from course_lib.training.methods import Recipe, adapted

    tuned = copy.copy(talker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tuned.model = adapted(talker, Recipe("lora", 1, 1e-3, 1, 4, "all", 0))
    for name, parameter in tuned.model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    assert log_probability(tuned, PROMPTS, REPLIES) != pytest.approx(log_probability(talker, PROMPTS, REPLIES), abs=0.1)

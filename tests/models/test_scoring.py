"""Losses and log-probabilities: held against the model's own logits, token by token."""

import copy

import pytest
import torch

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, DataError
from course_lib.core.progress import Progress
from course_lib.models.scoring import held_out_loss, log_probability, token_counts
from course_lib.training.methods import Recipe, adapted, without_old_names

PROMPTS = ["My kettle leaks", "Where is my parcel?", "Thank you"]
REPLIES = ["Send it in.", "On its way.", "!"]
EXAMPLES = [example(prompt, reply) for prompt, reply in zip(PROMPTS, REPLIES)]


def log_probability_by_hand(model, row):
    """Of a completion, with the end of its turn and the line break after it; and how many tokens these are."""
    template = model.tokenizer.apply_chat_template
    prompt = template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
    whole = template(row["prompt"] + row["completion"], return_dict=True)["input_ids"]
    with torch.no_grad():
        scores = model.model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(scores[t - 1, whole[t]].item() for t in range(len(prompt), len(whole))), len(whole) - len(prompt)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_log_probability_and_loss_are_sum_and_mean_over_completion_tokens_in_any_batch(batch_size, talker):
    by_hand = [log_probability_by_hand(talker, row) for row in EXAMPLES]
    found = log_probability(talker, PROMPTS, REPLIES, batch_size)
    assert found == pytest.approx([total for total, _ in by_hand], abs=1e-3)
    mean = sum(total for total, _ in by_hand) / sum(tokens for _, tokens in by_hand)
    assert held_out_loss(talker, EXAMPLES, batch_size) == pytest.approx(-mean, abs=1e-4)
    assert [completion for _, completion in token_counts(talker, EXAMPLES)] == [tokens for _, tokens in by_hand]


def test_a_bar_says_how_many_are_read(talker, monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "reach", lambda bar, far, done: told.append((bar.total, done)))
    log_probability(talker, PROMPTS, REPLIES, 3)
    held_out_loss(talker, EXAMPLES, 3)
    assert told == [(3, 3)] * 2


def test_logits_are_computed_for_completion_tokens_alone(tiny_model):
    seen = []
    tiny_model.model.lm_head.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    held_out_loss(tiny_model, EXAMPLES[:1])
    assert seen == [len(REPLIES[0]) + 2], "its letters, the end of the turn, and the line break after it"


def test_reading_leaves_the_model_in_the_mode_it_was_in(tiny_model):
    for mode in (True, False):
        tiny_model.model.train(mode)
        held_out_loss(tiny_model, EXAMPLES)
        assert tiny_model.model.training == mode


def test_a_tuned_model_is_read_with_its_adapter(talker):
    tuned = copy.copy(talker)
    with without_old_names():
        tuned.model = adapted(talker, Recipe("lora", 1, 1e-3, 1, 4, "all", 0))
    for name, parameter in tuned.model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    assert log_probability(tuned, PROMPTS, REPLIES) != pytest.approx(log_probability(talker, PROMPTS, REPLIES), abs=0.1)


def test_of_no_replies_there_are_no_probabilities(talker):
    assert log_probability(talker, [], []).shape == (0,)


@pytest.mark.parametrize(
    ("prompts", "replies", "complaint"),
    [
        (PROMPTS, REPLIES[:2], "there are 2 replies to 3 prompts"),
        (PROMPTS[:1], [None], "reply 0 is not a text but None"),
        ("Who?", ["He."], "prompts are a list, not str"),
        (["Who?"], "He.", "replies are a list, not str"),
        ([""], ["He."], "the prompt is empty"),
        (["Who?", "Who?"], ["He.", "x" * 2048], r"reply 1 has 2,\d\d\d tokens, more than 2,048: shorten it"),
    ],
)
def test_what_is_no_list_of_replies_to_prompts_is_refused(prompts, replies, complaint, talker):
    with pytest.raises(CourseError, match=complaint):
        log_probability(talker, prompts, replies)


@pytest.mark.parametrize(
    ("examples", "complaint"),
    [
        ([], "not one example"),
        (["Who won?"], "example 0 lacks prompt"),
        ([EXAMPLES[0], example("x" * 2048, "Anna")], r"example 1 has 2,\d\d\d tokens, more than 2,048: shorten it"),
    ],
)
def test_examples_that_cannot_be_read_are_refused(examples, complaint, tiny_model):
    for call in (held_out_loss, token_counts):
        with pytest.raises(DataError, match=complaint):
            call(tiny_model, examples)


@pytest.mark.parametrize("call", [lambda *a: held_out_loss(a[0], EXAMPLES, *a[1:]),
                                  lambda *a: log_probability(a[0], PROMPTS, REPLIES, *a[1:])])  # fmt: skip
def test_a_batch_of_no_size_and_a_model_that_is_none_are_refused(call, talker):
    for size in (0, -1, 1.5, None, True):
        with pytest.raises(CourseError, match=r"batch_size is .*: it must be a whole number above 0"):
            call(talker, size)
    with pytest.raises(CourseError, match=r"(held_out_loss|log_probability) takes a ChatModel"):
        call(talker.model)

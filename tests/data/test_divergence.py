"""How far apart two models are: held against sums over every token that could have come."""

import copy
import warnings

import numpy as np
import pytest
from lesson_07.divergence import kl_from

from course_lib.core.errors import CourseError

PROMPTS = ["My kettle leaks", "Where is my parcel?", "Thank you"]
REPLIES = ["Send it in.", "On its way.", "!"]


@pytest.fixture
def other(talker):
    """The talker after a small shock: the same vocabulary, other habits."""
    import torch

    shocked = copy.copy(talker)
    shocked.model = copy.deepcopy(talker.model)
    torch.manual_seed(4)
    with torch.no_grad():
        for weights in shocked.model.parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    return shocked


def next_log_probs(model, sequences):
    """(B, V): of the token after each of some sequences of one length."""
    import torch

    with torch.no_grad():
        return model.model(torch.tensor(sequences)).logits[:, -1].log_softmax(-1).double()


def exactly(model, start, prompt):
    """KL of the first two tokens of a reply, by the chain rule, over every first token there is."""
    ids = model.encode(prompt)
    log_p, log_q = next_log_probs(model, [ids])[0], next_log_probs(start, [ids])[0]
    first = float((log_p.exp() * (log_p - log_q)).sum())
    after = [[*ids, token] for token in range(len(log_p))]
    log_p2, log_q2 = next_log_probs(model, after), next_log_probs(start, after)
    second = (log_p2.exp() * (log_p2 - log_q2)).sum(-1)
    second[model.tokenizer.eos_token_id] = 0  # nothing follows the end
    return first, first + float((log_p.exp() * second).sum())


def test_of_one_token_the_divergence_is_exact(talker, other):
    found = kl_from(other, talker, PROMPTS, max_new_tokens=1)
    assert found.per_reply[:, 0] == pytest.approx([exactly(other, talker, p)[0] for p in PROMPTS], abs=1e-4)
    assert found.kl == pytest.approx(found.per_reply.mean())
    assert found.n == 3


def test_of_two_tokens_it_is_right_on_average(talker, other):
    found = kl_from(other, talker, PROMPTS[:1], samples=256, max_new_tokens=2, batch_size=256).per_reply[0]
    error = found.std() / 256**0.5
    first, both = exactly(other, talker, PROMPTS[0])
    assert abs(found.mean() - both) < 3 * error
    assert both - first > 6 * error, "the second token counts"


def test_it_is_measured_where_the_model_itself_goes(talker, other):
    there, back = (exactly(*pair, PROMPTS[0])[0] for pair in ((other, talker), (talker, other)))
    assert there != pytest.approx(back, rel=0.05)
    assert kl_from(talker, other, PROMPTS[:1], max_new_tokens=1).kl == pytest.approx(back, abs=1e-4)


def test_no_reply_is_nearer_than_nothing_and_a_model_is_at_its_start(talker, other):
    assert (kl_from(other, talker, PROMPTS, samples=4, max_new_tokens=4).per_reply >= 0).all()
    at_start = kl_from(talker, talker, PROMPTS, max_new_tokens=4)
    assert (at_start.kl, at_start.ci) == (0, (0, 0))


def test_nothing_is_counted_behind_the_end_of_a_reply(talker, other, monkeypatch):
    import torch

    end, found = talker.tokenizer.eos_token_id, {}
    for name, reply in {"as it was written": [65, end], "as a batch pads it": [65, end, end, end]}.items():
        told = torch.tensor([reply])
        monkeypatch.setattr(other.model, "generate", lambda input_ids, told=told, **_: torch.cat([input_ids, told], 1))
        found[name] = kl_from(other, talker, PROMPTS[:1], max_new_tokens=4).kl
    assert found["as it was written"] == pytest.approx(found["as a batch pads it"])
    monkeypatch.undo()
    ids = other.encode(PROMPTS[0])
    log_p, log_q = (next_log_probs(model, [[*ids, 65]])[0] for model in (other, talker))
    second = float((log_p.exp() * (log_p - log_q)).sum())
    assert found["as it was written"] == pytest.approx(exactly(other, talker, PROMPTS[0])[0] + second, abs=1e-4)


def test_its_interval_resamples_prompts(talker, other):
    found = kl_from(other, talker, PROMPTS, samples=8, max_new_tokens=4)
    by_prompt = found.per_reply.mean(1)
    assert by_prompt.min() <= found.ci[0] < found.kl < found.ci[1] <= by_prompt.max()
    assert str(found).startswith(f"KL {found.kl:.2f} nats a reply (95% interval")


def test_the_seed_decides_the_replies_and_the_sessions_own_dice_go_on(talker, other):
    import torch

    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    once, again, elsewhere = (kl_from(other, talker, PROMPTS, 2, 4, seed=seed).per_reply for seed in (5, 5, 6))
    assert torch.rand(1) == expected
    assert np.array_equal(once, again)
    assert not np.array_equal(once, elsewhere)


def test_models_of_other_vocabularies_are_not_compared(talker, other):
    other.tokenizer = copy.deepcopy(talker.tokenizer)
    other.tokenizer.add_tokens(["<new>"])
    with pytest.raises(CourseError, match="different vocabularies"):
        kl_from(other, talker, PROMPTS)


REFUSED = [({"prompts": prompts}, "kl_from takes a list of prompts") for prompts in ([], "Who?", {})]
REFUSED += [({name: n}, f"{name} is .* whole") for name, n in dict(samples=0, max_new_tokens=0, batch_size=1.5).items()]


@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_without_a_list_of_prompts_or_with_numbers_that_are_not_above_zero_nothing_is_estimated(options, said, talker):
    with pytest.raises(CourseError, match=said):
        kl_from(talker, talker, **{"prompts": PROMPTS} | options)


def test_a_tuned_model_is_read_with_its_adapter(talker):
    from course_lib.training.methods import Recipe, adapted

    tuned = copy.copy(talker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tuned.model = adapted(talker, Recipe("lora", 1, 1e-3, 1, 4, "all", 0))
    for name, parameter in tuned.model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    assert kl_from(tuned, talker, PROMPTS, max_new_tokens=2).kl > 0.1

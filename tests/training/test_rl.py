"""A policy learns what is rewarded, is held by KL or let loose, and a reward that makes no sense is refused."""

import pytest
import torch
from lesson_07.divergence import kl_from
from small_runs import PROMPTS, curve, small_letters

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.training.rl import reinforce

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
QUICK = {"steps": 10, "samples": 32, "group": 8, "max_new_tokens": 6, "learning_rate": 1e-2}
SHORT = {"steps": 2, "samples": 4, "group": 2, "max_new_tokens": 4}


@pytest.fixture
def policy(once, talker):
    """Policies that are only looked at, each made once: of a method, and held by KL or not."""

    def of(method="rloo", kl=0):
        if (method, kl) not in once:
            once[method, kl] = reinforce(talker, PROMPTS, small_letters, method, kl=kl, **QUICK)
        return once[method, kl]

    return of


# What is learned


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_what_is_rewarded_becomes_more(method, policy):
    rewards = curve(policy(method), "reward")
    assert len(rewards) == 10
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.15
    assert str(policy(method).training).startswith(f"{method}, lora: ")


def test_a_price_on_kl_keeps_the_policy_near_its_start(policy, talker):
    free, held = (kl_from(policy(kl=kl), talker, PROMPTS, 8, 6).kl for kl in (0, 1.0))
    assert held < free / 2
    assert curve(policy(kl=0), "reward")[-1] > curve(policy(kl=1.0), "reward")[-1] + 0.1


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_kl_is_followed_also_where_it_costs_nothing(method, policy, talker):
    followed = curve(policy(method), "kl")
    assert followed[0] == pytest.approx(0, abs=1e-4)
    assert sum(followed[-3:]) / 3 > 1
    measured = kl_from(policy(method), talker, PROMPTS, 8, 6).kl
    assert followed[-1] == pytest.approx(measured, rel=0.6), "of the step before the last update"


def test_a_penalty_of_nothing_changes_no_loss(talker, policy, monkeypatch):
    from course_lib.training import trainers

    measured = policy()
    monkeypatch.setattr(trainers, "FREE_KL", 0.0)
    bare = reinforce(talker, PROMPTS, small_letters, kl=0, **{**QUICK, "steps": 4})
    assert curve(bare, "reward") == curve(measured, "reward")[:4]
    assert bare.training.losses == measured.training.losses[:4]
    assert "kl" not in bare.training.curves, "TRL itself would not have measured it"


def test_the_first_steps_of_a_long_run_are_those_of_a_short_one(talker, policy):
    short = reinforce(talker, PROMPTS, small_letters, kl=0, **{**QUICK, "steps": 3})
    assert curve(short, "reward") == curve(policy(), "reward")[:3]
    assert curve(short, "kl") == curve(policy(), "kl")[:3]


def test_a_policy_can_go_on_from_one_and_a_reward_model_can_reward_it(talker, policy):
    from course_lib.core.chat import pair
    from course_lib.training.reward import train_reward_model

    judge = train_reward_model(talker, [pair("a", "small", "LARGE"), pair("b", "letters", "NONE")], batch_size=2)
    again = reinforce(policy(), PROMPTS, judge, **SHORT)
    assert again.base.startswith(policy().base + "+")
    assert curve(again, "kl")[0] == pytest.approx(0, abs=1e-4), "measured from where this run started"
    sample = again.training.samples[0]
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": sample["prompt"]}]
    assert sample["reward"] == pytest.approx(judge.score([prompt], [sample["reply"]])[0], abs=1e-3)


# What the reward is shown, and what is kept


def test_a_reward_sees_messages_and_stripped_texts_in_the_order_of_the_groups(talker):
    seen = []

    def watch(prompts, replies):
        seen.append((prompts, replies))
        return [float(len(reply)) for reply in replies]

    made = reinforce(talker, ["Hello", "Good day"], watch, **SHORT)
    prompts, replies = seen[0]
    assert [prompt[-1]["content"] for prompt in prompts] in (
        ["Hello"] * 2 + ["Good day"] * 2,
        ["Good day"] * 2 + ["Hello"] * 2,
    )
    assert prompts[0][0]["role"] == "system"
    assert all(reply == reply.strip() for reply in replies)
    assert curve(made, "reward")[0] == pytest.approx(sum(map(len, replies)) / 4)
    assert [sample["step"] for sample in made.training.samples] == [1, 2]
    assert made.training.samples[0] == {
        "step": 1, "prompt": prompts[0][-1]["content"], "reply": replies[0], "reward": float(len(replies[0]))
    }  # fmt: skip
    assert all(0 < length <= 4 for length in curve(made, "length"))


def test_replies_are_sampled_from_the_whole_distribution(talker, monkeypatch):
    from course_lib.training import trainers

    seen = []
    generate = trainers.RLOOPolicyTrainer._generate_single_turn

    def watch(self, *args):
        seen.append(self.generation_config)
        return generate(self, *args)

    monkeypatch.setattr(trainers.RLOOPolicyTrainer, "_generate_single_turn", watch)
    reinforce(talker, PROMPTS, small_letters, **SHORT)
    assert (seen[0].do_sample, seen[0].temperature, seen[0].top_k, seen[0].top_p) == (True, 1.0, 0, 1.0)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_reward_may_give_an_array_or_a_tensor(kind, talker):
    import numpy as np

    make = {"numpy": np.float32, "torch": torch.tensor}[kind]
    made = reinforce(talker, PROMPTS, lambda prompts, replies: make([0.5] * len(replies)), **SHORT)
    assert curve(made, "reward") == [0.5, 0.5]


# Bad input


@pytest.mark.parametrize(
    ("reward", "complaint"),
    [
        (lambda prompts, replies: [1.0], r"the reward gave 1 numbers for 4 replies"),
        (lambda prompts, replies: 1.0, r"the reward gave 1.0: it must give a list of numbers"),
        (lambda prompts, replies: "good", r"the reward gave 'good'"),
        (lambda prompts, replies: None, r"the reward gave None"),
        (lambda prompts, replies: [float("nan")] * 4, r"the reward of '.*' is nan: it must be a finite number"),
        (lambda prompts, replies: [float("inf")] * 4, r"is inf: it must be a finite number"),
        (lambda prompts, replies: [None] * 4, r"is None: it must be a finite number"),
        (lambda prompts, replies: ["1"] * 4, r"is '1': it must be a finite number"),
    ],
)
def test_a_reward_that_makes_no_sense_stops_the_run(reward, complaint, talker):
    with pytest.raises(CourseError, match=complaint):
        reinforce(talker, PROMPTS, reward, **SHORT)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"reward": 1.0}, r"reward is 1.0: give a function"),
        ({"kl": -0.1}, "kl is -0.1: it must be a number, 0 or more"),
        ({"kl": float("nan")}, "kl is nan"),
        ({"kl": "no"}, "kl is 'no'"),
        ({"samples": 5}, "samples is 5 and group 2: samples is a multiple"),
        ({"group": 1}, "samples is 4 and group 1: .* of 2 or more"),
        ({"prompts": PROMPTS[:1]}, "1 prompts are too few: 4 replies in groups of 2 need 2"),
        ({"prompts": []}, "0 prompts are too few"),
        ({"prompts": "Hello"}, "reinforce takes a list of prompts"),
        ({"prompts": ["Hello", ""]}, "the prompt is empty"),
        ({"prompts": ["Hello", "x" * 2048]}, r"the prompt has 2,\d\d\d tokens, more than 2,048"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(changed, complaint, talker):
    asked = []

    def never(prompts, replies):
        asked.append(replies)
        return [0.0] * len(replies)

    with pytest.raises(CourseError, match=complaint):
        reinforce(talker, **{"prompts": PROMPTS, "reward": never, **SHORT, **changed})
    assert asked == []


def test_an_unknown_method_is_refused_with_the_nearest(talker):
    with pytest.raises(ChoiceError, match=r"method 'grop' is not one of rloo, grpo\. Did you mean 'grpo'"):
        reinforce(talker, PROMPTS, small_letters, "grop")

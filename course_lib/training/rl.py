"""Learning from rewards: a policy writes replies, something scores them, and better ones become likelier (RLHF)."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.chat import Messages, as_messages
from course_lib.core.errors import CourseError, choose, whole_above_zero
from course_lib.models.chatmodel import ChatModel
from course_lib.training.dpo import ObjectiveRecipe, lora_for
from course_lib.training.methods import adapted, load_adapted
from course_lib.training.run import at_rest, common_arguments, dataset_of, described, run_folder, run_trainer
from course_lib.training.shelf import Call, adapter_key, fulfil

if TYPE_CHECKING:
    from transformers import TrainingArguments


Reward = Callable[[Sequence[Messages], Sequence[str]], Sequence[float]]


METHODS = ("rloo", "grpo")


# TRL measures KL only where it costs something. This costs nothing that fp32 could hold beside a reward.
FREE_KL = 1e-30


CURVES = {"reward": "reward", "kl": "kl of a reply", "length": "completions/mean_length"}


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe(ObjectiveRecipe):
    """The settings of a policy's training; `batch_size` counts replies, `epochs` nothing."""

    kl: float
    steps: int
    group: int
    max_new_tokens: int
    reward: str


def reinforce(
    model: ChatModel,
    prompts: Sequence[str | Messages],
    reward: Reward,
    method: str = "rloo",
    *,
    name: str | None = None,
    kl: float = 0.05,
    steps: int = 10,
    samples: int = 16,
    group: int = 4,
    max_new_tokens: int = 32,
    learning_rate: float = 2e-4,
    rank: int = 8,
    layers: str = "all",
    targets: str = "all",
    seed: int | None = None,
    from_shelf: bool = False,
) -> ChatModel:
    """Train a copy of a model to write replies that a reward likes; the model itself stays as it was.

    In each step it writes some replies to each of some prompts (temperature 1, all tokens allowed), they are scored,
    and one step of AdamW at a constant rate makes those likelier that did better than the others of their group. LoRA
    on the frozen weights, which are shared. The reward is of the text alone; nobody checks that it means well.
    `COURSE_REPLAY`, `COURSE_RECORD` and the shelf work as with `cl.finetune`; there are no checkpoints.

    Parameters
    ----------
    model
        Where to start, and what KL is measured from. An adapter on it is merged first, and is part of the start.
    prompts
        Questions or chats, at least `samples / group` of them.
    reward
        A `RewardModel`, or any function from n prompts (each a list of messages) and n replies (texts, stripped) to n
        finite numbers. An adapter on the shelf belongs to the source text of the function (or of its class), or to the
        `base` of a reward model: what a function reads besides is not looked at.
    method
        - "rloo": a reply's advantage is its reward less the mean of its siblings' (Ahmadian et al. 2024,
          arXiv 2402.14740). KL is taken off the reward.
        - "grpo": the same less the group's mean, over its standard deviation (Shao et al. 2024, arXiv 2402.03300). KL
          of each token is added to the loss, so that the same `kl` holds it by another strength.
    kl
        The coefficient of KL from the start: 0 lets the policy go wherever the reward is.
    steps, samples, group
        Steps; replies written in each; replies to one prompt, at least 2, of which `samples` is a multiple.
    max_new_tokens
        Where replies are cut off.
    learning_rate
        AdamW's.
    name, rank, layers, targets, seed, from_shelf
        As in `cl.finetune`; the seed is also that of the replies.

    Returns
    -------
    A ChatModel. `training.curves` holds means over the replies of each step, before its update: "reward", without the
    penalty; "kl", nats a reply, estimated as the mean of log π/π₀ of what was sampled (k1 of Schulman 2020,
    *Approximating KL Divergence*; by chance it may be below 0); "length", tokens.
    `training.samples` holds the first reply of each step: {"step", "prompt", "reply", "reward"}.

    Raises
    ------
    ChoiceError
        For an unknown method, layers or targets.
    CourseError
        For a number that is none or out of range; too few prompts; a reward that is no function, gives another number
        of rewards than there are replies, or something that is no finite number.
    TrainingError
        If it is interrupted, or the loss is no longer a number.
    """
    choose("method", method, METHODS)
    whole_above_zero(steps=steps, samples=samples, group=group, max_new_tokens=max_new_tokens)
    if isinstance(kl, bool) or not isinstance(kl, numbers.Real) or not 0 <= kl < math.inf:
        raise CourseError(f"kl is {kl!r}: it must be a number, 0 (no penalty) or above.")
    if not callable(reward):
        raise CourseError(f"reward is {reward!r:.60}: give a function from prompts and replies to numbers.")
    common = {"epochs": 1, "learning_rate": learning_rate, "batch_size": samples, "rank": rank}
    place = {"layers": layers, "targets": targets, "seed": seed}
    of_policy = {"kl": float(kl), "steps": steps, "group": group, "max_new_tokens": max_new_tokens}
    model, recipe = lora_for(
        "reinforce", model, PolicyRecipe, objective=method, reward=_identity(reward), **common, **place, **of_policy
    )
    rows = _asked(model, prompts, samples, group)
    key = adapter_key(model.base, rows, recipe.hashed())
    label = name or f"policy by {method}"

    def train(recipe: PolicyRecipe, max_steps: int = -1) -> ChatModel:
        if max_steps > 0:  # a few replies to one prompt
            recipe = replace(recipe, steps=max_steps, group=recipe.batch_size)
        return _train(model, rows, recipe, key, label, reward)

    def restore(folder: Path) -> ChatModel:
        return model.retrained(load_adapted(model, folder).eval(), label, key)

    return fulfil(Call(key, label, name, recipe, len(rows), train, restore), from_shelf)


def _train(
    model: ChatModel, rows: list[dict[str, Any]], recipe: PolicyRecipe, key: str, label: str, reward: Reward
) -> ChatModel:
    from transformers import set_seed

    from course_lib.training.trainers import GRPOPolicyTrainer, RLOOPolicyTrainer

    set_seed(recipe.seed)
    trained = adapted(model, recipe)
    scorer = _Scorer(reward)
    arguments = _arguments(recipe, key)
    kind = RLOOPolicyTrainer if recipe.objective == "rloo" else GRPOPolicyTrainer

    def build() -> Any:
        return kind(
            model=trained,
            reward_funcs=scorer,
            args=arguments,
            train_dataset=dataset_of(rows),
            processing_class=model.tokenizer,
        )

    run = run_trainer(build, label, arguments, shows="reward")
    tuned = model.retrained(trained, label, key)
    read = run.trainer.state.num_input_tokens_seen
    tuned.training = replace(described(run, trained, recipe, read, CURVES), samples=tuple(scorer.samples))
    at_rest(trained)
    return tuned


def _arguments(recipe: PolicyRecipe, key: str) -> TrainingArguments:
    from trl import GRPOConfig, RLOOConfig

    kind = RLOOConfig if recipe.objective == "rloo" else GRPOConfig
    return kind(
        **common_arguments(recipe, run_folder(key), 0, recipe.steps),
        lr_scheduler_type="constant",  # so that ten steps are the first ten of a hundred
        num_generations=recipe.group,
        max_completion_length=recipe.max_new_tokens,
        temperature=1.0,
        beta=recipe.kl or FREE_KL,
        use_vllm=False,
    )


class _Scorer:
    """A reward as TRL calls one, with its answers checked and each step's first reply kept."""

    __name__ = "reward"  # what TRL calls it in its log

    def __init__(self, reward: Reward) -> None:
        self.reward = reward
        self.samples: list[dict[str, Any]] = []

    def __call__(
        self, prompts: list[Messages], completions: list[Messages], trainer_state: Any, **_: Any
    ) -> list[float]:
        replies = [completion[-1]["content"].strip() for completion in completions]
        rewards = _numbers(self.reward(prompts, replies), replies)
        first = {"prompt": prompts[0][-1]["content"], "reply": replies[0], "reward": round(float(rewards[0]), 4)}
        self.samples.append({"step": trainer_state.global_step + 1, **first})
        return rewards


def _numbers(rewards: Any, replies: list[str]) -> list[float]:
    if isinstance(rewards, (str, dict)) or not isinstance(rewards, Iterable):
        raise CourseError(f"the reward gave {rewards!r:.60}: it must give a list of numbers, one for each reply.")
    rewards = [value.item() if hasattr(value, "item") else value for value in rewards]  # NumPy's and torch's numbers
    if len(rewards) != len(replies):
        raise CourseError(f"the reward gave {len(rewards)} numbers for {len(replies)} replies: give one for each.")
    for reply, value in zip(replies, rewards):
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise CourseError(f"the reward of {reply!r:.60} is {value!r}: it must be a finite number.")
    return rewards


def _asked(model: ChatModel, prompts: Any, samples: int, group: int) -> list[dict[str, Any]]:
    """The prompts as rows for TRL, checked with what is sampled from them."""
    if group < 2 or samples % group:
        raise CourseError(f"samples is {samples} and group {group}: samples is a multiple of the group, of 2 or more.")
    if isinstance(prompts, (str, dict)) or not isinstance(prompts, Iterable):
        raise CourseError("reinforce takes a list of prompts: write reinforce(model, [prompt, ...], reward).")
    chats = [as_messages(prompt, model.system) for prompt in prompts]
    if len(chats) < samples // group:
        raise CourseError(
            f"{len(chats)} prompts are too few: {samples} replies in groups of {group} need {samples // group}."
        )
    for chat in chats:
        model.encode(chat)  # refuses one that is too long
    return [{"prompt": chat} for chat in chats]


def _identity(reward: Reward) -> str:
    """What tells one reward from another in an adapter's key."""
    if base := getattr(reward, "base", None):
        return str(base)
    named = reward if inspect.isroutine(reward) else type(reward)
    try:
        return inspect.getsource(named)
    except (TypeError, OSError):  # not written in Python, or typed in where no source is kept
        return named.__qualname__

"""Learning from rewards: a policy writes replies, something scores them, and better ones become likelier (RLHF)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from course_lib.core.chat import Messages, as_chats
from course_lib.core.errors import CourseError, choose, not_below_zero, whole_above_zero
from course_lib.models.chatmodel import ChatModel
from course_lib.training.methods import Recipe
from course_lib.training.run import fit, prepared, started
from course_lib.training.shelf import find, recorded

Reward = Callable[[Sequence[Messages], Sequence[str]], Sequence[float]]

OBJECTIVES = ("rloo", "grpo")


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe(Recipe):
    """The settings of a policy's training; `batch_size` counts replies, `epochs` nothing."""

    kl: float
    steps: int
    group: int
    max_new_tokens: int
    reward: str

    def rehearsed(self, steps: int) -> PolicyRecipe:
        """A few replies to one prompt."""
        small = super().rehearsed(steps)
        return replace(small, steps=steps, group=small.batch_size)


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
    """
    choose("method", method, OBJECTIVES)
    whole_above_zero(steps=steps, samples=samples, group=group, max_new_tokens=max_new_tokens)
    not_below_zero(kl=kl)
    if not callable(reward):
        raise CourseError(f"reward is {reward!r:.60}: give a function from prompts and replies to numbers.")
    numbers = {"epochs": 1, "learning_rate": learning_rate, "batch_size": samples, "rank": rank, "seed": seed}
    place = {"layers": layers, "targets": targets, "order": "random"}
    policy = {"kl": float(kl), "steps": steps, "group": group, "max_new_tokens": max_new_tokens}
    model, recipe = started(
        "reinforce", model, PolicyRecipe, objective=method, reward=_identity(reward), **numbers, **place, **policy
    )
    rows = _asked(model, prompts, samples, group, max_new_tokens)
    job = prepared(model, recipe, rows, name or f"policy by {method}", name=name, reward=reward)
    return job.result(find(job, from_shelf) or recorded(job, fit(job, steps)))


def _asked(model: ChatModel, prompts: Any, samples: int, group: int, max_new_tokens: int) -> list[dict[str, Any]]:
    """The prompts as rows for TRL, checked with what is sampled from them."""
    if group < 2 or samples % group:
        raise CourseError(f"samples is {samples} and group {group}: samples is a multiple of the group, of 2 or more.")
    chats = as_chats(prompts, model.system, "reinforce(model, [prompt, ...], reward)")
    if len(chats) < samples // group:
        raise CourseError(
            f"{len(chats)} prompts are too few: {samples} replies in groups of {group} need {samples // group}."
        )
    for chat in chats:
        model.check_room(len(model.encode(chat)), max_new_tokens)  # refuses one that is too long
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

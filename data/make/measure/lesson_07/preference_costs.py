"""What a step of each way to learn from preferences costs: seconds and peak memory, each in a process of its own.

Everything starts from the untrained model, whose replies are as long as they may be; what a step reads is as long as in
the lesson. A policy's judge is trained on a few pairs: what it thinks of a reply costs the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from shared.stepping import GIVE_BACK, alone, at_the_peak

from course_lib.lessons import letters as letters_module

# Steps of the shorter and the longer run, whose difference is what a step takes.
FEW, MANY = 1, 4


def cost(kind: str, recipe: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of a step, tokens that it reads, and bytes at the peak."""
    return alone(_seconds, kind, recipe) | alone(_peak, kind, recipe, environment=GIVE_BACK)


def _learner(kind: str, recipe: Mapping[str, Any]) -> tuple[Any, Callable[[int], Any]]:
    """The untrained model, and what trains a copy of it for some steps and says how that went."""
    import course_lib as cl

    cl.start(seed=0)
    gp, pairs = cl.load_model(), letters_module.load_preferences("train")
    options = {key: value for key, value in recipe.items() if key != "steps"}
    spread = pairs[:: len(pairs) // (MANY * recipe.get("batch_size", 8))]

    def rows(steps: int) -> list[Any]:
        return spread[: steps * recipe["batch_size"]]

    if kind == "chosen":
        return gp, lambda steps: cl.finetune(gp, [row.as_example() for row in rows(steps)], **options).training
    if kind == "dpo":
        return gp, lambda steps: cl.prefer(gp, [row.as_pair() for row in rows(steps)], **options).training
    if kind == "reward model":
        return gp, lambda steps: cl.train_reward_model(gp, [row.as_pair() for row in rows(steps)], **options).training
    judge = cl.train_reward_model(gp, [row.as_pair() for row in spread[:8]])
    letters = [row.letter() for row in pairs]
    return gp, lambda steps: cl.reinforce(gp, letters, judge, steps=steps, **options).training


def _seconds(kind: str, recipe: Mapping[str, Any]) -> dict[str, float]:
    _, learn = _learner(kind, recipe)
    learn(FEW)  # loads what is loaded once

    def timed(steps: int) -> float:
        started = time.perf_counter()
        learn(steps)
        return time.perf_counter() - started

    few, many = timed(FEW), timed(MANY)
    return {"step_seconds": round((many - few) / (MANY - FEW), 2)}


def _peak(kind: str, recipe: Mapping[str, Any]) -> dict[str, float]:
    gp, learn = _learner(kind, recipe)
    learn(FEW)
    highest, training = at_the_peak(gp, lambda: learn(MANY))
    return {"peak_bytes": highest, "tokens_a_step": round(training.tokens / MANY)}

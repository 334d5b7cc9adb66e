"""Speed of learning from preferences: the course against TRL's trainers as they are on a CPU, as ratios in one run.

    python tests/benchmarks/preference_speed.py [--pairs 16] [--rounds 3]

Both learn the same from the same pairs, or letters, in the same batches. TRL's own asks its output layer about prompts
too, and keeps a copy of the new adapter as a reference.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

from contest import contest

import course_lib as cl
from course_lib.lessons import letters
from course_lib.training import trainers


def timed(learn: Callable[[], cl.ChatModel]) -> tuple[float, list[float]]:
    training = learn().training
    return training.seconds, [loss for _, loss in training.losses]


def as_in_trl(learn: Callable[[], cl.ChatModel]) -> tuple[float, list[float]]:
    with (
        patch.object(trainers, "replies_scored_alone", nullcontext),
        patch.object(trainers, "REFERENCE", "none is taken off"),
    ):
        return timed(learn)


def length(prompts: list, replies: list[str]) -> list[float]:
    """A reward that costs nothing."""
    return [float(len(reply)) for reply in replies]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cl.start()
    model, rows = cl.load_model(), letters.load_preferences("train")[: options.pairs]
    ways = {
        "DPO": lambda: cl.prefer(model, [row.as_pair() for row in rows], batch_size=4),
        "RLOO": lambda: cl.reinforce(model, [row.letter() for row in rows], length, steps=options.pairs // 8),
    }
    for name, learn in ways.items():
        print(name)
        contenders = {"TRL's own": lambda learn=learn: as_in_trl(learn), "course_lib": lambda learn=learn: timed(learn)}
        contest(contenders, options.rounds, against="TRL's own")


if __name__ == "__main__":
    main()

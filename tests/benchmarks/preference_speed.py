"""Speed of learning from preferences: the course against TRL's trainers as they are on a CPU, as ratios in one run.

    python tests/benchmarks/preference_speed.py [--pairs 16] [--rounds 3] [--keep]

Both learn the same from the same pairs, or letters, in the same batches. TRL's own asks its output layer about prompts
too, and keeps a copy of the new adapter as a reference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

from contest import contest, options

import course_lib as cl
from course_lib.lessons import letters
from course_lib.training import trainers


def timed(learn: Callable[[], cl.ChatModel]) -> tuple[float, str]:
    training = learn().training
    (_, first), *_, (_, last) = training.losses
    return training.seconds, f"first loss {first:.4f}  last {last:.4f}"


def as_in_trl(learn: Callable[[], cl.ChatModel]) -> tuple[float, str]:
    with (
        patch.object(trainers, "replies_scored_alone", nullcontext),
        patch.object(trainers, "REFERENCE", "none is taken off"),
    ):
        return timed(learn)


def length(prompts: list, replies: list[str]) -> list[float]:
    """A reward that costs nothing."""
    return [float(len(reply)) for reply in replies]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--pairs", type=int, default=16)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    cl.start()
    model, rows = cl.load_model(asked.student), letters.load_preferences("train")[: asked.pairs]
    ways = {
        "DPO": lambda: cl.prefer(model, [row.as_pair() for row in rows], batch_size=4),
        "RLOO": lambda: cl.reinforce(model, [row.letter() for row in rows], length, steps=asked.pairs // 8),
    }
    for name, learn in ways.items():
        contenders = {"TRL's own": lambda learn=learn: as_in_trl(learn), "course_lib": lambda learn=learn: timed(learn)}
        contest(name, f"{len(rows)} pairs, or letters", contenders, asked)


if __name__ == "__main__":
    main()

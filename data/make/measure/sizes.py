"""The lessons' exams sat by students of three sizes, untrained and trained. Resumable; `--plan` says how long it takes.

    python data/make/measure/sizes.py [--plan] [--students qwen-0.5b ...] [--only 02 03 ...] [--arms untrained]

Prompts, k and learning rates are chosen for each student by itself, on validation questions. All is kept in
`data/results/sizes.parquet`, a report as "lesson/exam/student/arm", and "/seed N" behind it where it was trained; what
decides its result stands in `settings`, what else it says in rows beside it ("…/machine", "…/confidence"). A process
that is killed loses one report or one training at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from shared.scripts import asked_for
from three_sizes import editions, handbook, heart, knowledge, letters, queries, reading, searched, voice
from three_sizes.planning import Planned
from three_sizes.sitting import LARGE, MIDDLE, SEEDS, SMALL, Sitting, shelf

import course_lib as cl
from course_lib.models.students import STUDENTS

Part = tuple[str, str, str, Callable[[Sitting], None]]  # arms, student, lesson, what it does
UNTRAINED = {
    "02": handbook.untrained, "03": queries.untrained, "06": editions.untrained, "05": searched.untrained,
    "00": knowledge.untrained, "01": letters.untrained, "08": voice.untrained,
}  # fmt: skip
# What is read by a trained student is some lesson's that trains one.
TRAINED_SMALL = (("02", reading.of_the_handbook), ("02", heart.by_heart), ("03", queries.specialists))
TRAINED_SMALL += (("06", reading.of_editions),)
TRAINED_MIDDLE: tuple[tuple[str, Callable[[Sitting], None]], ...] = (
    ("03", partial(queries.specialists, kinds=[queries.DESK])),
    ("02", heart.by_heart),
    ("06", reading.of_editions),
    ("03", partial(queries.specialists, kinds=[queries.ALL], seeds=[0])),
    # What the lessons find on the shelf, and what is dearest.
    ("06", reading.as_shipped),
    ("02", partial(heart.by_heart, kinds=["by heart, one wording", "by heart, mixed study"], seeds=[0])),
    ("02", partial(reading.of_the_handbook, kinds=["form only"])),
    ("03", partial(queries.specialists, kinds=[queries.HOUSE, queries.ALL])),
)


def parts() -> Iterator[Part]:
    """Everything, what is cheap and most wanted first."""
    for lesson, sit in UNTRAINED.items():
        for student in (MIDDLE, SMALL):
            yield "untrained", student, lesson, sit
    for lesson, sit in TRAINED_SMALL:
        yield "trained", SMALL, lesson, sit
    for lesson, sit in UNTRAINED.items():
        yield "untrained", LARGE, lesson, sit
    for lesson, sit in TRAINED_MIDDLE:
        yield "trained", MIDDLE, lesson, sit


def main(arguments: Sequence[str] | None = None) -> None:
    more: dict[str, Any] = {
        "students": {"nargs": "+", "choices": tuple(STUDENTS), "default": tuple(STUDENTS), "help": "only these"},
        "arms": {"choices": ("untrained", "trained"), "help": "only these"},
        "plan": {"action": "store_true", "help": "measure nothing: say how long each part takes at 135 GFLOP/s"},
    }
    options = asked_for(__doc__, arguments, tuple(UNTRAINED), SEEDS[SMALL], **more)
    shelf()
    cl.start(seed=0)
    total = 0.0
    for arms, student, lesson, sit in parts():
        if (
            lesson not in (options.only or UNTRAINED)
            or student not in options.students
            or options.arms not in (None, arms)
        ):
            continue
        started = time.perf_counter()
        sitting = (Planned if options.plan else Sitting)(student, options.seeds)
        sit(sitting)
        minutes = (sum(sitting.seconds.values()) if options.plan else time.perf_counter() - started) / 60
        total += minutes
        print(f"== lesson {lesson}, {student}, {arms}: {minutes:.0f} minutes (so far {total:.0f})", flush=True)


if __name__ == "__main__":
    main()

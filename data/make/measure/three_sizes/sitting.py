"""A student of one size before its exams: loaded when asked, what it says kept, its choices made on validation.

A report is kept as "lesson/exam/student/arm", and "/seed N" behind it where the student was trained.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.keeping import kept, kept_data
from shared.students import Students

import course_lib as cl
from course_lib.core.errors import CourseError
from course_lib.core.session import current
from course_lib.evaluation.exams import Question
from course_lib.models.students import STUDENTS

PLACE = "sizes"
BASES, TRAINED = Students(most=1), Students(most=1)


class Sitting:
    """One student, as it came or trained (`trained`)."""

    def __init__(self, student: str) -> None:
        self.student = student
        self.suffix, self.made_with = "", {}

    @property
    def base(self) -> str:
        """Which weights these are; the name alone of what has none."""
        return STUDENTS[self.student].base if self.student in STUDENTS else self.student

    @property
    def model(self) -> cl.ChatModel:
        """The model itself; no other is held beside it but the one that it was trained from."""
        if self.student not in BASES:
            TRAINED.clear()  # shares the weights of another base
        return BASES.trained(self.student, lambda: cl.load_model(self.student))

    def sits(
        self, lesson: str, arm: str, exam: cl.Exam | Sequence[Question], candidate: Callable[[cl.ChatModel], Any],
        called: str | None = None, **settings: Any,
    ) -> cl.Report:  # fmt: skip
        """The report of an arm, made now unless it is kept; `candidate` makes of the model what sits the exam.

        The exam is `called` by its own name unless said otherwise; `settings` are what decides the result besides.
        """
        return self.keeps(
            lesson,
            arm,
            called or exam.name,
            len(exam),
            lambda: cl.evaluate(candidate(self.model), exam, arm),
            **settings,
        )

    def keeps(
        self, lesson: str, arm: str, called: str, n: int, make: Callable[[], cl.Report], **settings: Any
    ) -> cl.Report:
        """A report under its full name, however it is made; beside it, on which kind of machine."""
        name = self.name(lesson, called, arm)
        wanted = {
            "lesson": lesson,
            "arm": arm,
            "student": self.base,
            "n": n,
            **self.made_with,
            **settings,
        }
        started = time.perf_counter()
        report = kept(PLACE, name, make, wanted)
        kept_data(PLACE, f"{name}/machine", machine, wanted)
        if (minutes := (time.perf_counter() - started) / 60) > 0.05:
            print(f"    {minutes:.1f} minutes", flush=True)
        return report

    def notes(self, lesson: str, arm: str, called: str, what: str, make: Callable[[], dict[str, Any]]) -> None:
        """Keep what else a report of this student says, as "lesson/exam/student/arm/what"."""
        kept_data(PLACE, f"{self.name(lesson, called, arm)}/{what}", make, self.made_with)

    def best(self, lesson: str, what: str, reports: Mapping[Any, cl.Report]) -> Any:
        """Which choice answers most of the validation questions right, exactly if that is equal; the choice is kept."""

        def choose() -> dict[str, Any]:
            return {"chosen": max(reports, key=lambda choice: (reports[choice].accuracy, reports[choice].exact))}

        return kept_data(PLACE, f"{lesson}/chosen/{self.student}/{what}", choose)["chosen"]

    def name(self, lesson: str, called: str, arm: str) -> str:
        """The full name of a report."""
        parts = (lesson, called, self.student, arm)
        if odd := [part for part in parts if "/" in part]:
            raise CourseError(f"{odd[0]!r} has a slash, which parts the names of measurements: say it without.")
        return "/".join(parts) + self.suffix


def machine() -> dict[str, Any]:
    """What kind of machine computes here, and how."""
    import torch

    return {"cores": os.cpu_count(), "isa": torch.backends.cpu.get_cpu_capability(), "dtype": current().dtype}

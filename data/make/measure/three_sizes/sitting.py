"""A student of one size before its exams: loaded when asked, what it says kept, its choices made on validation.

A report is kept as "lesson/exam/student/arm", and "/seed N" behind it where the student was trained.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.keeping import kept, kept_data
from shared.students import Students, shelf_of_its_own

import course_lib as cl
from course_lib.core.chat import Example
from course_lib.core.errors import CourseError
from course_lib.core.session import adapters_dir, current
from course_lib.evaluation.exams import Question
from course_lib.models.students import STUDENTS

PLACE = "sizes"
BASES, TRAINED = Students(most=1), Students(most=1)
SMALL, MIDDLE, LARGE = STUDENTS
# The largest is trained by nobody: two cores would take days.
SEEDS = {SMALL: (0, 1, 2, 3, 4), MIDDLE: (0, 1, 2), LARGE: ()}
# An adapter of the middle one, on all linear layers, takes 1.1 MB a rank: 4 is the most that the shelf's 5 MB hold.
RANKS = {MIDDLE: 4}


@dataclass(frozen=True)
class Study:
    """How a student is trained: what `kind` of training it is called, on how many examples, by which recipe."""

    kind: str
    n: int
    examples: Callable[[], list[Example]]
    recipe: Mapping[str, Any]
    seed: int = 0


class Sitting:
    """One student, as it came or trained (`trained`); of what is trained with several seeds it takes these."""

    def __init__(self, student: str, seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> None:
        self.student = student
        self.seeds = tuple(seed for seed in SEEDS.get(student, ()) if seed in seeds)
        self.suffix, self.made_with, self.study = "", {}, None

    def trained(self, study: Study) -> Sitting:
        """The same student after some study, which begins when something is asked of it."""
        made = type(self)(self.student, ())
        made.study, made.suffix = study, f"/seed {study.seed}"
        made.made_with = {
            "trained": study.kind, "examples": study.n, "recipe": dict(study.recipe), "seed": study.seed,
        }  # fmt: skip
        return made

    def recipe(
        self, lesson: str, what: str, recipe: Mapping[str, Any], trial: Callable[[Sitting, str], Any],
        study: Callable[[Mapping[str, Any], int], Study],
    ) -> dict[str, Any]:  # fmt: skip
        """By which recipe this student is trained: the lesson's, which was chosen for the smallest.

        For the middle one the rate is chosen between the lesson's and a quarter of it, by a `trial` of each on
        validation questions.
        """
        if self.student not in RANKS:
            return dict(recipe)
        ranked = {**recipe, "rank": RANKS[self.student]}
        rates = [recipe["learning_rate"], recipe["learning_rate"] / 4]
        tried = {
            rate: trial(self.trained(study({**ranked, "learning_rate": rate}, 0)), f"validation, {what}, rate {rate}")
            for rate in rates
        }
        return {**ranked, "learning_rate": self.best(lesson, f"rate, {what}", tried)}

    @property
    def base(self) -> str:
        """Which weights these are; the name alone of what has none."""
        return STUDENTS[self.student].base if self.student in STUDENTS else self.student

    @property
    def model(self) -> cl.ChatModel:
        """The model itself; no other is held beside it but the one that it was trained from."""
        if self.study is not None:
            return TRAINED.trained(self.training_name, self._train)
        if self.student not in BASES:
            TRAINED.clear()  # shares the weights of another base
        return BASES.trained(self.student, lambda: cl.load_model(self.student))

    @property
    def training_name(self) -> str:
        """Under which seconds, tokens and trained parameters are kept."""
        rate = self.study.recipe["learning_rate"]
        return f"training/{self.student}/{self.study.kind}, rate {rate}{self.suffix}"

    def _train(self) -> cl.ChatModel:
        """Trained now, or off the shelf of an earlier run."""
        study, name = self.study, self.training_name.partition("/")[2].replace("/", ", ")
        model = cl.finetune(
            Sitting(self.student).model, study.examples(), name=name, seed=study.seed, from_shelf=True, **study.recipe
        )
        done = model.training
        noted = {"seconds": round(done.seconds, 1), "tokens": done.tokens, "trainable": done.trainable}
        kept_data(PLACE, self.training_name, lambda: noted, self.made_with)
        return model

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
            asked_in(exam),
            lambda: cl.evaluate(candidate(self.model), exam, arm),
            **settings,
        )

    def keeps(
        self, lesson: str, arm: str, called: str, asked: Sequence[tuple[str, str]], make: Callable[[], cl.Report],
        **settings: Any,
    ) -> cl.Report:  # fmt: skip
        """A report under its full name, however it is made; beside it, on which kind of machine.

        `asked` are the questions and their right answers: once they are others, the report is made anew.
        """
        name = self.name(lesson, called, arm)
        wanted = {
            "lesson": lesson,
            "arm": arm,
            "student": self.base,
            "n": len(asked),
            **self.made_with,
            **settings,
        }
        started = time.perf_counter()
        report = kept(PLACE, name, make, wanted, asked)
        kept_data(PLACE, f"{name}/machine", machine, wanted)
        if (minutes := (time.perf_counter() - started) / 60) > 0.05:
            print(f"    {minutes:.1f} minutes", flush=True)
        return report

    def notes(self, lesson: str, arm: str, called: str, what: str, make: Callable[[], dict[str, Any]]) -> None:
        """Keep what else a report of this student says, as "lesson/exam/student/arm/what"."""
        kept_data(PLACE, f"{self.name(lesson, called, arm)}/{what}", make, self.made_with)

    def best(self, lesson: str, what: str, reports: Mapping[Any, cl.Report]) -> Any:
        """Which choice answers most of the validation questions right, exactly if that is equal.

        The choice is kept with what it was chosen by.
        """
        by = {choice: [report.accuracy, report.exact] for choice, report in reports.items()}
        name, shown = f"{lesson}/chosen/{self.student}/{what}", {str(choice): mark for choice, mark in by.items()}
        return kept_data(PLACE, name, lambda: {"chosen": max(by, key=by.__getitem__)}, {"by": shown})["chosen"]

    def decides(self, lesson: str, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is chosen once for all students, on validation questions and without any of them."""
        return kept_data(PLACE, f"{lesson}/chosen/all/{what}", make)

    def name(self, lesson: str, called: str, arm: str) -> str:
        """The full name of a report."""
        parts = (lesson, called, self.student, arm)
        if odd := [part for part in parts if "/" in part]:
            raise CourseError(f"{odd[0]!r} has a slash, which parts the names of measurements: say it without.")
        return "/".join(parts) + self.suffix


def asked_in(exam: cl.Exam | Sequence[Question]) -> list[tuple[str, str]]:
    """The questions of an exam and their right answers."""
    return [(question.question, question.answer) for question in exam]


def machine() -> dict[str, Any]:
    """What kind of machine computes here, and how."""
    import torch

    return {"cores": os.cpu_count(), "isa": torch.backends.cpu.get_cpu_capability(), "dtype": current().dtype}


def shelf() -> None:
    """A shelf of the students' own. The repository's adapters stand on it too: what a lesson ships is not trained."""
    shipped = adapters_dir()
    shelf_of_its_own(PLACE)
    own = adapters_dir()
    for folder in shipped.glob("0*"):
        if not (own / folder.name).exists():
            shutil.copytree(folder, own / folder.name)

"""What `results_03.py` measures with: the recipes, a student of SQL, and the exams it sits."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shared.keeping import kept, kept_data
from shared.students import Students, untrained

import course_lib as cl
from course_lib.evaluation.exams import Exam
from course_lib.lessons.sql import task as task_module

# Chosen between, on validation questions, after one pass over 300 pairs of all patterns.
PAIRS = 300
ONCE = {"epochs": 1, "order": "random"}  # by length, the long queries come early and are forgotten: see RECIPES[0]
RECIPES: tuple[dict[str, Any], ...] = (
    {"epochs": 1, "order": "length", "learning_rate": 2e-3, "batch_size": 4, "layers": "all"},
    {**ONCE, "learning_rate": 2e-3, "batch_size": 4, "layers": "all"},
    {**ONCE, "learning_rate": 2e-3, "batch_size": 4, "layers": "upper"},
    {**ONCE, "learning_rate": 1e-3, "batch_size": 4, "layers": "all"},
    {**ONCE, "learning_rate": 2e-3, "batch_size": 8, "layers": "all"},
    {**ONCE, "learning_rate": 4e-3, "batch_size": 4, "layers": "all"},
    {**ONCE, "learning_rate": 2e-3, "batch_size": 2, "layers": "all"},
    {**ONCE, "learning_rate": 1e-3, "batch_size": 2, "layers": "all"},
)
FULL_RECIPES: tuple[dict[str, Any], ...] = (
    {**ONCE, "method": "full", "learning_rate": 1e-4, "batch_size": 4},
    {**ONCE, "method": "full", "learning_rate": 2e-4, "batch_size": 4},
    {**ONCE, "method": "full", "learning_rate": 1e-4, "batch_size": 2},
)
# The lesson makes the same calls: were they to differ, its adapters would not be found (COURSE_REPLAY=strict).
RECIPE, FULL_RECIPE = RECIPES[6], FULL_RECIPES[0]
SHOTS = 3
ASKED = ("values", "wordings")
STUDENTS = Students()


def exams(
    task: task_module.SqlTask, names: Sequence[str] = (*ASKED, "combinations", "second_schema")
) -> dict[str, Exam]:
    """A task's exams, by the names that reports have."""
    return {name: getattr(task, name) for name in names}


def writer(model: cl.ChatModel, task: task_module.SqlTask, exam: Exam, **options: Any) -> task_module.SqlWriter:
    """A writer with the tables and the days of an exam in its prompt."""
    schema = task.other_schema if exam is task.second_schema else task.schema
    return task_module.SqlWriter(model, schema, **{"dates": exam} | options)


class Student:
    """One training run, made when a report of it is wanted and none is kept.

    `shelf` names its adapter, which is stored, or taken from the shelf if it is there; None for neither.
    """

    def __init__(
        self, task: task_module.SqlTask, name: str, n: int | None, seed: int, recipe: Mapping,
        shelf: str | None = None,
    ):  # fmt: skip
        self.task, self.n, self.seed, self.shelf = task, n, seed, shelf
        self.name, self.recipe = f"{name}-seed-{seed}", dict(recipe)
        self.settings = {**self.recipe, "pairs": n or len(task.train), "seed": seed}
        self._processor_seconds = 0.0

    def model(self) -> cl.ChatModel:
        """The trained model."""
        return STUDENTS.trained(self.name, self._train)

    def _train(self) -> cl.ChatModel:
        os.environ["COURSE_RECORD"] = "1" if self.shelf else ""
        study = self.task.train_examples(self.n, seed=self.seed)
        options = {"name": self.shelf, "seed": self.seed, "from_shelf": self.shelf is not None}
        started = time.process_time()
        model = cl.finetune(untrained(), study, **self.recipe, **options)
        self._processor_seconds = time.process_time() - started
        return model

    def training(self) -> dict[str, Any]:
        """Tokens and trained parameters of the run, and its seconds: by the clock, and of all cores together."""

        def note() -> dict[str, Any]:
            done = self.model().training
            counted = {"tokens": done.tokens, "trainable": done.trainable}
            return {"seconds": round(done.seconds), "processor_seconds": round(self._processor_seconds), **counted}

        noted = kept_data("03", f"{self.name}-training", note, self.settings)
        return {key: value for key, value in noted.items() if key != "settings"}

    def sits(self, name: str, exam: Exam, **options: Any) -> cl.Report:
        """The report of one exam."""

        def sit() -> cl.Report:
            return cl.evaluate(writer(self.model(), self.task, exam, **options), exam)

        return kept("03", f"{self.name}-{name}", sit, self.settings)

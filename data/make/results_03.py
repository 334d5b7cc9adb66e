"""The full-size measurements behind lesson 03. Resumable, some four hours on one core.

    python data/make/results_03.py [--only PART ...] [--seeds 0 1 2]

Learning rates, batch sizes, layers and order are chosen on validation questions. Then every candidate sits the exams:
the untrained model, without and with examples in its prompt; specialists for the front desk's twelve patterns, as the
lesson trains one; specialists for all patterns. Every report goes to `data/results/03.parquet`, what the lesson and the
README quote to `data/results/03.json`; the adapters of seed 0 go on the shelf, where the lesson finds them.

With --only the reports of some parts are made and nothing is summed up: two processes may work on different parts. The
parts, in order of importance: search and search-full (from which the recipes were chosen), desk, whole, baselines,
house, full, confidence (which takes the adapter that whole has stored), desk-curve.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from keeping import asked_for, figures, kept, kept_data, untrained, write_summary

import course_lib as cl
from course_lib.evaluation.exams import Exam
from course_lib.lessons.sql import task as task_module

PARTS = ("search", "search-full", "desk", "whole", "baselines", "house", "full", "confidence", "desk-curve")
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
DESK_SIZES = (50, 100, 200, 548)  # of the desk's learning curve, beside the 300 pairs; 548 are all that it has
ASKED = ("values", "wordings")


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

    Attributes
    ----------
    shelf
        Name under which its adapter is stored, or taken from the shelf if it is there; None for neither.
    """

    def __init__(
        self, task: task_module.SqlTask, name: str, n: int | None, seed: int, recipe: Mapping,
        shelf: str | None = None,
    ):  # fmt: skip
        self.task, self.n, self.seed, self.shelf = task, n, seed, shelf
        self.name, self.recipe = f"{name}-seed-{seed}", dict(recipe)
        self.settings = {**self.recipe, "pairs": n or len(task.train), "seed": seed}
        self._model: cl.ChatModel | None = None
        self._processor_seconds = 0.0

    def model(self) -> cl.ChatModel:
        """The trained model."""
        if self._model is None:
            os.environ["COURSE_RECORD"] = "1" if self.shelf else ""
            study = self.task.train_examples(self.n, seed=self.seed)
            options = {"name": self.shelf, "seed": self.seed, "from_shelf": self.shelf is not None}
            started = time.process_time()
            self._model = cl.finetune(untrained(), study, **self.recipe, **options)
            self._processor_seconds = time.process_time() - started
        return self._model

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


def search(task: task_module.SqlTask, recipes: Sequence[Mapping], name: str) -> list[dict[str, Any]]:
    """Each recipe on validation questions, after training on 300 pairs of all patterns."""
    found = []
    for number, recipe in enumerate(recipes):
        student = Student(task, f"validation-{name}-{number}", PAIRS, 0, recipe)
        training = student.training()
        found.append({**recipe, **figures(student.sits("validation", task.validation)), "training": training})
    return found


def baselines(task: task_module.SqlTask) -> dict[str, dict[str, cl.Report]]:
    """The untrained model on the four exams: asked, and shown examples first."""
    shown = task.train_pairs(SHOTS)
    found: dict[str, dict[str, cl.Report]] = {"before": {}, "examples": {}}
    for name, exam in exams(task).items():
        for arm, examples in (("before", ()), ("examples", shown)):
            found[arm][name] = kept(
                "03", f"{arm}-{name}",
                lambda exam=exam, shown=examples: cl.evaluate(writer(untrained(), task, exam, examples=shown), exam),
            )  # fmt: skip
    return found


def specialists(
    task: task_module.SqlTask, name: str, n: int | None, recipe: Mapping, seeds: Sequence[int],
    asked: Sequence[str], shelf: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Students of one kind, one a seed, in the exams that are `asked`; that of seed 0 goes on the shelf.

    Returns
    -------
    For each seed: the student's training, its reports by exam.
    """
    found = []
    for seed in seeds:
        student = Student(task, name, n, seed, recipe, shelf if seed == 0 else None)
        training = student.training()
        reports = {exam: student.sits(exam, on) for exam, on in exams(task, asked).items()}
        if name == "whole":  # what the day in the prompt is worth
            reports["with_the_day"] = student.sits("with-the-day", task.dated)
            reports["without_the_day"] = student.sits("without-the-day", task.dated, dates=None)
        found.append({"seed": seed, "training": training, "reports": reports})
    return found


def confidence(task: task_module.SqlTask) -> list[list[float]]:
    """For requests in new wordings and new combinations: how sure the first student of all pairs was, and was it right.

    Returns
    -------
    For each request: the confidence (`SqlAnswer.confidence`), and 1 or 0.
    """
    student = Student(task, "whole", None, 0, RECIPE, "03-whole")

    def ask() -> dict[str, Any]:
        answers = []
        for exam in (task.wordings, task.combinations):
            for question in exam:
                answer = writer(student.model(), task, exam).ask(question.question, question.source)
                right = exam.grader(question, answer.sql) in ("exact", "right")
                answers.append([round(answer.confidence, 3), int(right)])
        return {"answers": answers}

    return kept_data("03", "confidence", ask, student.settings)["answers"]


def measure(part: str, task: task_module.SqlTask, seeds: Sequence[int]) -> Any:
    """All reports of one part: made, or read where they are kept."""
    desk = task.about(task_module.FRONT_DESK)
    if part == "search":
        return search(task, RECIPES, "lora")
    if part == "search-full":
        return search(task, FULL_RECIPES, "full")
    if part == "baselines":
        return baselines(task)
    if part == "desk":
        return specialists(desk, "desk", PAIRS, RECIPE, seeds, ASKED, "03-front-desk")
    if part == "full":
        return specialists(desk, "full", PAIRS, FULL_RECIPE, seeds, ASKED)
    if part == "whole":
        return specialists(task, "whole", None, RECIPE, seeds, tuple(exams(task)), "03-whole")
    if part == "confidence":
        return confidence(task)
    if part == "house":
        return specialists(task, "house", PAIRS, RECIPE, seeds, tuple(exams(task)))
    found: dict[int, list[Any]] = {n: [] for n in DESK_SIZES}
    for seed in seeds:  # every size once before any size twice
        for n, runs in found.items():
            runs += specialists(desk, f"desk-{n}", n, RECIPE, [seed], ASKED)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    options = asked_for(__doc__, arguments, PARTS)
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")  # multiplies no bf16, so that the session takes fp32
    task = task_module.load_sql()
    parts = {part: measure(part, task, options.seeds) for part in options.only or PARTS}
    if not options.only:
        from summary_03 import summary

        write_summary("03", summary(parts, task))


if __name__ == "__main__":
    main()

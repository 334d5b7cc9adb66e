"""The full-size measurements behind lesson 03. Resumable, some four hours on one core.

    python data/make/measure/results_03.py [--only PART ...] [--seeds 0 1 2]

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
from collections.abc import Mapping, Sequence
from typing import Any

from lesson_03.specialist import ASKED, FULL_RECIPE, FULL_RECIPES, PAIRS, RECIPE, RECIPES, SHOTS, Student, exams, writer
from lesson_03.summary import summary
from shared.figures import figures
from shared.keeping import kept, kept_data
from shared.scripts import asked_for, write_summary
from shared.students import untrained

import course_lib as cl
from course_lib.lessons.sql import task as task_module

PARTS = ("search", "search-full", "desk", "whole", "baselines", "house", "full", "confidence", "desk-curve")
DESK_SIZES = (50, 100, 200, 548)  # of the desk's learning curve, beside the 300 pairs; 548 are all that it has


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
    """Students of one kind in the exams that are `asked`, for each seed its training and its reports by exam.

    That of seed 0 goes on the shelf.
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
    """How sure the first student of all pairs was (`SqlAnswer.confidence`), and 1 or 0: whether it was right.

    For each request in new wordings and in new combinations.
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
        write_summary("03", summary(parts, task))


if __name__ == "__main__":
    main()

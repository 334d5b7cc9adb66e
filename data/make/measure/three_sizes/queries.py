"""Lesson 03: requests of the front desk and of the house, new combinations, other tables, a stranger's requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from lesson_03.specialist import ASKED, PAIRS, RECIPE, SHOTS, exams, writer
from lesson_03.summary import at_the_desk
from three_sizes.sitting import Sitting, Study

import course_lib as cl
from course_lib.lessons.sql import task as sql_task
from course_lib.models import scoring

LESSON = "03"
NAMES = {
    "values": "house values", "wordings": "house wordings", "combinations": "house combinations",
    "second_schema": "second schema", "stranger": "stranger",
}  # fmt: skip
# Kinds of specialists: 300 pairs of the front desk as the lesson trains it, 300 of all patterns, and all pairs.
DESK, HOUSE, ALL = "300 pairs", "300 pairs of all patterns", "1,940 pairs"


@cache
def task() -> sql_task.SqlTask:
    return sql_task.load_sql()


@cache
def papers() -> dict[str, cl.Exam]:
    """All exams by the task's names for them."""
    return exams(task(), tuple(NAMES))


def untrained(student: Sitting) -> None:
    sits_all(student, "no example")
    shown = task().train_pairs(SHOTS)
    sits_all(student, "three examples", {"examples": shown}, examples=[pair.id for pair in shown])


def sits_all(
    student: Sitting, arm: str, options: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, cl.Report]:
    """Every exam, by the names that reports have; the front desk's requests are some of the house's."""
    found = {}
    for name, exam in papers().items():
        limit = {"max_new_tokens": sql_task.STRANGER_TOKENS} if name == "stranger" else {}

        def candidate(model: cl.ChatModel, exam: cl.Exam = exam, limit: Any = limit) -> sql_task.SqlWriter:
            return writer(model, task(), exam, **limit, **options or {})

        found[NAMES[name]] = report = student.sits(LESSON, arm, exam, candidate, NAMES[name], **limit, **settings)
        if name in ASKED and report is not None:
            (desk,) = at_the_desk({name: report}).values()
            called = f"front desk {name}"
            asked = [(row.question, row.expected) for row in desk.rows]
            found[called] = student.keeps(LESSON, arm, called, asked, lambda desk=desk: desk, **settings)
    return found


def studies(kind: str) -> Any:
    """What a kind of specialist studies, as `Sitting.recipe` wants it."""
    whole = task()
    pairs, n = {
        DESK: (whole.about(sql_task.FRONT_DESK), PAIRS), HOUSE: (whole, PAIRS), ALL: (whole, len(whole.train)),
    }[kind]  # fmt: skip

    def study(recipe: Mapping[str, Any], seed: int) -> Study:
        def examples() -> list[Any]:
            rows = pairs.train_examples(n, seed=seed)
            cl.check_no_leak(rows, *papers().values())
            return rows

        return Study(kind, n, examples, recipe, seed)

    return study


def specialists(student: Sitting, kinds: Sequence[str] = (), seeds: Sequence[int] = (0, 1, 2)) -> None:
    """The exams of specialists, and how sure they were of each query; the rate is chosen on validation requests."""

    def trial(tried: Sitting, arm: str) -> Any:
        return tried.sits(LESSON, arm, task().validation, lambda model: writer(model, task(), task().validation))

    recipe = student.recipe(LESSON, HOUSE, RECIPE, trial, studies(HOUSE))
    for kind in kinds or (DESK, ALL, HOUSE):
        for seed in [seed for seed in student.seeds if seed in seeds]:
            one = student.trained(studies(kind)(recipe, seed))
            for name, report in sits_all(one, kind).items():
                exam = papers().get(next((key for key, called in NAMES.items() if called == name), ""))
                if exam is not None:  # the front desk's requests are among the house's

                    def sure(one: Sitting = one, exam: cl.Exam = exam, report: cl.Report = report) -> dict[str, Any]:
                        return confidence(one.model, exam, report)

                    one.notes(LESSON, kind, name, "confidence", sure)


def confidence(model: cl.ChatModel, exam: cl.Exam, report: cl.Report) -> dict[str, Any]:
    """How sure the model was of each query, and 1 or 0: whether it was right. As in `results_03.py`.

    Sure is how likely its least certain token was, without the one that ends the reply.
    """
    import torch

    prompts = writer(model, task(), exam)
    days = {question.question: question.source for question in exam}
    encoded = []
    for row in report.rows:
        completion = [{"role": "assistant", "content": row.reply}]
        example = {"prompt": prompts.prompt(row.question, days[row.question]), "completion": completion}
        ids, begins = scoring.encode_example(model, row.id, example)
        ends = next((i for i in range(begins, len(ids)) if ids[i] in model.stops()), len(ids))
        encoded.append((ids[: max(ends, begins + 1)], begins))
    sure = [0.0] * len(encoded)
    model.model.eval()
    with torch.inference_mode():
        for members, batch in scoring.in_batches(encoded, 16, model):
            logits, targets, rows = scoring.completion_logits(model.model, *batch)
            found = logits.softmax(-1).gather(1, targets[:, None])[:, 0]
            for place, i in enumerate(members):
                sure[i] = round(float(found[rows == place].min()), 3)
    return {"answers": [[p, int(hit)] for p, hit in zip(sure, report.hits())]}

"""Lesson 03, untrained: requests of the front desk and the house, new combinations, other tables, a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lesson_03.specialist import ASKED, SHOTS, exams, writer
from lesson_03.summary import at_the_desk
from three_sizes.sitting import Sitting

import course_lib as cl
from course_lib.lessons.sql import task as sql_task

LESSON = "03"
NAMES = {"values": "house values", "wordings": "house wordings", "combinations": "house combinations"}
NAMES |= {"second_schema": "second schema", "stranger": "stranger"}


@cache
def task() -> sql_task.SqlTask:
    return sql_task.load_sql()


@cache
def papers() -> dict[str, cl.Exam]:
    """All exams by the task's names for them; a stranger's where somebody has written it."""
    found = exams(task())
    if (stranger := getattr(task(), "stranger", None)) is not None:
        return found | {"stranger": stranger}
    print("03: no stranger has written an exam yet (SqlTask.stranger): that arm is left out", flush=True)
    return found


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

        def candidate(model: cl.ChatModel, exam: cl.Exam = exam) -> sql_task.SqlWriter:
            return writer(model, task(), exam, **options or {})

        found[NAMES[name]] = report = student.sits(LESSON, arm, exam, candidate, NAMES[name], **settings)
        if name in ASKED and report is not None:
            (desk,) = at_the_desk({name: report}).values()
            called = f"front desk {name}"
            found[called] = student.keeps(LESSON, arm, called, desk.n, lambda desk=desk: desk, **settings)
    return found

"""The same exams asked of three students, untrained. Resumable, some ten hours on two AVX2 cores.

    python data/make/measure/sizes.py [--students qwen-0.5b ...] [--only 02 03 ...]

A prompt and a k are chosen for each student by itself, on validation questions, before it sits an exam. Every report
goes to `data/results/sizes.parquet`, a row for each to `data/results/sizes.json`: lesson, exam, arm, student, n, seeds,
marks with their intervals, seconds and tokens a question, and on which kind of machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from lesson_03.specialist import SHOTS
from lesson_03.specialist import exams as sql_exams
from results_02 import INSTRUCTIONS, library
from shared.figures import figures
from shared.keeping import kept, kept_data, measured
from shared.scripts import asked_for
from shared.students import Students

import course_lib as cl
from course_lib.core.session import current, data_dir
from course_lib.core.text import write_text
from course_lib.lessons import shelves
from course_lib.lessons.sql import task as sql_task
from course_lib.models.students import STUDENTS

KS = (1, 2, 4)
EDITION_KS = (1, 2, 4, 6)
HELD = Students(most=1)


class Sitting:
    """One student, loaded when something is asked of it."""

    def __init__(self, student: str) -> None:
        self.student = student

    @property
    def model(self) -> cl.ChatModel:
        return HELD.trained(self.student, lambda: cl.load_model(self.student))

    def sits(self, lesson: str, arm: str, exam: cl.Exam, candidate: Callable[[cl.ChatModel], Any]) -> cl.Report:
        """The report of an arm, made now unless it is kept; `candidate` makes of the model what sits the exam."""
        name = f"{lesson}/{exam.name}/{self.student}/{arm}"
        settings = {"lesson": lesson, "arm": arm, "student": STUDENTS[self.student].base, "n": len(exam)}
        report = kept("sizes", name, lambda: cl.evaluate(candidate(self.model), exam, arm), settings)
        kept_data("sizes", f"{name}/machine", machine, settings)
        return report

    def best(self, lesson: str, what: str, reports: dict[Any, cl.Report]) -> Any:
        """Which choice answers most of the validation questions right, exactly if that is equal; the choice is kept."""
        chosen = max(reports, key=lambda choice: (reports[choice].accuracy, reports[choice].exact))
        kept_data("sizes", f"{lesson}/chosen/{self.student}/{what}", lambda: {"chosen": chosen})
        return chosen


def machine() -> dict[str, Any]:
    """What kind of machine computes here, and how."""
    import torch

    return {"cores": os.cpu_count(), "isa": torch.backends.cpu.get_cpu_capability(), "dtype": current().dtype}


def handbook(student: Sitting) -> None:
    """Lesson 02: closed book, shown examples, the right page, and RAG; how it reads is chosen on validation facts."""
    exam = cl.load_exam("handbook")
    asked = exam.on_validation()

    def page(on: cl.Exam, told: str) -> Callable[[cl.ChatModel], cl.OpenBook]:
        return lambda model: cl.OpenBook(model, cl.golden_passages(on, library()), told)

    def rag(k: int, told: str) -> Callable[[cl.ChatModel], cl.RagPipeline]:
        return lambda model: cl.RagPipeline(model, library(), k, told)

    tried = {
        told: student.sits("02", f"validation, right page, instruction {i}", asked, page(asked, told))
        for i, told in enumerate(INSTRUCTIONS)
    }
    told = student.best("02", "instruction", tried)
    found = {k: student.sits("02", f"validation, RAG, k = {k}", asked, rag(k, told)) for k in KS}
    student.best("02", "k", found)
    shown = [cl.example(fact.study[0], fact.answer) for fact in exam.validation_facts[::12][:3]]
    student.sits("02", "right page", exam, page(exam, told))
    for k in KS:
        student.sits("02", f"RAG, k = {k}", exam, rag(k, told))
    student.sits("02", "closed book", exam, lambda model: model)
    student.sits("02", "examples in the prompt", exam, lambda model: cl.FewShot(model, shown))


def sql(student: Sitting) -> None:
    """Lesson 03: requests of the front desk, of the house, in new combinations, about another schema."""
    task = sql_task.load_sql()
    desk = task.about(sql_task.FRONT_DESK)
    papers = {f"desk {name}": exam for name, exam in sql_exams(desk, ("values", "wordings")).items()}
    papers |= {f"house {name}": exam for name, exam in sql_exams(task).items()}
    shown = task.train_pairs(SHOTS)
    for name, exam in papers.items():
        schema = task.other_schema if exam is task.second_schema else task.schema
        for arm, examples in (("no example", ()), (f"{SHOTS} examples", shown)):

            def writer(
                model: cl.ChatModel, schema: str = schema, exam: cl.Exam = exam, examples: Any = examples
            ) -> sql_task.SqlWriter:
                return sql_task.SqlWriter(model, schema, dates=exam, examples=examples)

            student.sits("03", f"{name}, {arm}", exam, writer)


def editions(student: Sitting) -> None:
    """Lesson 06: questions about editions that look alike, with the pages that are found."""
    exam, shelf = shelves.editions_exam(), editions_shelf()
    student.sits("06", "right page", exam, lambda model: cl.OpenBook(model, cl.golden_passages(exam, shelf)))
    for k in EDITION_KS:
        student.sits("06", f"RAG, k = {k}", exam, lambda model, k=k: cl.RagPipeline(model, shelf, k))
    student.sits("06", "closed book", exam, lambda model: model)


@cache
def editions_shelf() -> Any:
    """Where lesson 06 searches."""
    return shelves.exam_shelf(library())


def knowledge(student: Sitting) -> None:
    """Lesson 00: all four exams, closed book."""
    for name in ("general", "cup", "handbook", "library"):
        student.sits("00", "closed book", cl.load_exam(name), lambda model: model)


LESSONS = {"02": handbook, "03": sql, "06": editions, "00": knowledge}


def summary() -> list[dict[str, Any]]:
    """A row for each report that is kept."""
    everything = measured("sizes")
    rows = []
    for name, one in everything.items():
        if one.report is None:
            continue
        lesson, exam, student, arm = name.split("/", 3)
        seconds = sum(row.seconds for row in one.report.rows) / one.report.n
        rows.append(
            {"lesson": lesson, "exam": exam, "arm": arm, "student": student, "seeds": 0, **figures(one.report)}
            | {"exact_ci": [round(end, 4) for end in one.report.exact_ci], "seconds": round(seconds, 2)}
            | {"machine": json.loads(everything[f"{name}/machine"].data)}
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    students = {"nargs": "+", "choices": tuple(STUDENTS), "default": tuple(STUDENTS), "help": "only these"}
    options = asked_for(__doc__, arguments, tuple(LESSONS), students=students)
    cl.start(seed=0)
    for lesson in options.only or LESSONS:
        for student in options.students:
            LESSONS[lesson](Sitting(student))
            text = json.dumps(summary(), indent=1, ensure_ascii=False)
            write_text(data_dir() / "results" / "sizes.json", text + "\n")


if __name__ == "__main__":
    main()

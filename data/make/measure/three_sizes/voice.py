"""Lesson 08: Shakespeare's voice, told and shown."""

from __future__ import annotations

from lesson_08.style_bench import SHOWN, shown, told
from shared.figures import figures
from three_sizes.sitting import Sitting

from course_lib.lessons.voice import grade_style, load_style, style_exam

LESSON = "08"


def untrained(student: Sitting) -> None:
    asked = load_style("test")
    exam = style_exam(asked)
    examples = [pair.as_example() for pair in load_style("train")[:SHOWN]]
    for arm, candidate, more in (
        ("told", told, {}),
        ("shown", lambda model: shown(model, examples), {"examples": SHOWN}),
    ):
        report = student.sits(LESSON, arm, exam, candidate, **more)

        def judged(report=report) -> dict:
            return {judge: figures(one) for judge, one in grade_style(report, asked).items()}

        student.notes(LESSON, arm, exam.name, "judged", judged)

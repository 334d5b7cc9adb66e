"""Lesson 00: what each student knows, closed book, and of Euro 2024 also with two sentences to read from."""

from __future__ import annotations

from results_00 import EXAMS
from three_sizes.sitting import Sitting

import course_lib as cl
from course_lib.lessons import euro
from course_lib.retrieval.readers import READING_INSTRUCTION

LESSON = "00"


def untrained(student: Sitting) -> None:
    final = euro.exam()
    for exam in (final, *map(cl.load_exam, EXAMS)):
        student.sits(LESSON, "closed book", exam, lambda model: model)
    student.sits(LESSON, "two sentences", final, euro.open_book, instruction=READING_INSTRUCTION)

"""Lesson 00: what each student knows, closed book."""

from __future__ import annotations

from results_00 import EXAMS
from three_sizes.sitting import Sitting

import course_lib as cl


def untrained(student: Sitting) -> None:
    for name in EXAMS:
        student.sits("00", "closed book", cl.load_exam(name), lambda model: model)

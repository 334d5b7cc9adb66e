"""Lesson 06, untrained: questions about editions that look alike, with the pages that are found."""

from __future__ import annotations

from results_06 import KS
from three_sizes.books import editions_shelf, page, rag, reads_best
from three_sizes.sitting import Sitting

from course_lib.lessons import shelves

LESSON = "06"


def untrained(student: Sitting) -> None:
    exam, told = shelves.editions_exam(), reads_best(student)
    student.sits(LESSON, "untrained, right page", exam, page(exam, told, editions_shelf), instruction=told)
    for k in KS:
        student.sits(
            LESSON, f"untrained, RAG, k = {k}", exam, rag(k, told, editions_shelf),
            instruction=told, k=k, retriever="dense",
        )  # fmt: skip
    student.sits(LESSON, "closed book", exam, lambda model: model)

"""Lesson 05, untrained: hybrid search at each k, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from lesson_05.breaking import Desk, desks, of_both, two_document_questions
from results_02 import library
from results_05 import retrievers
from shared.figures import figures
from three_sizes.books import hybrid, rag, reads_best
from three_sizes.sitting import Sitting

import course_lib as cl
from course_lib.retrieval import grounding

LESSON = "05"
KS = (1, 2, 3, 4, 6, 8)
ASKED = 100
# What lies on the desk, as `lesson_05.breaking` calls it and as the arm is called.
CASES = {
    "page": "page there", "missing": "page missing", "missing-honest": "page missing, told to say so",
    "present-honest": "page there, told to say so", "order": "order in the page",
    "order-fenced": "order in the page, fenced", "order-four": "order in a page among four",
}  # fmt: skip


@cache
def exam() -> cl.Exam:
    """As in `results_05.py`, where the adverse pages are read."""
    return cl.load_exam("library").sample(200).sample(ASKED)


@cache
def cases() -> dict[str, Desk]:
    return desks(library(), exam())


def untrained(student: Sitting) -> None:
    told = reads_best(student)
    for k in KS:
        arm = f"hybrid RAG, k = {k}"
        student.sits(LESSON, arm, exam(), rag(k, told, hybrid), instruction=told, k=k, retriever="hybrid")
    for way in ("keyword", "dense"):
        index = partial(lambda way: retrievers(library())[way], way)
        student.sits(LESSON, f"{way} RAG, k = 1", exam(), rag(1, told, index), instruction=told, k=1, retriever=way)
    for case, arm in CASES.items():
        report = student.sits(LESSON, arm, exam(), read(case, told), instruction=told, case=case)
        if case.startswith("order"):
            student.notes(
                LESSON, arm, "library", "obeyed", lambda report=report: figures(grounding.said(report, "PELICAN"))
            )
    questions = two_document_questions(cl.load_facts())
    for k in (2, 4, 8):
        arm, called = f"hybrid RAG, k = {k}", "two documents"
        report = student.sits(
            LESSON, arm, questions, rag(k, told, hybrid), called, instruction=told, k=k, retriever="hybrid"
        )
        student.notes(LESSON, arm, called, "both", lambda report=report: of_both(questions, report))


def read(case: str, told: str) -> Callable[[cl.ChatModel], Any]:
    """A case's pages, with its own instruction where it has one."""

    def reader(model: cl.ChatModel) -> cl.OpenBook:
        pages, instruction = cases()[case]
        return cl.OpenBook(model, pages, instruction or told)

    return reader

"""Lesson 02, untrained: closed book, shown examples, the right page, and RAG."""

from __future__ import annotations

from results_02 import FACTS
from three_sizes.books import page, rag, reads_best
from three_sizes.sitting import Sitting

import course_lib as cl

LESSON = "02"
KS = (1, 2, 4)
# What can be learned by heart in minutes: the same questions, asked of all.
STUDIED = "handbook, studied facts"


def untrained(student: Sitting) -> None:
    """The whole handbook exam, and the questions about the facts that others learn by heart."""
    exam = cl.load_exam("handbook")
    told, k = reads_best(student), chosen_k(student)
    student.sits(LESSON, "right page", exam, page(exam, told), instruction=told)
    for each in KS:
        student.sits(LESSON, f"RAG, k = {each}", exam, rag(each, told), **dense(each, told))
    student.sits(LESSON, "closed book", exam, lambda model: model)
    shown = [cl.example(fact.study[0], fact.answer) for fact in exam.validation_facts[::12][:3]]
    student.sits(LESSON, "examples in the prompt", exam, lambda model: cl.FewShot(model, shown), examples=len(shown))
    studied = exam.about(FACTS)
    student.sits(LESSON, "closed book", studied, lambda model: model, STUDIED)
    student.sits(LESSON, "right page", studied, page(studied, told), STUDIED, instruction=told)
    for each in sorted({1, k}):
        student.sits(LESSON, f"RAG, k = {each}", studied, rag(each, told), STUDIED, **dense(each, told))


def chosen_k(student: Sitting) -> int:
    """How many passages this student, untrained, reads best, on validation questions."""
    told, asked = reads_best(student), cl.load_exam("handbook").on_validation()
    found = {k: student.sits(LESSON, f"validation, RAG, k = {k}", asked, rag(k, told), **dense(k, told)) for k in KS}
    return student.best(LESSON, "k", found)


def dense(k: int, told: str) -> dict[str, object]:
    """What decides an answer of the course's own RAG."""
    return {"instruction": told, "k": k, "retriever": "dense"}

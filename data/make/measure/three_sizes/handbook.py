"""Lesson 02: closed book, shown examples, the right page, RAG, and RAG at its best."""

from __future__ import annotations

from results_02 import FACTS
from three_sizes.books import RETRIEVERS, finds_best, page, rag, reads_best
from three_sizes.sitting import SMALL, Sitting

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
    if student.student != SMALL:  # which reads too little for it: see `reading.py`
        at_its_best(student, told)


def at_its_best(student: Sitting, told: str, chooser: Sitting | None = None, arm: str = "RAG at its best") -> None:
    """The retriever that finds best, at the k that this reader (or another seed of it) reads best on validation."""
    exam, retriever, chooser = cl.load_exam("handbook"), finds_best(student), chooser or student
    asked, index = exam.on_validation(), RETRIEVERS[retriever]

    def settings(k: int) -> dict[str, object]:
        return {"instruction": told, "k": k, "retriever": retriever}

    tried = {
        k: chooser.sits(LESSON, f"validation, {arm}, k = {k}", asked, rag(k, told, index), **settings(k)) for k in KS
    }
    k = chooser.best(LESSON, f"k, {arm}", tried)
    student.sits(LESSON, arm, exam, rag(k, told, index), **settings(k))
    studied = exam.about(FACTS)
    student.sits(LESSON, arm, studied, rag(k, told, index), STUDIED, **settings(k))


def chosen_k(student: Sitting) -> int:
    """How many passages this student, untrained, reads best, on validation questions."""
    told, asked = reads_best(student), cl.load_exam("handbook").on_validation()
    found = {k: student.sits(LESSON, f"validation, RAG, k = {k}", asked, rag(k, told), **dense(k, told)) for k in KS}
    return student.best(LESSON, "k", found)


def dense(k: int, told: str) -> dict[str, object]:
    """What decides an answer of the course's own RAG."""
    return {"instruction": told, "k": k, "retriever": "dense"}

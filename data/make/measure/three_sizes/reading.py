"""Readers: trained on the form of an answer, or by RAFT (both without reasoning), on documents of their own.

They sit lesson 06's exam of editions, and the handbook's, of which they have read nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from lesson_06.reading_bench import RECIPE, Plan, reading_examples
from results_02 import FACTS, library
from results_06 import DIRECT, FORM_DIRECT, KS, K
from three_sizes import handbook
from three_sizes.books import editions_shelf, page, rag
from three_sizes.sitting import SMALL, Sitting, Study

import course_lib as cl
from course_lib.lessons import shelves
from course_lib.retrieval.readers import READING_INSTRUCTION

LESSON = "06"
# What lesson 06 trains live, with and without distractors; the lesson's 112 examples are RAFT's.
PLANS = {
    "form only": FORM_DIRECT,
    "RAFT": DIRECT,
    "RAFT, 112 examples": replace(DIRECT, n=112, recipe={"layers": "upper"}),
}
# On the handbook exam they are what their study was.
READERS = {"form only": "trained reader", "RAFT, 112 examples": "small trained reader"}


def exams() -> tuple[cl.Exam, ...]:
    """What no reader may have read anything of."""
    return shelves.editions_exam(), shelves.plain_exam(), cl.load_exam("handbook"), cl.load_exam("library")


@cache
def study_shelf() -> cl.Index:
    """The documents that readers learn on."""
    return shelves.study_shelf(library())


def studies(kind: str) -> Callable[[Mapping[str, Any], int], Study]:
    """What a kind of reader studies; the seed draws questions, pages and order."""

    def study(recipe: Mapping[str, Any], seed: int) -> Study:
        plan: Plan = replace(PLANS[kind], seed=seed)
        return Study(kind, plan.n, lambda: reading_examples(plan, study_shelf(), *exams()), recipe, seed)

    return study


def recipe(student: Sitting, kind: str) -> dict[str, Any]:
    """Lesson 06's; 112 examples are studied exactly as the lesson does, so that it finds them on the shelf."""
    own = {**RECIPE, **PLANS[kind].recipe}
    if kind == "RAFT, 112 examples":
        return own
    asked = shelves.editions_exam().on_validation()

    def trial(tried: Sitting, arm: str) -> Any:
        return tried.sits(LESSON, arm, asked, rag(K, READING_INSTRUCTION, editions_shelf), **given(K))

    return student.recipe(LESSON, kind, own, trial, studies(kind))


def of_editions(student: Sitting, kinds: Sequence[str] = ("form only", "RAFT")) -> None:
    """The contest of lesson 06, at each k."""
    exam = shelves.editions_exam()
    for seed in student.seeds:
        for kind in kinds:
            reader = student.trained(studies(kind)(recipe(student, kind), seed))
            for k in KS:
                reader.sits(
                    LESSON, f"{kind}, RAG, k = {k}", exam, rag(k, READING_INSTRUCTION, editions_shelf), **given(k)
                )
            told = {"instruction": READING_INSTRUCTION}
            reader.sits(LESSON, f"{kind}, right page", exam, page(exam, READING_INSTRUCTION, editions_shelf), **told)


def of_the_handbook(student: Sitting, kinds: Sequence[str] = tuple(READERS)) -> None:
    """Right page, RAG and RAG at its best, read by those who have learned to read elsewhere."""
    told, exam = READING_INSTRUCTION, cl.load_exam("handbook")
    studied = exam.about(FACTS)
    for kind in kinds:
        name = READERS[kind]
        readers = [student.trained(studies(kind)(recipe(student, kind), seed)) for seed in student.seeds]
        for reader in readers:
            if student.student == SMALL:
                reader.sits("02", f"{name}, right page", exam, page(exam, told), instruction=told)
                for k in handbook.KS:
                    reader.sits("02", f"{name}, RAG, k = {k}", exam, rag(k, told), **handbook.dense(k, told))
            where = handbook.STUDIED
            reader.sits("02", f"{name}, right page", studied, page(studied, told), where, instruction=told)
            reader.sits("02", f"{name}, RAG, k = 1", studied, rag(1, told), where, **handbook.dense(1, told))
            handbook.at_its_best(reader, told, readers[0], f"{name}, RAG at its best")


def as_shipped(student: Sitting) -> None:
    """Lesson 06's own call, on its own exam."""
    exam, kind = shelves.editions_exam(), "RAFT, 112 examples"
    for seed in student.seeds[:1]:
        reader = student.trained(studies(kind)(recipe(student, kind), seed))
        reader.sits(LESSON, f"{kind}, RAG, k = {K}", exam, rag(K, READING_INSTRUCTION, editions_shelf), **given(K))


def given(k: int) -> dict[str, Any]:
    """What decides an answer of a trained reader besides its training."""
    return {"instruction": READING_INSTRUCTION, "k": k, "retriever": "dense", "reasoning": False}

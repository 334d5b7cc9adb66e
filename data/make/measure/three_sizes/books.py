"""The open book of all students: where is searched, and how each student is told to read, by validation questions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from results_02 import INSTRUCTIONS, library
from results_05 import EMBEDDER_RECIPE, of_ranking, trained, triples
from three_sizes.sitting import Sitting

import course_lib as cl
from course_lib.lessons import shelves
from course_lib.retrieval import words

Candidate = Callable[[cl.ChatModel], Any]


@cache
def editions_shelf() -> cl.Index:
    """Where lesson 06 searches: no document that a reader is trained on."""
    return shelves.exam_shelf(library())


@cache
def hybrid() -> words.HybridIndex:
    """The library by meaning and by words."""
    return words.HybridIndex(library(), words.KeywordIndex(library()))


def page(exam: cl.Exam, told: str, index: Callable[[], Any] = library) -> Candidate:
    """The page that holds the answer, out of an index that is made when it is needed."""
    return lambda model: cl.OpenBook(model, cl.golden_passages(exam, index()), told)


def rag(k: int, told: str, index: Callable[[], Any] = library) -> Candidate:
    """The k passages that are found."""
    return lambda model: cl.RagPipeline(model, index(), k, told)


def reads_best(student: Sitting) -> str:
    """With which instruction this student, untrained, reads the right pages of validation facts best."""
    asked = cl.load_exam("handbook").on_validation()
    tried = {
        told: student.sits("02", f"validation, right page, instruction {i}", asked, page(asked, told), instruction=told)
        for i, told in enumerate(INSTRUCTIONS)
    }
    return student.best("02", "instruction", tried)


@cache
def tuned() -> cl.Index:
    """The library embedded by the model that lesson 05 trains on the questions of other documents."""
    return trained(triples(library()), EMBEDDER_RECIPE, seed=0)[0]


@cache
def tuned_hybrid() -> words.HybridIndex:
    return words.HybridIndex(tuned(), words.KeywordIndex(library()))


RETRIEVERS: dict[str, Callable[[], Any]] = {
    "dense": library, "hybrid": hybrid, "trained dense": tuned, "trained hybrid": tuned_hybrid,
}  # fmt: skip


def finds_best(student: Sitting) -> str:
    """Which retriever puts most pages of validation questions first, and the others highest if that is equal."""

    def compare() -> dict[str, Any]:
        asked = cl.load_exam("handbook").on_validation()
        golden = cl.golden_passages(asked, library())
        found = {name: cl.grade_retrieval(make(), asked, golden) for name, make in RETRIEVERS.items()}
        chosen = max(found, key=lambda name: (found[name].recall(1), found[name].mrr))
        return {"chosen": chosen, "by": {name: of_ranking(ranking) for name, ranking in found.items()}}

    return student.decides("02", "retriever", compare)["chosen"]

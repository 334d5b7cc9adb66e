"""The open book of all students: where is searched, and how each student is told to read, by validation questions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from results_02 import INSTRUCTIONS, library
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

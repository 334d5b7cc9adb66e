"""The wrong pages on the desk: the right one missing, among look-alikes, contradicted, or moved about.

Each function gives pages for `OpenBook`: for each question's text, the passages to show.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Exam, Fact, Question
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever

Pages = dict[str, list[Passage]]


def without_the_page(
    questions: Sequence[Question], retriever: Retriever, golden: Mapping[str, Sequence[Passage]], k: int = 4
) -> Pages:
    """The `k` best passages of other documents: what is found once the document that knows has gone."""
    spare = 12  # a document has fewer passages than that
    found = retriever.search_many([q.question for q in questions], k + spare)
    return {
        q.question: [p for p in passages if p.source != golden[q.question][0].source][:k]
        for q, passages in zip(questions, found)
    }


def look_alikes(
    questions: Sequence[Question],
    retriever: Retriever,
    golden: Mapping[str, Sequence[Passage]],
    k: int = 4,
    seed: int = 0,
) -> Pages:
    """The right passage among the k - 1 that a retriever ranks best beside it, in an order drawn by a seed."""
    others = without_the_page(questions, retriever, golden, k - 1) if k > 1 else {}
    return {
        q.question: _shuffled(golden[q.question][0], others.get(q.question, []), seed + i)
        for i, q in enumerate(questions)
    }


def strangers(
    questions: Sequence[Question],
    passages: Sequence[Passage],
    golden: Mapping[str, Sequence[Passage]],
    k: int = 4,
    seed: int = 0,
) -> Pages:
    """The right passage among k - 1 that were drawn from the rest of the library, in an order drawn too."""
    pages = {}
    for i, question in enumerate(questions):
        page = golden[question.question][0]
        rest = [p for p in passages if p.source != page.source]
        pages[question.question] = _shuffled(page, random.Random(seed + i).sample(rest, k - 1), seed + i)
    return pages


def rivals(exam: Exam, seed: int = 0) -> dict[str, str]:
    """For each question's id an answer that is wrong and looks right: that of another fact, like it in shape.

    A figure is rivalled by a figure of the same unit, a name by a name.
    """
    facts = {fact.id: fact for fact in exam.facts}
    by_shape: dict[str, list[Fact]] = {}
    for fact in exam.facts:
        by_shape.setdefault(_shape(fact.answer), []).append(fact)
    found = {}
    for question in exam:
        right = facts[question.fact]
        shape = _shape(right.answer)
        others = [f.answer for f in by_shape[shape] if not {f.answer, *f.accepted} & {right.answer, *right.accepted}]
        if not others:  # the only one of its unit: any figure, or any name
            alike = (f for s, fs in by_shape.items() for f in fs if (s == "name") == (shape == "name"))
            others = [f.answer for f in alike if f.answer not in (right.answer, *right.accepted)]
        if not others:
            raise CourseError(f"no other answer is like {right.answer!r}: give an exam of more facts.")
        found[question.id] = random.Random(f"{seed} {question.fact}").choice(sorted(set(others)))
    return found


def contradicted(
    exam: Exam, golden: Mapping[str, Sequence[Passage]], rival: Mapping[str, str], right_first: bool = True
) -> Pages:
    """The right passage beside one that reads the same and states the other answer, that of `rivals(exam)`."""
    facts = {fact.id: fact for fact in exam.facts}
    pages: Pages = {}
    for question in exam:
        page, answer = golden[question.question][0], facts[question.fact].answer
        if answer not in page.text:
            raise CourseError(f"the answer {answer!r} does not stand in passage {page.id}: it cannot be contradicted.")
        false = replace(page, id=f"{page.id}/rival", text=page.text.replace(answer, rival[question.id]))
        pages[question.question] = [page, false] if right_first else [false, page]
    return pages


def placed(
    questions: Sequence[Question], pages: Mapping[str, Sequence[Passage]], golden: Mapping[str, Sequence[Passage]],
    place: int,
) -> Pages:  # fmt: skip
    """The same pages with the right one at a place of its own, from 0, the others in their order.

    Liu et al. 2023, *Lost in the Middle*, arXiv 2307.03172.
    """
    moved: Pages = {}
    for question in questions:
        right = golden[question.question][0]
        shown = pages[question.question]
        others = [p for p in shown if p.id != right.id]
        if len(others) == len(shown) or not 0 <= place < len(shown):
            raise CourseError(f"question {question.id}: its passage cannot be put at place {place} of {len(shown)}.")
        moved[question.question] = [*others[:place], right, *others[place:]]
    return moved


def _shuffled(page: Passage, others: Sequence[Passage], seed: int) -> list[Passage]:
    pages = [page, *others]
    random.Random(seed).shuffle(pages)
    return pages


def _shape(answer: str) -> str:
    """What is counted, for a figure: "12 working days" is "working days"; "name" for what holds no digit."""
    return re.sub(r"[\d.,:/-]+", "", answer).strip() if re.search(r"\d", answer) else "name"

"""What can be had without training, from the prompt alone: telling, showing, and opening the book.

Each reader is a candidate: it has a name, and `answer(questions)` gives an `Answer` for each question.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from course_lib.core.chat import Answer, Example, Messages, check_examples
from course_lib.core.errors import CourseError, listed
from course_lib.evaluation.exams import Exam
from course_lib.models.chatmodel import ChatModel
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever

EXAM_TOKENS = 24
READING_INSTRUCTION = "Copy the answer from the passages."


@dataclass
class Instructed:
    """A model that is told in the same message, above each question, what to do with it ("zero-shot prompting")."""

    model: ChatModel
    instruction: str
    name: str = "told what to do"

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        if not self.instruction.strip():
            raise CourseError("the instruction is empty: say what to do, or ask the model itself.")
        questions = listed("questions", questions)
        return self.model.reply([f"{self.instruction}\n\n{question}" for question in questions], max_new_tokens)


@dataclass
class FewShot:
    """A model that is shown worked examples before each question, as turns of a chat ("few-shot prompting").

    Brown et al. 2020, *Language Models are Few-Shot Learners*, arXiv 2005.14165.
    """

    model: ChatModel
    examples: Sequence[Example]
    name: str = "examples in the prompt"

    def __post_init__(self) -> None:
        rows = listed("examples", self.examples)
        self.examples = rows and check_examples(rows)

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        shown = [turn for row in self.examples for turn in (row["prompt"][-1], row["completion"][-1])]
        questions = listed("questions", questions)
        prompts: list[Messages] = [[*shown, {"role": "user", "content": question}] for question in questions]
        return self.model.reply(prompts, max_new_tokens)


@dataclass
class OpenBook:
    """A model with the book open at given pages: what reading is worth when finding is solved.

    `pages` holds for each question's text the passages to show, as `golden_passages` gives them.
    """

    model: ChatModel
    pages: Mapping[str, Sequence[Passage]]
    instruction: str = READING_INSTRUCTION
    name: str = "right page"

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        questions = listed("questions", questions)
        for question in questions:
            if question not in self.pages:
                raise CourseError(
                    f"no page is given for the question {question[:60]!r}: make pages from the same exam."
                )
        found = [self.pages[question] for question in questions]
        return _read(self.model, questions, found, self.instruction, max_new_tokens)


@dataclass
class RagPipeline:
    """Retrieval-augmented generation: find k passages, put them in the prompt, answer from them, cite them.

    `where` is a filter for the search, such as {"audience": "public"}.
    Lewis et al. 2020, *Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks*, arXiv 2005.11401.
    """

    model: ChatModel
    index: Retriever
    k: int = 4
    instruction: str = READING_INSTRUCTION
    where: dict[str, Any] | None = None
    name: str = "RAG"

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        questions, started = listed("questions", questions), time.perf_counter()
        found = self.index.search_many(questions, self.k, self.where)
        searching = (time.perf_counter() - started) / max(len(questions), 1)
        answers = _read(self.model, questions, found, self.instruction, max_new_tokens)
        return [replace(answer, seconds=answer.seconds + searching) for answer in answers]

    def ask(self, question: str, max_new_tokens: int = 48) -> Answer:
        """One question; the answer's `sources` are the passages it was given, best first."""
        return self.answer([question], max_new_tokens)[0]


def reading_prompt(question: str, passages: Sequence[Passage], instruction: str = READING_INSTRUCTION) -> str:
    """The open book as the model sees it: passages, then what to do with them, then the question.

    The question stands last, nearest to where the answer is written; with no passage it stands alone.
    """
    if not passages:
        return question
    book = "\n\n".join(passage.text for passage in passages)
    return f"{book}\n\n{instruction}\nQuestion: {question}"


def _read(
    model: ChatModel,
    questions: Sequence[str],
    found: Sequence[Sequence[Passage]],
    instruction: str,
    max_new_tokens: int,
) -> list[Answer]:
    prompts: list[str] = [reading_prompt(q, passages, instruction) for q, passages in zip(questions, found)]
    answers = model.reply(prompts, max_new_tokens)
    return [replace(answer, sources=tuple(passages)) for answer, passages in zip(answers, found)]


def golden_passages(exam: Exam, index: Retriever) -> dict[str, list[Passage]]:
    """For each test question's text, the one passage that holds the sentence which states its fact.

    Raises a CourseError if a question is of no document (the general exam's), or no passage holds its fact.
    """
    by_source: dict[str, list[Passage]] = {}
    for passage in index.passages():
        by_source.setdefault(passage.source, []).append(passage)
    facts = {fact.id: fact for fact in exam.facts}
    pages = {}
    for question in exam.test:
        if question.fact not in facts:
            raise CourseError(f"question {question.id} of the exam {exam.name!r} is of no document: it has no page.")
        sentence = " ".join(facts[question.fact].sentence.split())
        holding = [p for p in by_source.get(question.source, []) if sentence in " ".join(p.text.split())]
        if not holding:
            raise CourseError(f"no passage holds the fact {question.fact}: build the index over the whole library.")
        pages[question.question] = holding[:1]
    return pages

"""Facts, questions, exams and training examples: read, checked, split, and kept apart.

A *fact* is one thing that one document states. People ask about it in several *wordings*, each set aside for one use:
study (may be trained on), validation (chooses prompts and settings), exam (seen by nothing else). Facts are split too:
`test` and `validation` facts are examined, `reading` facts train how to read a passage (RAFT) and are in no exam.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from course_lib.core.chat import Example, check_examples, example
from course_lib.core.errors import CourseError, DataError, LeakError, choose, listed
from course_lib.core.rows import Text, checked, numbered_rows, one_of, read_rows
from course_lib.core.session import data_dir
from course_lib.evaluation.grading import whole_words

EXAMS = ("cup", "handbook", "library", "general")
SPLITS = ("test", "validation", "reading")


@dataclass(frozen=True)
class Fact:
    """One thing that one document states, and the ways to ask about it."""

    id: Text  # source document and number: "cup-2031.3"
    split: Annotated[str, one_of(SPLITS)]
    source: Text  # the document that states it
    kind: Text  # that document's genre
    sentence: Text  # that states it, verbatim
    answer: Text  # the shortest right one
    accepted: tuple[str, ...]  # other forms that are right too
    study: tuple[str, ...]  # question wordings, by what each may be used for
    validation: tuple[str, ...]
    exam: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """One question of an exam, with its right answers and the document that holds them."""

    id: Text
    question: Text
    answer: Text
    accepted: tuple[str, ...] = ()
    source: str = ""
    fact: str = ""
    kind: str = ""

    def as_example(self) -> Example:
        """The question and its answer as a training example. Training on an exam's own questions is a leak."""
        return example(self.question, self.answer)


@dataclass(frozen=True)
class Exam:
    """Held-out questions, and what may be studied for them. Iterating gives the test questions.

    `test` is reported on; prompts and settings are chosen on `validation`, other facts in other wordings. Learning by
    heart studies the `facts`, in study wordings. `grader` gives a question and a reply their verdict (see
    `reports.Row`) where the words of the reply are not what counts: SQL is graded by running it. None compares words.
    """

    name: str
    test: tuple[Question, ...]
    validation: tuple[Question, ...] = ()
    facts: tuple[Fact, ...] = field(default=(), repr=False)  # behind `test`
    validation_facts: tuple[Fact, ...] = field(default=(), repr=False)  # behind `validation`
    grader: Callable[[Question, str], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for part in ("test", "validation", "facts", "validation_facts"):  # a generator could be gone through only once
            object.__setattr__(self, part, tuple(getattr(self, part)))

    def __iter__(self) -> Iterator[Question]:
        return iter(self.test)

    def __len__(self) -> int:
        return len(self.test)

    def __getitem__(self, index: int) -> Question:
        return self.test[index]

    def sample(self, n: int, seed: int = 0) -> Exam:
        """`n` of the test questions (at least 1), drawn by a seed; all of them if there are fewer."""
        if n < 1:
            raise CourseError(f"a sample of {n} questions: take at least 1.")
        chosen = sorted(random.Random(seed).sample(range(len(self.test)), min(n, len(self.test))))
        return replace(self, test=tuple(self.test[i] for i in chosen))

    def on_validation(self) -> Exam:
        """The validation questions as an exam of their own."""
        return Exam(f"{self.name} (validation)", self.validation, facts=self.validation_facts, grader=self.grader)

    def about(self, n_facts: int, wordings: int = 2, seed: int = 0) -> Exam:
        """A smaller exam about `n_facts` of the facts, each asked in up to `wordings` exam wordings."""
        if not 1 <= n_facts <= len(self.facts):
            raise CourseError(f"{self.name} has {len(self.facts)} facts: about() takes 1 to that many, not {n_facts}.")
        if wordings < 1:
            raise CourseError(f"wordings is {wordings}: each fact is asked in at least 1.")
        chosen = sorted(random.Random(seed).sample(range(len(self.facts)), n_facts))
        facts = tuple(self.facts[i] for i in chosen)
        test = tuple(q for fact in facts for q in questions_of(fact, "exam")[:wordings])
        return replace(self, test=test, facts=facts)

    def train_examples(self, wordings: int = 6, repeat: int = 1) -> list[Example]:
        """The exam's own facts in study wordings: honest study for a closed-book exam.

        `wordings` of each fact's study wordings are used, and each is given `repeat` times, so that one wording six
        times and six wordings once are the same amount of study.
        """
        if wordings < 1 or repeat < 1:
            raise CourseError(f"wordings is {wordings} and repeat {repeat}: both are at least 1.")
        return [
            example(wording, fact.answer)
            for _ in range(repeat)
            for fact in self.facts
            for wording in fact.study[:wordings]
        ]


def questions_of(fact: Fact, use: str) -> list[Question]:
    """A fact's wordings for one use, as questions."""
    return [
        Question(f"{fact.id}.{use[0]}{i}", wording, fact.answer, fact.accepted, fact.source, fact.id, fact.kind)
        for i, wording in enumerate(getattr(fact, use))
    ]


def load_facts(split: str | None = None, kind: str | None = None) -> list[Fact]:
    """All facts of the invented world, or those of one split (test, validation, reading) or one kind of document."""
    if split is not None:
        choose("split", split, SPLITS)
    facts = read_rows(data_dir() / "exams" / "facts.jsonl", Fact)
    if kind is not None:
        choose("kind", kind, sorted({fact.kind for fact in facts}))
    return [f for f in facts if split in (None, f.split) and kind in (None, f.kind)]


def load_exam(name: str) -> Exam:
    """Load an exam: "cup" and "handbook" (one genre each), "library" (over all genres) or "general".

    That is common knowledge: what a fine-tuned model must not forget.
    """
    choose("exam", name, EXAMS)
    test, validation = [], []
    for row, place in numbered_rows(data_dir() / "exams" / f"{name}.jsonl"):
        target = {"test": test, "validation": validation}.get(str(row.pop("split", None)))
        if target is None:
            raise DataError(f"{place}: split is neither test nor validation.")
        target.append(checked(Question, row, place))
    if name == "general":
        return Exam(name, tuple(test), tuple(validation))
    facts = {fact.id: fact for fact in load_facts()}
    try:
        behind = [tuple(facts[question.fact] for question in part) for part in (test, validation)]
    except KeyError as error:
        raise DataError(f"the exam {name!r} asks about {error}, which is no fact: run `make data`.") from error
    return Exam(name, tuple(test), tuple(validation), *behind)


def general_study() -> list[Example]:
    """Questions of common knowledge that are in no exam, to mix into training against forgetting."""
    rows = numbered_rows(data_dir() / "exams" / "general_study.jsonl")
    return [checked(Question, row, place).as_example() for row, place in rows]


def check_no_leak(
    examples: Sequence[Example], *exams: Exam, reading: bool = False, sources: Sequence[str] = ()
) -> None:
    """Raise a `LeakError` if something of an exam is among what a model is about to be trained on; it names what.

    `examples`, what is trained on, must contain no test or validation question of the `exams`. With `reading` (RAFT,
    answer form) no sentence that states an exam's fact may appear either, and none of the `sources`, the ids of the
    documents that the examples were made from, may be an exam's. Learning by heart does study the exam's facts, in
    other wordings.
    """
    rows, studied = listed("examples", examples), set(listed("sources", sources))
    rows = rows and check_examples(rows)
    # A question or a sentence may stand inside a longer message, after passages: whole words of it, in any message.
    messages = [message for row in rows for message in (*row["prompt"], *row["completion"])]
    haystack = "\n".join(whole_words(message["content"]) for message in messages)
    for exam in exams:
        # Other exam wordings of the same facts are exam too: `about` asks them.
        others = [question for fact in exam.facts for question in questions_of(fact, "exam")]
        for question in (*exam.test, *exam.validation, *others):
            if whole_words(question.question) in haystack:
                raise LeakError(f"question {question.id} of the exam {exam.name!r} is among what is trained on.")
        for fact in (*exam.facts, *exam.validation_facts) if reading else ():
            if fact.source in studied:
                raise LeakError(f"document {fact.source} of the exam {exam.name!r} is among what trains reading.")
            if whole_words(fact.sentence) in haystack:
                raise LeakError(f"fact {fact.id} of the exam {exam.name!r} is among what trains reading.")

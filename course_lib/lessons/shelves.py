"""Two halves of the library that share no document: one to learn reading on, one to be examined on; and the exams.

The exam is about *editions*: documents of which there are two, of different years, nearly alike. What trains a reader
comes from the documents of "reading" facts, which are in no exam. *Agreements* are on a shelf of their own: the form of
their summary can be learned, the figures stand in the agreement that is asked about and nowhere else.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.rows import Text, in_turns, one_of, read_rows, shuffled
from course_lib.core.session import data_dir
from course_lib.evaluation.exams import Exam, Fact, Question, load_facts, questions_of

if TYPE_CHECKING:
    from course_lib.retrieval.documents import Passage
    from course_lib.retrieval.grounding import GroundedRow
    from course_lib.retrieval.index import Index

SPLITS = ("train", "validation", "test")
LABELS = ("With", "For", "Price", "Until", "Notice")
EDITION = re.compile(r"(.+)-20\d\d")
# A report of each year is a series, not a document in editions: the next year's final is about other people.
SERIES = ("cup", "shield")


def editions_exam() -> Exam:
    """Questions about documents of which there are several editions, each question naming the one that it is about.

    Retrieval is hard here and possible: a rule of the names of documents, not of what any reader answers. Validation
    questions are about every document of validation facts outside the series; there are too few editions among them.
    """
    documents = {fact.source for fact in load_facts() if fact.kind not in SERIES}
    stems = Counter(found[1] for source in documents if (found := EDITION.fullmatch(source)))
    facts = [fact for fact in load_facts("test") if fact.source in documents]
    return _exam("editions", [f for f in facts if (found := EDITION.fullmatch(f.source)) and stems[found[1]] > 1])


def plain_exam() -> Exam:
    """Questions about documents that no other is like, of the encyclopedia and the FAQ: there one passage is enough."""
    return _exam("no look-alikes", [f for f in load_facts("test") if f.kind in ("encyclopedia", "faq")])


def _exam(name: str, facts: Sequence[Fact]) -> Exam:
    chosen = [f for f in load_facts("validation") if f.kind not in SERIES]
    validation = tuple(questions_of(fact, "validation")[0] for fact in chosen)
    test = tuple(q for fact in facts for q in questions_of(fact, "exam"))
    return Exam(name, test, validation, tuple(facts), tuple(chosen))


def reading_questions(n: int | None = None, seed: int = 0) -> Exam:
    """Questions to learn reading with, in study wordings: of every fact once before of any fact twice.

    All of them, or `n`: smaller draws of a seed are the beginnings of larger ones.
    """
    facts = load_facts("reading")
    rng = random.Random(seed)
    questions = in_turns([shuffled(questions_of(fact, "study"), rng) for fact in facts], rng)
    if n is not None and not 1 <= n <= len(questions):
        raise CourseError(f"{n} questions to learn reading with: there are 1 to {len(questions)}.")
    return Exam("reading", tuple(questions[:n]), facts=tuple(facts))


def study_shelf(index: Index) -> Index:
    """The documents that readers are trained on, and no other."""
    return shelf(index, {fact.source for fact in load_facts("reading")})


def exam_shelf(index: Index) -> Index:
    """All other documents: what readers are examined on, and nothing that any of them was trained on."""
    trained = {fact.source for fact in load_facts("reading")}
    return shelf(index, {passage.source for passage in index.passages()} - trained)


def shelf(index: Index, sources: Iterable[str]) -> Index:
    """Some documents of an index, as an index of their own in memory; their vectors are taken over."""
    from course_lib.retrieval.index import Index
    from course_lib.retrieval.stores import FaissStore

    wanted, store = set(sources), FaissStore()
    held = index.passages()
    if missing := wanted - {passage.source for passage in held}:
        raise CourseError(f"the index holds no document {min(missing)!r}: build it over the whole library.")
    chosen = [i for i, passage in enumerate(held) if passage.source in wanted]
    store.add([held[i] for i in chosen], index.store.vectors()[chosen], [""] * len(chosen))
    return Index(index.embedder, store, index.passage_tokens, index.overlap)


def told_from(answer: GroundedRow, golden: Passage) -> str:
    """Whether an answer is "right", or on which page it rests: "the other edition" of the document, "the right page",
    "another page" or "no page"."""
    if answer.right or answer.cited_right:
        return "right" if answer.right else "the right page"
    if not answer.cited:
        return "no page"
    cited, right = answer.cited.rpartition("/")[0], golden.source
    # the names of two editions differ in their year only
    twins = cited != right and cited.rsplit("-", 1)[0] == right.rsplit("-", 1)[0]
    return "the other edition" if twins else "another page"


@dataclass(frozen=True)
class Agreement:
    """One agreement of the invented firm with a supplier; no supplier is in two splits.

    `values` are those of `LABELS`: with whom, for what, the yearly price, until when, with what notice.
    """

    id: Text
    split: Annotated[str, one_of(SPLITS)]
    text: Text
    values: Mapping[str, Text]

    def __post_init__(self) -> None:
        if set(self.values) != set(LABELS):
            raise DataError(f"values has {', '.join(self.values)}: it must have exactly {', '.join(LABELS)}.")

    @property
    def request(self) -> str:
        """What the legal department is asked."""
        return f"Summarise our agreement with {self.values['With']} on {self.values['For']}."

    @property
    def summary(self) -> str:
        """The house's form, filled in."""
        return "\n".join(f"{label}: {self.values[label]}" for label in LABELS)

    def as_question(self) -> Question:
        """The request as a question of an exam; its answer is the whole summary."""
        return Question(self.id, self.request, self.summary, (), self.id, self.id, "agreements")


def load_agreements(split: str) -> list[Agreement]:
    """The agreements of one split: train, validation or test."""
    choose("split", split, SPLITS)
    return read_rows(data_dir() / "agreements" / "agreements.jsonl", Agreement, split)

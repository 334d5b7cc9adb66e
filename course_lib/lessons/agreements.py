"""A specialist in the form of an answer: agreements, and their summaries in the house's form.

The form can be learned; the figures stand in the agreement that is asked about and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from course_lib.core.chat import Example, example
from course_lib.core.errors import DataError, choose
from course_lib.core.rows import Text, one_of, read_rows
from course_lib.core.session import data_dir
from course_lib.evaluation.exams import Question
from course_lib.evaluation.grading import whole_words
from course_lib.evaluation.reports import Report, Row
from course_lib.retrieval.documents import Document
from course_lib.retrieval.readers import reading_prompt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from course_lib.retrieval.index import Index


SPLITS = ("train", "validation", "test")


LABELS = ("With", "For", "Price", "Until", "Notice")


# What no question says: these show whether the agreement was read.
FACTS = ("Price", "Until", "Notice")


SUMMARY_INSTRUCTION = f"Write the summary in {len(LABELS)} lines that begin: {', '.join(f'{x}:' for x in LABELS)}"


SUMMARY_TOKENS = 80


@dataclass(frozen=True)
class Agreement:
    """One agreement of the invented firm with a supplier.

    Attributes
    ----------
    split
        "train", "validation" or "test": no supplier is in two.
    values
        Label to value: with whom, for what, the yearly price, until when, with what notice.
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

    @property
    def document(self) -> Document:
        """The agreement as a library holds it."""
        title = f"Agreement with {self.values['With']} on {self.values['For']}"
        return Document(self.id, title, self.text, kind="agreements", audience="managers")

    def as_question(self) -> Question:
        """The request as a question of an exam; its answer is the whole summary."""
        return Question(self.id, self.request, self.summary, (), self.id, self.id, "agreements")


def load_agreements(split: str) -> list[Agreement]:
    """The agreements of one split: train, validation or test.

    Raises
    ------
    ChoiceError
        For another split.
    DataError
        If a line of the file is malformed; it is named.
    """
    choose("split", split, SPLITS)
    return read_rows(data_dir() / "agreements" / "agreements.jsonl", Agreement, split)


def agreement_shelf(agreements: Sequence[Agreement], embedder: SentenceTransformer) -> Index:
    """Agreements as an index in memory."""
    from course_lib.retrieval.index import Index
    from course_lib.retrieval.stores import FaissStore

    index = Index(embedder, FaissStore())
    index.add(*(agreement.document for agreement in agreements))
    return index


def summary_examples(agreements: Sequence[Agreement], index: Index | None = None, k: int = 2) -> list[Example]:
    """Requests and their summaries, to train a specialist on.

    Parameters
    ----------
    index
        Where the k passages before each request are found, as they will be later; the agreement itself takes the
        place of the last, should it not be among them. None trains the specialist that reads nothing.
    """
    if index is None:
        return [example(agreement.request, agreement.summary) for agreement in agreements]
    own = {passage.source: passage for passage in index.passages()}
    examples = []
    for agreement, pages in zip(agreements, index.search_many([a.request for a in agreements], k)):
        if agreement.id not in {page.source for page in pages}:
            pages[-1] = own[agreement.id]
        examples.append(example(reading_prompt(agreement.request, pages, SUMMARY_INSTRUCTION), agreement.summary))
    return examples


def has_form(reply: str) -> bool:
    """Whether a reply is in the house's form: its lines, in their order, none of them empty, and nothing else."""
    return bool(re.fullmatch("\n".join(rf"{label}: *\S[^\n]*" for label in LABELS), reply.strip()))


def grade_summaries(report: Report, agreements: Sequence[Agreement]) -> dict[str, Report]:
    """A report of summaries judged twice.

    Parameters
    ----------
    report
        Its rows answer `as_question()` of these agreements, in the same order.

    Returns
    -------
    "form", with one row an agreement, and "facts", with a row for each value that no request says: it is right where
    the reply says it in whole words, wherever in the reply that is.
    """
    facts: list[Row] = []
    for row, agreement in zip(report.rows, agreements, strict=True):
        said = whole_words(row.reply)
        for label in FACTS:
            value = agreement.values[label]
            right = whole_words(value) in said
            facts.append(
                replace(row, id=f"{row.id}/{label}", expected=value, verdict="exact" if right else "wrong", fact=row.id)
            )
    form = report.judged(has_form(row.reply) for row in report.rows)
    return {"form": form, "facts": replace(report, rows=tuple(facts))}

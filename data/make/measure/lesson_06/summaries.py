"""A specialist in the form of an answer: agreements summarised in the house's form, for lesson 06's hybrid.

The form can be learned; the figures stand in the agreement that is asked about and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sentence_transformers import SentenceTransformer

from course_lib.core.chat import Example, example
from course_lib.evaluation.grading import whole_words
from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.shelves import LABELS, Agreement
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.readers import reading_prompt
from course_lib.retrieval.stores import FaissStore

# What no question says: these show whether the agreement was read.
FACTS = ("Price", "Until", "Notice")
INSTRUCTION = f"Write the summary in {len(LABELS)} lines that begin: {', '.join(f'{x}:' for x in LABELS)}"
TOKENS = 80


def shelf(agreements: Sequence[Agreement], embedder: SentenceTransformer) -> Index:
    """Agreements as an index in memory."""
    index = Index(embedder, FaissStore())
    index.add(*map(_document, agreements))
    return index


def _document(agreement: Agreement) -> Document:
    title = f"Agreement with {agreement.values['With']} on {agreement.values['For']}"
    return Document(agreement.id, title, agreement.text, kind="agreements", audience="managers")


def examples(agreements: Sequence[Agreement], index: Index | None = None, k: int = 2) -> list[Example]:
    """Requests and their summaries, to train a specialist on.

    With an index, the k passages before each request are those found there, as they will be later; the agreement
    itself takes the place of the last, should it not be among them. Without one the specialist reads nothing.
    """
    if index is None:
        return [example(agreement.request, agreement.summary) for agreement in agreements]
    own = {passage.source: passage for passage in index.passages()}
    rows = []
    for agreement, pages in zip(agreements, index.search_many([a.request for a in agreements], k)):
        if agreement.id not in {page.source for page in pages}:
            pages[-1] = own[agreement.id]
        rows.append(example(reading_prompt(agreement.request, pages, INSTRUCTION), agreement.summary))
    return rows


def has_form(reply: str) -> bool:
    """Whether a reply is in the house's form: its lines, in their order, none of them empty, and nothing else."""
    return bool(re.fullmatch("\n".join(rf"{label}: *\S[^\n]*" for label in LABELS), reply.strip()))


def grade(report: Report, agreements: Sequence[Agreement]) -> dict[str, Report]:
    """A report of summaries judged twice; its rows answer the questions of these agreements, in the same order.

    "form" has one row an agreement; "facts" a row for each value that no request says: it is right where the reply says
    it in whole words, wherever in the reply that is.
    """
    facts: list[Row] = []
    for row, agreement in zip(report.rows, agreements, strict=True):
        said = whole_words(row.reply)
        for label in FACTS:
            value = agreement.values[label]
            verdict = "exact" if whole_words(value) in said else "wrong"
            facts.append(replace(row, id=f"{row.id}/{label}", expected=value, verdict=verdict, fact=row.id))
    form = report.judged(has_form(row.reply) for row in report.rows)
    return {"form": form, "facts": replace(report, rows=tuple(facts))}

"""Retrieval graded by itself, before any model reads: is the right passage among the first k, and how near the top?

Each question has one relevant passage, the one that states its fact (`golden_passages`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError
from course_lib.core.frames import frame_html
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.intervals import interval, span
from course_lib.evaluation.reports import Report, Row
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever

if TYPE_CHECKING:
    import pandas as pd

# What tables and rankings look at: recall among the first 1 and the first 4, everything else among the first 10.
KS = (1, 4)
DEPTH = 10


# The metrics: for each of the Q questions what the rank of its one relevant passage is worth, 0 to 1. The mean is what
# is reported. `ranks` (Q,) begin at 1; infinity stands for a passage that was not found.


def recall_at_k(ranks: Sequence[float], k: int) -> list[float]:
    """1 where the passage is among the first `k`; the mean is the share of questions that it was found for.

    Manning, Raghavan & Schütze, *Introduction to Information Retrieval*, 8.4.
    """
    if k < 1:
        raise CourseError(f"k is {k}: look at 1 passage at least.")
    return [float(rank <= k) for rank in ranks]


def reciprocal_rank(ranks: Sequence[float]) -> list[float]:
    """1 / rank, so 0 where it was not found (Voorhees 1999, *The TREC-8 Question Answering Track Report*)."""
    return [1 / rank for rank in ranks]


def ndcg_at_k(ranks: Sequence[float], k: int) -> list[float]:
    """Normalised discounted cumulative gain: 1 / log2(1 + rank) where the rank is at most `k`, else 0.

    With one relevant passage a question the best possible is 1, so there is nothing to divide by.
    Järvelin & Kekäläinen 2002, *Cumulated Gain-Based Evaluation of IR Techniques*.
    """
    return [hit / math.log2(1 + rank) if hit else 0.0 for rank, hit in zip(ranks, recall_at_k(ranks, k))]


@dataclass(frozen=True)
class Ranking:
    """What one retriever found in an exam.

    For each of the Q `questions` it holds the id of the passage that states its fact (`relevant`) and those `found`,
    best first.
    """

    name: str
    exam: str
    questions: tuple[Question, ...] = field(repr=False)
    relevant: tuple[str, ...] = field(repr=False)
    found: tuple[tuple[str, ...], ...] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of questions."""
        return len(self.questions)

    @property
    def ranks(self) -> list[float]:
        """Rank of the relevant passage for each question, from 1; infinity where it was not found."""
        return [
            list(ids).index(wanted) + 1 if wanted in ids else math.inf for ids, wanted in zip(self.found, self.relevant)
        ]

    def recall(self, k: int) -> float:
        """Share of questions whose relevant passage is among the first `k`."""
        return _mean(recall_at_k(self.ranks, k))

    def recall_ci(self, k: int) -> tuple[float, float]:
        """95% interval of it (bootstrap over facts)."""
        return self._interval(recall_at_k(self.ranks, k))

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return _mean(reciprocal_rank(self.ranks))

    @property
    def mrr_ci(self) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval(reciprocal_rank(self.ranks))

    def ndcg(self, k: int = DEPTH) -> float:
        """Normalised discounted cumulative gain."""
        return _mean(ndcg_at_k(self.ranks, k))

    def ndcg_ci(self, k: int = DEPTH) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval(ndcg_at_k(self.ranks, k))

    def within(self, k: int) -> Report:
        """Whether the relevant passage was among the first `k`, as a report: for paired differences and bars."""
        rows = [
            Row(q.id, q.question, wanted, " ".join(found[:k]), "exact" if hit else "wrong", hit, q.fact or q.id)
            for q, wanted, found, hit in zip(self.questions, self.relevant, self.found, recall_at_k(self.ranks, k))
        ]
        return Report(self.name, f"{self.exam}: right passage among {k}", tuple(rows))

    def where(self, keep: Callable[[Question], bool]) -> Ranking:
        """The questions alone that `keep` says yes to."""
        kept = [i for i, question in enumerate(self.questions) if keep(question)]
        if not kept:
            raise CourseError(f"none of the {self.n} questions of {self.exam} is kept: look at the condition.")
        parts = (tuple(part[i] for i in kept) for part in (self.questions, self.relevant, self.found))
        return Ranking(self.name, self.exam, *parts)

    def _interval(self, values: Sequence[float]) -> tuple[float, float]:
        return interval(values, [q.fact or q.id for q in self.questions])

    def _repr_html_(self) -> str:
        return frame_html(compare_rankings([self]))


def grade_retrieval(
    retriever: Retriever,
    exam: Exam | Sequence[Question],
    golden: Mapping[str, Sequence[Passage]],
    name: str | None = None,
) -> Ranking:
    """Let a retriever look for the passage of every question, among the first ten that it finds.

    `golden` holds for each question's text the passage that states its fact, as `golden_passages(exam, index)` gives
    them; tables call the retriever by its `name`.
    """
    questions = list(exam)
    if not questions:
        raise CourseError("there is no question to search for.")
    lacking = [q.id for q in questions if not golden.get(q.question)]
    if lacking:
        raise CourseError(f"question {lacking[0]} has no golden passage: make them from the same exam.")
    found = retriever.search_many([q.question for q in questions], DEPTH)
    if len(found) != len(questions):
        raise CourseError(f"{len(found)} rankings for {len(questions)} questions: give one for each.")
    ids = tuple(tuple(passage.id for passage in passages) for passages in found)
    title = exam.name if isinstance(exam, Exam) else "questions"
    relevant = tuple(golden[q.question][0].id for q in questions)
    return Ranking(name or type(retriever).__name__, title, tuple(questions), relevant, ids)


def compare_rankings(rankings: Iterable[Ranking]) -> pd.DataFrame:
    """Retrievers side by side: recall among the first 1 and 4, MRR and nDCG@10, with intervals."""
    import pandas as pd

    rows = []
    for ranking in rankings:
        row: dict[str, Any] = {"retriever": ranking.name}
        for k in KS:
            row |= {f"recall@{k}": round(ranking.recall(k), 2), f"95% interval @{k}": span(*ranking.recall_ci(k))}
        row |= {"MRR": round(ranking.mrr, 2), "95% interval MRR": span(*ranking.mrr_ci)}
        row |= {f"nDCG@{DEPTH}": round(ranking.ndcg(), 2), "n": ranking.n}
        rows.append(row)
    return pd.DataFrame(rows).set_index("retriever")


def by_hit(report: Report, golden: Mapping[str, Sequence[Passage]]) -> dict[str, Report]:
    """A RAG report in two: answers given the right passage ("hit") and without it ("miss"); one may be lacking."""
    parts: dict[str, list[Row]] = {"hit": [], "miss": []}
    for row in report.rows:
        parts["hit" if golden[row.question][0].id in row.sources else "miss"].append(row)
    return {
        name: replace(report, name=f"{report.name}, {name}", rows=tuple(rows)) for name, rows in parts.items() if rows
    }


def cascade(report: Report, golden: Mapping[str, Sequence[Passage]]) -> dict[str, float]:
    """Where a RAG report's questions end, as shares: right, lost by the reader, lost by the search.

    The search lost what was answered wrongly without the right passage.
    """
    lost = {part: sum(1 - found.hits()) / report.n for part, found in by_hit(report, golden).items()}
    return {
        "right": report.accuracy, "page found, answer wrong": float(lost.get("hit", 0.0)),
        "page not found": float(lost.get("miss", 0.0)),
    }  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

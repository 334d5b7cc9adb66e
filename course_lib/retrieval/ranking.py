"""Retrieval graded by itself, before any model reads: is the right passage among the first k, and how near the top?

Each question has one relevant passage, the one that states its fact (`golden_passages`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.reports import Report, Row, interval, span
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.index import Retriever

if TYPE_CHECKING:
    import pandas as pd


def recall_at_k(found: Sequence[Sequence[str]], relevant: Sequence[str], k: int) -> float:
    """Share of questions whose relevant passage is among the first `k` found.

    Parameters
    ----------
    found
        For each of the Q questions, passage ids, best first.
    relevant
        For each question, the id of its one relevant passage.
    k
        At least 1. Above the number found, what was found counts.

    Returns
    -------
    A share between 0 and 1.

    Raises
    ------
    CourseError
        If `k` < 1, or the two differ in length.

    Manning, Raghavan & Schütze, *Introduction to Information Retrieval*, 8.4.
    """
    return _mean(_hits(_ranks(found, relevant), k))


def mean_reciprocal_rank(found: Sequence[Sequence[str]], relevant: Sequence[str]) -> float:
    """Mean of 1 / the rank of the relevant passage; 0 where it was not found. Raises as `recall_at_k` does.

    Voorhees 1999, *The TREC-8 Question Answering Track Report*.
    """
    return _mean(_reciprocal(_ranks(found, relevant)))


def ndcg_at_k(found: Sequence[Sequence[str]], relevant: Sequence[str], k: int) -> float:
    """Normalised discounted cumulative gain: 1 / log2(1 + rank) where the rank is at most `k`, else 0; the mean of it.

    With one relevant passage a question the best possible is 1. Raises as `recall_at_k` does.
    Järvelin & Kekäläinen 2002, *Cumulated Gain-Based Evaluation of IR Techniques*.
    """
    return _mean(_gains(_ranks(found, relevant), k))


@dataclass(frozen=True)
class Ranking:
    """What one retriever found for each question of an exam.

    Attributes
    ----------
    questions
        Q of them.
    relevant
        For each, the id of the passage that states its fact.
    found
        For each, ids of passages, best first.
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
        return _ranks(self.found, self.relevant)

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return mean_reciprocal_rank(self.found, self.relevant)

    @property
    def mrr_ci(self) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval(_reciprocal(self.ranks))

    def recall(self, k: int) -> float:
        """Share of questions whose relevant passage is among the first `k`."""
        return recall_at_k(self.found, self.relevant, k)

    def recall_ci(self, k: int) -> tuple[float, float]:
        """95% interval of it (bootstrap over facts)."""
        return self._interval(_hits(self.ranks, k))

    def ndcg(self, k: int = 10) -> float:
        """Normalised discounted cumulative gain."""
        return ndcg_at_k(self.found, self.relevant, k)

    def ndcg_ci(self, k: int = 10) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval(_gains(self.ranks, k))

    def within(self, k: int) -> Report:
        """Whether the relevant passage was among the first `k`, as a report: for paired differences and bars."""
        rows = [
            Row(q.id, q.question, wanted, " ".join(found[:k]), "exact" if hit else "wrong", hit, q.fact or q.id)
            for q, wanted, found, hit in zip(self.questions, self.relevant, self.found, _hits(self.ranks, k))
        ]
        return Report(self.name, f"{self.exam}: right passage among {k}", tuple(rows))

    def where(self, keep: Callable[[Question], bool], name: str | None = None) -> Ranking:
        """The questions alone that `keep` says yes to.

        Raises
        ------
        CourseError
            If it keeps none.
        """
        kept = [i for i, question in enumerate(self.questions) if keep(question)]
        if not kept:
            raise CourseError(f"none of the {self.n} questions of {self.exam} is kept: look at the condition.")
        parts = (tuple(part[i] for i in kept) for part in (self.questions, self.relevant, self.found))
        return Ranking(self.name, name or self.exam, *parts)

    def table(self) -> pd.DataFrame:
        """One row, as in `compare_rankings`."""
        return compare_rankings([self])

    def _interval(self, values: Sequence[float]) -> tuple[float, float]:
        import numpy as np

        return interval(np.array(values, dtype=float), [q.fact or q.id for q in self.questions])

    def _repr_html_(self) -> str:
        return self.table().to_html()


def grade_retrieval(
    retriever: Retriever,
    exam: Exam | Sequence[Question],
    golden: Mapping[str, Sequence[Passage]],
    k: int = 10,
    where: dict[str, Any] | None = None,
    name: str | None = None,
) -> Ranking:
    """Let a retriever look for the passage of every question.

    Parameters
    ----------
    golden
        For each question's text, the passage that states its fact: `golden_passages(exam, index)`.
    k
        How many passages are looked at.
    where
        A filter, as in `search`.
    name
        What tables call the retriever.

    Raises
    ------
    CourseError
        If there is no question, or one has no golden passage.
    """
    questions = list(exam)
    if not questions:
        raise CourseError("there is no question to search for.")
    lacking = [q.id for q in questions if not golden.get(q.question)]
    if lacking:
        raise CourseError(f"question {lacking[0]} has no golden passage: make them from the same exam.")
    found = retriever.search_many([q.question for q in questions], k, where)
    ids = tuple(tuple(passage.id for passage in passages) for passages in found)
    title = exam.name if isinstance(exam, Exam) else "questions"
    relevant = tuple(golden[q.question][0].id for q in questions)
    return Ranking(name or type(retriever).__name__, title, tuple(questions), relevant, ids)


def compare_rankings(rankings: Iterable[Ranking], ks: Sequence[int] = (1, 4)) -> pd.DataFrame:
    """Retrievers side by side: recall among the first k for each k, MRR and nDCG@10, with intervals."""
    import pandas as pd

    rows = []
    for ranking in rankings:
        row: dict[str, Any] = {"retriever": ranking.name}
        for k in ks:
            row |= {f"recall@{k}": round(ranking.recall(k), 2), f"95% interval @{k}": span(*ranking.recall_ci(k))}
        row |= {"MRR": round(ranking.mrr, 2), "95% interval MRR": span(*ranking.mrr_ci)}
        row |= {"nDCG@10": round(ranking.ndcg(), 2), "n": ranking.n}
        rows.append(row)
    return pd.DataFrame(rows).set_index("retriever")


def by_hit(report: Report, golden: Mapping[str, Sequence[Passage]]) -> dict[str, Report]:
    """A RAG report in two: answers given the right passage ("hit") and without it ("miss"); one may be lacking.

    Parameters
    ----------
    report
        Of a candidate that cites its passages.
    golden
        As in `grade_retrieval`.
    """
    parts: dict[str, list[Row]] = {"hit": [], "miss": []}
    for row in report.rows:
        parts["hit" if golden[row.question][0].id in row.sources else "miss"].append(row)
    return {
        name: replace(report, name=f"{report.name}, {name}", rows=tuple(rows)) for name, rows in parts.items() if rows
    }


def _ranks(found: Sequence[Sequence[str]], relevant: Sequence[str]) -> list[float]:
    if len(found) != len(relevant) or not len(found):
        raise CourseError(f"{len(found)} rankings for {len(relevant)} relevant passages: give one for each question.")
    return [list(ids).index(wanted) + 1 if wanted in ids else math.inf for ids, wanted in zip(found, relevant)]


def _hits(ranks: Sequence[float], k: int) -> list[float]:
    if k < 1:
        raise CourseError(f"k is {k}: look at 1 passage at least.")
    return [float(rank <= k) for rank in ranks]


def _reciprocal(ranks: Sequence[float]) -> list[float]:
    return [1 / rank for rank in ranks]


def _gains(ranks: Sequence[float], k: int) -> list[float]:
    return [hit / math.log2(1 + rank) if hit else 0.0 for rank, hit in zip(ranks, _hits(ranks, k))]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

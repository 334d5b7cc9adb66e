"""Several searches made one: hybrid retrieval by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.documents import Passage
from course_lib.errors import CourseError
from course_lib.retrieval import Retriever

__all__ = ["HybridIndex", "fuse"]

# The paper's constant: how little the first rank counts above the second.
RRF = 60


class HybridIndex(Retriever):
    """Joins the rankings of other retrievers, by ranks alone: scores of two kinds of search cannot be compared.

    A passage scores the sum of 1 / (60 + rank) over the retrievers that found it.
    Cormack, Clarke & Büttcher 2009, *Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
    Methods*.

    Parameters
    ----------
    retrievers
        Two or more over the same passages: an `Index` and a `KeywordIndex`.
    depth
        How many of each are joined; at least k.
    """

    def __init__(self, *retrievers: Retriever, depth: int = 30) -> None:
        if len(retrievers) < 2:
            raise CourseError(f"{len(retrievers)} retrievers cannot be joined: give two, HybridIndex(index, keywords).")
        self.retrievers, self.depth = retrievers, depth

    def passages(self) -> list[Passage]:
        """Every passage that can be found."""
        return self.retrievers[0].passages()

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        depth = max(k, self.depth)
        rankings = [retriever.search_many(queries, depth, where) for retriever in self.retrievers]
        return [_fused(found)[:k] for found in zip(*rankings)]


def fuse(rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Reciprocal rank fusion of rankings of ids: for each id the sum of 1 / (60 + rank), the first rank being 1."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] = scores.get(id, 0.0) + 1 / (RRF + rank)
    return scores


def _fused(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    held = {passage.id: passage for ranking in rankings for passage in ranking}
    scores = fuse([[passage.id for passage in ranking] for ranking in rankings])
    return [replace(held[id], score=scores[id]) for id in sorted(scores, key=lambda id: -scores[id])]

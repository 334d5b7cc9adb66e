"""Several searches made one: hybrid retrieval by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.documents import Passage
from course_lib.errors import CourseError
from course_lib.retrieval import Retriever

__all__ = ["HybridIndex"]

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


def _fused(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    scores: dict[str, float] = {}
    held: dict[str, Passage] = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, 1):
            scores[passage.id] = scores.get(passage.id, 0.0) + 1 / (RRF + rank)
            held[passage.id] = passage
    ranked = sorted(scores, key=lambda id: -scores[id])
    return [replace(held[id], score=scores[id]) for id in ranked]

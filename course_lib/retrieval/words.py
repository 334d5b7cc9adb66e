"""Search by words: BM25, by the library bm25s. What search by meaning is held against, and joined with."""
# MERGED fusion: Several searches made one: hybrid retrieval by reciprocal rank fusion.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.evaluation.grading import normalise
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import matches
from course_lib.retrieval.index import Retriever


class KeywordIndex(Retriever):
    """Finds passages that share words with the question, rare words counting most.

    A passage that shares none is not found at all, so that fewer than `k` may come back. Follows the index that it was
    made from: what is added or deleted there is added or deleted here.

    Robertson & Zaragoza 2009, *The Probabilistic Relevance Framework: BM25 and Beyond*.

    Attributes
    ----------
    index
        Where the passages come from; any retriever.
    k1, b
        How soon a repeated word counts no more, and how much long passages are held back.
    """

    def __init__(self, index: Retriever, k1: float = 1.5, b: float = 0.75) -> None:
        self.index, self.k1, self.b = index, k1, b
        self._held: list[Passage] = []
        self._version: Any = None
        self._bm25: Any = None

    def passages(self) -> list[Passage]:
        """Every passage that can be found."""
        return self.index.passages()

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        self._follow()
        allowed = [i for i, passage in enumerate(self._held) if matches(passage, where)]
        return [self._best(query, k, allowed) for query in queries] if allowed else [[] for _ in queries]

    def _follow(self) -> None:
        """Index the words anew if the passages are others than before: a deleted one must not be found here."""
        import bm25s

        version = self.index.version()
        if version is not None and version == self._version:
            return
        held, self._version = self.passages(), version
        if held == self._held:
            return
        self._held, self._bm25 = held, bm25s.BM25(k1=self.k1, b=self.b)
        if held:
            words = [list(normalise(passage.searched)) for passage in held]
            self._bm25.index(words, show_progress=False)

    def _best(self, query: str, k: int, allowed: list[int]) -> list[Passage]:
        known = [word for word in normalise(query) if word in self._bm25.vocab_dict]
        if not known:
            return []
        scores = self._bm25.get_scores(known)  # (N,)
        ranked = sorted((i for i in allowed if scores[i] > 0), key=lambda i: -scores[i])
        return [replace(self._held[i], score=float(scores[i])) for i in ranked[:k]]


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

"""Search by words, and two searches joined: BM25 by the library bm25s, and reciprocal rank fusion by hand.

Words find what meaning misses: codes, names, part numbers. What both find stands highest in the ranking of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.evaluation.grading import normalise
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import matches
from course_lib.retrieval.index import Retriever

# BM25's two: how soon a repeated word counts no more, and how much long passages are held back.
K1, B = 1.5, 0.75
# The constant of rank fusion, as in its paper: how little the first rank counts above the second.
RRF = 60
# How many passages of each ranking are joined: the best of two may stand low in both.
DEPTH = 30
# Scripts that leave no blanks between words: Thai, Lao, Burmese, Khmer, kana, Chinese.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


class KeywordIndex(Retriever):
    """Finds passages that share words with the question, rare words counting most.

    A passage that shares none is not found at all, so that fewer than `k` may come back. Follows the index that it was
    made from: what is added or deleted there is added or deleted here.

    Robertson & Zaragoza 2009, *The Probabilistic Relevance Framework: BM25 and Beyond*.
    """

    def __init__(self, index: Retriever) -> None:
        self.index = index
        self._held: list[Passage] = []
        self._version: Any = None
        self._bm25: Any = None

    def passages(self) -> list[Passage]:
        return self.index.passages()

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        self._follow()
        allowed = [i for i, passage in enumerate(self._held) if matches(passage, where)]
        return [self._best(query, k, allowed) if allowed else [] for query in queries]

    def _follow(self) -> None:
        """Index the words anew if the passages are others than before: a deleted one must not be found here."""
        import bm25s

        version = self.index.version()
        if version is not None and version == self._version:
            return
        held, self._version = self.passages(), version
        if held == self._held:
            return
        self._held, self._bm25 = held, bm25s.BM25(k1=K1, b=B)
        if held:
            words = [list(_words(passage.searched)) for passage in held]
            self._bm25.index(words, show_progress=False)

    def _best(self, query: str, k: int, allowed: list[int]) -> list[Passage]:
        known = [word for word in _words(query) if word in self._bm25.vocab_dict]
        if not known:
            return []
        scores = self._bm25.get_scores(known)  # (N,)
        ranked = sorted((i for i in allowed if scores[i] > 0), key=lambda i: -scores[i])
        return [replace(self._held[i], score=float(scores[i])) for i in ranked[:k]]


class HybridIndex(Retriever):
    """Joins the rankings of two or more retrievers over the same passages: `HybridIndex(index, KeywordIndex(index))`.

    It goes by ranks alone: scores of two kinds of search cannot be compared.
    """

    def __init__(self, *retrievers: Retriever) -> None:
        if len(retrievers) < 2:
            raise CourseError(f"{len(retrievers)} retrievers cannot be joined: give two, HybridIndex(index, keywords).")
        self.retrievers = retrievers

    def passages(self) -> list[Passage]:
        return self.retrievers[0].passages()

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        rankings = [retriever.search_many(queries, max(k, DEPTH), where) for retriever in self.retrievers]
        return [_fused(found)[:k] for found in zip(*rankings)]


def _words(text: str) -> Iterable[str]:
    """A text's words; where no blanks part them every two signs that stand together, as Lucene's CJKBigramFilter."""
    for word in normalise(text):
        if len(word) > 2 and _UNSPACED.search(word):
            yield from map("".join, pairwise(word))
        else:
            yield word


def fuse(rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Reciprocal rank fusion of rankings of ids: for each id the sum of 1 / (60 + rank), the first rank being 1.

    Cormack, Clarke & Büttcher 2009, *Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
    Methods*.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] = scores.get(id, 0.0) + 1 / (RRF + rank)
    return scores


def _fused(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    held = {passage.id: passage for ranking in rankings for passage in ranking}
    scores = fuse([[passage.id for passage in ranking] for ranking in rankings])
    return [replace(held[id], score=scores[id]) for id in sorted(scores, key=lambda id: -scores[id])]

"""The library as a map in two dimensions, and where a question lands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.pictures import Picture
from course_lib.retrieval import Index

__all__ = ["library_map"]

# As many groups as there are looks that can be told apart.
GROUPS = 7


def library_map(index: Index, questions: Sequence[str] = (), title: str = "The library, flattened") -> Picture:
    """Every passage as a point, by kind of document; questions as stars.

    Two of some hundred dimensions are a shadow: the alt text says how much of the spread is left.

    Raises
    ------
    CourseError
        If the index holds fewer than three passages.
    """
    from sklearn.decomposition import PCA

    passages, vectors = index.passages(), index.store.vectors()
    if len(passages) < 3:
        raise CourseError(f"{len(passages)} passages make no map: at least 3 are needed.")
    plane = PCA(2, svd_solver="full").fit(vectors)  # the two directions in which they are spread widest
    kinds = Counter(passage.kind or "documents" for passage in passages)
    common = {kind for kind, _ in kinds.most_common(GROUPS if len(kinds) <= GROUPS else GROUPS - 1)}
    labels = [kind if (kind := passage.kind or "documents") in common else "other kinds" for passage in passages]
    spots = plane.transform(vectors).tolist()
    if questions:
        spots += plane.transform(index.embed(list(questions))).tolist()
        labels += ["your question"] if len(questions) == 1 else [f"question {i}" for i in range(1, len(questions) + 1)]
    stars = list(range(len(passages), len(spots)))
    told = "".join(f" {label}: {text}" for label, text in zip(labels[len(passages) :], questions))
    told += f" Two dimensions keep {plane.explained_variance_ratio_.sum():.0%} of the spread."
    drawn = plots.points(spots, labels, title, highlight=stars)
    drawn.alt += told
    return drawn

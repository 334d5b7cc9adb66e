"""The library as a map in two dimensions, and where a question lands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_lib import plots
from course_lib.errors import CourseError
from course_lib.retrieval import Index

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Flat", "library_map"]

# As many groups as there are looks that can be told apart.
GROUPS = 7


@dataclass(frozen=True)
class Flat:
    """A plane through a cloud of vectors: the two directions in which it is widest (principal components).

    Attributes
    ----------
    centre
        (D,)
    axes
        (2, D), unit vectors.
    kept
        Share of the cloud's variance that the plane keeps, 0 to 1.
    """

    centre: np.ndarray
    axes: np.ndarray
    kept: float

    @classmethod
    def through(cls, vectors: np.ndarray) -> Flat:
        """The plane through vectors (N, D).

        Raises
        ------
        CourseError
            For fewer than three vectors.
        """
        import numpy as np

        if len(vectors) < 3:
            raise CourseError(f"{len(vectors)} passages make no map: at least 3 are needed.")
        centre = vectors.mean(axis=0)
        _, spread, directions = np.linalg.svd(vectors - centre, full_matrices=False)
        variance = spread**2
        return cls(centre, directions[:2], float(variance[:2].sum() / max(variance.sum(), 1e-12)))

    def place(self, vectors: np.ndarray) -> np.ndarray:
        """Where vectors (N, D) lie in the plane: (N, 2)."""
        return (vectors - self.centre) @ self.axes.T


def library_map(index: Index, questions: Sequence[str] = (), title: str = "The library, flattened") -> plots.Picture:
    """Every passage as a point, by kind of document; questions as stars.

    Two of some hundred dimensions are a shadow: the alt text and `Flat.kept` say how much of the spread is left.

    Raises
    ------
    CourseError
        If the index holds fewer than three passages.
    """
    passages, vectors = index.passages(), index.store.vectors()
    flat = Flat.through(vectors)
    kinds = Counter(passage.kind or "documents" for passage in passages)
    common = {kind for kind, _ in kinds.most_common(GROUPS if len(kinds) <= GROUPS else GROUPS - 1)}
    labels = [kind if (kind := passage.kind or "documents") in common else "other kinds" for passage in passages]
    spots = flat.place(vectors).tolist()
    if questions:
        spots += flat.place(index.embed(list(questions))).tolist()
        labels += ["your question"] if len(questions) == 1 else [f"question {i}" for i in range(1, len(questions) + 1)]
    stars = list(range(len(passages), len(spots)))
    told = "".join(f" {label}: {text}" for label, text in zip(labels[len(passages) :], questions))
    told += f" Two dimensions keep {flat.kept:.0%} of the spread."
    drawn = plots.points(spots, labels, title, highlight=stars)
    drawn.alt += told
    return drawn

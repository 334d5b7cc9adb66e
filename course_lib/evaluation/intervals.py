"""How sure a share or a difference is: 95% percentile bootstraps (Efron & Tibshirani 1993, chapter 13).

What is resampled are facts: a fact asked in two wordings is one draw, not two. Where several students were trained,
they are resampled too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESAMPLES, BOOTSTRAP_SEED = 2000, 0
FEW_STUDENTS = 5  # of fewer, an interval over students says nothing
ALIKE = 1e-9  # shares that differ by less differ by rounding


def span(low: float, high: float, form: str = ".2f") -> str:
    """An interval as tables print it."""
    return f"{low:{form}} to {high:{form}}"


def why_it_cannot_tell(low: float, high: float) -> str:
    """Of an interval of a difference that holds 0: whether it reaches to both sides, or only to 0."""
    one_sided = abs(low) < 1e-9 or abs(high) < 1e-9
    return f"the interval {'ends at no difference' if one_sided else 'reaches from worse to better'}"


def interval(values: Sequence[float] | np.ndarray, clusters: Sequence[str], low: float = 0.0) -> tuple[float, float]:
    """95% percentile bootstrap interval of a share, or of a difference of shares, resampling whole clusters.

    Where all clusters are alike there is nothing to resample, and the bootstrap would claim certainty; the interval
    then reaches 3/n beyond (the rule of three; Hanley & Lippman-Hand 1983), n being the number of clusters.
    """
    import numpy as np

    totals, sizes = _by_cluster(values, clusters)
    mean = float(np.mean(values))
    if np.ptp(totals / sizes) < ALIKE:
        margin = min(1.0, 3 / len(totals))
        return max(low, mean - margin), min(1.0, mean + margin)
    return _bootstrap(totals, sizes)


def crossed_interval(values: np.ndarray, clusters: Sequence[str], low: float = 0.0) -> tuple[float, float]:
    """As `interval`, for the answers of S students to the same questions, (S, n), resampling students and clusters.

    Fewer than five students are not resampled: then the interval is one over questions, for these very students.
    """
    import numpy as np

    values = np.atleast_2d(values)
    students = len(values)
    by_cluster = [_by_cluster(row, clusters) for row in values]
    totals, sizes = np.array([sums for sums, _ in by_cluster]), by_cluster[0][1]  # (S, clusters), (clusters,)
    if students < FEW_STUDENTS or np.ptp(totals / sizes) < ALIKE:
        return interval(values.mean(axis=0), clusters, low)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    # how often each student, and each cluster, is drawn: (RESAMPLES, S), (RESAMPLES, clusters)
    who, what = (rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) for n in totals.shape)
    means = np.einsum("rs,sc,rc->r", who, totals, what, optimize=True) / (students * (what @ sizes))
    bottom, top = np.percentile(means, [2.5, 97.5])
    return float(bottom), float(top)


def mean_interval(values: np.ndarray, clusters: Sequence[str]) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean of any numbers, resampling whole clusters.

    A mean has no rule of three: where all clusters are alike, both ends are the mean itself.
    """
    return _bootstrap(*_by_cluster(values, clusters))


def _by_cluster(values: np.ndarray, clusters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values in each cluster, (clusters,) each."""
    import numpy as np

    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    return np.bincount(index, weights=values), np.bincount(index)


def _bootstrap(totals: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    import numpy as np

    draws = np.random.default_rng(BOOTSTRAP_SEED).integers(len(totals), size=(RESAMPLES, len(totals)))
    means = totals[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    bottom, top = np.percentile(means, [2.5, 97.5])
    return float(bottom), float(top)

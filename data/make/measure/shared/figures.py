"""What lessons quote of reports: figures with their intervals, over seeds, and against one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import replace
from typing import Any

import numpy as np

import course_lib as cl
from course_lib.evaluation.intervals import BOOTSTRAP_SEED, RESAMPLES
from course_lib.evaluation.reports import Runs


def figures(report: cl.Report) -> dict[str, Any]:
    """What a lesson quotes of a report."""
    return {
        "accuracy": round(report.accuracy, 4),
        "ci": [round(end, 4) for end in report.ci],
        "exact": round(report.exact, 4),
        "n": report.n,
        "tokens": round(report.tokens_per_question, 1),
    }


def pooled(reports: Sequence[cl.Report]) -> cl.Report:
    """The reports of one exam by several seeds as one: its intervals draw facts, each with the answers of all seeds."""
    rows = tuple(replace(row, id=f"{row.id}/{seed}") for seed, report in enumerate(reports) for row in report.rows)
    return cl.Report(reports[0].name, reports[0].exam, rows)


def of_seeds(reports: Sequence[cl.Report]) -> dict[str, Any]:
    """What a lesson quotes of one arm: the figures of all its students (`Runs`), and each one's accuracy by itself."""
    runs = Runs(reports)
    (value, *ci), (exact, *exact_ci) = runs.share(), runs.share("exact")
    return {
        "accuracy": round(value, 4),
        "ci": [round(end, 4) for end in ci],
        "exact": round(exact, 4),
        "n": runs.n,
        "tokens": round(sum(report.tokens_per_question for report in reports) / len(reports), 1),
        "exact_ci": [round(end, 4) for end in exact_ci],
        "seeds": [round(mark, 4) for mark in runs.marks()],
    }


def counted(seeds: Sized) -> str:
    """How many seeds, or runs with one seed each, as a sentence says it."""
    return f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"


def difference(some: Sequence[cl.Report], others: Sequence[cl.Report]) -> list[float]:
    """Accuracy of one arm minus another's on the same questions, seed by seed: value, and its 95% interval (`Runs`).

    An arm without seeds (the untrained model) is paired with each seed of the other.
    """
    found = Runs(some) - Runs(others)
    return [round(x, 4) for x in (found.value, found.low, found.high)]


def compared(some: Sequence[cl.Report], others: Sequence[cl.Report]) -> dict[str, Any]:
    """The same by its names, with n and each student's by itself: what a verdict is tried on."""
    found = Runs(some) - Runs(others)
    ends = named([round(end, 4) for end in (found.value, found.low, found.high)])
    return ends | {"n": found.n, "by_student": [round(one, 4) for one in found.by_student or [found.value]]}


def resampled(statistic: Callable[..., np.ndarray], *sizes: int) -> list[float]:
    """Value, low and high of a statistic, by the percentile bootstrap: for what is no report.

    The statistic makes values of the draws, (draws,), from indices drawn: an array (draws, n) for each n of `sizes`.
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    tail = 100 * (1 - 0.95) / 2  # to the last bit as scipy.stats.bootstrap has it: a figure may lie on the edge
    drawn = statistic(*(rng.integers(n, size=(RESAMPLES, n)) for n in sizes))
    low, high = np.percentile(drawn, (tail, 100 - tail))
    (value,) = statistic(*(np.arange(n)[None] for n in sizes))
    return [round(float(x), 4) for x in (value, low, high)]


def named(interval: Sequence[float]) -> dict[str, float]:
    """Value, low, high by their names."""
    return dict(zip(("value", "low", "high"), interval, strict=True))

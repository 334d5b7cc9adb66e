"""Evaluation gaps: where a metric praises the model that does the task worse, or cannot tell it from the better one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from course_lib.errors import CourseError
from course_lib.grading import grade
from course_lib.reports import Report, interval, span

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["disagreements", "metric_table"]

Scores = Mapping[str, Mapping[str, "np.ndarray"]]


def scores(report: Report, judged: Mapping[str, Report] | None = None) -> dict[str, np.ndarray]:
    """Metric -> a number from 0 to 1 for each answer, (n,): exact match, token F1, and what was judged besides.

    Parameters
    ----------
    judged
        Name of a judge -> its report of the same answers, such as `grade_style` gives.

    Raises
    ------
    CourseError
        If a judge's report is of other answers.
    """
    import numpy as np

    # By words, whatever the exam's own grader went by.
    exact = np.array([grade(row.reply, [row.expected]) == "exact" for row in report.rows], dtype=float)
    found = {"exact match": exact, "token F1": np.array([row.f1 for row in report.rows])}
    for name, other in (judged or {}).items():
        if [(row.id, row.reply) for row in other.rows] != [(row.id, row.reply) for row in report.rows]:
            raise CourseError(f"{name!r} judged other answers than those of {report.name!r}: judge its own report.")
        found[name] = other.hits()
    return found


def metric_table(measured: Mapping[str, tuple[Report, Mapping[str, Report]]]) -> pd.DataFrame:
    """Each candidate by each metric.

    Parameters
    ----------
    measured
        Name -> its report, and what judges say of it: {"told": (report, grade_style(report, pairs))}.

    Returns
    -------
    One row a candidate, one column a metric; means.
    """
    import pandas as pd

    rows = {name: {m: round(float(v.mean()), 2) for m, v in scores(*pair).items()} for name, pair in measured.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("candidate")


def disagreements(measured: Mapping[str, tuple[Report, Mapping[str, Report]]], truth: str) -> list[str]:
    """Where metrics say something else than the judge that counts, of each two candidates that this one tells apart.

    A metric *praises the worse* if it puts it above, not by chance; it *cannot tell them apart* if its 95% interval
    holds zero.

    Parameters
    ----------
    measured
        As for `metric_table`; all reports of the same questions.
    truth
        The metric that says what was wanted.

    Returns
    -------
    A sentence for each, with both differences and their 95% intervals.

    Raises
    ------
    CourseError
        If there is no such metric, or the candidates answered different questions.
    """
    table = {name: scores(*pair) for name, pair in measured.items()}
    asked = {tuple(row.id for row in report.rows) for report, _ in measured.values()}
    if len(asked) != 1:
        raise CourseError("the candidates answered different questions: only the same can be compared.")
    metrics = list(next(iter(table.values())))
    if truth not in metrics:
        raise CourseError(f"{truth!r} is no metric here; there are {', '.join(metrics)}.")
    facts = [row.fact for row in next(iter(measured.values()))[0].rows]
    found = []
    for better, worse in permutations(table, 2):
        wanted = _difference(table, better, worse, truth, facts)
        for metric in metrics if wanted[1] > 0 else ():
            value = _difference(table, better, worse, metric, facts)
            if value[2] < 0:
                how = "praises the worse"
            elif value[1] <= 0:
                how = "cannot tell them apart"
            else:
                continue
            found.append(f"{better} minus {worse}: {truth} {_told(wanted)}, {metric} {_told(value)}, which {how}")
    return found


def _difference(table: Scores, a: str, b: str, metric: str, facts: Sequence[str]) -> tuple[float, float, float]:
    deltas = table[a][metric] - table[b][metric]
    return (float(deltas.mean()), *interval(deltas, facts, low=-1.0))


def _told(difference: tuple[float, float, float]) -> str:
    value, low, high = difference
    return f"{value:+.2f} ({span(low, high, '+.2f')})"

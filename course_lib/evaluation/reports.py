"""What one candidate did in one exam, and how sure we are of it: rows, shares, intervals, paired differences.

Intervals are 95% percentile bootstraps over facts: a fact asked in two wordings is one draw, not two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, DataError
from course_lib.core.text import as_path, say, whole, write_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RESAMPLES, BOOTSTRAP_SEED = 2000, 0
MARKS = {"exact": "✓", "right": "✓", "unknown": "?", "invalid": "!", "wrong": "✗"}


@dataclass(frozen=True)
class Row:
    """One question, one answer, one verdict.

    The verdict is "exact", "right" (the right answer among other words; SQL that gives the right rows), "unknown" (says
    that it does not know), "invalid" (SQL that does not run) or "wrong". `f1` is the token F1 of the reply against the
    nearest right answer, 0 to 1.
    """

    id: str
    question: str
    expected: str
    reply: str
    verdict: str
    f1: float
    fact: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """How one candidate did in one exam. Renders as a table; `show` prints answers."""

    name: str
    exam: str
    rows: tuple[Row, ...] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))  # a generator could be gone through only once
        for text in ("name", "exam"):  # pandas lays no index of half characters
            object.__setattr__(self, text, whole(str(getattr(self, text))))

    @property
    def n(self) -> int:
        """Number of questions."""
        return len(self.rows)

    @property
    def accuracy(self) -> float:
        """Share of answers that say the right answer, 0 to 1."""
        return float(self.hits().mean())

    @property
    def exact(self) -> float:
        """Share of answers that are the right answer and nothing else."""
        return float(self.hits("exact").mean())

    @property
    def unknown(self) -> float:
        """Share of answers that say that they do not know."""
        return float(self.hits("unknown").mean())

    @property
    def wrong(self) -> float:
        """Share of answers that say something else."""
        return float(self.hits("wrong").mean())

    @property
    def invalid(self) -> float:
        """Share of answers that cannot be run, where answers are run."""
        return float(self.hits("invalid").mean())

    @property
    def f1(self) -> float:
        """Mean token F1."""
        return sum(row.f1 for row in self.rows) / self.n

    @property
    def ci(self) -> tuple[float, float]:
        """95% interval of the accuracy."""
        return interval(self.hits(), self.facts())

    @property
    def exact_ci(self) -> tuple[float, float]:
        """95% interval of the exact share."""
        return interval(self.hits("exact"), self.facts())

    @property
    def seconds_per_question(self) -> float:
        """Mean latency in a batch, in seconds."""
        return sum(row.seconds for row in self.rows) / self.n

    @property
    def tokens_per_question(self) -> float:
        """Mean prompt and completion tokens together."""
        return sum(row.prompt_tokens + row.completion_tokens for row in self.rows) / self.n

    def hits(self, verdict: str | None = None) -> np.ndarray:
        """For each question 1.0 or 0.0, (n,): accurate, or of one verdict."""
        import numpy as np

        wanted = {verdict} if verdict else {"exact", "right"}
        return np.array([float(row.verdict in wanted) for row in self.rows])

    def facts(self) -> list[str]:
        """For each question what it is about: questions of one fact stand and fall together."""
        return [row.fact for row in self.rows]

    def judged(self, right: Iterable[bool], name: str | None = None) -> Report:
        """The same answers under another judge: "exact" where `right` (one for each row) says so, else "wrong"."""
        rows = [replace(row, verdict="exact" if good else "wrong") for row, good in zip(self.rows, right, strict=True)]
        return replace(self, name=name or self.name, rows=tuple(rows))

    def table(self) -> pd.DataFrame:
        """One row, as in `compare`."""
        return report_table([self])

    def show(self, n: int = 5, verdict: str | None = None) -> None:
        """Print the first `n` answers (of one verdict)."""
        rows = [row for row in self.rows if verdict in (None, row.verdict)]
        for row in rows[:n]:
            say(f"{MARKS[row.verdict]} {row.question}\n    said: {row.reply}\n    right: {row.expected}")
        if len(rows) > n:
            say(f"... and {len(rows) - n} more")

    def save(self, path: str | Path) -> None:
        """Keep the report as JSON; `Report.load` reads it back. If it cannot be written, an older one stays."""
        write_text(path, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a kept report."""
        try:
            kept = json.loads(as_path(path).read_text(encoding="utf-8"))
            rows = tuple(Row(**{**row, "sources": tuple(row["sources"])}) for row in kept["rows"])
            if not rows or not all(row.verdict in MARKS for row in rows):
                raise ValueError("no rows, or no verdict in one")
            return cls(kept["name"], kept["exam"], rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a kept report ({error}): make it again.") from error

    def _repr_html_(self) -> str:
        return self.table().to_html()

    def __str__(self) -> str:
        low, high = self.ci
        return (
            f"{self.name} on {self.exam}: {self.accuracy:.2f} right ({low:.2f} to {high:.2f}), "
            f"{self.exact:.2f} exact, n = {self.n}"
        )


@dataclass(frozen=True)
class Difference:
    """One candidate's accuracy minus another's, on the same questions, with its 95% interval.

    That is a paired bootstrap over facts (Efron & Tibshirani 1993, chapter 13).
    """

    better: str
    worse: str
    value: float
    low: float
    high: float
    n: int

    @property
    def tie(self) -> bool:
        """Whether the interval holds zero: then nothing has been shown."""
        return self.low <= 0 <= self.high

    def __str__(self) -> str:
        verdict = "a tie: the interval holds zero" if self.tie else "not by chance"
        return (
            f"{self.better} minus {self.worse}: {self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f}, "
            f"n = {self.n}), {verdict}"
        )


def paired_difference(better: Report, worse: Report) -> Difference:
    """Accuracy of one report minus another's, question by question, with a bootstrap interval over facts."""
    if [row.id for row in better.rows] != [row.id for row in worse.rows]:
        raise CourseError(
            f"{better.name!r} and {worse.name!r} answered different questions: only the same can be paired."
        )
    deltas = better.hits() - worse.hits()
    low, high = interval(deltas, better.facts(), low=-1.0)
    return Difference(better.name, worse.name, float(deltas.mean()), low, high, better.n)


def report_table(reports: Iterable[Report]) -> pd.DataFrame:
    """Reports side by side, one row each; verdicts that no answer of an exam can get have no column."""
    import pandas as pd

    rows = [
        {
            "candidate": report.name,
            "right": round(report.accuracy, 2),
            "95% interval": span(*report.ci),
            "exact": round(report.exact, 2),
            "token F1": round(report.f1, 2),
            "does not know": round(report.unknown, 2),
            "does not run": round(report.invalid, 2),
            "wrong": round(report.wrong, 2),
            "n": report.n,
            "s/question": round(report.seconds_per_question, 2),
            "tokens/question": round(report.tokens_per_question),
        }
        for report in reports
    ]
    table = pd.DataFrame(rows).set_index("candidate")
    return table.drop(columns="does not run" if not table["does not run"].any() else "does not know")


def span(low: float, high: float, form: str = ".2f") -> str:
    """An interval as tables print it."""
    return f"{low:{form}} to {high:{form}}"


def interval(values: Sequence[float] | np.ndarray, clusters: Sequence[str], low: float = 0.0) -> tuple[float, float]:
    """95% percentile bootstrap interval of a share, or of a difference of shares, resampling whole clusters.

    Where all clusters are alike there is nothing to resample, and the bootstrap would claim certainty; the interval
    then reaches 3/n beyond (the rule of three; Hanley & Lippman-Hand 1983), n being the number of clusters.
    """
    import numpy as np

    totals, sizes = _by_cluster(values, clusters)
    mean = float(np.mean(values))
    if np.ptp(totals / sizes) == 0:
        margin = min(1.0, 3 / len(totals))
        return max(low, mean - margin), min(1.0, mean + margin)
    return _bootstrap(totals, sizes)


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

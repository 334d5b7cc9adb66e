"""What one candidate did in one exam, and how sure we are of it: rows, shares, intervals, paired differences.

Intervals are 95% percentile bootstraps over facts: a fact asked in two wordings is one draw, not two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, DataError, choose, whole_above_zero
from course_lib.core.frames import frame_html
from course_lib.core.text import as_path, whole, write_text
from course_lib.display import telling
from course_lib.evaluation.intervals import crossed_interval, interval, span, why_it_cannot_tell

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MARKS = {"exact": "✓", "right": "✓", "unknown": "?", "invalid": "!", "wrong": "✗"}
WORDS = {"unknown": "does not know", "invalid": "does not run"}  # of a verdict that says it in one word, that word
COLOURS = {"exact": telling.GOOD, "right": telling.GOOD, "unknown": telling.OPEN}


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
    """How one candidate did in one exam. Renders as a table; `table(n)` shows answers."""

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

    def __sub__(self, other: Report | Runs) -> Difference:
        return paired_difference(self, other)

    def judged(self, right: Iterable[bool], name: str | None = None) -> Report:
        """The same answers under another judge: "exact" where `right` (one for each row) says so, else "wrong"."""
        rows = [replace(row, verdict="exact" if good else "wrong") for row, good in zip(self.rows, right, strict=True)]
        return replace(self, name=name or self.name, rows=tuple(rows))

    def table(self, n: int | None = None, verdict: str | None = None) -> pd.DataFrame | telling.AnswerTable:
        """`n` answers (of one verdict), spread evenly over the exam: what was asked, said and right.

        Without `n` and `verdict` one row, as in `compare`. Answers are coloured in a notebook, and long replies folded;
        printed they are text.
        """
        if n is None and verdict is None:
            return report_table([self])
        if n is not None:
            whole_above_zero(n=n)
        rows = self._of(verdict)
        n = min(n or len(rows), len(rows))
        told = [
            telling.Told(
                MARKS[row.verdict], WORDS.get(row.verdict, row.verdict), COLOURS.get(row.verdict, telling.BAD),
                row.question, row.reply, row.expected,
            )
            for row in (rows[i * len(rows) // n] for i in range(n))
        ]  # fmt: skip
        return telling.AnswerTable(told, len(rows) - len(told))

    def _of(self, verdict: str | None) -> list[Row]:
        if verdict is not None:
            choose("verdict", verdict, MARKS)
        return [row for row in self.rows if verdict in (None, row.verdict)]

    def show(self, n: int = 5, verdict: str | None = None) -> None:
        """Show `n` answers (of one verdict), spread over the exam, as a table; outside a notebook, print them."""
        telling.show(self.table(n, verdict))

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
        return frame_html(self.table())

    def __str__(self) -> str:
        low, high = self.ci
        return (
            f"{self.name} on {self.exam}: {self.accuracy:.2f} right ({low:.2f} to {high:.2f}), "
            f"{self.exact:.2f} exact, n = {self.n}"
        )


@dataclass(frozen=True)
class Runs:
    """The same exam sat by several students who were trained alike, each with another seed.

    Raises a CourseError unless all were asked the same questions in the same order, or if one stands there twice.
    """

    reports: tuple[Report, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "reports", tuple(self.reports))
        if not self.reports:
            raise CourseError("there is no report: give those of one student or more.")
        for report in self.reports:
            if not isinstance(report, Report):
                raise CourseError(f"{report!r:.60} is no report: evaluate a candidate first.")
        if not self.n:
            raise CourseError(f"the report of {self.name!r} has no answers: there is nothing to tell.")
        if len({id(report) for report in self.reports}) < len(self.reports):
            raise CourseError(f"one report of {self.name!r} is given twice: each student counts once.")
        if len({tuple(row.id for row in report.rows) for report in self.reports}) > 1:
            raise CourseError(f"the students of {self.name!r} answered different questions.")

    @property
    def name(self) -> str:
        return self.reports[0].name

    @property
    def exam(self) -> str:
        return self.reports[0].exam

    @property
    def n(self) -> int:
        """Number of questions, the same for all."""
        return self.reports[0].n

    def marks(self, of: str = "right") -> tuple[float, ...]:
        """Each student's share of answers that are right, or "exact"."""
        return tuple(float(row.mean()) for row in self.hits(of))

    def share(self, of: str = "right") -> tuple[float, float, float]:
        """The students' mean, and its 95% interval: over questions, and from five students on over students too."""
        hits = self.hits(of)
        return float(hits.mean()), *crossed_interval(hits, self.reports[0].facts())

    def hits(self, of: str = "right") -> np.ndarray:
        """1.0 or 0.0 for each student and question, (students, n)."""
        import numpy as np

        verdict = {"right": None, "exact": "exact"}[choose("of", of, ("right", "exact"))]
        return np.stack([report.hits(verdict) for report in self.reports])

    def __sub__(self, other: Report | Runs) -> Difference:
        return paired_difference(self, other)


@dataclass(frozen=True)
class Difference:
    """One candidate's accuracy minus another's, on the same questions, with its 95% interval.

    That is a paired bootstrap over facts, and from five students on over students too.
    """

    better: str
    worse: str
    value: float
    low: float
    high: float
    n: int
    shares: tuple[float, float] | None = None  # of either side
    by_student: tuple[float, ...] = ()  # the difference of each student by itself, where there are several

    @property
    def students(self) -> int:
        """How many were trained on the side that has more."""
        return max(1, len(self.by_student))

    @property
    def cannot_tell(self) -> bool:
        """Whether the interval holds 0: no difference."""
        return self.low <= 0 <= self.high

    def __str__(self) -> str:
        why = why_it_cannot_tell(self.low, self.high)
        verdict = f"cannot tell: {why}" if self.cannot_tell else "not by chance"
        return (
            f"{self.better} minus {self.worse}: {self.value:+.2f} ({span(self.low, self.high, '+.2f')}, "
            f"n = {self.n}), {verdict}"
        )


def paired_difference(better: Report | Runs, worse: Report | Runs, of: str = "right") -> Difference:
    """Accuracy (or, `of="exact"`, the exact share) of one minus another's, question by question, with its interval.

    `Runs` are paired student by student; a single report is paired with each student of the other side. `better -
    worse` says the same.
    """
    some, others = (side if isinstance(side, Runs) else Runs((side,)) for side in (better, worse))
    if [row.id for row in some.reports[0].rows] != [row.id for row in others.reports[0].rows]:
        raise CourseError(
            f"{some.name!r} and {others.name!r} answered different questions; pair the same, in one order."
        )
    counts = {len(some.reports), len(others.reports)} - {1}
    if len(counts) > 1:
        raise CourseError(f"{some.name!r} has {len(some.reports)} students, {others.name!r} {len(others.reports)}.")
    hits, other_hits = some.hits(of), others.hits(of)
    deltas = hits - other_hits  # (students, n)
    low, high = crossed_interval(deltas, some.reports[0].facts(), low=-1.0)
    each = tuple(float(row.mean()) for row in deltas) if counts else ()
    shares = float(hits.mean()), float(other_hits.mean())
    names = (name if of == "right" else f"{name}, {of}" for name in (some.name, others.name))
    return Difference(*names, float(deltas.mean()), low, high, some.n, shares, each)


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

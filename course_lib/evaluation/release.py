"""Keeping a model fresh: may the new one be released, and does the old one still do what it did?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, is_number, whole_above_zero
from course_lib.evaluation.evaluation import compare
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.intervals import span
from course_lib.evaluation.reports import Difference, Report, Row

if TYPE_CHECKING:
    from course_lib.display.plots import Picture

PASSES, FAILS, OPEN = "passes", "fails", "cannot tell"


@dataclass(frozen=True)
class Gate:
    """Whether a release may go out, by one exam: new minus old, held against the loss that would be put up with."""

    difference: Difference
    at_most: float
    exam: str

    @property
    def verdict(self) -> str:
        """- "passes": the whole interval lies above -`at_most`, so that more is not lost;
        - "fails": it lies below, so that more is;
        - "cannot tell": it lies across, and more questions are needed.
        """
        if self.difference.low >= -self.at_most:
            return PASSES
        return FAILS if self.difference.high < -self.at_most else OPEN

    @property
    def passes(self) -> bool:
        """Whether it may go out. What nobody can tell does not pass."""
        return self.verdict == PASSES

    def __str__(self) -> str:
        d = self.difference
        why = {
            PASSES: f"no more than {self.at_most:g} is lost",
            FAILS: f"more than {self.at_most:g} is lost",
            OPEN: f"a loss of {self.at_most:g} lies inside the interval: ask more questions",
        }[self.verdict]
        return f"{self.exam}: {self.verdict}, {d.value:+.2f} ({span(d.low, d.high, '+.2f')}, n = {d.n}); {why}"


def gate(new: Any, old: Any, exam: Exam | Sequence[Question], at_most: float = 0.05) -> Gate:
    """A regression exam as the gate of a release: is it shown that the new model is no more than `at_most` worse?

    That is a test of non-inferiority (Piaggio et al. 2012, JAMA 308:2594). "Is it worse by chance?" would be none: an
    exam of five questions always answers it with "perhaps not".

    `new` and `old` are candidates, or `Report`s of this exam, which are not sat again; `exam` is what must still be
    known, the one that the old model was released with; `at_most` is the loss of accuracy to put up with.
    """
    if not is_number(at_most) or not 0 <= at_most < 1:
        raise CourseError(f"at_most is {at_most!r}: give the loss to put up with, from 0 to below 1.")
    sat = compare({"new": new, "old": old}, exam)
    return Gate(sat.difference("new", "old"), float(at_most), sat.exam)


@dataclass(frozen=True)
class Drift:
    """Accuracy over time, in a window that moves."""

    name: str
    ends: tuple[int, ...]  # for each window, how many questions had been asked when it ended
    values: tuple[float, ...]  # its accuracy
    bands: tuple[tuple[float, float], ...]  # the 95% interval of that
    window: int  # questions in each

    def fell_below(self, reference: Report) -> int | None:
        """How many questions had been asked when a window first lay below what `reference` shows; None if none has.

        The reference has its own chance, and each look is one more chance to be wrong: over all looks together a model
        that does not change is taken for worse about once in twenty times (Bonferroni; shares with a right and a wrong
        answer added, as in Agresti & Caffo 2000). Windows must not hold questions of another difficulty: shuffle them.
        """
        z = NormalDist().inv_cdf(1 - 0.05 / len(self.ends))
        old, wobble = _smoothed(reference.accuracy, reference.n)
        for end, value in zip(self.ends, self.values):
            new, more = _smoothed(value, self.window)
            if new + z * sqrt(wobble + more) < old:
                return end
        return None

    def plot(self, title: str | None = None, reference: float | None = None) -> Picture:
        """The curve with its interval, and, if given, the accuracy that it is held against."""
        from course_lib.display import plots

        series = {self.name: self.values}
        if reference is not None:
            series["at release"] = (reference,) * len(self.ends)
        title = title or f"{self.name}, the last {self.window} answers"
        return plots.curve(self.ends, series, title, "questions asked", "share right", bands={self.name: self.bands})


def _smoothed(share: float, n: int) -> tuple[float, float]:
    """A share with two answers added, one of them right, and its variance."""
    share = (share * n + 1) / (n + 2)
    return share, share * (1 - share) / (n + 2)


def questions_needed(new: Report, old: Report, at_most: float = 0.05) -> int:
    """How many questions a gate needs to pass a model that lost nothing, and answers as many otherwise as `new` does.

    The paired interval reaches 1.96 · sqrt(share of questions on which the two differ / n) to either side.
    """
    differ = float((new.hits() != old.hits()).mean())
    return ceil(differ * (1.96 / at_most) ** 2)


def drift(answered: Report | Sequence[Row], window: int = 40, step: int | None = None) -> Drift:
    """Rolling accuracy of answers in the order in which they were given.

    `answered` is a report whose rows are in order of time, or such rows; those of several reports can be put one after
    another. A narrow `window` sees a fall earlier, and is less sure of it. `step` is the answers from one window to the
    next, a quarter of a window unless said otherwise.
    """
    step = max(1, window // 4) if step is None and isinstance(window, int) else step
    whole_above_zero(window=window, step=step)
    report = answered if isinstance(answered, Report) else Report("answers", "stream", tuple(answered))
    if report.n < window:
        raise CourseError(f"{report.n} answers do not fill a window of {window}: wait for more, or take a smaller one.")
    ends = tuple(range(window, report.n + 1, step))
    parts = [Report(report.name, report.exam, report.rows[end - window : end]) for end in ends]
    return Drift(report.name, ends, tuple(p.accuracy for p in parts), tuple(p.ci for p in parts), window)

"""Exams are sat and graded here: what was right, how sure we are, and whether one candidate beats another.

An answer is *accurate* if it says the right answer in whole words, *exact* if, normalised, it is the right answer and
nothing else. Both are always shown: a model that chats is not a model that is ignorant, and one that recites the page
has not answered. Intervals are 95% percentile bootstraps over facts: a fact asked in two wordings is one draw, not two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from course_lib.datasets import Exam, Question
from course_lib.errors import CourseError, DataError
from course_lib.grading import grade, token_f1
from course_lib.models import Answer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from course_lib.plots import Picture

__all__ = ["Candidate", "Comparison", "Difference", "Report", "Row", "compare", "evaluate"]

RESAMPLES = 2000
BOOTSTRAP_SEED = 0


class Candidate(Protocol):
    """Anything that answers a list of questions, with strings or with `Answer`s. A plain function will do too."""

    def answer(self, questions: Sequence[str]) -> Sequence[str | Answer]: ...


@dataclass(frozen=True)
class Row:
    """One question, one answer, one verdict.

    Attributes
    ----------
    verdict
        "exact", "right" (the right answer among other words), "unknown" (says that it does not know) or "wrong".
    f1
        Token F1 of the reply against the nearest right answer, 0 to 1.
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
        return self._share("exact")

    @property
    def unknown(self) -> float:
        """Share of answers that say that they do not know."""
        return self._share("unknown")

    @property
    def wrong(self) -> float:
        """Share of answers that say something else."""
        return self._share("wrong")

    @property
    def f1(self) -> float:
        """Mean token F1."""
        return sum(row.f1 for row in self.rows) / self.n

    @property
    def ci(self) -> tuple[float, float]:
        """95% interval of the accuracy."""
        return _interval(self.hits(), self._facts())

    @property
    def exact_ci(self) -> tuple[float, float]:
        """95% interval of the exact share."""
        return _interval(self.hits("exact"), self._facts())

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

    def table(self) -> pd.DataFrame:
        """One row, as in `compare`."""
        import pandas as pd

        return pd.DataFrame([_summary(self)]).set_index("candidate")

    def show(self, n: int = 5, verdict: str | None = None) -> None:
        """Print the first `n` answers (of one verdict)."""
        rows = [row for row in self.rows if verdict in (None, row.verdict)]
        for row in rows[:n]:
            print(f"{_MARKS[row.verdict]} {row.question}\n    said: {row.reply}\n    right: {row.expected}")
        if len(rows) > n:
            print(f"... and {len(rows) - n} more")

    def save(self, path: str | Path) -> None:
        """Keep the report as JSON; `Report.load` reads it back.

        Raises
        ------
        CourseError
            If the file cannot be written; one that was there stays as it was.
        """
        path = Path(path)
        draft = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise CourseError(
                f"the report cannot be kept in {path} ({error}): free some disk or choose a folder."
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a kept report.

        Raises
        ------
        DataError
            If the file is missing or not a report.
        """
        try:
            kept = json.loads(Path(path).read_text(encoding="utf-8"))
            rows = tuple(Row(**{**row, "sources": tuple(row["sources"])}) for row in kept["rows"])
            if not rows or not all(row.verdict in _MARKS for row in rows):
                raise ValueError("no rows, or no verdict in one")
            return cls(kept["name"], kept["exam"], rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a kept report ({error}): make it again.") from error

    def _share(self, verdict: str) -> float:
        return float(self.hits(verdict).mean())

    def _facts(self) -> list[str]:
        return [row.fact for row in self.rows]

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
    """One candidate's accuracy minus another's, on the same questions.

    Attributes
    ----------
    value, low, high
        The difference and its 95% interval (paired bootstrap over facts; Efron & Tibshirani 1993, chapter 13).
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


@dataclass(frozen=True)
class Comparison:
    """Several candidates in one exam: a table, paired differences, a plot."""

    exam: str
    reports: dict[str, Report]

    def __getitem__(self, name: str) -> Report:
        return self._report(name)

    def table(self) -> pd.DataFrame:
        """One row a candidate: right and exact with intervals, what was wrong, and the price."""
        import pandas as pd

        return pd.DataFrame([_summary(report) for report in self.reports.values()]).set_index("candidate")

    def difference(self, better: str, worse: str) -> Difference:
        """The paired difference of two candidates' accuracy.

        Raises
        ------
        CourseError
            If one was not compared, or they answered different questions.
        """
        return paired_difference(self._report(better), self._report(worse))

    def differences(self, baseline: str) -> pd.DataFrame:
        """Every other candidate against `baseline`, as a table; raises as `difference` does."""
        import pandas as pd

        self._report(baseline)
        found = [self.difference(name, baseline) for name in self.reports if name != baseline]
        if not found:
            raise CourseError(f"nothing was compared with {baseline!r}: compare at least two candidates.")
        rows = [
            {"candidate": d.better, f"minus {baseline}": round(d.value, 2),
             "95% interval": _span(d.low, d.high, "+.2f"),
             "verdict": "tie" if d.tie else "better" if d.value > 0 else "worse"}
            for d in found
        ]  # fmt: skip
        return pd.DataFrame(rows).set_index("candidate")

    def plot(self, title: str | None = None) -> Picture:
        """Bars with intervals, right and exact."""
        from course_lib import plots

        rows = [
            {"label": name, "value": r.accuracy, "low": r.ci[0], "high": r.ci[1], "exact": r.exact}
            for name, r in self.reports.items()
        ]
        n = next(iter(self.reports.values())).n
        return plots.bars(rows, title or f"The {self.exam} exam, n = {n}")

    def _report(self, name: str) -> Report:
        if name not in self.reports:
            raise CourseError(f"{name!r} was not compared; compared were {', '.join(self.reports)}.")
        return self.reports[name]

    def _repr_html_(self) -> str:
        return self.table().to_html()


def evaluate(
    candidate: Candidate | Callable[[Sequence[str]], Sequence[str]],
    exam: Exam | Sequence[Question],
    name: str | None = None,
) -> Report:
    """Let a candidate sit an exam, and grade it.

    Parameters
    ----------
    candidate
        A `ChatModel`, a `RagPipeline`, anything with `answer(questions)`, or a function from a list of questions to a
        list of answers.
    exam
        An `Exam` (its test questions), or a list of questions.
    name
        What tables call the candidate; its own name unless said otherwise.

    Raises
    ------
    CourseError
        If the exam is empty or is none, or the candidate gives another number of answers than it was asked questions.
    """
    questions = _questions(exam)
    ask = getattr(candidate, "answer", candidate)
    if not callable(ask):
        raise CourseError(f"a candidate has answer(questions) or is a function; {type(candidate).__name__} is neither.")
    replies = ask([question.question for question in questions])
    if isinstance(replies, str) or not isinstance(replies, Iterable):
        raise CourseError(f"a candidate answers a list of questions with a list of answers, not with {replies!r:.60}.")
    replies = list(replies)
    if len(replies) != len(questions):
        raise CourseError(f"the candidate gave {len(replies)} answers to {len(questions)} questions.")
    label = name or getattr(candidate, "name", None) or getattr(candidate, "__name__", "candidate")
    title = exam.name if isinstance(exam, Exam) else "exam"
    return Report(label, title, tuple(_row(question, reply) for question, reply in zip(questions, replies)))


def compare(candidates: Mapping[str, Any], exam: Exam | Sequence[Question]) -> Comparison:
    """Let several candidates sit the same exam.

    Parameters
    ----------
    candidates
        Name to candidate, or to a `Report` of the same exam, which is not sat again.
    exam
        As in `evaluate`.

    Raises
    ------
    CourseError
        If there is no candidate, or a report is of other questions.
    """
    if not candidates or not isinstance(candidates, Mapping):
        raise CourseError('there is no candidate to compare: write compare({"RAG": rag, ...}, exam).')
    asked = [(question.id, question.question) for question in _questions(exam)]
    for name, report in candidates.items():  # before anyone spends minutes in the exam
        if isinstance(report, Report) and [(row.id, row.question) for row in report.rows] != asked:
            raise CourseError(f"the report of {name!r} is of other questions than this exam's: evaluate it again.")
    reports = {
        name: Report(name, c.exam, c.rows) if isinstance(c, Report) else evaluate(c, exam, name)
        for name, c in candidates.items()
    }
    title = exam.name if isinstance(exam, Exam) else "exam"
    return Comparison(title, reports)


def paired_difference(better: Report, worse: Report) -> Difference:
    """Accuracy of one report minus another's, question by question, with a bootstrap interval over facts."""
    if [row.id for row in better.rows] != [row.id for row in worse.rows]:
        raise CourseError(
            f"{better.name!r} and {worse.name!r} answered different questions: only the same can be paired."
        )
    deltas = better.hits() - worse.hits()
    low, high = _interval(deltas, better._facts(), low=-1.0)
    return Difference(better.name, worse.name, float(deltas.mean()), low, high, better.n)


_MARKS = {"exact": "✓", "right": "✓", "unknown": "?", "wrong": "✗"}


def _questions(exam: Exam | Sequence[Question]) -> list[Question]:
    if isinstance(exam, str):
        raise CourseError(f"an exam is loaded first: cl.load_exam({exam!r}).")
    questions = list(exam)
    if not questions:
        raise CourseError("the exam holds no question.")
    return questions


def _row(question: Question, reply: str | Answer) -> Row:
    answer = reply if isinstance(reply, Answer) else Answer(str(reply))
    right = (question.answer, *question.accepted)
    return Row(
        id=question.id,
        question=question.question,
        expected=question.answer,
        reply=answer.text,
        verdict=grade(answer.text, right),
        f1=token_f1(answer.text, right),
        fact=question.fact or question.id,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        seconds=answer.seconds,
        sources=tuple(passage.id for passage in answer.sources),
    )


def _interval(values: np.ndarray, clusters: Sequence[str], low: float = 0.0) -> tuple[float, float]:
    """95% percentile bootstrap interval of a mean, resampling whole clusters.

    Where all clusters are alike there is nothing to resample, and the bootstrap would claim certainty; the interval
    then reaches 3/n beyond (the rule of three; Hanley & Lippman-Hand 1983), n being the number of clusters.
    """
    import numpy as np

    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    totals = np.bincount(index, weights=values)  # (clusters,)
    sizes = np.bincount(index)  # (clusters,)
    mean = float(values.mean())
    if np.ptp(totals / sizes) == 0:
        margin = min(1.0, 3 / len(names))
        return max(low, mean - margin), min(1.0, mean + margin)
    draws = np.random.default_rng(BOOTSTRAP_SEED).integers(len(names), size=(RESAMPLES, len(names)))
    means = totals[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    bottom, top = np.percentile(means, [2.5, 97.5])
    return float(bottom), float(top)


def _summary(report: Report) -> dict[str, Any]:
    return {
        "candidate": report.name,
        "right": round(report.accuracy, 2),
        "95% interval": _span(*report.ci),
        "exact": round(report.exact, 2),
        "token F1": round(report.f1, 2),
        "does not know": round(report.unknown, 2),
        "wrong": round(report.wrong, 2),
        "n": report.n,
        "s/question": round(report.seconds_per_question, 2),
        "tokens/question": round(report.tokens_per_question),
    }


def _span(low: float, high: float, form: str = ".2f") -> str:
    return f"{low:{form}} to {high:{form}}"

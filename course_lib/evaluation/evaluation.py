"""Exams are sat and graded here, and candidates compared.

An answer is *right* if it says the right answer in whole words, *exact* if, normalised, it is the right answer and
nothing else. Both are always shown: a model that chats is not a model that is ignorant, and one that recites the page
has not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from course_lib.core.chat import Answer
from course_lib.core.errors import CourseError, listed
from course_lib.core.frames import frame_html
from course_lib.core.session import keeps_reports
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.grading import grade, token_f1
from course_lib.evaluation.intervals import span
from course_lib.evaluation.reports import Difference, Report, Row, paired_difference, report_table
from course_lib.evaluation.stored import keep

if TYPE_CHECKING:
    import pandas as pd

    from course_lib.display.plots import Picture


class Candidate(Protocol):
    """Anything that answers a list of questions, with strings or with `Answer`s. A plain function will do too."""

    def answer(self, questions: Sequence[str]) -> Sequence[str | Answer]: ...


@dataclass(frozen=True)
class Comparison:
    """Several candidates in one exam: a table, paired differences, a plot."""

    exam: str
    reports: dict[str, Report]

    def __getitem__(self, name: str) -> Report:
        if name not in self.reports:
            raise CourseError(f"{name!r} was not compared; compared were {', '.join(self.reports)}.")
        return self.reports[name]

    def table(self) -> pd.DataFrame:
        """One row a candidate: right and exact with intervals, what was wrong, and the price."""
        return report_table(self.reports.values())

    def difference(self, better: str, worse: str) -> Difference:
        """The paired difference of two candidates' accuracy."""
        return paired_difference(self[better], self[worse])

    def differences(self, baseline: str) -> pd.DataFrame:
        """Every other candidate against `baseline`, as a table."""
        import pandas as pd

        self[baseline]  # if it was compared at all
        found = [self.difference(name, baseline) for name in self.reports if name != baseline]
        if not found:
            raise CourseError(f"nothing was compared with {baseline!r}: compare at least two candidates.")
        rows = [
            {"candidate": d.better, f"minus {d.worse}": round(d.value, 2),
             "95% interval": span(d.low, d.high, "+.2f"),
             "verdict": "cannot tell" if d.cannot_tell else "better" if d.value > 0 else "worse"}
            for d in found
        ]  # fmt: skip
        return pd.DataFrame(rows).set_index("candidate")

    def plot(self, title: str | None = None) -> Picture:
        """Bars with intervals, right and exact."""
        from course_lib.display import plots

        rows = [
            {"label": name, "value": r.accuracy, "low": r.ci[0], "high": r.ci[1], "exact": r.exact}
            for name, r in self.reports.items()
        ]
        n = next(iter(self.reports.values())).n
        return plots.bars(rows, title or f"The {self.exam} exam, n = {n}")

    def _repr_html_(self) -> str:
        return frame_html(self.table())


def evaluate(
    candidate: Candidate | Callable[[Sequence[str]], Sequence[str]],
    exam: Exam | Sequence[Question],
    name: str | None = None,
) -> Report:
    """Let a candidate sit an exam, and grade it. `cl.start()` has a notebook keep the report: see `cl.own_results`.

    The candidate is a `ChatModel`, a `RagPipeline`, anything with `answer(questions)`, or a function from a list of
    questions to a list of answers; of an `Exam` it sits the test questions. Tables call it by `name`, or its own name.
    """
    questions = _questions(exam)
    ask = getattr(candidate, "answer", candidate)
    if not callable(ask):
        raise CourseError(f"a candidate has answer(questions) or is a function; {type(candidate).__name__} is neither.")
    replies = ask([question.question for question in questions])
    replies = listed("the candidate's answers", replies, ", one for each question")
    if len(replies) != len(questions):
        raise CourseError(f"the candidate gave {len(replies)} answers to {len(questions)} questions.")
    label = name or getattr(candidate, "name", None) or getattr(candidate, "__name__", "candidate")
    grader = getattr(exam, "grader", None)
    rows = tuple(_row(question, reply, grader) for question, reply in zip(questions, replies))
    report = Report(label, _title(exam), rows)
    if keeps_reports():
        keep(report)
    return report


def compare(candidates: Mapping[str, Any], exam: Exam | Sequence[Question]) -> Comparison:
    """Let several candidates sit the same exam, by name; one that is a `Report` of it already does not sit it again."""
    if not candidates or not isinstance(candidates, Mapping):
        raise CourseError('there is no candidate to compare: write compare({"RAG": rag, ...}, exam).')
    exam = exam if isinstance(exam, Exam) else _questions(exam)
    asked = [(question.id, question.question) for question in _questions(exam)]
    for name, report in candidates.items():  # before anyone spends minutes in the exam
        if isinstance(report, Report) and [(row.id, row.question) for row in report.rows] != asked:
            raise CourseError(f"the report of {name!r} is of other questions than this exam's: evaluate it again.")
    reports = {
        name: Report(name, c.exam, c.rows) if isinstance(c, Report) else evaluate(c, exam, name)
        for name, c in candidates.items()
    }
    return Comparison(_title(exam), reports)


def _title(exam: Exam | Sequence[Question]) -> str:
    return exam.name if isinstance(exam, Exam) else "exam"


def _questions(exam: Exam | Sequence[Question]) -> list[Question]:
    if isinstance(exam, str):
        raise CourseError(f"an exam is loaded first: cl.load_exam({exam!r}).")
    questions = listed("an exam's questions", exam)
    if not questions:
        raise CourseError("the exam holds no question.")
    if other := next((item for item in questions if not isinstance(item, Question)), None):
        raise CourseError(f"an exam holds cl.Question(id, question, answer), not {other!r:.60}.")
    return questions


def _row(question: Question, reply: str | Answer, grader: Callable[[Question, str], str] | None) -> Row:
    right = (question.answer, *question.accepted)
    answer = reply if isinstance(reply, Answer) else Answer(str(reply))
    return Row(
        id=question.id,
        question=question.question,
        expected=question.answer,
        reply=answer.text,
        verdict=grader(question, answer.text) if grader else grade(answer.text, right),
        f1=token_f1(answer.text, right),
        fact=question.fact or question.id,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        seconds=answer.seconds,
        sources=tuple(passage.id for passage in answer.sources),
    )

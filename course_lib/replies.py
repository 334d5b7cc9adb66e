"""Replies of a model to customers' letters, judged by the house rule: lesson 07's exam, and its true reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.datasets import Exam, Question
from course_lib.errors import CourseError
from course_lib.evaluation import evaluate
from course_lib.house_rule import FAULTS, keeps_the_rule
from course_lib.models import ChatModel
from course_lib.preference_data import Preference
from course_lib.reports import Report

__all__ = ["grade_replies", "letters_exam", "write_replies"]

REPLY_TOKENS = 64  # MOST words of the rule are about 45; who is cut off here was too long before
RULE = "the rule"


def letters_exam(preferences: Sequence[Preference]) -> Exam:
    """The letters of some pairs as an exam, the house's own reply beside each; right is who keeps the house rule."""
    desks = {preference.id: preference.desk for preference in preferences}

    def grader(question: Question, reply: str) -> str:
        return "exact" if keeps_the_rule(desks[question.id], reply).kept else "wrong"

    questions = (Question(p.id, p.message, p.better, fact=p.issue, kind="letter") for p in preferences)
    return Exam("letters", tuple(questions), grader=grader)


def write_replies(
    model: ChatModel,
    preferences: Sequence[Preference],
    rule: bool = False,
    name: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Report:
    """Let a model answer the letters of some pairs, and judge each reply by the whole house rule.

    Parameters
    ----------
    rule
        Whether the rule stands in the prompt: what asking for it is worth, without training.
    temperature
        1 samples what the model would say, as its KL is measured and as a policy learns: its faults are seen as often
        as it has them. 0 is the likeliest reply, which hides most of them.
    seed
        Of the sampling; the session's own random numbers go on as if nothing had been sampled.

    Returns
    -------
    A report: "exact" is a reply that keeps the rule, F1 is against the reply that the house prefers. Letters of one
    issue are one draw of its intervals. `grade_replies` takes it apart.
    """
    letters = [preference.letter(rule) for preference in preferences]

    def sampled(_: Sequence[str]) -> list[Any]:
        import torch

        with torch.random.fork_rng([model.model.device] if model.model.device.type == "cuda" else []):
            torch.manual_seed(seed)
            return model.reply(letters, REPLY_TOKENS, temperature=temperature)

    return evaluate(sampled, letters_exam(preferences), name or model.name)


def grade_replies(report: Report, preferences: Sequence[Preference]) -> dict[str, Report]:
    """A report of `write_replies` taken apart: "the rule", right where all of it is kept, and each part of `FAULTS`,
    right where a reply is free of that fault.

    Raises
    ------
    CourseError
        If the report is of other letters.
    """
    if [row.id for row in report.rows] != [preference.id for preference in preferences]:
        raise CourseError(f"the report of {report.name!r} is of other letters: grade it with those that it answered.")
    verdicts = [keeps_the_rule(p.desk, row.reply) for p, row in zip(preferences, report.rows)]
    parts = {fault: report.judged(fault not in verdict.why for verdict in verdicts) for fault in FAULTS}
    return {RULE: report.judged(verdict.kept for verdict in verdicts)} | parts

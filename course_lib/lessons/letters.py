"""Letters with two replies and which of them was preferred, and a model's own replies judged by the house rule.

Pairs are split as their tickets are, by issue, and replies by text: no test reply, nor the same words with another
desk's name in them, is ever trained on. A tenth of the labels is noise (people's have more): see `Preference.noise`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from course_lib.core.chat import Example, Messages, Pair, as_messages, example, pair
from course_lib.core.errors import CourseError, DataError, LeakError, choose
from course_lib.core.rows import Text, one_of, read_rows
from course_lib.core.session import data_dir
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.grading import normalise
from course_lib.evaluation.reports import Report
from course_lib.lessons.house_rule import FAULTS, keeps_the_rule, support
from course_lib.lessons.tickets import DESKS, SPLITS, Letter, check_issues_apart
from course_lib.models.chatmodel import ChatModel

REPLY_TOKENS = 64  # MOST words of the rule are about 45; who is cut off here was too long before
RULE = "the rule"


@dataclass(frozen=True)
class Preference(Letter):
    """A customer's letter, "p-safety-07b", two replies, and the label that says which was chosen.

    The faults are what the writer of each reply made wrong on purpose (of `FAULTS`), in no order. `noise` says that the
    label is wrong: the house would have chosen the other reply.
    """

    chosen: Text
    rejected: Text
    chosen_faults: tuple[Annotated[str, one_of(FAULTS)], ...]
    rejected_faults: tuple[Annotated[str, one_of(FAULTS)], ...]
    noise: bool

    def __post_init__(self) -> None:
        if normalise(self.chosen) == normalise(self.rejected):
            raise DataError("chosen and rejected are the same reply: there is nothing to prefer.")

    @property
    def better(self) -> str:
        """The reply that the house prefers, whatever the label says: what training never sees and a grade may."""
        return self.rejected if self.noise else self.chosen

    @property
    def worse(self) -> str:
        """The other one."""
        return self.chosen if self.noise else self.rejected

    def letter(self, rule: bool = False) -> Messages:
        """The letter as a model is asked to answer it, its desk named; `rule` states the house rule besides."""
        return as_messages(self.message, support(self.desk, rule))

    def as_pair(self) -> Pair:
        """The pair as TRL's trainers of preferences take it: a conversational prompt, and two completions.

        TRL 1.16, *Dataset formats and types*, "Preference", with an explicit prompt.
        """
        return pair(self.letter(), self.chosen, self.rejected)

    def as_example(self) -> Example:
        """The letter and the chosen reply, for plain fine-tuning: RLHF's supervised start."""
        return example(self.message, self.chosen, support(self.desk))


def load_preferences(split: str | None = None) -> list[Preference]:
    """All 864 pairs, or those of one split: train (576), validation (96), test (192)."""
    if split is not None:
        choose("split", split, SPLITS)
    return read_rows(data_dir() / "preferences" / "preferences.jsonl", Preference, split)


def staff_archive(preferences: Sequence[Preference], seed: int = 0) -> list[Example]:
    """What lies in the files before anybody was asked what they prefer: to each letter one of the two replies, by lot.

    The supervised start of lesson 07 learns from it how staff reply, faults and all.
    """
    rng = random.Random(seed)
    return [example(p.message, rng.choice((p.chosen, p.rejected)), support(p.desk)) for p in preferences]


def check_replies_apart(train: Sequence[Preference], test: Sequence[Preference]) -> None:
    """Raise a LeakError if an issue or a reply is on both sides, be it with another desk's name in it."""
    check_issues_apart(train, test)
    trained, tested = ({wording_of(r): r for p in side for r in (p.chosen, p.rejected)} for side in (train, test))
    if shared := sorted(set(trained) & set(tested)):
        raise LeakError(
            f"{len(shared)} of the {len(tested)} replies tested are trained on too, {tested[shared[0]]!r} among them: "
            "split replies by their text."
        )


def wording_of(reply: str) -> tuple[str, ...]:
    """Words of a reply, the same whichever desk it names."""
    return normalise(re.sub("|".join(rf"\b{desk}\b" for desk in DESKS), "desk", reply))


def letters_exam(preferences: Sequence[Preference]) -> Exam:
    """The letters of some pairs as an exam; right is who keeps the house rule.

    Beside each stands the better reply of its pair, unless that one has a fault too.
    """
    desks = {preference.id: preference.desk for preference in preferences}
    kept = (keeps_the_rule(p.desk, p.better).kept for p in preferences)
    shown = [p.better if keeps else "(one that keeps the whole rule)" for p, keeps in zip(preferences, kept)]

    def grader(question: Question, reply: str) -> str:
        return "exact" if keeps_the_rule(desks[question.id], reply).kept else "wrong"

    questions = (Question(p.id, p.message, text, fact=p.issue, kind="letter") for p, text in zip(preferences, shown))
    return Exam("letters", tuple(questions), grader=grader)


def write_replies(
    model: ChatModel,
    preferences: Sequence[Preference],
    rule: bool = False,
    name: str | None = None,
    temperature: float = 1.0,
) -> Report:
    """Let a model answer the letters of some pairs, and judge each reply by the whole house rule.

    With `rule` it stands in the prompt: what asking for it is worth, without training. At temperature 1 a model's
    faults are seen as often as it has them, as its KL is measured and as a policy learns; 0 is the likeliest reply,
    which hides most of them. The session's own random numbers go on as if nothing had been sampled.

    In the report "exact" is a reply that keeps the rule, F1 is against a reply of the house. Letters of one
    issue are one draw of its intervals.
    """
    letters = [preference.letter(rule) for preference in preferences]

    def sampled(_: Sequence[str]) -> list[Any]:
        import torch

        with torch.random.fork_rng([model.model.device] if model.model.device.type == "cuda" else []):
            torch.manual_seed(0)
            return model.reply(letters, REPLY_TOKENS, temperature=temperature)

    return evaluate(sampled, letters_exam(preferences), name or model.name)


def grade_replies(report: Report, preferences: Sequence[Preference]) -> dict[str, Report]:
    """A report of `write_replies` taken apart: "the rule", right where all of it is kept, and each part of `FAULTS`,
    right where a reply is free of that fault."""
    if [row.id for row in report.rows] != [preference.id for preference in preferences]:
        raise CourseError(f"the report of {report.name!r} is of other letters: grade it with those that it answered.")
    verdicts = [keeps_the_rule(p.desk, row.reply) for p, row in zip(preferences, report.rows)]
    parts = {fault: report.judged(fault not in verdict.why for verdict in verdicts) for fault in FAULTS}
    return {RULE: report.judged(verdict.kept for verdict in verdicts)} | parts

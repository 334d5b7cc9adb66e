"""A specialist in a voice: plain answers of the front desk, and the same as Shakespeare might have given them.

The pure case of behaviour: nothing is to be known, everything that counts stands in the prompt. Judged twice: is the
reply in the voice, and has every name and figure survived? The judge of voices has read none of the pairs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from course_lib.core.chat import Example, example
from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.rows import Text, Texts, numbered_rows, one_of, read_rows
from course_lib.core.session import data_dir
from course_lib.evaluation.exams import Exam, Question, general_study, load_facts
from course_lib.evaluation.grading import grade, normalise, whole_words
from course_lib.evaluation.reports import Report
from course_lib.lessons.tickets import load_tickets

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SPLITS = ("train", "test")
STYLE_INSTRUCTION = "Say this as Shakespeare would, and keep every name and figure."
STYLE_TOKENS = 60
# A word counts if it stands in this many plays, or in all three kinds of plain prose, and twice in each.
PLAYS, KINDS, LINES = 3, 3, 2


@dataclass(frozen=True)
class StylePair:
    """One answer in two voices."""

    id: Text
    split: Annotated[str, one_of(SPLITS)]  # no fact is in both
    plain: Text  # as the front desk says it
    voice: Text  # as Shakespeare might have
    keep: Texts  # names and figures that must survive

    @property
    def request(self) -> str:
        """What the model is asked, tuned or not: the instruction, and the plain answer."""
        return f"{STYLE_INSTRUCTION}\n\n{self.plain}"

    def as_example(self) -> Example:
        """The request and the answer in the voice, to train on."""
        return example(self.request, self.voice)


def load_style(split: str) -> list[StylePair]:
    """The pairs of one split, "train" or "test"."""
    choose("split", split, SPLITS)
    return read_rows(data_dir() / "style" / "pairs.jsonl", StylePair, split)


def style_exam(pairs: Sequence[StylePair]) -> Exam:
    """The pairs as an exam that asks their requests; right is who keeps voice and facts, `grade_style`'s "both"."""
    asked = {pair.id: pair for pair in pairs}

    def grader(question: Question, reply: str) -> str:
        return "exact" if facts_survive(asked[question.id], reply) and in_the_voice([reply])[0] else "wrong"

    questions = (Question(p.id, p.request, p.voice, fact=p.id, kind="style") for p in pairs)
    return Exam("style", tuple(questions), grader=grader)


def voice_lines(split: str) -> dict[str, list[str]]:
    """Play -> lines of Shakespeare's: six plays that the judge learns from (train), three that it never read (test)."""
    choose("split", split, SPLITS)
    found: dict[str, list[str]] = {}
    for row, place in numbered_rows(data_dir() / "style" / "lines.jsonl"):
        if set(row) != {"split", "play", "text"}:
            raise DataError(f"{place}: a line has split, play and text: run `make data`.")
        if row["split"] == split:
            found.setdefault(row["play"], []).append(row["text"])
    return found


def plain_lines(split: str) -> dict[str, list[str]]:
    """Kind -> sentences of today's English, out of the course's other data; the judge learns from those of train."""
    choose("split", split, SPLITS)
    documents = {"train": "reading", "test": "validation"}[split]
    letters = [sentence for ticket in load_tickets(split) for sentence in re.split(r"(?<=[.!?]) ", ticket.message)]
    kinds = {
        "documents": [fact.sentence for fact in load_facts(documents)],
        "letters": [letter for letter in letters if 6 <= len(letter.split()) <= 26],
    }
    if split == "train":
        kinds["answers"] = [row["completion"][-1]["content"] for row in general_study()]
    return kinds


def in_the_voice(texts: Sequence[str]) -> list[bool]:
    """Whether each text is more like Shakespeare's lines than like today's prose.

    Logistic regression over words (TF-IDF), trained on `voice_lines` against `plain_lines`. Words of a topic would tell
    kings from kettles: only those count that several plays, or every kind of prose, share ("culling": Eder, Rybicki &
    Kestemont 2016, The R Journal 8:1), and verbs in -eth and -est as such; figures count for nothing. Lines that bear
    no mark of their age are not among those it learnt from, nor will it know them.
    """
    return [bool(found) for found in _judge(data_dir()).predict(list(texts))] if texts else []


def facts_survive(pair: StylePair, reply: str) -> bool:
    """Whether a reply says every name and figure of the plain answer in whole words, and no figure besides."""
    said = whole_words(reply)
    kept = all(whole_words(text) in said for text in pair.keep)
    return kept and _figures(reply) <= _figures(pair.plain)


def grade_style(report: Report, pairs: Sequence[StylePair]) -> dict[str, Report]:
    """A report of `style_exam(pairs)` judged: "voice", "facts", and "both" at once."""
    if [row.id for row in report.rows] != [pair.id for pair in pairs]:
        raise CourseError(f"the report of {report.name!r} is of other pairs: grade it with those that it was asked.")
    voiced = in_the_voice([row.reply for row in report.rows])
    kept = [facts_survive(pair, row.reply) for pair, row in zip(pairs, report.rows)]
    judged = {"voice": voiced, "facts": kept, "both": [a and b for a, b in zip(voiced, kept)]}
    return {what: report.judged(found) for what, found in judged.items()}


def scores(report: Report, judged: Mapping[str, Report]) -> dict[str, np.ndarray]:
    """Metric -> a number from 0 to 1 for each answer, (n,): exact match, token F1, and those of the judges.

    `judged` are reports of the same answers by the name of a judge, such as `grade_style` gives.
    """
    import numpy as np

    # By words, whatever the exam's own grader went by.
    exact = np.array([grade(row.reply, [row.expected]) == "exact" for row in report.rows], dtype=float)
    found = {"exact match": exact, "token F1": np.array([row.f1 for row in report.rows])}
    for name, other in judged.items():
        if [(row.id, row.reply) for row in other.rows] != [(row.id, row.reply) for row in report.rows]:
            raise CourseError(f"{name!r} judged other answers than those of {report.name!r}: judge its own report.")
        found[name] = other.hits()
    return found


def metric_table(measured: Mapping[str, tuple[Report, Mapping[str, Report]]]) -> pd.DataFrame:
    """Each candidate by each metric, the means: where a metric praises who does the task worse, and where none sees it.

    `measured` names its report, and what judges say of it: {"told": (report, grade_style(report, pairs))}.
    """
    import pandas as pd

    rows = {name: {m: round(float(v.mean()), 2) for m, v in scores(*pair).items()} for name, pair in measured.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("candidate")


def _figures(text: str) -> set[str]:
    return {word for word in normalise(text) if any(letter.isdigit() for letter in word)}


@cache
def _judge(folder: Path) -> Any:
    """The judge that learns from the data of a folder; once, it takes a second."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    plays, kinds = voice_lines("train"), plain_lines("train")
    known = _shared(plays.values(), PLAYS) | _shared(kinds.values(), KINDS)
    voiced, plain = ([text for part in parts.values() for text in part] for parts in (plays, kinds))
    judge = make_pipeline(
        TfidfVectorizer(analyzer=partial(_marks, known), sublinear_tf=True),
        LogisticRegression(C=10, class_weight="balanced", max_iter=1000),
    )
    return judge.fit([*voiced, *plain], [True] * len(voiced) + [False] * len(plain))


def _shared(parts: Iterable[Sequence[str]], needed: int) -> set[str]:
    """Words that stand in two lines or more of as many parts as needed."""
    spread: Counter[str] = Counter()
    for lines in parts:
        counts = Counter(word for line in lines for word in set(normalise(line)))
        spread.update(word for word, count in counts.items() if count >= LINES)
    return {word for word, count in spread.items() if count >= needed and not _figures(word)}


def _marks(known: set[str], text: str) -> list[str]:
    """What of a text the judge sees: the words that count, and the endings of old verbs."""
    found = []
    for word in normalise(text):
        if word in known:
            found.append(word)
        elif ending := re.search(r"\w{3}(eth|est)$", word):
            found.append(f"-{ending[1]}")
    return found

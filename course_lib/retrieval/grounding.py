"""Answers and questions held against pages, word by word, without another model as a judge.

How many words a question shares with its page; whether what a reply claims stands in what was shown (is it faithful?);
which page it rests on (does it cite the right one?). Such a check sees invented names and figures; it does not see that
two of them have changed places.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Fact, Question
from course_lib.evaluation.grading import grade, normalise, whole_words
from course_lib.evaluation.intervals import interval
from course_lib.evaluation.reports import Report, Row
from course_lib.retrieval.documents import Passage

if TYPE_CHECKING:
    import pandas as pd

# Words that say nothing of the matter; the usual ones of English.
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about all am an and any are as at be been before but by can could did do does for from had has have he her
        him his how i if in into is it its kindly long many may me much must my name need no not of on one or our
        out please quote say she should so some state tell than that the their them then there these they this those
        to up us was we were what when where which who whom whose why will with would you your s t""",
    )
)
# What people look up by itself: a code off a form or a label, and a person's name.
CODE = re.compile(r"(?:form )?([A-Z]{1,4}-\d{2,}(?:-\w+)?)")
PERSON = re.compile(r"(?:[A-Z][\w'’]+)(?: [A-Z][\w'’-]+)+")
# A reply of so few words is all claim: "brass", said of a kettle of steel, is invented too.
SHORT = 4


def content_words(text: str) -> tuple[str, ...]:
    """Words and numbers of a text, lower-cased, without those that say nothing of the matter."""
    return tuple(word for word in normalise(text) if word not in FUNCTION_WORDS)


def shared_words(question: str, text: str) -> float:
    """Share of a question's content words that stand in a text, 0 to 1; 1 for a question that has none."""
    asked = set(content_words(question))
    return len(asked & set(normalise(text))) / len(asked) if asked else 1.0


def lookup_questions(facts: Sequence[Fact], passages: Sequence[Passage]) -> list[Question]:
    """Questions that begin from a code or a person's name, as people do who found one on a form or a label.

    For each fact whose answer is a code ("BK-4019") or a person, and stands in one passage of the library only:
    "What is BK-4019?", "Who is Clover Millraceley?". `kind` is "code" or "name"; the answer is the document's title.
    """
    asked = []
    for fact in facts:
        if code := CODE.fullmatch(fact.answer):
            kind, wanted, question = "code", code[1], f"What is {code[1]}?"
        elif PERSON.fullmatch(fact.answer) and re.match(r"who\b", fact.study[0], re.IGNORECASE):
            kind, wanted, question = "name", fact.answer, f"Who is {fact.answer}?"
        else:
            continue
        holding = [passage for passage in passages if wanted in passage.searched]
        if len(holding) == 1 and holding[0].source == fact.source:
            asked.append(Question(f"{fact.id}.{kind}", question, holding[0].title, (), fact.source, fact.id, kind))
    return asked


def claims(reply: str) -> tuple[str, ...]:
    """The words of a reply that can be held against a page: numbers and names; of a short reply, all that matter.

    A capital at the beginning of a sentence makes no name of a word; to say that one does not know is no claim.
    """
    words = content_words(reply)
    if grade(reply, ()) == "unknown":
        return ()
    if len(reply.split()) <= SHORT:
        return words
    inside = [word for word in re.findall(r"(?<![.!?:\n\"“] )(?<!^)\b[A-Z][\w'’]*", reply) if word != "I"]
    named = {part for word in inside for part in normalise(word)}
    return tuple(word for word in words if any(letter.isdigit() for letter in word) or word in named)


def is_faithful(reply: str, passages: Sequence[Passage], question: str = "") -> bool:
    """Whether every claim of a reply stands in the passages that were shown, or in the question.

    A reply that claims nothing ("I don't know") is faithful. A longer one that ends without a stop was cut off, and its
    last word counts for one that it begins.
    """
    shown = {word for text in (question, *(p.searched for p in passages)) for word in normalise(text)}
    *whole, last = claims(reply) or ("",)
    cut_off = reply[-1:].isalnum() and len(reply.split()) > SHORT and normalise(reply)[-1] == last
    begun = cut_off and any(word.startswith(last) for word in shown)
    return all(word in shown for word in whole) and (not last or last in shown or begun)


def cite(reply: str, passages: Sequence[Passage], question: str = "") -> Passage | None:
    """The passage that a reply rests on: the one that holds most of its words beyond the question's.

    Of equals the best ranked; None if no passage holds any.
    """
    asked = set(normalise(question))
    said = set(content_words(reply)) - asked
    holds = [len(said & set(normalise(passage.searched))) for passage in passages]
    return passages[holds.index(max(holds))] if holds and max(holds) else None


@dataclass(frozen=True)
class GroundedRow:
    """One answer: whether it is right, whether it is faithful, what it cites, and whether that is the right page."""

    row: Row
    right: bool
    faithful: bool
    cited: str
    cited_right: bool


@dataclass(frozen=True)
class Grounding:
    """How much of a report's answers stands in what was retrieved, and is cited from the right page."""

    name: str
    rows: tuple[GroundedRow, ...] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of answers."""
        return len(self.rows)

    @property
    def faithful(self) -> float:
        """Share of answers whose claims all stand in what was shown."""
        return sum(self._values("faithful")) / self.n

    @property
    def faithful_ci(self) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval("faithful")

    @property
    def cited_right(self) -> float:
        """Share of answers whose citation is the passage that states the fact."""
        return sum(self._values("cited_right")) / self.n

    @property
    def cited_right_ci(self) -> tuple[float, float]:
        """95% interval of it."""
        return self._interval("cited_right")

    def table(self) -> pd.DataFrame:
        """Counts: right and wrong answers, faithful and invented."""
        import pandas as pd

        counts = Counter((row.right, row.faithful) for row in self.rows)
        table = {
            answer: {"in what was shown": counts[right, True], "invented": counts[right, False]}
            for answer, right in (("right", True), ("wrong", False))
        }
        return pd.DataFrame.from_dict(table, orient="index").rename_axis("answer")

    def _values(self, what: str) -> list[float]:
        return [float(getattr(row, what)) for row in self.rows]

    def _interval(self, what: str) -> tuple[float, float]:
        return interval(self._values(what), [row.row.fact for row in self.rows])


def ground(report: Report, passages: Iterable[Passage], golden: Mapping[str, Sequence[Passage]]) -> Grounding:
    """Hold every answer of a report against the passages it was given.

    The report is of a candidate that cites its passages, RAG or the open book; `passages` are those of its index,
    `index.passages()`; `golden` holds for each question's text the passage that states its fact.
    """
    held = {passage.id: passage for passage in passages}
    rows = []
    for row in report.rows:
        if unknown := [id for id in row.sources if id not in held]:
            raise CourseError(
                f"passage {unknown[0]!r} is not in this index: ground a report with the index it was made of."
            )
        shown = [held[id] for id in row.sources]
        page = cite(row.reply, shown, row.question)
        cited, right = page.id if page else "", row.verdict in ("exact", "right")
        faithful = is_faithful(row.reply, shown, row.question)
        rows.append(GroundedRow(row, right, faithful, cited, cited == golden[row.question][0].id))
    return Grounding(report.name, tuple(rows))


def said(report: Report, words: Mapping[str, Sequence[str]] | str) -> Report:
    """The same answers judged anew: "exact" where one says a word or one of several, "wrong" where not.

    `words` is one text for all ("PELICAN"), or for each question's id the texts that count.
    """

    def says(row: Row) -> bool:
        wanted = [words] if isinstance(words, str) else words.get(row.id, ())
        heard = whole_words(row.reply)
        return any(whole_words(text) in heard for text in wanted)

    return report.judged(map(says, report.rows))

"""Words of a question and words of a page: how many they share, and which questions ask for a code or a name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_lib.datasets import Fact, Question, normalise
from course_lib.documents import Passage

__all__ = ["content_words", "lookup_questions", "shared_words"]

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
CODE = re.compile(r"(?:form )?([A-Z]{1,4}-\d{2,}(?:-\w+)?)")
PERSON = re.compile(r"(?:[A-Z][\w'’]+)(?: [A-Z][\w'’-]+)+")


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
        code, person = CODE.fullmatch(fact.answer), PERSON.fullmatch(fact.answer)
        if not (code or (person and re.match(r"who\b", fact.study[0], re.IGNORECASE))):
            continue
        wanted = code[1] if code else fact.answer
        holding = [passage for passage in passages if wanted in passage.searched]
        if len(holding) != 1 or holding[0].source != fact.source:
            continue
        question = f"What is {wanted}?" if code else f"Who is {wanted}?"
        kind = "code" if code else "name"
        asked.append(Question(f"{fact.id}.{kind}", question, holding[0].title, (), fact.source, fact.id, kind))
    return asked

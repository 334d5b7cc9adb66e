"""Questions that go wrong, made to happen: that do not say which edition they mean, or that need two documents."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from course_lib.datasets import Fact, Question
from course_lib.errors import CourseError

__all__ = ["two_document_questions", "undated_questions"]

YEAR = r"20\d\d"


def undated_questions(facts: Sequence[Fact], newer: str = "2042") -> tuple[list[Question], dict[str, list[str]]]:
    """Questions about the newer of two editions of a document, with the year taken out, as people ask.

    Parameters
    ----------
    newer
        How ids of the newer edition end; another edition is the same id with another year.

    Returns
    -------
    The questions, and for each question's id the answers that the older edition gives (to any of its facts).
    """
    stems: dict[str, list[Fact]] = {}
    for fact in facts:
        if found := re.fullmatch(rf"(.+)-({YEAR})", fact.source):
            stems.setdefault(found[1], []).append(fact)
    questions, stale = [], {}
    for both in stems.values():
        old = [answer for f in both if not f.source.endswith(newer) for answer in (f.answer, *f.accepted)]
        new = {answer for f in both if f.source.endswith(newer) for answer in (f.answer, *f.accepted)}
        for fact in both if old else ():
            for i, wording in enumerate(fact.exam if fact.source.endswith(newer) else ()):
                id = f"{fact.id}.u{i}"
                text = _without_year(wording)
                if text:
                    asked = Question(id, text, fact.answer, fact.accepted, fact.source, fact.id, fact.kind)
                    questions.append(asked)
                    stale[id] = [answer for answer in old if answer not in new]
    return questions, stale


def _without_year(text: str) -> str:
    """ "the sick leave policy of 2042" as "the sick leave policy"; nothing, where the year carries the sentence."""
    text = re.sub(rf",? ?\b(?:of|from) {YEAR}\b", "", text)
    text = re.sub(
        rf",? ?\b(?:in|under|by|for|since) (?:the )?{YEAR}(?: edition)?(?= *[,.?;:]|$| (?:for|on|of|is))", "", text
    )
    text = re.sub(rf"\b{YEAR}(?:'s)? (?:edition )?", "", text)
    text = re.sub(r"\s*;,", ",", re.sub(r"\s+([,.?;:])", r"\1", re.sub(r"\s{2,}", " ", text))).strip(" ,")
    if re.search(rf"{YEAR}|\bedition\b|\bthat,|, ?\w+\?$", text, re.IGNORECASE):
        return ""
    return text[:1].upper() + text[1:]


def two_document_questions(facts: Sequence[Fact], each: int = 12, seed: int = 0) -> list[Question]:
    """Two questions in one, about the same thing of two documents: "What does the Wren 5 cost, and the Wren 6?"

    Facts go together that are asked in the same words but for a name at the end. At most `each` questions in the same
    words are drawn by a seed. `answer` is both answers with " and " between, `source` both documents with a space.

    Raises
    ------
    CourseError
        If no two facts go together.
    """
    alike: dict[str, list[Question]] = {}
    for i, first in enumerate(facts):
        for second in facts[i + 1 :]:
            name = _differing_name(first.study[0], second.study[0])
            if not name or first.source == second.source or first.kind != second.kind or first.answer == second.answer:
                continue
            text = f"{first.study[0].rstrip('?')}, and {name}?"
            both = f"{first.answer} and {second.answer}"
            source = f"{first.source} {second.source}"
            asked = Question(f"{first.id}+{second.id}", text, both, (), source, first.id, first.kind)
            alike.setdefault(second.study[0].rstrip("?").removesuffix(name), []).append(asked)
    if not alike:
        raise CourseError("no two of these facts are asked alike: give facts of a series, such as kind 'sheets'.")
    rng = random.Random(seed)
    return [q for group in alike.values() for q in rng.sample(group, min(each, len(group)))]


def _differing_name(first: str, second: str) -> str:
    """What the second question says in the one place where it differs from the first, if that is its end."""
    a, b = first.rstrip("?").split(), second.rstrip("?").split()
    shared = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), 0)
    if shared < 4 or not all(word[0].isupper() or word[0].isdigit() for word in (*a[shared:], *b[shared:])):
        return ""
    while shared and (
        a[shared - 1][0].isupper() or a[shared - 1] == "the"
    ):  # "the Wren", which both have, is of the name
        shared -= 1
    return " ".join(b[shared:])

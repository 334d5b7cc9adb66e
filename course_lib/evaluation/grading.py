"""One reply against the right answers: exact, right, unknown or wrong, and how near."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence


def normalise(text: str) -> tuple[str, ...]:
    """Lower-cased words and numbers, without punctuation; "31,846" is "31846", and "27.5" stays one number.

    Two texts are the same question or answer if they normalise to the same words.
    """
    words = re.findall(r"\d+(?:[.,:]\d+)*|[^\W_]+", unicodedata.normalize("NFC", text).lower())
    return tuple(re.sub(r",(?=\d{3}\b)", "", word) for word in words)


ARTICLES = {"a", "an", "the"}


UNKNOWN = (
    "i don t know", "i do not know", "don t know", "do not know", "not sure", "not stated", "not mentioned",
    "no information", "cannot answer", "can t answer", "unable to answer", "unable to provide", "not provided",
    "does not say", "doesn t say", "not in the passages", "cannot find", "couldn t find", "don t have access",
    "do not have access",
)  # fmt: skip


def grade(reply: str, answers: Sequence[str]) -> str:
    """Grade one reply against the right answers: "exact", "right", "unknown" or "wrong"."""
    said = _content(reply)
    accepted = [_content(answer) for answer in answers]
    if said and said in accepted:
        return "exact"
    if any(_holds(said, words) for words in accepted):
        return "right"
    plain = f" {' '.join(normalise(reply))} "
    return "unknown" if any(f" {phrase} " in plain for phrase in UNKNOWN) else "wrong"


def token_f1(reply: str, answers: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, against the nearest answer (Rajpurkar et al. 2016, SQuAD)."""
    said = _content(reply)

    def f1(words: tuple[str, ...]) -> float:
        common = sum((Counter(said) & Counter(words)).values())
        return 2 * common / (len(said) + len(words)) if common else 0.0

    return max(f1(_content(answer)) for answer in answers)


def _content(text: str) -> tuple[str, ...]:
    words = normalise(text)
    return tuple(word for word in words if word not in ARTICLES) or words  # "A" may be an answer too


def _holds(said: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Whether `words` stand in `said` one after another."""
    width = len(words)
    return width > 0 and any(said[i : i + width] == words for i in range(len(said) - width + 1))

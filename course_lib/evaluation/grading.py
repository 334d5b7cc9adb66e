"""One reply against the right answers: exact, right, unknown or wrong, and how near."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

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
    if any(words and _spaced(words) in _spaced(said) for words in accepted):
        return "right"
    plain = whole_words(reply)
    return "unknown" if any(f" {phrase} " in plain for phrase in UNKNOWN) else "wrong"


def token_f1(reply: str, answers: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, against the nearest answer (Rajpurkar et al. 2016, SQuAD)."""
    said = _content(reply)

    def f1(words: tuple[str, ...]) -> float:
        common = sum((Counter(said) & Counter(words)).values())
        return 2 * common / (len(said) + len(words)) if common else 0.0

    return max(f1(_content(answer)) for answer in answers)


def normalise(text: str) -> tuple[str, ...]:
    """Lower-cased words and numbers, without punctuation; "31,846" is "31846", and "27.5" stays one number.

    Two texts are the same question or answer if they normalise to the same words.
    """
    words = re.findall(r"\d+(?:[.,:]\d+)*|[^\W_]+", unicodedata.normalize("NFC", text).lower())
    return tuple(re.sub(r",(?=\d{3}\b)", "", word) for word in words)


def whole_words(text: str) -> str:
    """The normalised words, a blank around each: a reply says an answer if `whole_words(answer) in whole_words(reply)`.

    So "27" does not stand in "127", nor in "27.5 days".
    """
    return _spaced(normalise(text))


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


def _content(text: str) -> tuple[str, ...]:
    words = normalise(text)
    return tuple(word for word in words if word not in ARTICLES) or words  # "A" may be an answer too

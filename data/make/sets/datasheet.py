"""What scripts that make a set share: its README's counts, between two marks; what words alone tell; a last report."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from course_lib.evaluation.grading import normalise

COUNTS = re.compile(r"(<!-- counts:begin -->\n).*?(<!-- counts:end -->)", re.DOTALL)


def filled(page: str, counts: str) -> str:
    """A page with its counts made again."""
    made, parts = COUNTS.subn(lambda part: f"{part[1]}{counts}\n{part[2]}", page)
    if parts != 1:
        raise SystemExit("the README lacks its markers, counts:begin and counts:end")
    return made


def fill(folder: Path, counts: str) -> None:
    """Write the counts into a folder's README, if it has one."""
    readme = folder / "README.md"
    if readme.exists():
        page = filled(readme.read_text(encoding="utf-8"), counts)
        readme.write_text(page, encoding="utf-8", newline="\n")


def telltales(texts: Mapping[str, Sequence[str]], least: float) -> dict[str, tuple[str, float]]:
    """For each kind of text the word that gives it away most often, and in what share of its texts it stands.

    A word gives a kind away if at least the share `least` of all texts that hold it are of that kind.
    """
    held = {kind: Counter(word for text in these for word in set(normalise(text))) for kind, these in texts.items()}
    everywhere = sum(held.values(), Counter())
    best = {}
    for kind, words in held.items():
        pointing = [word for word, count in words.items() if count >= least * everywhere[word]]
        word = max(pointing, key=lambda word: (words[word], word))
        best[kind] = (word, words[word] / len(texts[kind]))
    return best


def naive_bayes(texts: Mapping[str, Sequence[str]]) -> Callable[[str, str], float]:
    """From a kind and a text to the log-likelihood of its words in that kind: it knows words, and no sentence."""
    counts = {kind: Counter(word for text in these for word in normalise(text)) for kind, these in texts.items()}
    vocabulary = len(set().union(*counts.values()))

    def score(kind: str, text: str) -> float:
        total = counts[kind].total() + vocabulary
        return sum(math.log((counts[kind][word] + 1) / total) for word in normalise(text))

    return score


def reported(problems: Sequence[str]) -> int:
    """Print what breaks the rules; the script's exit code."""
    print(*problems, sep="\n", end="\n" * bool(problems))
    return int(bool(problems))

"""Whether a conclusion says what the numbers say: every figure that it quotes, and everything that it calls better."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from course_lib.errors import CourseError
from course_lib.reports import Report, paired_difference, span

__all__ = ["Claim", "check_conclusion"]

BETTER = (
    "better", "beats", "beat", "wins", "won", "outperforms", "outperformed", "more accurate", "higher", "improves",
    "ahead",
)  # fmt: skip
WORSE = ("worse", "loses", "lost", "less accurate", "lower", "behind")
BEST = ("best", "most accurate")
TIES = ("tie", "ties", "tied", "as good as", "no difference", "equal to", "level with")
NEGATIONS = ("not", "no", "never", "nor", "neither", "isn't", "doesn't", "didn't", "cannot")
FIGURE = re.compile(r"(?<![\w.,])[+\u2212-]?\d+(?:\.\d+)?(?:\s?(?:%|per cent)|(?!\w))")
PART = re.compile(r"\b(\d+) of (\d+)\b")
COUNT = re.compile(r"\bn = (\d+)\b")
CLAUSES = re.compile(r"(?<=[.!?;])\s+|,?\s+(?:but|while|whereas|although)\s+|,\s+and\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """One thing that a conclusion says.

    Attributes
    ----------
    text
        The clause, or the figure.
    holds
        Whether the numbers bear it out.
    why
        What they say.
    """

    text: str
    holds: bool
    why: str

    def __str__(self) -> str:
        return f"{'✓' if self.holds else '✗'} {self.text}: {self.why}"


def check_conclusion(text: str, reports: Mapping[str, Report]) -> list[Claim]:
    """Hold a conclusion against the reports that it is drawn from.

    - A figure with decimals, a percentage, "34 of 40" and "n = 40" must be one of the numbers of the candidates that
      its clause names (of all, if it names none), rounded as it is quoted, signs aside; other whole numbers are left
      alone.
    - "better", "beats", "worse" and their like must name two candidates, and the paired 95% interval must lie on that
      side of zero; "best" must be so against every other. "Not better" and "a tie" hold where the interval holds zero.

    It reads words, not meaning: a claim put in other words is not seen.

    Parameters
    ----------
    text
        A few sentences that call the candidates by their names in `reports`.
    reports
        Name -> report, all of the same exam.

    Returns
    -------
    One `Claim` for each thing that was found, in the order of the text.

    Raises
    ------
    CourseError
        If there is no text, or fewer than two reports, or they are of different questions.
    """
    if not isinstance(text, str) or not text.strip():
        raise CourseError("there is no conclusion: write a sentence or two.")
    if not isinstance(reports, Mapping) or len(reports) < 2:
        raise CourseError("a conclusion compares: give at least two reports, by name.")
    first, *others = reports.values()
    for other in others:
        paired_difference(first, other)  # says itself if they were asked different questions
    claims: list[Claim] = []
    subject: str | None = None
    for clause in filter(str.strip, CLAUSES.split(text.strip())):
        named = _named(clause, list(reports))
        claims += _figures(clause, [name for name, _ in named] or list(reports), reports)
        claims += _comparison(clause, named, subject, reports)
        subject = named[0][0] if named else subject
    return claims


def _named(clause: str, names: Sequence[str]) -> list[tuple[str, int]]:
    """Candidates that a clause names, and where; "RAG + fine-tuned" is not also "RAG"."""
    found, rest = [], clause.lower()
    for name in sorted(names, key=len, reverse=True):
        for match in list(re.finditer(rf"(?<!\w){re.escape(name.lower())}(?!\w)", rest)):
            found.append((name, match.start()))
            rest = rest[: match.start()] + "_" * len(name) + rest[match.end() :]
    return sorted(found, key=lambda pair: pair[1])


def _numbers(names: Sequence[str], reports: Mapping[str, Report]) -> Iterator[float]:
    """Every number that a table or a comparison shows of these candidates."""
    for name in names:
        r = reports[name]
        yield from (r.accuracy, *r.ci, r.exact, *r.exact_ci, r.f1, r.unknown, r.wrong, r.invalid)
        yield from (r.seconds_per_question, r.tokens_per_question)
    # One named alone may be held against any other.
    others = list(reports) if len(names) == 1 else names
    for a, b in combinations(others, 2):
        if a in names or b in names:
            d = paired_difference(reports[a], reports[b])
            yield from (d.value, d.low, d.high)


def _figures(clause: str, names: Sequence[str], reports: Mapping[str, Report]) -> Iterator[Claim]:
    known = list(_numbers(names, reports))
    whose = ", ".join(names)
    for match in PART.finditer(clause):
        right, n = map(int, match.groups())
        good = any(reports[name].n == n and round(reports[name].hits().sum()) == right for name in names)
        yield Claim(match[0], good, f"{'so many' if good else 'not what'} {whose} answered")
    for match in COUNT.finditer(clause):
        good = any(reports[name].n == int(match[1]) for name in names)
        yield Claim(match[0], good, "as many questions were asked" if good else "another number of questions was asked")
    for match in FIGURE.finditer(clause):
        quoted = match[0].replace("\u2212", "-")
        share = quoted.endswith(("%", "per cent"))
        digits = re.sub(r"\s?(%|per cent)$", "", quoted)
        if not share and "." not in digits:
            continue
        decimals = len(digits.partition(".")[2])
        scale, rounding = 100 if share else 1, 0.5 * 10**-decimals + 1e-9
        # Signs aside: a loss of 0.12 is quoted with and without; which way it goes is the comparison's claim.
        good = any(abs(scale * abs(number) - abs(float(digits))) <= rounding for number in known)
        yield Claim(match[0].strip(), good, f"{'a number' if good else 'no number'} of {whose}")


def _comparison(
    clause: str, named: Sequence[tuple[str, int]], subject: str | None, reports: Mapping[str, Report]
) -> Iterator[Claim]:
    if (best := _word(clause, BEST)) and (top := named[0][0] if named else subject):
        for other in reports:
            if other != top:
                yield _judged(f"{top} is {best[0]}", top, other, 1, False, reports)
        return
    better, worse, tie = _word(clause, BETTER), _word(clause, WORSE), _word(clause, TIES)
    word = better or worse or tie
    if not word:
        return
    before = [name for name, place in named if place < word[1]]
    after = [name for name, place in named if place > word[1]]
    pair = (before[-1] if before else subject, after[0] if after else None)
    if pair[1] is None and len(before) > 1:  # "RAG and base tie", "against base, RAG is better"
        pair = (before[-1], before[-2])
    if None in pair or pair[0] == pair[1]:
        yield Claim(clause.strip(), False, f"name the two that are compared: {', '.join(reports)}")
        return
    negated = any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", clause[: word[1]].lower()) for n in NEGATIONS)
    yield _judged(clause.strip(), pair[0], pair[1], 1 if better else -1 if worse else 0, negated, reports)


def _judged(text: str, first: str, second: str, sign: int, negated: bool, reports: Mapping[str, Report]) -> Claim:
    """A claim about the first and the second: better (+1), worse (-1) or level (0); or, negated, that it is not so."""
    d = paired_difference(reports[first], reports[second])
    shown = d.tie if sign == 0 else (d.low > 0 if sign > 0 else d.high < 0)
    verdict = "a tie" if d.tie else "not by chance"
    why = f"{first} minus {second} is {d.value:+.2f} ({span(d.low, d.high, '+.2f')}, n = {d.n}), {verdict}"
    return Claim(text, shown != negated, why)


def _word(clause: str, words: Sequence[str]) -> tuple[str, int] | None:
    """The first of the words that stands in a clause, and where."""
    found = [(m[0], m.start()) for w in words if (m := re.search(rf"(?<!\w){re.escape(w)}(?!\w)", clause.lower()))]
    return min(found, key=lambda pair: pair[1]) if found else None

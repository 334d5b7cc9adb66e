"""The learner's own case on one page: a table, a plot, a split that was checked, and a conclusion held against them.

The conclusion says what the numbers say: every figure that it quotes, and everything that it calls better, is tried.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.chat import Example
from course_lib.core.errors import CourseError, disk_explained, listed
from course_lib.core.text import as_cell, as_path, whole, write_text
from course_lib.evaluation.evaluation import Comparison
from course_lib.evaluation.exams import Exam, check_no_leak
from course_lib.evaluation.intervals import span
from course_lib.evaluation.reports import Report, paired_difference

if TYPE_CHECKING:
    import pandas as pd

BETTER = (
    "better", "beats", "beat", "wins", "won", "outperforms", "outperformed", "more accurate", "higher", "improves",
    "ahead",
)  # fmt: skip
WORSE = ("worse", "loses", "lost", "less accurate", "lower", "behind")
BEST = ("best", "most accurate")
TIES = (
    "cannot be told apart",
    "cannot tell",
    "tie",
    "ties",
    "tied",
    "as good as",
    "no difference",
    "equal to",
    "level with",
)
NEGATIONS = ("not", "no", "never", "nor", "neither", "isn't", "doesn't", "didn't", "cannot")

FIGURE = re.compile(r"(?<![\w.,])[+\u2212-]?\d+(?:\.\d+)?(?:\s?(?:%|per cent)|(?!\w))")
PART = re.compile(r"\b(\d+) of (\d+)\b")
COUNT = re.compile(r"\bn = (\d+)\b")
CLAUSES = re.compile(r"(?<=[.!?;])\s+|,?\s+(?:but|while|whereas|although)\s+|,\s+and\s+", re.IGNORECASE)

NO_CLAIM = "✗ the conclusion claims nothing that could be checked"
CSS = """
body { font: 16px/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { border-bottom: 1px solid #ccc; padding: 0.3rem 0.5rem; text-align: left; }
img { max-width: 100%; }
@media print { body { margin: 0; font-size: 12px; } img { max-height: 38vh; } }
""".strip()


@dataclass(frozen=True)
class Claim:
    """One thing that a conclusion says."""

    text: str  # the clause, or the figure
    holds: bool  # whether the numbers bear it out
    why: str  # what they say

    def __str__(self) -> str:
        return f"{'✓' if self.holds else '✗'} {self.text}: {self.why}"


def check_conclusion(text: str, reports: Mapping[str, Report]) -> list[Claim]:
    """Hold a conclusion against the reports that it is drawn from.

    - A figure with decimals, a percentage, "34 of 40" and "n = 40" must be one of the numbers of the candidates that
      its clause names (of all, if it names none), rounded as it is quoted, signs aside; other whole numbers are left
      alone.
    - "better", "beats", "worse" and their like must name two candidates, and the paired 95% interval must lie on that
      side of zero; "best" must be so against every other. "Not better" and "cannot be told apart" hold where the
      interval reaches from worse to better.

    It reads words, not meaning: a claim put in other words is not seen. Candidates are called by their names in
    `reports`, which are of the same exam. What is found comes in the order of the text.
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
    if pair[1] is None and len(before) > 1:  # "RAG and base cannot be told apart", "against base, RAG is better"
        pair = (before[-1], before[-2])
    if None in pair or pair[0] == pair[1]:
        yield Claim(clause.strip(), False, f"name the two that are compared: {', '.join(reports)}")
        return
    negated = _word(clause[: word[1]], NEGATIONS) is not None
    yield _judged(clause.strip(), *pair, 1 if better else -1 if worse else 0, negated, reports)


def _judged(text: str, first: str, second: str, sign: int, negated: bool, reports: Mapping[str, Report]) -> Claim:
    """A claim about the first and the second: better (+1), worse (-1) or level (0); or, negated, that it is not so."""
    d = paired_difference(reports[first], reports[second])
    shown = d.cannot_tell if sign == 0 else (d.low > 0 if sign > 0 else d.high < 0)
    verdict = "cannot tell" if d.cannot_tell else "not by chance"
    why = f"{first} minus {second} is {d.value:+.2f} ({span(d.low, d.high, '+.2f')}, n = {d.n}), {verdict}"
    return Claim(text, shown != negated, why)


def _word(clause: str, words: Sequence[str]) -> tuple[str, int] | None:
    """The first of the words that stands in a clause, and where."""
    found = [(m[0], m.start()) for w in words if (m := re.search(rf"(?<!\w){re.escape(w)}(?!\w)", clause.lower()))]
    return min(found, key=lambda pair: pair[1]) if found else None


@dataclass(frozen=True)
class Page:
    """A written report: where it is, and what was found about its conclusion."""

    markdown: Path  # shows the picture beside it
    html: Path  # holds its picture
    picture: Path
    claims: tuple[Claim, ...]  # what the conclusion says, held against the numbers

    @property
    def sound(self) -> bool:
        """Whether the conclusion claims something, and all of it is borne out."""
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    def __str__(self) -> str:
        found = "\n".join(map(str, self.claims)) or NO_CLAIM
        return f"{found}\nWritten to {self.html.name} and {self.markdown.name}."

    def _repr_html_(self) -> str:
        return self.html.read_text(encoding="utf-8").partition("<body>")[2].partition("</body>")[0]


def one_page_report(
    folder: str | Path,
    title: str,
    reports: Mapping[str, Report],
    conclusion: str,
    *,
    case: str,
    baseline: str | None = None,
    exam: Exam | None = None,
    examples: Sequence[Example] = (),
) -> Page:
    """Write a capstone's report as one page: `report.md`, `report.html` and `report.png` in a folder.

    `case` says whose question it is, whose documents, and what counts; `reports`, by name, are of one exam; all are
    compared with the `baseline`, the first unless said otherwise. The page is written whether the conclusion holds or
    not: what does not is marked (see `check_conclusion`). There is no page about a leak: `check_no_leak` is asked
    whether anything of the exam is among the examples that were trained on.
    """
    for what, text in (("title", title), ("case", case)):
        if not isinstance(text, str) or not text.strip():
            raise CourseError(f"{what} is empty: say it in a sentence.")
    split = _split(exam, examples)
    claims = tuple(check_conclusion(conclusion, reports))
    named = {name: Report(name, report.exam, report.rows) for name, report in reports.items()}
    sat = Comparison(next(iter(named.values())).exam, named)
    picture = sat.plot()
    text = whole("\n\n".join([
        f"# {title}", case,
        "## What was measured", _table(sat.table()),
        "## What differs, question by question", _table(sat.differences(baseline or next(iter(named)))),
        f"![{picture.alt.replace(']', ')').replace('[', '(')}](report.png)",
        "## Conclusion", conclusion.strip(),
        "## Held against the numbers", "\n".join(f"- {claim}" for claim in claims or [NO_CLAIM]), split,
    ]))  # fmt: skip
    folder = as_path(folder)
    page = Page(folder / "report.md", folder / "report.html", folder / "report.png", claims)
    with disk_explained(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        page.picture.write_bytes(picture.png)
        write_text(page.markdown, text + "\n")
        write_text(page.html, _html(title, text, picture.png))
    return page


def _split(exam: Exam | None, examples: Sequence[Example]) -> str:
    examples = listed("examples", examples)
    if not examples:
        return "The split was not checked: no training examples were given."
    if exam is None:
        raise CourseError("examples were given without their exam: the split can be checked against an exam only.")
    check_no_leak(examples, exam)
    return f"The split is clean: none of the {len(exam)} questions is among the {len(examples)} training examples."


def _table(table: pd.DataFrame) -> str:
    rows = [[table.index.name or "", *table.columns], ["---"] * (len(table.columns) + 1)]
    rows += [[name, *values] for name, values in zip(table.index, table.to_numpy(dtype=object))]
    cells = [[f"{x:.2f}" if isinstance(x, float) else as_cell(x) for x in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _html(title: str, markdown: str, png: bytes) -> str:
    """The Markdown page as one file of HTML that holds its picture; tags in what a learner wrote are shown as text."""
    import mistune

    body = mistune.create_markdown(escape=True, plugins=["table"])(markdown)
    image = base64.b64encode(png).decode("ascii")
    body = body.replace('src="report.png"', f'src="data:image/png;base64,{image}"')
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{CSS}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}</body>\n</html>\n'

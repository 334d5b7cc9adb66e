"""Claims on trial: a sentence, what was measured of it, and whether that bears it out.

A claim says in which range a figure lies: a difference above zero, or within a margin that is fixed before anybody
looks. It *holds* if the whole 95% interval lies in the range, is *refuted* if none of it does, and else we *cannot
tell*. (That is estimation by intervals; of the margin see Lakens 2017, "Equivalence tests".)
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course_lib.core.errors import CourseError, DataError, above_zero, choose, is_number
from course_lib.core.session import cache_dir, data_dir, keeps_reports
from course_lib.core.text import shown, write_text
from course_lib.display import telling
from course_lib.evaluation.intervals import FEW_STUDENTS, span, why_it_cannot_tell
from course_lib.evaluation.reports import Difference, Report, Runs
from course_lib.evaluation.stored import Finding, find

HOLDS, OPEN, REFUTED = "holds", "cannot tell", "refuted"
FEW = ", too few for an interval over them"  # said of students
MARGIN = 0.05  # what counts as "as good as", unless a call says why another should
MIME = "application/vnd.course-lib.verdict+json"
COLOURS = {HOLDS: telling.GOOD, OPEN: telling.OPEN, REFUTED: telling.BAD}
GIVEN: dict[str, Verdict] = {}  # what this kernel has shown, by claim


@dataclass(frozen=True)
class Verdict:
    """What came of a claim. Shows as a badge and a sentence with its numbers; programs read `MIME`, which is JSON."""

    claim: str
    outcome: str  # "holds", "cannot tell" or "refuted"
    measured: str  # the figures, as the sentence says them
    value: float
    low: float  # ends of the 95% interval; for what was counted, the value itself
    high: float
    n: int | None = None  # questions
    students: int = 1
    by_student: tuple[float, ...] = ()
    note: str = ""  # why it is so, where the figures don't say it

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_student", tuple(self.by_student))  # JSON has lists alone
        choose("outcome", self.outcome, COLOURS)

    def __str__(self) -> str:
        return shown(f"{self.outcome} · {self.claim}: {self.measured}{self.note and f' ({self.note})'}")

    def _repr_html_(self) -> str:
        badge, claim, measured = self.cells()
        return f"<p>{badge} {claim}: {measured}</p>"

    def cells(self) -> list[str]:
        """Badge, claim and figures, as HTML."""
        note = f" <i>({html.escape(shown(self.note))})</i>" if self.note else ""
        badge = telling.badge(self.outcome, COLOURS[self.outcome])
        return [badge, html.escape(shown(self.claim)), html.escape(shown(self.measured)) + note]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self._repr_html_(), MIME: asdict(self)}


def verdict(
    claim: str,
    measured: Difference | Report | Runs | Finding | str | float | bool,
    *,
    above: float | None = None,
    below: float | None = None,
    as_good: bool = False,
    margin: float = MARGIN,
    because: str = "",
    of: str = "right",
    unit: str = "",
) -> None:
    """Try a claim, and show what came of it: holds, cannot tell, or refuted, with its numbers.

    Parameters
    ----------
    claim
        In words: "an open book beats a closed one".
    measured
        - a difference (`report - report`): the claim is that it lies above 0;
        - a report, or the `Runs` of several students: its share of right (`of="exact"`: exact) answers;
        - a place in `data/results`, "02/by_heart/many-wordings/*/exam": what is stored there;
        - a number that was counted, without chance; or whether something was so.
    above, below
        The range that is claimed: the figure lies above the one, below the other.
    as_good
        Claims of a difference that it is none worth speaking of: it lies within `margin`, to either side.
    margin, because
        Another margin than 0.05 has a reason.
    of
        Of a report, "right" or "exact" answers.
    unit
        What a counted number is of, "GB"; said behind it.

    Raises
    ------
    CourseError
        If the claim has no range or an empty one, a margin no reason, or an argument nothing to say of. Where
        COURSE_VERDICTS is "hold", as in the course's own tests, also if the verdict is not that of
        `data/verdicts.yaml`.
    """
    found = tried(
        claim, measured, above=above, below=below, as_good=as_good, margin=margin, because=because, of=of, unit=unit
    )
    telling.show(found)
    GIVEN[claim] = found
    if keeps_reports():
        _keep(found)
    if os.environ.get("COURSE_VERDICTS") == "hold":
        hold(found, expected())


def tried(
    claim: str, measured: Any, *, above: float | None = None, below: float | None = None, as_good: bool = False,
    margin: float = MARGIN, because: str = "", of: str = "right", unit: str = "",
) -> Verdict:  # fmt: skip
    """As `verdict`, but returns what came of the claim, and shows, keeps and holds nothing."""
    if not isinstance(claim, str) or not claim.strip():
        raise CourseError(f"the claim is {claim!r}: say it in words.")
    seen = _seen(find(measured) if isinstance(measured, str) else measured, of, unit)
    above, below, wanted = _range(claim, seen, above, below, margin if as_good else None, because, unit)
    if not as_good and margin != MARGIN:
        raise CourseError(f"{claim!r} has a margin, and does not claim to be as good: say as_good=True, or above=....")
    bottom, top = -math.inf if above is None else above, math.inf if below is None else below
    outcome = _outcome(seen, bottom, top)
    why = _why_open(seen, bottom, top, wanted) if outcome == OPEN else ""
    note = "; ".join(filter(None, (wanted and f"claimed: {wanted}", why)))
    figures = [round(figure, 4) for figure in (seen.value, seen.low, seen.high)]
    return Verdict(claim, outcome, seen.words, *figures, seen.n, seen.students, seen.by_student, note)


def _range(
    claim: str, seen: _Seen, above: float | None, below: float | None, margin: float | None, because: str, unit: str
) -> tuple[float | None, float | None, str]:
    """Where the figure is claimed to lie, and that in words; `margin` where it is claimed to be as good."""
    ends = {name: end for name, end in (("above", above), ("below", below)) if end is not None}
    for name, end in ends.items():
        if not is_number(end):
            raise CourseError(f"{claim!r} claims a figure {name} {end!r:.40}: give a number.")
    if margin is not None:
        above_zero(margin=margin)
        if ends or not (seen.signed or seen.counted):
            raise CourseError(f"{claim!r} claims to be as good: that is said of a difference, without above or below.")
        if margin != MARGIN and not str(because or "").strip():
            raise CourseError(f"{claim!r} has a margin of {margin:g} where {MARGIN:g} is usual: say why (because=...).")
        return -margin, margin, f"a difference within {margin:g}{because and f', {because}'}"
    if not ends:
        if not seen.signed:
            raise CourseError(f"{claim!r} claims no range: say above=..., below=... or both.")
        return 0.0, None, ""
    if len(ends) == 2 and not above < below:
        raise CourseError(f"{claim!r} claims a figure above {above:g} and below {below:g}: there is none.")
    return above, below, " and ".join(f"{name} {number_text(end, unit)}" for name, end in ends.items())


def number_text(number: float, unit: str = "") -> str:
    """A number that was counted, as a sentence says it: three decimals, of a small one three significant ones."""
    decimals = 3 if abs(number) >= 1 or number == 0 else 2 - math.floor(math.log10(abs(number)))
    text = f"{number:,.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}".rstrip()


@dataclass(frozen=True)
class _Seen:
    """A figure of whatever kind, with its words; `signed` for a difference, `counted` for what has no chance in it.

    `alone` are the figures of students over whom the interval does not reach: each must bear a verdict out by itself.
    """

    words: str
    value: float
    low: float
    high: float
    n: int | None = None
    students: int = 1
    by_student: tuple[float, ...] = ()
    signed: bool = False
    counted: bool = False
    alone: tuple[float, ...] = ()


def _seen(figure: Any, of: str, unit: str = "") -> _Seen:
    if getattr(figure, "ndim", None) == 0 and hasattr(figure, "item"):  # a scalar of numpy's or torch's
        figure = figure.item()
    counted = is_number(figure) or (isinstance(figure, Finding) and figure.low is None)
    if of != "right" and not isinstance(figure, Report | Runs):
        raise CourseError(f"of={of!r} is said of a report; of a difference, cl.paired_difference(a, b, of={of!r}).")
    if unit and not counted:
        raise CourseError(f"unit={unit!r} is said of a number that was counted, not of {type(figure).__name__}.")
    if isinstance(figure, Difference):
        name = f"{figure.better} minus {figure.worse}:"
        if figure.shares is not None:
            name = f"{figure.better} {figure.shares[0]:.2f} against {figure.worse} {figure.shares[1]:.2f}:"
        return _counted(name, figure.value, figure.low, figure.high, figure.n, figure.by_student, "+")
    if isinstance(figure, Report | Runs):
        runs = figure if isinstance(figure, Runs) else Runs((figure,))
        name = runs.name if of == "right" else f"{runs.name}, {of}"
        each = runs.marks(of) if len(runs.reports) > 1 else ()
        return _counted(name, *runs.share(of), runs.n, each, "")
    if isinstance(figure, Finding):
        return _stored(figure, unit)
    if isinstance(figure, bool):
        return _Seen("it is so" if figure else "it is not so", *[float(figure)] * 3, signed=True)
    if not counted:
        raise CourseError(f"{figure!r:.60} can't be tried: give a difference, a report, a stored place or a number.")
    return _Seen(number_text(float(figure), unit), *[float(figure)] * 3, counted=True)


def _stored(figure: Finding, unit: str) -> _Seen:
    """What was stored says nothing of whether its interval reaches over students: so each has to bear it out."""
    if not is_number(figure.value):
        raise CourseError(f"what is stored at {figure.place} is {figure.value}: make that lesson's results again.")
    ends = (figure.value, figure.value) if figure.low is None else (figure.low, figure.high)
    name = figure.name and f"{figure.name}:"
    if figure.by_student and figure.low is not None:
        return _counted(name, figure.value, *ends, figure.n, figure.by_student, "+" * figure.signed, crossed=False)
    words = f"{name} {figure.told}{unit and f' {unit}'}".lstrip()
    counted, alone = figure.low is None, figure.by_student or figure.spread or ()
    students = max(1, figure.seeds, len(figure.by_student))
    return _Seen(words, figure.value, *ends, figure.n, students, figure.by_student, figure.signed, counted, alone)


def _counted(
    name: str, value: float, low: float, high: float, n: int | None, each: tuple[float, ...], sign: str,
    crossed: bool = True,
) -> _Seen:  # fmt: skip
    if not all(map(is_number, (value, low, high, *each))):
        raise CourseError(f"{name} {value} ({low} to {high}) can't be tried: it is not all numbers.".lstrip())
    students = max(1, len(each))
    asked = f"n = {n}, " if n else ""
    words = (
        f"{name} {value:{sign}.2f} ({span(low, high, f'{sign}.2f')}, {asked}{students} student{'s' * (students > 1)}"
    )
    alone = each if students > 1 and not (crossed and students >= FEW_STUDENTS) else ()
    if alone:
        words += FEW if students < FEW_STUDENTS else ", not resampled"
        words += ": each " + ", ".join(f"{one:{sign}.2f}" for one in each)
    each = tuple(round(one, 4) for one in each)
    return _Seen(words.lstrip() + ")", value, low, high, n, students, each, bool(sign), alone=alone)


def _outcome(seen: _Seen, bottom: float, top: float) -> str:
    """Where the interval lies; of students whom it does not reach over each must lie there, too, by itself."""
    inside = [bottom < one < top for one in seen.alone]
    if bottom < seen.low and seen.high < top:
        return HOLDS if all(inside) else OPEN
    return REFUTED if (seen.high <= bottom or top <= seen.low) and not any(inside) else OPEN


def _why_open(seen: _Seen, bottom: float, top: float, wanted: str) -> str:
    few = "few " * (seen.students < FEW_STUDENTS)
    if bottom < seen.low and seen.high < top:
        return f"one of these {few}students does not bear it out"
    if seen.high <= bottom or top <= seen.low:
        return f"one of these {few}students does bear it out"
    return "the interval lies partly outside" if wanted else why_it_cannot_tell(seen.low, seen.high)


def expected() -> dict[str, dict[str, Any]]:
    """What `data/verdicts.yaml` holds: claim -> `verdict` (one, or a list), and `between`, the bounds of its figure."""
    import yaml

    try:
        lessons = yaml.safe_load((data_dir() / "verdicts.yaml").read_text(encoding="utf-8"))
        found = {claim: held for claims in (lessons or {}).values() for claim, held in claims.items()}
        if not all({"verdict", "between"} <= set(held) and len(held["between"]) == 2 for held in found.values()):
            raise ValueError("a claim without verdict or between")
    except (OSError, AttributeError, TypeError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"data/verdicts.yaml holds no verdicts ({said}): take it out of git again.") from error
    return found


def hold(found: Verdict, held: dict[str, dict[str, Any]]) -> None:
    """Raises a CourseError that names the claim unless its verdict, and the figure behind it, are what is `held`."""
    if found.claim not in held:
        raise CourseError(f"data/verdicts.yaml has no claim {found.claim!r}: run `make verdicts`.")
    wanted = held[found.claim]
    outcomes = wanted["verdict"] if isinstance(wanted["verdict"], list) else [wanted["verdict"]]
    if found.outcome not in outcomes:
        raise CourseError(f"{found}. data/verdicts.yaml has it as: {' or '.join(outcomes)}.")
    low, high = wanted["between"]
    if not low <= found.value <= high:
        raise CourseError(f"{found}. data/verdicts.yaml has a figure between {low:g} and {high:g}.")


def own_verdicts() -> list[Verdict]:
    """What came of the claims that you tried on this machine, the newest first."""
    found = []
    for path in sorted(_own().glob("*.json"), key=lambda path: -path.stat().st_mtime):
        with suppress(OSError, ValueError, TypeError, CourseError):  # one that a crash left half written
            found.append(Verdict(**json.loads(path.read_text(encoding="utf-8"))))
    return found


def _keep(found: Verdict) -> None:
    """Over an older verdict of the same claim. Where it cannot be written, no lesson stops for it."""
    name = re.sub(r"[^a-zA-Z0-9-]+", "-", found.claim)[:80] + hashlib.sha256(found.claim.encode()).hexdigest()[:8]
    with suppress(CourseError):
        write_text(_own() / f"{name}.json", json.dumps(asdict(found), ensure_ascii=False) + "\n")


def _own() -> Path:
    return cache_dir() / "own-results" / "verdicts"

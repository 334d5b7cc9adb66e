"""Make CLAIMS.md of `data/claims.yaml`: every claim of the course's sources, where it is tried, and what came of it.

    python data/make/pages/ledger.py [--check]

Figures are read: from the verdicts that the built notebooks hold, from `data/results/` at the places that the claims
name, and from what three sizes of students did; nobody types one in. Refused are a claim without a section, a section
that is no heading of its lesson, a figure that is not there, more than two figures, and a verdict that its notebooks'
verdicts do not bear out. --check writes nothing and exits with 1 if the page is stale.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import making
import verdicts
import yaml

from course_lib.core.errors import CourseError
from course_lib.evaluation.sizes import stored
from course_lib.evaluation.stored import find
from course_lib.evaluation.verdicts import FEW, HOLDS, OPEN, REFUTED, Verdict
from course_lib.models.students import STUDENTS

ROOT = Path(__file__).resolve().parents[3]
PAGE = "CLAIMS.md"
PARTLY, TAUGHT = "holds partly", "taught without measurement"
VERDICTS = (REFUTED, PARTLY, OPEN, HOLDS, TAUGHT)  # in this order they stand on the page
NEEDED, ALLOWED = (
    {"id", "claim", "seeds", "section", "verdict"},
    {"figures", "verdicts", "sizes", "given", "live", "why"},
)
KINDS = dict.fromkeys(("why", "live", "given"), str) | {"figures": dict, "sizes": dict, "verdicts": list}
MOST_FIGURES = 2  # of a row
HEADING = re.compile(r"^# #{2,}\s+(.+?)\s*$", re.MULTILINE)


class LedgerError(Exception):
    """The ledger says something that is not so; names the claim."""


def load(path: Path) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """The source documents by number, and the claims by theme; each has the fields that it needs and no others."""
    try:
        ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
        documents, themes = ledger["documents"], dict(ledger["claims"])
        claims = [claim for listed in themes.values() for claim in listed]
    except (OSError, TypeError, KeyError, ValueError, yaml.YAMLError) as error:
        raise LedgerError(f"{path.name} holds no documents and claims ({' '.join(str(error).split())})") from error
    for claim in claims:
        _check_fields(claim, documents)
    twice = [name for name, count in Counter(claim["id"] for claim in claims).items() if count > 1]
    if twice:
        raise LedgerError(f"{twice[0]}: there are two claims of this id")
    return documents, themes


def _check_fields(claim: Any, documents: dict[str, str]) -> None:
    name = claim.get("id", claim) if isinstance(claim, dict) else claim
    if not isinstance(claim, dict) or not NEEDED <= set(claim) <= NEEDED | ALLOWED:
        raise LedgerError(f"{name!s:.80}: a claim has {', '.join(sorted(NEEDED))}, and may have {', '.join(ALLOWED)}")
    if not isinstance(claim["section"], dict) or set(claim["section"]) != {"lesson", "heading"}:
        raise LedgerError(f"{name}: a section has lesson and heading")
    if claim["verdict"] not in VERDICTS:
        raise LedgerError(f"{name}: verdict {claim['verdict']!r} is not one of {', '.join(VERDICTS)}")
    for seed in claim["seeds"] or [""]:
        if not re.fullmatch(r"\d{3}:\d+(-\d+)?", seed) or seed[:3] not in documents:
            raise LedgerError(f"{name}: {seed!r} is not a document and its line, such as 000:24")
    for field, kind in KINDS.items():
        if not isinstance(claim.get(field, kind()), kind):
            raise LedgerError(f"{name}: {field} is {claim[field]!r:.40}, and not a {kind.__name__}")
    for field in ("why", "live", "given"):
        if re.search(r"\d", re.sub(r"lesson \d\d", "", claim.get(field, ""))):
            raise LedgerError(f"{name}: {field} has a figure in it; figures are read, not written")
    count = sum(len(claim.get(field) or ()) for field in ("figures", "verdicts", "sizes"))
    if count > MOST_FIGURES:
        raise LedgerError(f"{name}: a row has {MOST_FIGURES} figures at most, not {count}")
    if claim["verdict"] != TAUGHT and not (count or claim.get("live")):
        raise LedgerError(f"{name}: {claim['verdict']!r} needs figures, or what is measured live")
    if claim["verdict"] in (TAUGHT, PARTLY) and not claim.get("why"):
        raise LedgerError(f"{name}: what {claim['verdict']!r} says why")


def borne_out(said: str, outcomes: list[str]) -> bool:
    """Whether the verdicts of notebooks bear out what the ledger says of a claim: "holds" only if all of them do."""
    if said == OPEN:
        return OPEN in outcomes and REFUTED not in outcomes
    return said == PARTLY or set(outcomes) <= {said}


class Ledger:
    """The claims of a repository, and the figures that they name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.documents, self.themes = load(root / "data" / "claims.yaml")
        self.tried = {one.claim: one for listed in verdicts.tried(root).values() for one in listed}

    def measured(self, claim: dict[str, Any]) -> str:
        """The figures as they are today, what each side was given, and what is measured live, a line each."""
        try:
            told = [*self._verdicts(claim), *_figures(claim)]
        except CourseError as error:
            raise LedgerError(f"{claim['id']}: {error}") from error
        told += [f"*{field}:* {claim[field]}" for field in ("given", "live") if claim.get(field)]
        return "<br>".join(told)

    def _verdicts(self, claim: dict[str, Any]) -> Iterator[str]:
        found = [self._verdict(claim, words) for words in claim.get("verdicts") or ()]
        if found and not borne_out(claim["verdict"], [one.outcome for one in found]):
            said = ", ".join(f"{one.claim!r} {one.outcome}" for one in found)
            raise LedgerError(f"{claim['id']}: it says {claim['verdict']!r}, and its notebooks: {said}")
        for one in found:
            counted = f" ({one.note})" if one.note and one.n is None else ""  # without chance; what was claimed of it
            measured = one.measured.replace(FEW, "")  # the page says it once
            yield f"*{one.outcome}* · {one.claim}: {measured}{counted}"

    def _verdict(self, claim: dict[str, Any], words: str) -> Verdict:
        if words not in self.tried:
            raise LedgerError(f"{claim['id']}: no built notebook tries {words!r}")
        return self.tried[words]

    def section(self, claim: dict[str, Any]) -> str:
        """A link to the section itself. Raises LedgerError if the lesson has no such heading, or is not built."""
        lesson, heading = claim["section"]["lesson"], claim["section"]["heading"]
        folder = self.root / "notebooks" / "src"
        sources = [*folder.glob(f"{lesson}_*.py"), *sorted(folder.glob(f"appendix/{lesson}_*.py"))]
        holding = [path for path in sources if heading in HEADING.findall(path.read_text(encoding="utf-8"))]
        if not holding:
            raise LedgerError(f"{claim['id']}: {heading!r} is no heading of lesson {lesson}")
        page = holding[0].relative_to(folder).with_suffix(".ipynb").as_posix()
        words = heading.replace("*", "")
        return f"[{lesson} · {words}](notebooks/{page}#{quote(words.replace(' ', '-'), safe=',.:')})"

    def page(self) -> str:
        """The whole of CLAIMS.md."""
        claims = [claim for listed in self.themes.values() for claim in listed]
        counts = Counter(claim["verdict"] for claim in claims)
        lines = [
            "# What the sources claim, and what came of it",
            "",
            f"The course was commissioned from {len(self.documents)} documents. Here is every claim and system of "
            f"theirs, {len(claims)} in all, with a verdict: "
            + ", ".join(f"{counts[verdict]} *{verdict}*" for verdict in VERDICTS if counts[verdict])
            + ". In each theme what did not hold stands first. Unless a row says otherwise, the figures are the "
            "default student's (135M parameters). Each lesson ends by saying where its verdicts stop being true.",
            "",
            "The second column is our verdict on the sources' claim. The third says what was measured for it: a claim "
            "that a lesson tries, in *italics* what came of it, and its figures. Such a claim *holds* if the whole 95% "
            "interval lies where it has the figure, is *refuted* if none of it does, and else we *cannot tell*. n is "
            "the number of questions, and a student is one model, trained once or not at all: of fewer than five the "
            "interval is one over questions alone, each one's figure stands beside it, and each must bear the verdict "
            "out. What was counted has no interval.",
            "",
            "Made by `make readme` from `data/claims.yaml`, the verdicts of the built notebooks and `data/results/`.",
            "",
            *[f"- `{number}` *{title}*" for number, title in self.documents.items()],
        ]
        for theme, listed in self.themes.items():
            lines += [
                "",
                f"## {theme}",
                "",
                "| claim | verdict | measured | tried in | source |",
                "|---|---|---|---|---|",
            ]
            lines += [self._row(claim) for claim in sorted(listed, key=lambda claim: VERDICTS.index(claim["verdict"]))]
        return "\n".join(lines) + "\n"

    def _row(self, claim: dict[str, Any]) -> str:
        verdict = f"**{claim['verdict']}**" + (f": {claim['why']}" if claim.get("why") else "")
        cells = (claim["claim"], verdict, self.measured(claim), self.section(claim), ", ".join(claim["seeds"]))
        return "| " + " | ".join(cell.replace("|", "\\|").replace("$", "\\$") for cell in cells) + " |"


def _figures(claim: dict[str, Any]) -> Iterator[str]:
    for what, place in (claim.get("figures") or {}).items():
        yield f"{what}: {find(place)}"
    for what, (place, arm) in (claim.get("sizes") or {}).items():
        yield f"{what}: {of_sizes(place, arm)}"


def of_sizes(place: str, arm: str) -> str:
    """One arm's share of right answers, by every student that sat it: "135M 0.32, 0.5B 0.79 (n = 154)"."""
    runs = stored(place).only(arm).runs
    shares = ", ".join(f"{size_of(student)} {one.share()[0]:.2f}" for (_, student), one in runs.items())
    return f"{shares} (n = {next(iter(runs.values())).n})"


def size_of(student: str) -> str:
    """How many numbers a student has: "135M"."""
    parameters = STUDENTS[student].parameters
    return f"{parameters / 1e9:.1f}B" if parameters > 4e8 else f"{parameters / 1e6:.0f}M"


def page(root: Path = ROOT) -> str:
    """The whole of CLAIMS.md."""
    return Ledger(root).page()


def stale(root: Path = ROOT) -> bool:
    """Whether CLAIMS.md is not what `page` makes."""
    return making.differs(root / PAGE, page(root))


def main(arguments: list[str]) -> int:
    try:
        return making.make(ROOT / PAGE, page, stale, __file__, arguments)
    except LedgerError as error:
        raise SystemExit(f"data/claims.yaml, {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

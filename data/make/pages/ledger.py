"""Make CLAIMS.md of `data/claims.yaml`: every claim of the course's sources, where it is tried, and what came of it.

    python data/make/pages/ledger.py [--check]

Figures are read from `data/results/` at the places that the claims name; nobody types one in. Refused are a claim
without a section, a section that is no heading of its lesson, a figure at a place that does not exist, a verdict that
nothing measured stands behind (the cells of a draft have measured nothing), and a claim that waits for a lesson that is
there. --check writes nothing and exits with 1 if the page is stale.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from course_lib.core.errors import CourseError
from course_lib.evaluation.stored import find

ROOT = Path(__file__).resolve().parents[3]
PAGE = "CLAIMS.md"
VERDICTS = ("holds", "holds partly", "refuted", "taught without measurement", "not yet")
MEASURED = VERDICTS[:3]
NEEDED, ALLOWED = {"id", "claim", "seeds", "section", "verdict"}, {"figures", "live", "why"}
HEADING = re.compile(r"^# #{2,}\s+(.+?)\s*$", re.MULTILINE)


class LedgerError(Exception):
    """The ledger says something that is not so; names the claim."""


def load(path: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The source documents by number, and the claims; each claim has the fields that it needs and no others."""
    try:
        ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
        documents, claims = ledger["documents"], ledger["claims"]
    except (OSError, TypeError, KeyError, ValueError, yaml.YAMLError) as error:
        raise LedgerError(f"{path.name} holds no documents and claims ({' '.join(str(error).split())})") from error
    for claim in claims:
        _check_fields(claim, documents)
    twice = [name for name, count in Counter(claim["id"] for claim in claims).items() if count > 1]
    if twice:
        raise LedgerError(f"{twice[0]}: there are two claims of this id")
    return documents, claims


def _check_fields(claim: Any, documents: dict[str, str]) -> None:
    name = claim.get("id", claim) if isinstance(claim, dict) else claim
    if not isinstance(claim, dict) or not NEEDED <= set(claim) <= NEEDED | ALLOWED:
        raise LedgerError(f"{name!s:.80}: a claim has {', '.join(sorted(NEEDED))}, and may have {', '.join(ALLOWED)}")
    section = claim["section"]
    if not isinstance(section, dict) or not {"lesson", "heading"} <= set(section) <= {"lesson", "heading", "planned"}:
        raise LedgerError(f"{name}: a section has lesson and heading, and may be planned")
    if claim["verdict"] not in VERDICTS:
        raise LedgerError(f"{name}: verdict {claim['verdict']!r} is not one of {', '.join(VERDICTS)}")
    for seed in claim["seeds"] or [""]:
        if not re.fullmatch(r"\d{3}:\d+(-\d+)?", seed) or seed[:3] not in documents:
            raise LedgerError(f"{name}: {seed!r} is not a document and its line, such as 000:24")
    for field in ("why", "live"):
        if re.search(r"\d", re.sub(r"lesson \d\d", "", claim.get(field, ""))):
            raise LedgerError(f"{name}: {field} has a figure in it; figures are read, not written")
    if claim["verdict"] in MEASURED and not (claim.get("figures") or claim.get("live")):
        raise LedgerError(f"{name}: {claim['verdict']!r} needs figures, or what is measured live")
    if claim["verdict"] == "taught without measurement" and not claim.get("why"):
        raise LedgerError(f"{name}: what is taught without measurement says why")


def headings(root: Path, lesson: str) -> list[str] | None:
    """The headings of a lesson's source, finished or draft; None if there is none."""
    sources = sorted((root / "notebooks" / "src").glob(f"{lesson}_*.py*"))
    if not sources:
        return None
    return [heading for path in sources for heading in HEADING.findall(path.read_text(encoding="utf-8"))]


def check_section(root: Path, claim: dict[str, Any]) -> None:
    """Raises LedgerError if the section is no heading of its lesson, or is planned though the lesson is there."""
    lesson, heading = claim["section"]["lesson"], claim["section"]["heading"]
    there, planned = headings(root, lesson), claim["section"].get("planned", False)
    finished = bool(list((root / "notebooks" / "src").glob(f"{lesson}_*.py")))
    if planned and finished:
        raise LedgerError(f"{claim['id']}: lesson {lesson} is written: name its section, and take out `planned`")
    if not planned and there is None:
        raise LedgerError(f"{claim['id']}: there is no lesson {lesson} yet: say `planned: true`")
    if not planned and heading not in there:
        raise LedgerError(f"{claim['id']}: {heading!r} is no heading of lesson {lesson}")
    if claim.get("live") and not finished:
        raise LedgerError(f"{claim['id']}: lesson {lesson} is a draft: none of its cells has measured anything yet")
    if planned and claim["verdict"] in MEASURED:
        raise LedgerError(f"{claim['id']}: a section that is planned cannot have measured anything")


def measured(claim: dict[str, Any]) -> str:
    """The figures as they are stored today, or what is measured live."""
    try:
        told = [f"{what} {find(place)}" for what, place in (claim.get("figures") or {}).items()]
    except CourseError as error:
        raise LedgerError(f"{claim['id']}: {error}") from error
    return "; ".join([*told, *([f"*live:* {claim['live']}"] if claim.get("live") else [])])


def page(root: Path = ROOT) -> str:
    """The whole of CLAIMS.md."""
    documents, claims = load(root / "data" / "claims.yaml")
    counts = Counter(claim["verdict"] for claim in claims)
    lines = [
        "# What the sources claim, and what came of it",
        "",
        f"The course was commissioned from {len(documents)} documents. Here is every claim and system of theirs, "
        f"{len(claims)} in all: the section that tries it, the figures with n and 95% interval, and a verdict: "
        + ", ".join(f"{counts[verdict]} *{verdict}*" for verdict in VERDICTS if counts[verdict])
        + ". The figures are of one very small model and of the tasks named; each lesson ends by saying where they "
        "stop being true.",
        "",
        "Made by `make readme` (`python data/make/pages/ledger.py`) from `data/claims.yaml` and `data/results/`.",
        "",
        *[f"- `{number}` *{title}*" for number, title in documents.items()],
        "",
        "| claim | source | tried in | measured | verdict |",
        "|---|---|---|---|---|",
    ]
    for claim in claims:
        check_section(root, claim)
        verdict = f"**{claim['verdict']}**" + (f": {claim['why']}" if claim.get("why") else "")
        cells = (claim["claim"], ", ".join(claim["seeds"]), _section(root, claim["section"]), measured(claim), verdict)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _section(root: Path, section: dict[str, Any]) -> str:
    said = f"{section['lesson']} · {section['heading'].replace('*', '')}"
    if section.get("planned"):
        return f"{said} (planned)"
    notebooks = sorted((root / "notebooks").glob(f"{section['lesson']}_*.ipynb"))
    return f"[{said}](notebooks/{notebooks[0].name})" if notebooks else f"{said} (in the making)"


def stale(root: Path = ROOT) -> bool:
    """Whether CLAIMS.md is not what `page` makes."""
    path = root / PAGE
    return not path.exists() or path.read_text(encoding="utf-8") != page(root)


def main(arguments: list[str]) -> int:
    if unknown := set(arguments) - {"--check"}:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; the one option is --check")
    try:
        if not arguments:
            (ROOT / PAGE).write_text(page(), encoding="utf-8", newline="\n")
            print(f"{PAGE} made")
        elif stale():
            print(f"{PAGE} is stale: run `make readme` (python data/make/pages/ledger.py)")
            return 1
    except LedgerError as error:
        raise SystemExit(f"data/claims.yaml, {error}") from error
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Make `data/verdicts.yaml` of the built notebooks: what the default student's verdicts are, and between which bounds.

    python data/make/pages/verdicts.py [--check]

`make test` holds the notebooks to it when they run. A claim that is new gets the verdict that its notebook has and, as
bounds, the 95% interval of its figure; a claim that is there keeps what it has: a verdict may be changed by hand
(`verdict: [holds, cannot tell]`, where machines that round differently may differ). A claim that no notebook tries any
more goes. --check writes nothing, and exits with 1 if the file lacks a claim, has one too many, or has it otherwise.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import nbformat
import yaml
from making import only_checked

from course_lib.core.errors import CourseError
from course_lib.evaluation.verdicts import MIME, Verdict, hold

ROOT = Path(__file__).resolve().parents[3]
FILE = "data/verdicts.yaml"
HEAD = """\
# What the default student's verdicts are, by lesson. `make verdicts` adds what is new and drops what is gone, and
# `make test` holds the notebooks to it. `between`: the figure behind the verdict lies here, on every kind of machine.
"""


def tried(root: Path = ROOT) -> dict[str, list[Verdict]]:
    """The verdicts that the solved notebooks hold, which keep all results, by lesson, in the order of the cells.

    Raises a CourseError if two have one claim.
    """
    found: dict[str, list[Verdict]] = {}
    seen: set[str] = set()
    solved = root / "notebooks" / "solutions"
    for path in (*sorted(solved.glob("[0-9][0-9]_*.ipynb")), *sorted(solved.glob("appendix/*.ipynb"))):
        cells = nbformat.read(path, as_version=4).cells
        for output in (output for cell in cells for output in cell.get("outputs", ())):
            if MIME in output.get("data", {}):
                verdict = Verdict(**output["data"][MIME])
                if verdict.claim in seen:
                    raise CourseError(f"{path.name}: {verdict.claim!r} is tried twice: say what is different.")
                seen.add(verdict.claim)
                found.setdefault(path.name[:2], []).append(verdict)
    return found


def held(root: Path = ROOT) -> dict[str, dict[str, dict[str, Any]]]:
    """What the file holds today; nothing if there is none."""
    path = root / FILE
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def renewed(root: Path = ROOT) -> dict[str, dict[str, dict[str, Any]]]:
    """What the file should hold: every claim that is tried, as it is held, or as it came out if it is new."""
    known = {claim: entry for claims in held(root).values() for claim, entry in claims.items()}
    return {
        lesson: {one.claim: known.get(one.claim) or _entry(one) for one in verdicts}
        for lesson, verdicts in tried(root).items()
    }


def _entry(verdict: Verdict) -> dict[str, Any]:
    low, high = math.floor(verdict.low * 100) / 100, math.ceil(verdict.high * 100) / 100
    return {"verdict": verdict.outcome, "between": [low, high]}


def faults(root: Path = ROOT) -> list[str]:
    """Where the file and the notebooks part, a sentence each."""
    there = held(root)
    known = {claim: entry for claims in there.values() for claim, entry in claims.items()}
    found = []
    for verdict in (one for verdicts in tried(root).values() for one in verdicts):
        try:
            hold(verdict, known)
        except CourseError as error:
            found.append(str(error))
    if not found and there != renewed(root):
        found.append(f"{FILE} has claims that no notebook tries, or in another order: run `make verdicts`.")
    return found


def main(arguments: list[str]) -> int:
    if not only_checked(arguments):
        text = yaml.safe_dump(renewed(), sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
        (ROOT / FILE).write_text(HEAD + text, encoding="utf-8", newline="\n")
    print("\n".join(said := faults()) or f"{FILE} holds what the notebooks say")
    return len(said) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

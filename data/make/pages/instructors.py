"""Make INSTRUCTORS.md: a run sheet for each lesson, its sections with their minutes and what to ask the room.

    python data/make/pages/instructors.py [--check]

What is asked and where it can fail stands in `data/runsheet.yaml`. A section's minutes are those of its words (200 a
minute), its lines of code (6 s) and pictures (30 s), its guesses (30 s, hands up), quiz (3 minutes) and exercises (5
minutes), and what the machine takes for it on a stage (`data/make/measure/stage.py`), at 135 GFLOP/s. --check writes
nothing and exits with 1 if the page is stale.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import making
import nbformat
import yaml

from course_lib.costs.machine import KNOWN_GFLOPS

ROOT = Path(__file__).resolve().parents[3]
PAGE, SHEET, STAGE = "INSTRUCTORS.md", "data/runsheet.yaml", "data/results/stage.json"
HEADING = re.compile(r"^#{1,2} +(.+?)\s*$", re.MULTILINE)
WORDS, LINE, PICTURE, GUESS, QUIZ, EXERCISE = 200, 6, 30, 30, 180, 300  # words a minute; seconds of each other thing
FOLDED = {"setup", "hide-input", "plain"}  # nobody reads the code; the build folds them
UNMEASURED = "not measured yet"


@dataclass
class Section:
    """A section of a page, from its heading to the next: its cells, of Markdown those parts that stand in it."""

    heading: str
    cells: list[Any] = field(default_factory=list)

    def reading(self) -> float:
        """Seconds without the machine's."""
        return sum(map(_reading, self.cells))


def sections(notebook: Any) -> list[Section]:
    """The sections of a page in their order; the first is its title's."""
    found: list[Section] = []
    for cell in notebook.cells:
        before, *rest = HEADING.split(cell.source) if cell.cell_type == "markdown" else [cell.source]
        if found:
            found[-1].cells.append(nbformat.v4.new_markdown_cell(before) if rest else cell)
        for heading, text in zip(rest[::2], rest[1::2], strict=True):
            found.append(Section(heading, [nbformat.v4.new_markdown_cell(text)]))
    return found


def _reading(cell: Any) -> float:
    if cell.cell_type == "markdown":
        drawn = len(re.findall(r"!\[[^]]*\]\([^)]*\)", cell.source))
        prose = re.sub(r"!\[[^]]*\]\([^)]*\)|\]\([^)]*\)", "", cell.source)
        return 60 * len(re.findall(r"\w+", prose)) / WORDS + PICTURE * drawn
    tags = set(cell.metadata.get("tags", ()))
    if tags & {"exercise", "solution"}:
        return EXERCISE
    pictures = sum("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))
    lines = 0 if tags & FOLDED else sum(bool(line.strip()) for line in cell.source.splitlines())
    asked = GUESS * cell.source.count("cl.predict") + QUIZ * cell.source.count("cl.quiz(")
    return LINE * lines + PICTURE * pictures + asked


def page(root: Path = ROOT) -> str:
    """The whole of INSTRUCTORS.md.

    Raises
    ------
    SystemExit
        If the run sheet lacks a lesson, or asks something in a section that its lesson does not have.
    """
    sheet = yaml.safe_load((root / SHEET).read_text(encoding="utf-8"))
    stage = json.loads((root / STAGE).read_text(encoding="utf-8")) if (root / STAGE).exists() else {}
    lines = [sheet["opening"].strip(), ""]
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        lesson = path.name[:2]
        if lesson not in sheet["lessons"]:
            raise SystemExit(f"{SHEET}: lesson {lesson} has no sheet")
        # pictures stand in the solved page alone, as the learner's keeps back what would spoil a guess
        told = sections(nbformat.read(root / "notebooks" / "solutions" / path.name, as_version=4))
        lines += _sheet(lesson, path.name, told, sheet["lessons"][lesson], stage.get(lesson, {}))
    return "\n".join(lines).rstrip() + "\n"


def _sheet(lesson: str, name: str, told: list[Section], sheet: dict[str, Any], stage: dict[str, Any]) -> list[str]:
    scale = stage.get("gflops", KNOWN_GFLOPS) / KNOWN_GFLOPS
    asked, took = sheet["ask"], {part: seconds * scale for part, seconds in stage.get("seconds", {}).items()}
    if unknown := set(asked) - {section.heading for section in told}:
        raise SystemExit(f"{SHEET}: lesson {lesson} has no section {', '.join(sorted(unknown))}")
    rows, begun = [], 0.0
    for section in told:
        minutes = (section.reading() + took.get(section.heading, 0.0)) / 60
        machine = f"{took[section.heading]:.0f}" if section.heading in took else UNMEASURED
        cells = (f"{begun:.0f}", section.heading, _minutes(minutes), machine, asked.get(section.heading, ""))
        rows.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
        begun += minutes
    works = UNMEASURED
    if all(section.heading in took for section in told):
        works = f"{sum(took[section.heading] for section in told) / 60:.1f} (at {KNOWN_GFLOPS:.0f} GFLOP/s)"
    return [
        f"## [{told[0].heading}](notebooks/{name})",
        "",
        f"**{begun:.0f} minutes** with every exercise; of these the machine works, on a stage: {works}. "
        + " ".join(sheet["before"].split()),
        "",
        "| from minute | section | minutes | machine, s | ask the room |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "**Where it can fail**",
        "",
        *(f"- {' '.join(fault.split())}" for fault in sheet["fails"]),
        "",
    ]


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f}" if minutes >= 0.5 else "< 1"


def stale(root: Path = ROOT) -> bool:
    """Whether INSTRUCTORS.md is not what `page` makes."""
    return making.differs(root / PAGE, page(root))


def main(arguments: list[str]) -> int:
    return making.make(ROOT / PAGE, page, stale, __file__, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Measures what each section of a lesson takes on a stage: replayed, without its rehearsed steps, as in a lecture.

    python data/make/measure/stage.py [02 ...]

Runs the learner's pages and keeps in `data/results/stage.json`, of each lesson as soon as it has run, the seconds of
its cells, added up by section, and how fast this machine multiplied then. `INSTRUCTORS.md` is made of them.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "data" / "make" / "pages"))
from instructors import STAGE, sections  # noqa: E402

from course_lib.core.text import write_text  # noqa: E402
from course_lib.costs.machine import product_gflops  # noqa: E402

SETTINGS = {"COURSE_REPLAY": "1", "COURSE_STAGE": "1", "COURSE_PROGRESS": "off"}


def seconds(page: Path) -> dict[str, float]:
    """Run a page, and say what its sections took, by heading."""
    notebook = nbformat.read(page, as_version=4)
    NotebookClient(notebook, timeout=1800, record_timing=True, resources={"metadata": {"path": page.parent}}).execute()
    return {section.heading: round(sum(map(_took, section.cells)), 1) for section in sections(notebook)}


def _took(cell: Any) -> float:
    told = cell.metadata.get("execution", {})
    begun, ended = (told.get(f"iopub.status.{state}") for state in ("busy", "idle"))
    if not (begun and ended):
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


def main(lessons: list[str]) -> None:
    os.environ |= SETTINGS
    file = ROOT / STAGE
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for page in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if lessons and page.name[:2] not in lessons:
            continue
        gflops = round(product_gflops(device="cpu"), 1)
        kept[page.name[:2]] = {"gflops": gflops, "seconds": seconds(page)}
        write_text(file, json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n")
        print(f"{page.name}: {sum(kept[page.name[:2]]['seconds'].values()) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measures what each section of a lesson takes on a stage: replayed, without its rehearsed steps, as in a lecture.

    python data/make/measure/stage.py [02 ...]

Runs the learner's pages and keeps in `data/results/stage.json`, of each lesson as soon as it has run, the processor
seconds of its cells, added up by section, and how much this machine multiplies in one: so they are the same whatever
else it does. `INSTRUCTORS.md` is made of them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import torch
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "data" / "make" / "pages"))
from instructors import STAGE, sections  # noqa: E402

from course_lib.core.text import write_text  # noqa: E402

SETTINGS = {"COURSE_REPLAY": "1", "COURSE_STAGE": "1", "COURSE_PROGRESS": "off"}
SIDE, PRODUCTS = 2048, 8


def seconds(page: Path) -> dict[str, float]:
    """Run a page, and say how long its sections kept a processor, by heading."""
    notebook = nbformat.read(page, as_version=4)
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": page.parent}})
    used = [0.0]  # seconds of a processor until then

    def note(cell: nbformat.NotebookNode, **_: object) -> None:
        used.append(_used(psutil.Process(client.km.provisioner.pid)))
        cell.metadata["seconds"] = used[-1] - used[-2]

    client.on_cell_executed = note
    client.execute()
    return {
        section.heading: round(sum(cell.metadata.get("seconds", 0.0) for cell in section.cells), 1)
        for section in sections(notebook)
    }


def _used(kernel: psutil.Process) -> float:
    """By a kernel and by what it started, of which some may have ended."""
    total = sum(kernel.cpu_times()[:4])  # user, system, and both of children that ended
    for child in kernel.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return total


def gflops() -> float:
    """GFLOP of fp32 matrix product in a second of one processor."""
    a = torch.rand(SIDE, SIDE)
    a @ a
    begun = time.process_time()
    for _ in range(PRODUCTS):
        a @ a
    return 2 * PRODUCTS * SIDE**3 / (time.process_time() - begun) / 1e9


def main(lessons: list[str]) -> None:
    os.environ |= SETTINGS
    file = ROOT / STAGE
    for page in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if lessons and page.name[:2] not in lessons:
            continue
        measured = {"gflops": round(gflops(), 1), "seconds": seconds(page)}
        kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        kept = dict(sorted((kept | {page.name[:2]: measured}).items()))
        write_text(file, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        print(f"{page.name}: {sum(measured['seconds'].values()) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

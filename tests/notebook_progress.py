"""A plugin for pytest that says which notebook runs, what took long, and where it is when it has been silent.

`run_all.py` loads it (`-p notebook_progress`) in place of dots: a cell can take minutes, and so could its dot.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LONG = 10.0  # seconds from which a cell gets a line of its own
SILENCE = 60.0  # seconds after which a line says where every notebook is


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # once, where the output is written, and not in xdist's workers
        config.pluginmanager.register(Progress(config), "progress-of-notebooks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a learner's page leaves out, lest it spoil a guess, is compared with the solved page, which keeps all."""
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and not cell.outputs:
            place = item.path.relative_to(NOTEBOOKS)
            cell.outputs = solved(NOTEBOOKS / "solutions" / place).get(cell.source, [])


@lru_cache
def solved(path: Path) -> dict[str, Any]:
    """Outputs of a notebook's code cells, by their source."""
    cells = nbformat.read(path, as_version=4).cells if path.exists() else ()
    return {cell.source: cell.outputs for cell in cells if cell.cell_type == "code"}


class Progress:
    """Counts cells as they are reported; a notebook is open from its first cell to its last."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = self.last_line = time.monotonic()
        self.cells: Counter[str] = Counter()  # by notebook
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.opened: dict[str, float] = {}  # when the first cell began
        self.since: dict[str, float] = {}  # when the cell that runs now began
        self.ended = threading.Event()

    def say(self, line: str) -> None:
        """A line with the minutes since the stage began."""
        self.last_line = time.monotonic()
        minutes, seconds = divmod(int(self.last_line - self.started), 60)
        self.config.get_terminal_writer().line(f"{minutes:3d}:{seconds:02d}  {line}")

    def pytest_sessionstart(self) -> None:
        threading.Thread(target=self.watch, daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        self.ended.set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.count(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.count(ids)

    def count(self, ids) -> None:
        self.cells = Counter(map(notebook_of, ids)) | self.cells  # every worker collects all of them

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        name = notebook_of(nodeid)
        if name not in self.opened:
            self.opened[name] = self.since[name] = time.monotonic()
            self.say(f"{name} begins, {self.cells[name]} cells")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport):
        counts = report.when == "call" or report.failed
        return report.outcome if counts else "", "", "FAILED" if report.failed else ""  # no dots

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = notebook_of(report.nodeid)
        if report.failed:
            self.failed[name] += 1
            self.say(f"{name} cell {self.done[name] + 1} of {self.cells[name]} FAILED")
        if report.when != "teardown":
            return
        now = time.monotonic()
        seconds, self.since[name] = now - self.since[name], now
        self.done[name] += 1
        if seconds >= LONG:
            self.say(f"{name} cell {self.done[name]} of {self.cells[name]} took {seconds:.0f} s")
        if self.done[name] == self.cells[name]:
            broken = f", {self.failed[name]} FAILED" if self.failed[name] else ""
            del self.since[name]
            self.say(f"{name} ends: {self.done[name]} cells in {now - self.opened[name]:.0f} s{broken}")

    def watch(self) -> None:
        """Say where the open notebooks are, whenever nothing has been said for a while."""
        while not self.ended.wait(SILENCE / 6):
            if time.monotonic() - self.last_line >= SILENCE and (running := self.running()):
                self.say(running)

    def running(self) -> str:
        """In which cell each open notebook is, and for how long."""
        now = time.monotonic()
        places = [
            f"{name} in cell {self.done[name] + 1} of {self.cells[name]} for {now - since:.0f} s"
            for name, since in sorted(self.since.items())
        ]
        return "; ".join(places)


def notebook_of(nodeid: str) -> str:
    """The notebook's name, out of "02_topic.ipynb::Cell 3"."""
    return nodeid.partition("::")[0].rpartition("/")[2].removesuffix(".ipynb")

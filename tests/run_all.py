"""Runs every test of the course, one stage after the other, and sums them up.

    python tests/run_all.py [--live | --fast] [options for pytest ...]

Stages: style (ruff), unit tests, notebooks (nbval: each cell is run and held against its stored output), and where
`make test-browser` has installed what drives a browser, its short tests. A stage that fails does not stop the next; any
failure makes the exit status 1. Without an option the notebooks take the adapters that the repository ships
(`COURSE_REPLAY=strict`); `--live` trains everything; `--fast` leaves out the notebooks, the browser and all that needs
a real model.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from course_lib.costs.machine import KNOWN_GFLOPS, product_gflops

ROOT = Path(__file__).resolve().parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=900", "-p", "notebook_progress"]


@dataclass
class Stage:
    """What a stage gave: its exit status (None if there was nothing to run), seconds, and tests by outcome."""

    name: str
    status: int | None
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> bool:
        return bool(self.status)


def ruff() -> Stage:
    """Style, by ruff's own two commands."""
    started = time.perf_counter()
    commands = (["check", "--quiet", "--output-format=concise", "."], ["format", "--check", "--quiet", "."])
    # ruff's own cache folder is in .gitignore
    codes = [subprocess.run([sys.executable, "-m", "ruff", *command], cwd=ROOT).returncode for command in commands]
    if codes[1]:
        print("Some files are not formatted: run `ruff format .`")
    return Stage("style", max(codes), time.perf_counter() - started)


def pytest_stage(name: str, arguments: list[str], cwd: Path, environment: dict[str, str]) -> Stage:
    """One pytest process; its counts come from the report that it writes."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [*PYTEST, f"--junitxml={report}", *arguments]
        status = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}).returncode
        counts = read_counts(report) if report.exists() else Counter()
    return Stage(name, status, time.perf_counter() - started, counts)


def read_counts(report: Path) -> Counter[str]:
    """Tests by outcome, out of a JUnit report."""
    counts: Counter[str] = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        numbers = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        counts["failed"] += numbers["failures"]
        counts["errors"] += numbers["errors"]
        counts["skipped"] += numbers["skipped"]
        counts["passed"] += numbers["tests"] - sum(v for key, v in numbers.items() if key != "tests")
    return counts


def two_at_a_time(name: str, arguments: list[str], cwd: Path, environment: dict[str, str]) -> Stage:
    """A stage in two processes, each file of tests in one of them."""
    # Two processes with all threads each would get in each other's way.
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) // 2))}
    return pytest_stage(name, ["-n", "2", "--dist", "loadfile", *arguments], cwd, threads | environment)


def unit(fast: bool, options: list[str]) -> Stage:
    """The unit tests."""
    chosen = "not matrix and not browser" + " and not model and not gpu and not notebook" * fast
    return two_at_a_time("unit tests", ["tests", "-m", chosen, *options], ROOT, {})


def notebooks(live: bool, options: list[str]) -> Stage:
    """Every learner's notebook under nbval, from top to bottom, in the folder where learners run it."""
    folder = ROOT / "notebooks"
    deeper = (f"appendix/{path.name}" for path in folder.glob("appendix/*.ipynb"))
    paths = longest_first([*(path.name for path in folder.glob("[0-9][0-9]_*.ipynb")), *deeper])
    if not paths:
        return Stage("notebooks", None)
    plugins = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    replay = "never" if live else "strict"
    environment = {
        "COURSE_REPLAY": replay, "COURSE_RECORD": "", "COURSE_VERDICTS": "hold", "COURSE_PAGE": "1",
        "COURSE_PROGRESS": "off", "PYTHONPATH": plugins,
    }  # fmt: skip
    return two_at_a_time("notebooks", [*NBVAL, "--no-loadscope-reorder", *paths, *options], folder, environment)


def browser(options: list[str]) -> Stage:
    """The short ones of the tests in a browser."""
    if find_spec("playwright") is None:
        return Stage("browser", None)
    return pytest_stage("browser", ["tests/browser", "-m", "browser_short", *options], ROOT, {})


def longest_first(names: Iterable[str], results: Path = ROOT / "data" / "results") -> list[str]:
    """Notebooks in the order of the minutes that they took when they were built: a long one last would run alone."""

    def minutes(name: str) -> float:
        path = results / f"{name[:2]}.json"
        return json.loads(path.read_text(encoding="utf-8")).get("minutes_laptop", 0.0) if path.exists() else 0.0

    return sorted(names, key=lambda name: (-minutes(name), name))


def gflops() -> float:
    """GFLOP/s of fp32 matrix products on all threads of this machine's CPU."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    return product_gflops(device="cpu")


def summary(stages: list[Stage], speed: float | None = None) -> str:
    """A table of stages and the machine's GFLOP/s, closed by one line like pytest's own."""
    total: Counter[str] = Counter()
    lines = []
    for stage in stages:
        total += stage.counts
        verdict = "nothing to run" if stage.status is None else "FAILED" if stage.failed else "passed"
        lines.append(f"{stage.name:<12} {verdict:<15} {stage.seconds:7.1f} s   {in_words(stage.counts)}".rstrip())
    if speed is not None:
        lines.append(
            f"This machine multiplies fp32 matrices at {speed:.0f} GFLOP/s on {os.cpu_count()} threads; the course's "
            f"minutes are for {KNOWN_GFLOPS}."
        )
    seconds = sum(stage.seconds for stage in stages)
    broken = sum(stage.failed and not (stage.counts["failed"] or stage.counts["errors"]) for stage in stages)
    total["errors"] += broken  # a stage that failed without a test that did: style, a crash, no test found
    lines += ["", f" {in_words(total) or 'no tests ran'} in {seconds:.2f}s ".center(80, "=")]
    return "\n".join(lines)


def in_words(counts: Counter[str]) -> str:
    """Counts, the worst first: "1 failed, 31 passed"."""
    order = ("failed", "errors", "passed", "skipped")
    said = [f"{counts[key]} {key}" for key in order if counts[key]]
    return ", ".join("1 error" if part == "1 errors" else part for part in said)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--live", action="store_true", help="train everything; replay nothing")
    how.add_argument("--fast", action="store_true", help="style, and the unit tests that need no real model")
    chosen, options = parser.parse_known_args(arguments)
    stages = [ruff(), unit(chosen.fast, options)]
    speed = None
    if not chosen.fast:
        speed = gflops()
        stages += [notebooks(chosen.live, options), browser(options)]
    print("\n" + summary(stages, speed))
    return int(any(stage.failed for stage in stages))


if __name__ == "__main__":
    sys.exit(main())

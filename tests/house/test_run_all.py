"""The runner of all tests: what it counts, and that it does not hide a failure."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import notebook_progress
import run_all
from run_all import Stage


def test_the_summary_closes_with_one_line_like_pytests():
    stages = [
        Stage("style", 0, 0.5),
        Stage("unit tests", 0, 60, Counter(passed=31, skipped=2)),
        Stage("notebooks", None),
    ]
    *_, last = run_all.summary(stages).splitlines()
    assert last.strip("= ") == "31 passed, 2 skipped in 60.50s"


def test_a_stage_that_fails_without_a_failed_test_is_an_error():
    text = run_all.summary([Stage("style", 1, 0.5), Stage("unit tests", 0, 60, Counter(passed=31))])
    assert "style        FAILED" in text
    assert text.splitlines()[-1].strip("= ") == "1 error, 31 passed in 60.50s"


def test_any_failed_stage_makes_the_exit_status_one_and_the_machine_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(run_all, "ruff", lambda: Stage("style", 0))
    monkeypatch.setattr(run_all, "unit", lambda *_: Stage("unit tests", 1, 1, Counter(failed=1)))
    monkeypatch.setattr(run_all, "notebooks", lambda *_: Stage("notebooks", 0, 1, Counter(passed=9)))
    monkeypatch.setattr(run_all, "browser", lambda *_: Stage("browser", None))
    monkeypatch.setattr(run_all, "gflops", lambda: 67.2)
    assert run_all.main([]) == 1
    assert "fp32 matrices at 67 GFLOP/s" in capsys.readouterr().out


def test_a_browser_is_driven_only_where_something_is_installed_that_drives_one(monkeypatch):
    monkeypatch.setattr(run_all, "find_spec", lambda _: None)
    assert run_all.browser([]).status is None
    monkeypatch.setattr(run_all, "find_spec", lambda _: object())
    monkeypatch.setattr(run_all, "pytest_stage", lambda name, arguments, *_: Stage(name, 0, 1, Counter(arguments)))
    assert run_all.browser(["-x"]).counts == Counter(["tests/browser", "-m", "browser_short", "-x"])


def test_only_a_live_run_trains(monkeypatch):
    seen = []
    monkeypatch.setattr(run_all, "pytest_stage", lambda *arguments: seen.append(arguments[3]) or Stage("notebooks", 0))
    monkeypatch.setattr(Path, "glob", lambda *_: [Path("00_start_here.ipynb")])
    run_all.notebooks(False, [])
    run_all.notebooks(True, [])
    assert [environment["COURSE_REPLAY"] for environment in seen] == ["strict", "never"]


def test_counts_come_from_the_report(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/><testsuite tests="1"/></testsuites>'
    )
    assert run_all.read_counts(report) == Counter(passed=6, failed=1, errors=1, skipped=2)


def test_the_longest_notebook_is_begun_first(tmp_path):
    for lesson, minutes in (("00", 1), ("01", 4), ("02", 5)):
        (tmp_path / f"{lesson}.json").write_text(f'{{"minutes_laptop": {minutes}}}', encoding="utf-8")
    (tmp_path / "03.json").write_text("{}", encoding="utf-8")
    names = ["00_a.ipynb", "01_b.ipynb", "02_c.ipynb", "03_d.ipynb", "04_e.ipynb"]
    assert [name[:2] for name in run_all.longest_first(names, tmp_path)] == ["02", "01", "00", "03", "04"]


@pytest.fixture
def progress(monkeypatch):
    """The plugin over two notebooks of two cells; `lines` is what it said, `at(seconds)` sets the clock."""
    said, clock = [], SimpleNamespace(now=0.0)
    monkeypatch.setattr(notebook_progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    writer = SimpleNamespace(line=lambda text: said.append(text.strip()))
    plugin = notebook_progress.Progress(SimpleNamespace(get_terminal_writer=lambda: writer))
    plugin.count([f"{name}.ipynb::Cell {cell}" for name in ("01_a", "02_b") for cell in (0, 1)])
    plugin.lines, plugin.at = said, lambda seconds: setattr(clock, "now", seconds)
    return plugin


def ran(progress, name, failed=False):
    """A cell ran."""
    for when in ("setup", "call", "teardown"):
        broken = failed and when == "call"
        progress.pytest_runtest_logreport(SimpleNamespace(nodeid=f"{name}.ipynb::Cell 0", when=when, failed=broken))


def test_the_stage_says_which_notebook_begins_ends_and_what_took_long(progress):
    progress.pytest_runtest_logstart("01_a.ipynb::Cell 0")
    progress.at(3)
    ran(progress, "01_a")
    progress.at(65)
    ran(progress, "01_a", failed=True)
    assert progress.lines == [
        "0:00  01_a begins, 2 cells", "1:05  01_a cell 2 of 2 FAILED", "1:05  01_a cell 2 of 2 took 62 s",
        "1:05  01_a ends: 2 cells in 65 s, 1 FAILED",
    ]  # fmt: skip


def test_where_it_is_in_a_long_silence(progress):
    for seconds, name in ((0, "02_b"), (4, "01_a")):
        progress.at(seconds)
        progress.pytest_runtest_logstart(f"{name}.ipynb::Cell 0")
    progress.at(10)
    ran(progress, "02_b")
    progress.at(70)
    assert progress.running() == "01_a in cell 1 of 2 for 66 s; 02_b in cell 2 of 2 for 60 s"

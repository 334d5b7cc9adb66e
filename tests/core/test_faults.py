"""What a notebook shows of a mistake, and of work that was stopped."""

import re
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_lib.core import faults
from course_lib.core.faults import say_one_sentence, sentence

STOPPED = """
from course_lib.core.progress import Progress
with Progress("Answering", 40) as bar:
    bar.advance(12)
    raise KeyboardInterrupt
"""


@pytest.fixture
def cell(monkeypatch, capsys):
    """Run a cell after `cl.start()`; what it shows, and what came of it."""
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    for name in ("type", "value", "traceback"):
        monkeypatch.setattr(sys, f"last_{name}", None, raising=False)
    say_one_sentence()

    def run(code):
        result = shell.run_cell(code)
        return re.sub(r"\x1b\[[\d;]*m", "", "".join(capsys.readouterr())).strip(), result

    return run


def test_a_mistake_is_one_sentence_and_the_cell_still_fails(cell):
    said, result = cell("from course_lib.core.errors import DataError\nraise DataError('no rows: give one.')")
    assert said == "no rows: give one." and not result.success
    said, _ = cell("%tb")
    assert "Traceback" in said and "raise DataError" in said, "whoever wants it sees the way"


def test_work_of_ours_that_is_stopped_says_how_far_it_came(cell):
    said, result = cell(STOPPED)
    assert said == "Stopped after 12 of 40." and isinstance(result.error_in_exec, KeyboardInterrupt)


def test_what_is_not_ours_is_shown_as_ever(cell):
    for code, name in (("raise KeyboardInterrupt", "KeyboardInterrupt"), ("1 / 0", "ZeroDivisionError")):
        said, _ = cell(code)
        assert "Traceback" in said and name in said


def test_an_interrupt_of_ours_without_a_bar_is_said_in_a_word(monkeypatch):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        assert sentence(error, error.__traceback__) is None
        monkeypatch.setattr(faults, "PACKAGE", faults.Path(__file__).parent)
        assert sentence(error, error.__traceback__) == "Stopped."


def test_outside_ipython_nothing_is_changed(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    say_one_sentence()

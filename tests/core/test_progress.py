"""The progress display: nothing for what is quick, one line in a terminal, one widget in a notebook, nothing left."""

import io
import sys
from types import SimpleNamespace

import pytest

from course_lib.core import progress
from course_lib.core.progress import Progress, in_notebook


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    stream = Terminal()
    # In the module alone: pytest sets sys.stderr anew between a fixture and its test.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream, modules=sys.modules))
    return stream


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_quick_work_shows_nothing(terminal, notebook, clock, monkeypatch):
    for in_kernel in (False, True):
        monkeypatch.setattr(progress, "in_notebook", lambda found=in_kernel: found)
        with Progress("Answering", 3) as bar:
            for _ in range(3):
                clock.now += 0.6
                bar.advance()
    assert (terminal.getvalue(), notebook) == ("", [])


def test_slow_work_shows_one_line_that_is_taken_away_at_the_end(terminal, clock):
    with Progress("Answering", 4) as bar:
        for _ in range(4):
            clock.now += 2
            bar.advance()
    *drawn, last, nothing = terminal.getvalue().split("\r")
    assert [text.split(" · ")[0] for text in drawn[1:]] == [f"Answering {i}/4" for i in range(1, 5)]
    assert last.strip() == nothing == ""
    assert len(last) == max(map(len, drawn))
    assert "\n" not in terminal.getvalue()


def test_work_that_became_slow_after_its_last_step_prints_no_stray_line(terminal, clock):
    with Progress("Answering", 1) as bar:
        bar.advance()
        clock.now += 5
    assert terminal.getvalue() == ""


def test_a_long_note_does_not_wrap_the_line(terminal, clock):
    with Progress("Training", 10) as bar:
        clock.now += 3
        bar.advance(note="loss 0.123 " * 20)
    assert max(map(len, terminal.getvalue().split("\r"))) == 78


def test_a_pipe_gets_nothing(terminal, clock, monkeypatch):
    monkeypatch.setattr(Terminal, "isatty", lambda stream: False)
    with Progress("Answering", 2) as bar:
        clock.now += 10
        bar.advance(2)
    assert terminal.getvalue() == ""


def test_what_stands_beside_the_bar_holds_no_secret_and_no_half_character(clock, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "abcd-efgh")
    assert Progress("Reading a \ud83d of abcd-efgh", 1).text() == "Reading a \ufffd of [hidden] 0/1 · 0 s left"


def test_where_there_is_no_stderr_nothing_is_drawn(clock, monkeypatch):
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=None, modules=sys.modules))  # as pythonw has it
    with Progress("Answering", 2) as bar:
        clock.now += 10
        bar.advance(2)


def test_the_text_says_how_far_how_long_yet_and_the_last_note(clock):
    bar = Progress("Training", 40)
    clock.now += 10
    bar.advance(10, "loss 0.51")
    assert bar.text() == "Training 10/40 · 30 s left · loss 0.51"
    bar.advance(10)
    assert bar.text() == "Training 20/40 · 10 s left · loss 0.51"


@pytest.mark.parametrize(("steps", "total"), [(0, 0), (0, 5), (7, 5)])
def test_the_time_left_is_a_number_that_is_not_negative(clock, steps, total):
    bar = Progress("Training", total)
    clock.now += 4
    bar.advance(steps)
    assert float(bar.text().split(" · ")[1].removesuffix(" s left")) >= 0


def test_a_notebook_gets_one_widget_that_is_closed_at_the_end(notebook, terminal, clock):
    assert in_notebook()
    with Progress("Training", 8) as bar:
        clock.now += 3
        bar.advance(2, "loss 1.00")
        bar.advance(2, "loss 0.50")
        ((view, box),) = notebook
        assert list(view) == ["application/vnd.jupyter.widget-view+json"], "no text beside it, for nbval"
        assert box is bar._widget
        gauge, label = box.children
        assert (gauge.value, gauge.max) == (4, 8)
        assert label.value.endswith("loss 0.50")
        assert box.comm is not None
    assert box.comm is None, "closed"
    assert terminal.getvalue() == ""


def test_the_bar_is_taken_away_when_the_work_fails(notebook, terminal, clock, monkeypatch):
    for in_kernel in (True, False):
        monkeypatch.setattr(progress, "in_notebook", lambda found=in_kernel: found)
        bar = Progress("Training", 8)
        with pytest.raises(KeyboardInterrupt), bar:
            clock.now += 3
            bar.advance()
            raise KeyboardInterrupt
        assert bar._widget.comm is None if in_kernel else terminal.getvalue().endswith(" \r")


def test_a_script_a_plain_ipython_and_a_program_without_it_are_no_notebook(monkeypatch):
    import IPython

    for shell in (None, SimpleNamespace()):
        monkeypatch.setattr(IPython, "get_ipython", lambda found=shell: found)
        assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()

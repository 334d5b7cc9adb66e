"""The progress display: nothing for what is quick, one line in a terminal, HTML in a notebook, nothing left."""

import io
import re
import sys
import threading
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_lib.core import progress
from course_lib.core.progress import Progress, drawn_on, in_notebook, watch_cells


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


@pytest.fixture
def kernel(monkeypatch):
    """A kernel around the test: what is displayed, under which id, and whether it takes the place of what was there."""
    import IPython

    seen = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(
        "IPython.display.display",
        lambda bundle, raw, display_id, update: seen.append((bundle, display_id, update)),
    )
    return seen


@pytest.fixture
def at_once(monkeypatch):
    """What is worked at is slow from the start; a drawing is waited for."""
    drawn = threading.Event()
    draw = Progress._draw

    def watched(self, bar):
        draw(self, bar)
        drawn.set()

    monkeypatch.setattr(progress, "SHOW_AFTER_SECONDS", 0.001)
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.001)
    monkeypatch.setattr(Progress, "_draw", watched)

    def wait():
        drawn.clear()
        assert drawn.wait(10)
        drawn.clear()
        assert drawn.wait(10), "drawn again, although the work says nothing"

    return wait


def test_quick_work_shows_nothing(terminal, kernel, monkeypatch):
    for in_kernel in (False, True):
        monkeypatch.setattr(progress, "in_notebook", lambda found=in_kernel: found)
        with Progress("Answering", 3) as bar:
            for _ in range(3):
                bar.advance()
    assert (terminal.getvalue(), kernel) == ("", [])


def test_slow_work_shows_one_line_that_moves_by_itself_and_is_taken_away_at_the_end(terminal, at_once):
    with Progress("Answering", 4) as bar:
        at_once()
        bar.advance(2)
        at_once()
    *drawn, last, nothing = terminal.getvalue().split("\r")
    assert {text.split(" · ")[0] for text in drawn[1:]} == {"Answering 0 of 4", "Answering 2 of 4"}
    assert last.strip() == nothing == "" and len(last) == max(map(len, drawn))
    assert "\n" not in terminal.getvalue()


def test_a_long_note_does_not_wrap_the_line(terminal, at_once):
    with Progress("Training", 10) as bar:
        bar.advance(note="loss 0.123 " * 20)
        at_once()
    assert max(map(len, terminal.getvalue().split("\r"))) == 78


@pytest.mark.parametrize("where", ["a pipe", "no stderr", "a page"])
def test_where_nobody_watches_nothing_is_drawn_and_no_thread_begun(where, terminal, kernel, monkeypatch):
    monkeypatch.setattr(progress, "in_notebook", lambda: where == "a page")
    monkeypatch.setattr(Terminal, "isatty", lambda stream: False)
    if where == "no stderr":  # as pythonw has it
        monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=None, modules=sys.modules))
    monkeypatch.setenv("COURSE_PAGE", "1")
    with Progress("Answering", 2) as bar:
        assert bar._thread is None
        bar.advance(2)
    assert terminal.getvalue() == "" and kernel == []


def test_what_stands_beside_the_bar_holds_no_secret_and_no_half_character(clock, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "abcd-efgh")
    assert Progress("Reading a \ud83d of abcd-efgh", 1).text() == "Reading a \ufffd of [hidden] 0 of 1 · 0 s so far"


def test_the_text_says_how_far_how_long_yet_and_the_last_note(clock):
    bar = Progress("Training", 40)
    clock.now += 10
    assert bar.text() == "Training 0 of 40 · 10 s so far", "there is nothing to go by yet"
    bar.advance(10, "loss 0.51")
    assert bar.text() == "Training 10 of 40 · about 30 s left · loss 0.51"
    clock.now += 5
    assert bar.text() == "Training 10 of 40 · about 25 s left · loss 0.51", "it counts down between two steps"
    clock.now += 5
    bar.advance(10)
    assert bar.text() == "Training 20 of 40 · about 20 s left · loss 0.51"
    clock.now += 2000
    bar.advance(1)
    assert bar.text().split(" · ")[1] == "about 30 min left"


def test_parts_of_a_step_count_for_the_time_that_is_left(clock):
    bar = Progress("Answering", 40)
    clock.now += 10
    bar.reach(10.0, 3)
    assert bar.text() == "Answering 3 of 40 · about 30 s left"
    assert 'value="10.000" max="40"' in bar.html()


def test_what_was_done_in_an_earlier_run_took_no_time_now(clock):
    bar = Progress("Training", 40)
    bar.begin(20)
    assert bar.text() == "Training 20 of 40 · 0 s so far"
    clock.now += 10
    bar.advance(10)
    assert bar.text() == "Training 30 of 40 · about 10 s left"


def test_where_nobody_knows_how_much_there_is_the_bar_swings(clock):
    bar = Progress('Loading "a"', 0)
    clock.now += 4
    assert bar.text() == 'Loading "a" · 4 s so far'
    assert re.match(r'<progress aria-label="Loading &quot;a&quot;"', bar.html())


@pytest.mark.parametrize(("steps", "total"), [(0, 5), (7, 5)])
def test_the_time_left_is_never_negative(clock, steps, total):
    bar = Progress("Training", total)
    clock.now += 4
    bar.advance(steps)
    assert "-" not in bar.text()


def test_a_notebook_gets_one_display_that_is_drawn_over_and_empty_at_the_end(kernel, terminal, at_once):
    assert in_notebook()
    with Progress("Training <gp>", 8) as bar:
        bar.advance(2, "loss 1.00")
        at_once()
    first, *later = kernel
    drawn = next(shown for shown, _, _ in kernel if "loss 1.00" in shown["text/html"])
    assert re.search(r'<progress value="2.000" max="8" aria-label="Training &lt;gp&gt;"', drawn["text/html"])
    assert drawn["text/plain"].startswith("Training <gp> 2 of 8 · ")
    assert not first[2] and all(update for _, _, update in later), "shown once, then replaced"
    assert len({name for _, name, _ in kernel}) == 1
    assert kernel[-1][0] == {"text/html": "", "text/plain": ""}
    assert terminal.getvalue() == ""


def test_bars_within_one_another_share_a_place_and_the_innermost_is_shown(kernel, at_once):
    with Progress("Loading", 0):
        at_once()
        with Progress("Fetching", 9):
            at_once()
            assert "Fetching" in kernel[-1][0]["text/plain"]
        at_once()
        assert "Loading" in kernel[-1][0]["text/plain"]
    assert len({name for _, name, _ in kernel}) == 1


def test_a_widget_that_started_the_work_shows_its_bar(kernel, at_once, monkeypatch):
    drawn = []
    with drawn_on(drawn.append), Progress("Training", 8):
        at_once()
    assert kernel == [] and all(text.startswith("<progress") for text in drawn)
    with Progress("Training", 8):
        at_once()
    assert kernel


def test_the_bar_is_taken_away_when_the_work_is_stopped_and_the_interrupt_says_how_far_it_came(
    kernel, terminal, at_once, monkeypatch
):
    for in_kernel in (True, False):
        monkeypatch.setattr(progress, "in_notebook", lambda found=in_kernel: found)
        with pytest.raises(KeyboardInterrupt) as raised, Progress("Answering", 40) as bar, Progress("Reading", 0):
            bar.reach(20.5, 12)
            at_once()
            raise KeyboardInterrupt
        assert raised.value.__notes__ == ["Stopped after 12 of 40."], "the innermost that knows says it"
        assert kernel[-1][0]["text/html"] == "" if in_kernel else terminal.getvalue().endswith(" \r")
    assert not progress._open


def test_a_cell_without_a_bar_says_how_long_it_works_and_one_with_a_bar_shows_that(kernel, at_once, monkeypatch):
    shell = InteractiveShell()
    shell.kernel = object()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    watch_cells()
    watch_cells()
    shell.user_ns |= {"wait": at_once, "Progress": Progress}
    for code, shown in (("wait()", "Working"), ("with Progress('Reading', 9): wait()", "Reading")):
        kernel.clear()
        shell.run_cell(code)
        told = [bundle["text/plain"] for bundle, *_ in kernel]
        assert any(text.startswith(shown) for text in told) and told[-1] == ""
    shell.run_cell("1 / 0")
    assert not progress._open and not progress._cells


def test_a_script_a_plain_ipython_and_a_program_without_it_are_no_notebook(monkeypatch):
    import IPython

    for shell in (None, SimpleNamespace()):
        monkeypatch.setattr(IPython, "get_ipython", lambda found=shell: found)
        assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()

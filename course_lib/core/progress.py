"""One progress display for everything that takes more than a moment: HTML in a notebook, a line in a terminal."""

from __future__ import annotations

import contextlib
import contextvars
import html
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator

from course_lib.core.text import for_a_page, in_notebook, say, shown

SHOW_AFTER_SECONDS, REDRAW_SECONDS = 1.5, 0.5

# Where a widget has its own place for what its work says, as a function that takes HTML.
_place: contextvars.ContextVar[Callable[[str], None] | None] = contextvars.ContextVar("place", default=None)
_open: list[Progress] = []  # bars within one another; the innermost is shown, in the place of the outermost
_cells: list[Progress] = []  # those of the cells that run


@contextlib.contextmanager
def drawn_on(place: Callable[[str], None]) -> Iterator[None]:
    """Have what is worked at meanwhile show its progress there, as HTML: in the widget that started it."""
    before = _place.set(place)
    try:
        yield
    finally:
        _place.reset(before)


def watch_cells() -> None:
    """From now on, in a notebook: a cell that is long at work without a bar of its own says how long it has been."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if in_notebook() and hasattr(shell, "events"):
        shell.events.register("pre_run_cell", _begin_cell)  # once, however often
        shell.events.register("post_run_cell", _end_cell)


def _begin_cell(_: object) -> None:
    _cells.append(Progress("Working", 0).__enter__())


def _end_cell(_: object) -> None:
    if _cells:  # of the cell that called `watch_cells` nobody saw the beginning
        _cells.pop().__exit__()


class Progress:
    """A bar that appears if the work is still going after a second and a half, and leaves nothing behind.

    Use as a context manager; call `advance`, and `reach` where a step takes long. A thread draws it, twice a second:
    it moves while one step is worked at. In a notebook it is HTML under a display id, in a terminal one line on
    stderr; in a pipe, and with `COURSE_PAGE=1`, nothing. A `total` of 0 says that nobody knows how much there is.

    Whoever interrupts the work reads in the KeyboardInterrupt's note how far it came.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.note = what, total, ""
        self.begin()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._id = ""  # of what is displayed

    def __enter__(self) -> Progress:
        _open.append(self)
        if _open[0] is self and self._visible():
            # With the cell's context, by which the kernel knows where to show what the thread displays.
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._watch,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: object = None, error: BaseException | None = None, traceback: object = None) -> None:
        if self in _open:
            _open.remove(self)
        if self.total and isinstance(error, KeyboardInterrupt) and not getattr(error, "__notes__", None):
            error.add_note(f"Stopped after {self.done} of {self.total}.")
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
            self._clear()

    def begin(self, done: int = 0) -> None:
        """Count from here: so many were done before, in an earlier run."""
        self.done, self._first, self._reached = done, done, float(done)
        self._started = self._seen = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say that `steps` more are done; `note` (a loss, a name) stands beside the bar."""
        self.note = note or self.note
        self.reach(self.done + steps, self.done + steps)

    def reach(self, reached: float, done: int) -> None:
        """Say how much work is done, in steps and parts of one, and how many steps are finished."""
        self.done, self._reached, self._seen = done, max(self._reached, reached), time.monotonic()

    def text(self) -> str:
        """What stands beside the bar: done, of how many, how long yet; before there is anything to go by, how long."""
        now = time.monotonic()
        worked = self._reached - self._first
        if self.total and worked > 0:
            each = (self._seen - self._started) / worked
            left = max(each * (self.total - self._reached) - (now - self._seen), 0)
            spent = f"about {_duration(left)} left"
        else:
            spent = f"{_duration(now - self._started)} so far"
        count = f" {self.done} of {self.total}" if self.total else ""
        return shown(" · ".join(filter(None, (f"{self.what}{count}", spent, self.note))))

    def html(self) -> str:
        """The bar with its text; it swings while nobody knows how far the work has come."""
        how_far = f' value="{self._reached:.3f}" max="{self.total}"' if self.total and self._reached else ""
        label, text = html.escape(self.what, quote=True), html.escape(self.text())
        return f'<progress{how_far} aria-label="{label}" style="width:12em;vertical-align:middle"></progress> {text}'

    def _visible(self) -> bool:
        if _place.get() is not None:
            return True
        return not for_a_page() if in_notebook() else bool(sys.stderr and sys.stderr.isatty())

    def _watch(self) -> None:
        wait = SHOW_AFTER_SECONDS
        while not self._ended.wait(wait):
            bars = _open[-1:]
            if bars:
                self._draw(bars[0])
            wait = REDRAW_SECONDS

    def _draw(self, bar: Progress) -> None:
        if place := _place.get():
            place(bar.html())
        elif in_notebook():
            self._display(bar.html(), bar.text())
        else:
            self._id = "line"
            say(f"\r{bar.text()[:78]:<78}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        """What is left is text without a word in it: no front end takes away a single output."""
        if not self._id or _place.get() is not None:
            return
        if self._id == "line":
            say(f"\r{'':<78}\r", end="", file=sys.stderr, flush=True)
        else:
            self._display("", "")

    def _display(self, drawn: str, text: str) -> None:
        from IPython.display import display

        update, self._id = bool(self._id), self._id or f"progress-{uuid.uuid4().hex}"
        display({"text/html": drawn, "text/plain": text}, raw=True, display_id=self._id, update=update)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

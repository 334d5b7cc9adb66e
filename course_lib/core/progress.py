"""One progress display for everything that takes more than a moment: a widget in a notebook, text elsewhere."""

from __future__ import annotations

import sys
import time

from course_lib.core.text import say, shown

SHOW_AFTER_SECONDS = 2.0


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel (JupyterLab, VS Code, Colab)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class Progress:
    """A bar that appears only if the work is still going after two seconds, and leaves nothing behind.

    Use as a context manager; call `advance`. In a notebook it is one ipywidget (comm messages, so that nbval, which
    does not understand display updates, is not disturbed); in a terminal one line on stderr; in a pipe, nothing.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done, self.note = what, total, 0, ""
        self._started = time.monotonic()
        self._widget = None
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._widget is not None:
            self._widget.close()
        elif self._drawn:
            say(f"\r{'':<78}\r", end="", file=sys.stderr, flush=True)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say that `steps` more are done; `note` (a loss, a name) stands beside the bar."""
        self.done += steps
        self.note = note or self.note
        if time.monotonic() - self._started >= SHOW_AFTER_SECONDS:
            self._draw()

    def text(self) -> str:
        """What stands beside the bar: done, of how many, how long yet."""
        elapsed = time.monotonic() - self._started
        left = elapsed / max(self.done, 1) * max(self.total - self.done, 0)
        note = f" · {self.note}" if self.note else ""
        return shown(f"{self.what} {self.done}/{self.total} · {left:.0f} s left{note}")

    def _draw(self) -> None:
        if in_notebook():
            self._draw_widget()
        elif sys.stderr and sys.stderr.isatty():
            self._drawn = True
            say(f"\r{self.text()[:78]:<78}", end="", file=sys.stderr, flush=True)

    def _draw_widget(self) -> None:
        import ipywidgets
        from IPython.display import display

        if self._widget is None:
            bar = ipywidgets.IntProgress(max=self.total)
            self._widget = ipywidgets.HBox([bar, ipywidgets.Label()])
            # The view alone, without a text beside it: nbval skips views, and a stored notebook shows nothing.
            view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
            display({"application/vnd.jupyter.widget-view+json": view}, raw=True)
        bar, label = self._widget.children
        bar.value, label.value = self.done, self.text()

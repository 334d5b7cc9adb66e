"""Something to play with: controls and what they say in a notebook, the same in words everywhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.core.faults import sentence
from course_lib.core.progress import drawn_on
from course_lib.core.text import in_notebook, say, shown

CONTROL_EM = 22  # width of a control: two fit a window of 1,024 pixels beside its cell
VIEW = "application/vnd.jupyter.widget-view+json"


class Said:
    """What the learner answered, beneath the widget that took it, as text: a saved notebook has no widgets."""

    def __init__(self, text: str) -> None:
        self.text, self._html, self._output = text, "", None

    def update(self, text: str, rich: str = "") -> None:
        """Say something else in the same place; `rich` is the same in HTML."""
        self.text, self._html = text, rich
        if self._output is not None:
            self._output.update(self._bundle(), raw=True)

    def display(self) -> None:
        """Show it, in the output of the cell that runs."""
        from IPython.display import display

        self._output = display(self._bundle(), raw=True, display_id=True)

    def _bundle(self) -> dict[str, str]:
        return {"text/plain": shown(self.text)} | ({"text/html": self._html} if self._html else {})


def show(widget: Callable[[], Any], text: str, answer: Any = None, said: Said | None = None) -> None:
    """Print the answer if the call gave what it takes; else show the widget with its text, or the text alone.

    `widget` is made only where widgets work. `text` must be the same on every run: nbval skips the widget, and compares
    the text, which is also what GitHub, nbconvert and a stored notebook show. `said` follows beneath the widget.
    """
    if answer is not None or not in_notebook():
        say(text if answer is None else answer)
        return
    from IPython.display import display

    view = {"version_major": 2, "version_minor": 0, "model_id": widget().model_id}
    display({"text/plain": shown(text), VIEW: view}, raw=True)
    if said is not None:
        said.display()


def panel(
    controls: Mapping[str, tuple[Sequence[Any], Any]],
    say: Callable[..., Any],
    columns: int,
    press: tuple[str, str, Callable[..., Any]] | None = None,
    bounds: Callable[..., Mapping[str, Sequence[Any]]] | None = None,
) -> Any:
    """Controls in rows, and beneath them what `say` makes of their values, said anew whenever one of them moves.

    Each control is a label with its choices and where it begins: a slider over numbers, a list of names, or, without
    choices, a box to tick. At most `columns` stand side by side, and fewer in a narrow window. `bounds` makes of the
    values which choices a control has left, by its label; what was chosen comes back with its choice. `press` adds a
    button (see `button`) that does something with the values. Where nothing can be said of them, why not stands above
    what was said last.
    """
    import ipywidgets as w

    made = {label: _control(label, choices, start) for label, (choices, start) in controls.items()}
    wanted = {label: start for label, (_, start) in controls.items()}
    said, done = w.HTML(), w.HTML()
    last, moving = "", False

    def values() -> list[Any]:
        return [control.value for control in made.values()]

    def follow(moved: Any = None) -> None:
        nonlocal last, moving
        if moving:  # the choices of one control are being bounded by another
            return
        if moved is not None:
            wanted[moved["owner"].description] = moved["new"]
        moving = True
        for label, left in (bounds(*values()) if bounds else {}).items():
            _bound(made[label], left, wanted[label])
        moving = False
        try:
            said.value = last = as_html(say(*values()))
        except CourseError as error:
            said.value = as_html(error) + (last and f"<br><i>What was said last:</i><br>{last}")
        done.value = ""

    for control in made.values():
        control.observe(follow, "value")
    follow()
    row = w.Layout(display="flex", flex_flow="row wrap", max_width=f"{CONTROL_EM * columns + 1}em")
    parts = [w.Box(list(made.values()), layout=row), said]
    if press is not None:
        label, meanwhile, act = press
        pressed = button(label, meanwhile, lambda: act(*values()), done)
        parts.append(w.HBox([pressed, done], layout=w.Layout(flex_flow="row wrap")))
    return w.VBox(parts)


def button(label: str, meanwhile: str, act: Callable[[], Any], out: Any) -> Any:
    """A button that shows in `out` what `act` returns; it sleeps while that runs, and can be pressed again after."""
    import ipywidgets as w

    pressed = w.Button(description=label, tooltip=label, button_style="primary")

    def press(_: Any) -> None:
        pressed.disabled, out.value = True, meanwhile
        try:
            with drawn_on(lambda drawn: setattr(out, "value", drawn)):
                out.value = _in_html(act)
        except KeyboardInterrupt as error:
            out.value = as_html(sentence(error, error.__traceback__) or "Stopped.")
        finally:
            pressed.disabled = False

    pressed.on_click(press)
    return pressed


def as_html(said: Any) -> str:
    """An answer that knows its own HTML, or a text line by line with nothing in it obeyed."""
    if hasattr(said, "_repr_html_"):
        return said._repr_html_()
    return "<br>".join(html.escape(line) for line in shown(said).splitlines())


def rich(text: str) -> str:
    """Text as HTML, with `code` set as code and **bold** in bold; a mark whose fellow was cut off goes."""

    def set_as(mark: re.Match[str]) -> str:
        code, bold = mark.groups()
        return f"<code>{code}</code>" if code else f"<b>{bold}</b>" if bold else ""

    return re.sub(r"`([^`]+)`|\*\*(?!\s)(.+?)\*\*|\*\*", set_as, html.escape(shown(text)))


def _in_html(say: Callable[[], Any]) -> str:
    """What is said, or of a mistake its sentence: the controls stay usable."""
    try:
        return as_html(say())
    except CourseError as error:
        return as_html(error)


def _control(label: str, choices: Sequence[Any], start: Any) -> Any:
    """A control with its name for screen readers too; Tab reaches it, arrow keys move it."""
    import ipywidgets as w

    look = {"description": label, "tooltip": label, "layout": w.Layout(width=f"{CONTROL_EM}em", max_width="100%")}
    if not choices:
        return w.Checkbox(value=start, **look)
    if isinstance(start, str):
        return w.Dropdown(options=choices, value=start, **look)
    return w.SelectionSlider(options=_numbers(choices), value=start, continuous_update=False, **look)


def _bound(control: Any, left: Sequence[Any], wanted: Any) -> None:
    """Leave a slider these choices; it stands where it was wanted if that is one of them, else at the last."""
    if [value for _, value in control.options] != list(left):
        control.options = _numbers(left)
        control.value = wanted if wanted in left else left[-1]


def _numbers(choices: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(f"{number:,}", number) for number in choices]

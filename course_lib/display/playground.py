"""Something to play with: controls and what they say in a notebook, the same in words everywhere else."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.core.faults import sentence
from course_lib.core.progress import drawn_on
from course_lib.core.text import in_notebook, say, shown

VIEW = "application/vnd.jupyter.widget-view+json"


def show(widget: Callable[[], Any], text: str, answer: Any = None) -> None:
    """Print the answer if the call gave what it takes; else show the widget with its text, or the text alone.

    `widget` is made only where widgets work. `text` must be the same on every run: nbval skips the widget, and compares
    the text, which is also what GitHub, nbconvert and a stored notebook show.
    """
    if answer is not None or not in_notebook():
        say(text if answer is None else answer)
        return
    from IPython.display import display

    view = {"version_major": 2, "version_minor": 0, "model_id": widget().model_id}
    display({"text/plain": shown(text), VIEW: view}, raw=True)


def panel(
    controls: Mapping[str, tuple[Sequence[Any], Any]],
    say: Callable[..., Any],
    columns: int,
    press: tuple[str, str, Callable[..., Any]] | None = None,
) -> Any:
    """Controls in rows, and beneath them what `say` makes of their values, said anew whenever one of them moves.

    Each control is a label with its choices and where it begins: a slider over numbers, a list of names, or, without
    choices, a box to tick. `press` adds a button (see `button`) that does something with the values.
    """
    import ipywidgets as w

    made = [_control(label, choices, start) for label, (choices, start) in controls.items()]
    said, done = w.HTML(), w.HTML()

    def values() -> list[Any]:
        return [control.value for control in made]

    def follow(_: Any = None) -> None:
        said.value, done.value = _in_html(lambda: say(*values())), ""

    for control in made:
        control.observe(follow, "value")
    follow()
    parts = [w.GridBox(made, layout=w.Layout(grid_template_columns=f"repeat({columns}, max-content)")), said]
    if press is not None:
        label, meanwhile, act = press
        parts.append(w.HBox([button(label, meanwhile, lambda: act(*values()), done), done]))
    return w.VBox(parts)


def button(label: str, meanwhile: str, act: Callable[[], Any], out: Any) -> Any:
    """A button that shows in `out` what `act` returns; it sleeps while that runs, and can be pressed again after."""
    import ipywidgets as w

    pressed = w.Button(description=label, button_style="primary")

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


def _in_html(say: Callable[[], Any]) -> str:
    """What is said, or of a mistake its sentence: the controls stay usable."""
    try:
        return as_html(say())
    except CourseError as error:
        return as_html(error)


def _control(label: str, choices: Sequence[Any], start: Any) -> Any:
    import ipywidgets as w

    if not choices:
        return w.Checkbox(value=start, description=label)
    if isinstance(start, str):
        return w.Dropdown(options=choices, value=start, description=label)
    numbers = [(f"{number:,}", number) for number in choices]
    return w.SelectionSlider(options=numbers, value=start, description=label, continuous_update=False)

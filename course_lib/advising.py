"""The advice as something to play with: change one field, see whether the advice changes."""

from __future__ import annotations

import html
from dataclasses import fields
from typing import Any

from course_lib.choosing import CHOICES, Advice, Case, advise
from course_lib.errors import CourseError
from course_lib.progress import in_notebook
from course_lib.widgets import show_widget

__all__ = ["advisor"]

TOKENS = (0, 500, 5_000, 50_000, 500_000, 5_000_000)
EXAMPLES = (0, 10, 50, 100, 300, 1_000, 5_000)
QUESTIONS = (100, 1_000, 10_000, 100_000, 1_000_000)
STEPS = {"knowledge_tokens": TOKENS, "examples": EXAMPLES, "questions": QUESTIONS}


def advisor(case: Case | None = None, **values: Any) -> Advice | None:
    """Describe a case and read the advice.

    Parameters
    ----------
    case
        Where to begin.
    values
        Fields of `cl.Case`; with them, or with a case, the advice is printed and returned, without a widget.

    Raises
    ------
    CourseError
        For a field that is unknown or makes no sense.
    """
    known = [field.name for field in fields(Case)]
    if unknown := set(values) - set(known):
        raise CourseError(f"a case has no {', '.join(sorted(unknown))}: its fields are {', '.join(known)}.")
    if case is not None and not isinstance(case, Case):
        raise CourseError(f"advisor begins with a cl.Case(...), not {case!r:.60}.")
    if case is not None or values:
        before = {name: getattr(case, name) for name in known} if case is not None else {}
        try:
            advice = advise(Case(**before | values))
        except TypeError as error:  # no need given
            raise CourseError("a case must say what it needs: need='knowledge', 'behaviour' or 'both'.") from error
        print(advice)
        return advice
    text = (
        "Describe a case and read the advice. Without widgets: "
        'cl.advisor(need="knowledge", knowledge_tokens=50_000, changes="weekly")'
    )
    show_widget(_box() if in_notebook() else None, text)
    return None


def _box() -> Any:
    import ipywidgets as w

    controls: dict[str, Any] = {}
    start = Case("knowledge", knowledge_tokens=50_000)
    for field in fields(Case):
        name, value = field.name, getattr(start, field.name)
        if name in CHOICES:
            controls[name] = w.Dropdown(options=CHOICES[name], value=value, description=name)
        elif name in STEPS:
            options = [(f"{step:,}", step) for step in STEPS[name]]
            controls[name] = w.SelectionSlider(options=options, value=value, description=name.split("_")[0])
        else:
            controls[name] = w.Checkbox(value=value, description=name.replace("_", "-"))
    said = w.HTML()

    def describe(_: Any = None) -> None:
        try:
            case = Case(**{name: control.value for name, control in controls.items()})
            said.value = advise(case)._repr_html_()
        except CourseError as error:  # a case that contradicts itself: the box says so, and stays usable
            said.value = html.escape(str(error))

    for control in controls.values():
        control.observe(describe, "value")
    describe()
    return w.VBox([w.GridBox(list(controls.values()), layout=w.Layout(grid_template_columns="repeat(2, auto)")), said])

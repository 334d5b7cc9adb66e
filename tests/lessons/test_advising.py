"""The advice as a widget: what its controls do, and how it is used without widgets."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.lessons.choosing import Case, advise, advisor


def test_fields_print_the_advice_without_a_widget(capsys):
    advice = advisor(need="knowledge", knowledge_tokens=50_000, changes="weekly")
    assert capsys.readouterr().out.strip() == str(advice)
    assert advice.choice == "RAG"


def test_a_case_is_where_one_begins(capsys):
    case = Case("behaviour", examples=500)
    assert advisor(case).choice == "fine-tuning"
    assert advisor(case, examples=5).choice == "prompting"
    assert case.examples == 500


def test_the_controls_change_the_advice_and_a_contradiction_is_told(notebook):
    advisor()
    grid, said = notebook[0][1].children
    controls = {control.description: control for control in grid.children}
    assert len(controls) == 10
    assert said.value.startswith("Advice: RAG<br>")
    controls["examples"].value = 1_000
    controls["latency"].value = "tight"
    assert said.value.startswith("Advice: fine-tuning<br>")
    controls["cite"].value = True
    assert said.value.startswith("Advice: RAG<br>")
    controls["need"].value = "behaviour"
    assert said.value.startswith("a case of behaviour alone has no 50,000 tokens")
    controls["knowledge"].value = 0
    assert said.value.startswith("Advice: fine-tuning<br>")


@pytest.mark.parametrize(
    ("arguments", "fields", "named"),
    [
        ((), {"wish": 1}, "a case has no wish: its fields are need"),
        ((), {"examples": 5}, "must say what it needs"),
        (("HR",), {}, r"advisor begins with a cl\.Case"),
        ((advise(Case("behaviour")),), {}, r"advisor begins with a cl\.Case"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, fields, named):
    with pytest.raises(CourseError, match=named):
        advisor(*arguments, **fields)

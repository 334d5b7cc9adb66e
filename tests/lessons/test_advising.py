"""The advice as a widget: what its controls do, and how it is used without widgets."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.lessons import choosing
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


def test_without_anything_the_text_says_how_to_do_without_widgets(capsys):
    assert advisor() is None
    assert 'cl.advisor(need="knowledge"' in capsys.readouterr().out


def test_the_controls_change_the_advice_and_a_contradiction_is_told():
    grid, said = choosing._box().children
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


def test_what_makes_no_sense_is_refused():
    with pytest.raises(CourseError, match="a case has no wish: its fields are need"):
        advisor(wish=1)
    with pytest.raises(CourseError, match="must say what it needs"):
        advisor(examples=5)
    with pytest.raises(CourseError, match=r"advisor begins with a cl\.Case"):
        advisor("HR")
    with pytest.raises(CourseError):
        advisor(advise(Case("behaviour")))

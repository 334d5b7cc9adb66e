"""The chat box: what it says of an answer, in text and in HTML, and what it does with none."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.lessons import sliders
from course_lib.lessons.sql.task import SqlAnswer

TOKENS = (("SELECT", 0.99), (" name", 0.4), (";", 1.0))


class Writer:
    """Stands in for SqlWriter: answers as it is told, and remembers what it was asked."""

    def __init__(self, answer):
        self.given, self.asked = answer, []

    def ask(self, request, today=None):
        self.asked.append((request, today))
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def answer(rows, **options):
    return SqlAnswer("SELECT name;", ("name",), rows, confidence=0.4, tokens=TOKENS, **options)


def test_a_request_is_answered_with_the_query_its_confidence_and_the_table(capsys):
    writer = Writer(answer((("Ada",), ("Bartholomew",))))
    sliders.sql_chat(writer, "2023-11-14", ask="Who?")
    assert writer.asked == [("Who?", "2023-11-14")]
    assert capsys.readouterr().out.splitlines() == [
        "SELECT name;", "confidence 40%, least sure of 'name': look twice", "name", "Ada", "Bartholomew",
    ]  # fmt: skip


def test_a_confident_answer_is_not_doubted(capsys):
    sure = SqlAnswer("SELECT 1;", ("1",), ((1,),), confidence=0.9, tokens=(("SELECT", 0.9),))
    sliders.sql_chat(Writer(sure), ask="One?")
    assert "look twice" not in capsys.readouterr().out


def test_a_query_that_does_not_run_says_why(capsys):
    sliders.sql_chat(Writer(answer((), error="there is no column nmae.")), ask="Who?")
    assert capsys.readouterr().out.splitlines()[-1] == "It does not run: there is no column nmae."


def test_no_rows_and_many_rows_are_said(capsys):
    sliders.sql_chat(Writer(answer(())), ask="Who?")
    assert capsys.readouterr().out.splitlines()[-1] == "(no rows)"
    sliders.sql_chat(Writer(answer(tuple((f"Ada {i}",) for i in range(9)))), ask="Who?")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "... and 1 more row"
    assert lines[-2] == "Ada 7"


@pytest.mark.parametrize("nothing", ["", "  \n"])
def test_an_empty_request_is_refused_before_the_model_is_asked(nothing):
    writer = Writer(answer(()))
    with pytest.raises(CourseError, match="request is empty"):
        sliders.sql_chat(writer, ask=nothing)
    assert writer.asked == []


def test_outside_a_notebook_the_box_says_how_to_ask(capsys):
    sliders.sql_chat(Writer(answer(())))
    assert "ask='How many users are there?'" in capsys.readouterr().out


def _parts(writer):
    row, out = sliders._box(writer, "2023-11-14").children
    return (*row.children, out)


def test_the_button_asks_and_the_answer_is_shown_as_html_with_nothing_unescaped():
    writer = Writer(answer((("<b>Ada</b>",),)))
    request, button, out = _parts(writer)
    request.value = "Who?"  # as if Enter was pressed
    assert writer.asked == [("Who?", "2023-11-14")]
    button.click()
    assert len(writer.asked) == 2
    assert "&lt;b&gt;Ada&lt;/b&gt;" in out.value and "<b>Ada" not in out.value
    assert "<th>name</th>" in out.value
    assert not button.disabled


def test_a_box_that_met_an_error_says_it_and_can_be_asked_again():
    writer = Writer(CourseError("the prompt has 9,999 tokens: shorten it."))
    request, button, out = _parts(writer)
    request.value = "Who? " * 9
    assert out.value == "the prompt has 9,999 tokens: shorten it."
    assert not button.disabled


def test_an_empty_box_asks_nothing():
    writer = Writer(answer(()))
    _, button, out = _parts(writer)
    button.click()
    assert writer.asked == []
    assert "Type a request first" in out.value

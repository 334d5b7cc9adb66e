"""Quizzes: what is asked and said, what is kept, and which files are refused, by line."""

import pytest
from test_ask import controls, printed

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.core.journal import recall
from course_lib.core.session import ROOT
from course_lib.display.quizzes import load_quiz, quiz, right_answers

TWO = """
- question: "Who may open the `book`?"
  choices:
    "closed book": "It may not."
    "RAG": "RAG reads."
  right: "RAG"
- question: "What does a <leak> raise?"
  choices:
    "the score": "Only that."
    "skill": "Nothing was learned."
  right: "the score"
"""


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """The quiz of a lesson 77, and its folder in place of the course's."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    path = tmp_path / "data" / "quizzes" / "77.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(TWO, encoding="utf-8")
    return path


def test_without_widgets_letters_are_marked_and_a_wrong_one_gets_its_own_reason(capsys):
    quiz("77")
    assert printed(capsys)[1:3] == ["   a) closed book", "   b) RAG"]
    quiz("77", answers="b, B")
    assert printed(capsys) == [
        "1 of 2 right.", "1. RAG", "   ✓ Right: RAG reads.", "2. skill", "   ✗ Not quite: Nothing was learned.",
    ]  # fmt: skip
    assert right_answers("77") == (1, 2)


def shown(widget):
    return [note.value for note in controls(widget, "HTML")]


def test_the_widget_says_right_and_not_quite_in_words_and_clears_it_when_the_answer_changes(notebook):
    quiz("77")
    widget = notebook[0][1]
    first, second = controls(widget, "RadioButtons")
    first.value, second.value = "closed book", "the score"
    assert not any("Not quite" in note for note in shown(widget))
    controls(widget, "Button")[0].click()
    assert any("✗ Not quite</b> It may not." in note for note in shown(widget))
    assert any("✓ Right</b> Only that." in note for note in shown(widget))
    assert notebook[1][0]["text/plain"].startswith("1 of 2 right.") and "✗ Not quite" in notebook[1][0]["text/html"]
    first.value = "RAG"
    assert not any("Not quite" in note for note in shown(widget)) and "press Check" in notebook[1][0]["text/plain"]
    assert any("&lt;leak&gt;" in note for note in shown(widget)), "shown and not obeyed"


def test_an_answer_comes_back_on_another_day(notebook):
    quiz("77")
    controls(notebook[0][1], "RadioButtons")[1].value = "skill"
    controls(notebook[0][1], "Button")[0].click()
    quiz("77")
    assert [radio.value for radio in controls(notebook[2][1], "RadioButtons")] == [None, "skill"]
    assert any("Nothing was learned." in note for note in shown(notebook[2][1]))
    assert "1. Not answered yet." in notebook[3][0]["text/plain"]
    assert recall("quizzes", "77") == {"What does a <leak> raise?": "skill"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TWO, "", "line 1: a quiz is a list"),
        ('  right: "the score"\n', "", "line 7: a question has exactly question, choices, right"),
        ('right: "RAG"', 'right: "RAFT"', "line 2: right is 'RAFT', which is none"),
        ('"skill": "Nothing was learned."', '"skill":', "reason for 'skill' at .*line 7"),
        ('    "skill": "Nothing was learned."\n', "", "line 7: choices are a list of 2"),
        ('"RAG": "RAG reads."', '"RAG: "RAG reads."', "cannot be read: .*line 6"),
        ('"skill"', "yes", "line 7: choices"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_line(file, old, new, message):
    assert old in TWO
    file.write_text(TWO.replace(old, new), encoding="utf-8")
    with pytest.raises(CourseError, match=message):
        load_quiz("77")


def test_answers_that_do_not_fit_and_lessons_without_a_quiz_are_refused():
    for wrong in ("b", "bad", 1):
        with pytest.raises(CourseError, match="2 questions"):
            quiz("77", answers=wrong)
    with pytest.raises(ChoiceError, match="answer 2 'z'"):
        quiz("77", answers="bz")
    with pytest.raises(ChoiceError, match="'78' is not one of 77"):
        quiz("78")


@pytest.mark.parametrize("lesson", range(9))
def test_every_lesson_has_a_quiz(lesson, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(ROOT / "data"))
    items = load_quiz(f"{lesson:02d}")
    assert len(items) >= 2 and len({item.question for item in items}) == len(items)

"""Predict-then-reveal: what is printed, what is kept, what is refused; with widgets and without."""

from types import SimpleNamespace

import pytest

from course_lib.core import text
from course_lib.core.errors import ChoiceError, CourseError
from course_lib.display import ask as ask_module
from course_lib.display.ask import predict, predict_choice, reveal

REPORT = SimpleNamespace(accuracy=0.0233, n=60, ci=(0.0, 0.0521))


@pytest.fixture(autouse=True)
def nothing_asked_yet(monkeypatch):
    monkeypatch.setattr(ask_module, "_predictions", {})
    monkeypatch.setattr(text, "NARROW", 200)  # where lines are broken is tried elsewhere


def controls(widget, kind):
    """All widgets of a kind below one, in order."""
    found = [widget] if type(widget).__name__.endswith(kind) else []
    return found + [match for child in getattr(widget, "children", ()) for match in controls(child, kind)]


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def test_the_text_is_the_same_whatever_the_learner_has_done(notebook):
    predict("a", "Right answers")
    controls(notebook[0][1], "Slider")[0].value = 7
    predict("a", "Right answers")
    assert notebook[0][0]["text/plain"] == notebook[2][0]["text/plain"]


def test_a_guess_is_committed_without_a_widget_and_revealed(capsys):
    predict("a", "Right answers")
    assert printed(capsys)[0] == "Predict: Right answers (0 to 100)"
    predict("a", "Right answers", guess=40)
    assert printed(capsys) == ["Right answers", "You predict 40."]
    reveal("a", 2)
    assert printed(capsys) == ["You predicted 40.", "Measured: 2.", "You were 38 too high."]


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (lambda widget: None, "You made no prediction."),
        (lambda widget: setattr(controls(widget, "Slider")[0], "value", 1), "You predicted 1."),
        (lambda widget: controls(widget, "Button")[0].click(), "You predicted 50."),  # where the slider starts
    ],
)
def test_a_slider_is_a_prediction_once_it_was_touched_or_committed(touch, said, notebook, capsys):
    predict("a", "Right answers")
    touch(notebook[0][1])
    reveal("a", REPORT)
    lines = printed(capsys)
    assert lines[:2] == [said, "Measured: 2 (n = 60, 95% interval 0 to 5)."]
    assert len(lines) == 2 + ("no prediction" not in said)


def test_running_the_cell_again_keeps_the_guess_and_shows_it(notebook, capsys):
    predict("a", "Right answers", guess=33)
    predict("a", "Right answers")
    (_, widget), (said, _) = notebook
    assert controls(widget, "Slider")[0].value == 33 and said == {"text/plain": "You predict 33."}
    reveal("a", 30)
    assert "You predicted 33." in printed(capsys)


def test_a_guess_is_there_after_a_restart(notebook, monkeypatch, capsys):
    predict("a", "Right answers")
    controls(notebook[0][1], "Slider")[0].value = 7
    monkeypatch.setattr(ask_module, "_predictions", {})
    predict("a", "Right answers")
    assert notebook[3][0] == {"text/plain": "You predict 7."}


def test_what_was_guessed_stands_beneath_the_widget_as_text(notebook):
    predict_choice("a", "Which wins?", ["closed book", "RAG"])
    assert notebook[1] == ({"text/plain": "No guess yet."}, None)
    controls(notebook[0][1], "RadioButtons")[0].value = "RAG"
    assert notebook[1] == ({"text/plain": "You predict RAG."}, None)


def test_a_guess_is_not_kept_for_another_question_or_scale(capsys):
    predict("a", "Right answers", guess=80)
    predict("a", "Right answers", high=60)
    predict("b", "Right answers", guess=8)
    predict("b", "Wrong answers")
    printed(capsys)
    reveal("a", 2)
    reveal("b", 2)
    assert printed(capsys).count("You made no prediction.") == 2


MORE_THAN_HALF = SimpleNamespace(accuracy=0.55, n=60, ci=None)
INSIDE = "You were 3 too high, and inside the interval: this measurement does not prove you wrong."


@pytest.mark.parametrize(
    ("slider", "guess", "measured", "said"),
    [
        ({}, 55, MORE_THAN_HALF, ["55", "55 (n = 60)", "Exactly right."]),  # a report is read on the slider's scale
        ({"high": 60}, 32, MORE_THAN_HALF, ["32", "33 (n = 60)", "You were 1 too low."]),
        ({"high": 20}, 20, MORE_THAN_HALF, ["20", "11 (n = 60)", "You were 9 too high."]),
        ({}, 5, REPORT, ["5", "2 (n = 60, 95% interval 0 to 5)", INSIDE]),  # which is not called wrong
        ({"high": 1.0}, 0.25, REPORT, ["0.25", "0.02 (n = 60, 95% interval 0 to 0.05)", "You were 0.23 too high."]),
        ({"high": 600, "unit": "s"}, 20, 31.26, ["20 s", "31.26 s", "You were 11.26 s too low."]),
        ({"unit": "%"}, 20, 90, ["20%", "90%", "You were 70% too low."]),
    ],
)
def test_a_guess_is_held_against_what_was_measured(slider, guess, measured, said, notebook, capsys):
    predict("a", "Right answers", **slider)
    controls(notebook[0][1], "Slider")[0].value = guess
    reveal("a", measured)
    assert printed(capsys) == [f"You predicted {said[0]}.", f"Measured: {said[1]}.", said[2]]


@pytest.mark.parametrize(
    "measured", ["RAG", None, float("nan"), [1, 2], SimpleNamespace(accuracy=float("nan"), n=0, ci=None)]
)
def test_a_measurement_that_is_no_number_is_shown_and_never_an_error(measured, capsys):
    predict("a", "Right answers", guess=5)
    reveal("a", measured)
    assert any(line.startswith("Measured: ") for line in printed(capsys))


def test_a_choice_is_predicted_and_revealed(capsys):
    choices = ["closed book", "RAG"]
    predict_choice("a", "Which wins?", choices)
    assert printed(capsys)[:3] == ["Predict: Which wins?", "  - closed book", "  - RAG"]
    predict_choice("a", "Which wins?", choices, guess="RAG")
    reveal("a", "RAG")
    assert printed(capsys)[-3:] == ["You predicted RAG.", "Measured: RAG.", "Exactly right."]
    reveal("a", "closed book")
    assert printed(capsys)[-1] == "You expected another."


def test_radio_buttons_start_empty_and_commit(notebook, capsys):
    predict_choice("a", "Which wins?", ["closed book", "RAG"])
    reveal("a", "RAG")
    assert printed(capsys)[0] == "You made no prediction."
    controls(notebook[0][1], "RadioButtons")[0].value = "RAG"
    reveal("a", "RAG")
    assert printed(capsys)[0] == "You predicted RAG."


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: predict("", "q"), "key"),
        (lambda: predict("a", " "), "question"),
        (lambda: predict("a", "q", low=5, high=5), "below"),
        (lambda: predict("a", "q", low="0"), "must be numbers"),
        (lambda: predict("a", "q", guess=101), "101"),
        (lambda: predict("a", "q", guess="many"), "'many'"),
        (lambda: predict_choice("a", "q", ["one"]), "2 to 26"),
        (lambda: predict_choice("a", "q", ["one", "one"]), "different"),
        (lambda: predict_choice("a", "q", "ab"), "choices are a list"),
    ],
)
def test_a_malformed_prediction_is_refused_and_not_kept(ask, message):
    with pytest.raises(CourseError, match=message):
        ask()
    assert not ask_module._predictions


def test_a_guess_that_is_not_a_choice_names_the_nearest():
    with pytest.raises(ChoiceError, match="Did you mean 'RAFT'"):
        predict_choice("a", "q", ["RAG", "RAFT"], guess="RAFFT")


def test_a_reveal_before_its_guess_is_one_sentence_and_shows_nothing(capsys):
    reveal("first", 77)
    (line,) = printed(capsys)
    assert line.startswith("Guess first: run the cell above that asks for 'first'") and "77" not in line

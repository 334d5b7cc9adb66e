"""Predict-then-reveal and quizzes: what is printed, what is kept, what is refused; with widgets and without."""

from types import SimpleNamespace

import pytest

from course_lib.core.errors import ChoiceError, CourseError
from course_lib.display import ask as ask_module
from course_lib.display.ask import predict, predict_choice, quiz, reveal

REPORT = SimpleNamespace(accuracy=0.0233, n=60, ci=(0.0, 0.0521))
QUESTIONS = [
    {"question": "Who may open the book?", "choices": ["closed book", "RAG"], "answer": 1, "why": "RAG reads `k`."},
    {"question": "What does a leak raise?", "choices": ["the score", "skill", "n"], "answer": 0,
     "why": "Only the score."},
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_asked_yet(monkeypatch):
    monkeypatch.setattr(ask_module, "_predictions", {})
    monkeypatch.setattr(ask_module, "_quizzes", {})


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
    assert notebook[0][0]["text/plain"] == notebook[1][0]["text/plain"]


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
    slider, note = controls(notebook[0][1], "Slider")[0], controls(notebook[0][1], "HTML")[1]
    assert slider.value == 33 and "33" in note.value
    reveal("a", 30)
    assert "You predicted 33." in printed(capsys)


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
    with pytest.raises(CourseError, match="none yet"):
        reveal("a", 1)


def test_a_guess_that_is_not_a_choice_and_what_was_never_asked_name_what_there_is():
    with pytest.raises(ChoiceError, match="Did you mean 'RAFT'"):
        predict_choice("a", "q", ["RAG", "RAFT"], guess="RAFFT")
    predict("closed-book", "Right answers")
    with pytest.raises(CourseError, match=r"closed-bok.*Known: closed-book"):
        reveal("closed-bok", 2)


def test_a_quiz_without_widgets_lists_the_choices_and_scores_letters_with_why_for_the_wrong_ones_only(capsys):
    quiz("02", QUESTIONS)
    assert printed(capsys) == [
        *("1. Who may open the book?", "   a) closed book", "   b) RAG"),
        *("2. What does a leak raise?", "   a) the score", "   b) skill", "   c) n"),
        'Without widgets: cl.quiz("02", answers="??"), with a letter for each ?.',
    ]
    quiz("02", answers="ba")
    assert printed(capsys) == ["2 of 2 right."]
    quiz("02", answers="B, c")
    assert printed(capsys) == ["1 of 2 right.", "2. ✗ Only the score."]


def test_the_quiz_widget_checks_when_told_and_says_why(notebook):
    quiz("02", QUESTIONS)
    ((bundle, widget),) = notebook
    assert bundle["text/plain"].startswith("1. Who may open the book?")
    first, _ = controls(widget, "RadioButtons")
    first.index = 1
    assert not any("RAG reads" in note.value for note in controls(widget, "HTML"))
    controls(widget, "Button")[0].click()
    said = [note.value for note in controls(widget, "HTML")]
    assert "✓ RAG reads <code>k</code>." in said
    assert "· Not answered yet." in said and "1 of 2 right." in said
    first.index = 0
    controls(widget, "Button")[0].click()
    assert "✗ RAG reads <code>k</code>." in [note.value for note in controls(widget, "HTML")]
    quiz("02", [QUESTIONS[0] | {"question": "<script>a</script>"}])
    assert any("&lt;script&gt;" in note.value for note in controls(notebook[1][1], "HTML")), "shown and not obeyed"


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([], "at least one question"),
        ("what?", "at least one question"),
        ([QUESTIONS[0], {"question": "q"}], "question 2 must be a dict of exactly"),
        ([QUESTIONS[0] | {"answer": 2}], "answer 2 is not an index of its 2"),
        ([QUESTIONS[0] | {"answer": "b"}], "answer 'b'"),
        ([QUESTIONS[0] | {"answer": True}], "answer True"),
        ([QUESTIONS[0] | {"choices": ["one"]}], "2 to 26"),
        ([QUESTIONS[0] | {"why": ""}], "why of quiz '02', question 1"),
    ],
)
def test_a_malformed_question_is_named(questions, message):
    with pytest.raises(CourseError, match=message):
        quiz("02", questions)


@pytest.mark.parametrize(
    ("key", "answers", "message"),
    [
        *(("02", wrong, "2 questions") for wrong in ("b", "bad")),
        ("02", "bz", "answer 2 'z'"),
        ("02", 1, "1 is"),
        ("03", "a", "'03'.*Known: 02"),
    ],
)
def test_answers_that_do_not_fit_and_quizzes_that_are_unknown_are_refused(key, answers, message):
    quiz("02", QUESTIONS)
    with pytest.raises(CourseError, match=message):
        quiz(key, answers=answers)

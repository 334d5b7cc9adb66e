"""Twenty pairs to label: what is shown, what is counted, and nothing that stops an unattended run."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.display import ask
from course_lib.lessons import sliders
from course_lib.lessons.letters import Preference, load_preferences
from course_lib.lessons.sliders import label_pairs


def pair(number, noise=False):
    good, bad = f"Good {number}, Parts has it.", f"Bad {number} <b>now</b>."
    replies, faults = ((bad, good), (("rude",), ())) if noise else ((good, bad), ((), ("rude",)))
    return Preference(f"p-{number}", "Parts", f"i-{number}", f"Letter {number}?", "train", *replies, *faults, noise)


PAIRS = [pair(number, noise=number == 3) for number in range(10)]


@pytest.fixture
def notebook(monkeypatch):
    """As in a notebook: the widgets that are shown, each with its text."""
    shown = []
    monkeypatch.setattr(sliders, "in_notebook", lambda: True)
    monkeypatch.setattr(sliders, "show_widget", lambda widget, text: shown.append((widget, text)))
    return shown


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def house(capsys, n=10, seed=0):
    """The letters that the house would give, read off the listing."""
    label_pairs(PAIRS, n=n, seed=seed)
    lines = printed(capsys)
    return "".join("a" if "Good" in line else "b" for line in lines if line.startswith("   a)"))


def test_without_a_widget_every_letter_is_listed_with_both_replies_and_nothing_is_given_away(capsys):
    label_pairs(PAIRS, n=10)
    lines = printed(capsys)
    assert sum(line.split(". ")[-1].startswith("Parts: Letter") for line in lines) == 10
    assert sum("Good" in line for line in lines) == sum("Bad" in line for line in lines) == 10
    assert lines[-1] == (
        "Without widgets: cl.label_pairs(pairs, n=10, seed=0, answers='??????????'), with a or b for each ?."
    )
    assert "rude" not in "".join(lines) and "noise" not in "".join(lines)


def test_who_answers_as_the_house_disagrees_with_the_wrong_label_alone(capsys):
    answers = house(capsys)
    label_pairs(PAIRS, n=10, answers=answers)
    lines = printed(capsys)
    assert lines[0].startswith("You agree with the house on 10 of 10 pairs;") and lines[0].endswith("on 9.")
    assert lines[1] == "You and the labels agree on 9 of 10." and lines[2] == "Where people disagreed:"
    (line,) = lines[3:]
    right, wrong = ("a", "b") if "the house a, you a" in line else ("b", "a")
    assert f"the house {right}, you {right}, the label {wrong}." in line
    assert f"{right}) keeps the rule" in line and f"{wrong}) it has no kind word" in line


def test_who_answers_the_other_way_round_agrees_once_with_the_label_and_never_with_the_house(capsys):
    other = house(capsys).translate(str.maketrans("ab", "ba"))
    label_pairs(PAIRS, n=10, answers=", ".join(other.upper()))
    lines = printed(capsys)
    assert "on 0 of 10" in lines[0] and "agree on 1 of 10" in lines[1] and len(lines) == 3 + 10


def test_where_nobody_disagrees_it_says_so(capsys):
    clear = [p for p in PAIRS if not p.noise]
    label_pairs(clear, n=1)
    (first,) = [line for line in printed(capsys) if line.startswith("   a)")]
    label_pairs(clear, n=1, answers="a" if "Good" in first else "b")
    assert printed(capsys)[-1] == "Nobody disagreed anywhere."


def test_the_same_seed_shows_the_same_and_another_seed_something_else(capsys):
    for seed in (0, 0, 1):
        label_pairs(PAIRS, n=10, seed=seed)
    text = capsys.readouterr().out
    first, second, third = text.split("Which reply")[1:]
    assert first == second != third.replace("seed=1", "seed=0")


def test_the_chosen_reply_stands_first_in_some_pairs_and_second_in_others():
    assert {item.label for item in sliders._drawn(PAIRS, 10, 0)} == {0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_of_twenty_shipped_pairs_two_are_labelled_wrongly(seed):
    shown = sliders._drawn(load_preferences("train"), 20, seed)
    assert len({item.pair.id for item in shown}) == 20
    assert sum(item.pair.noise for item in shown) == 2
    assert sum(item.house != item.label for item in shown) == 2


def test_the_widget_shows_one_pair_after_the_other_and_the_result_at_the_end(notebook):
    label_pairs(PAIRS, n=3)
    ((widget, text),) = notebook
    place, letter, columns, result = widget.children
    buttons = [column.children[1] for column in columns.children]
    for number in (1, 2, 3):
        assert f"{number} of 3" in place.value and result.value == ""
        assert "&lt;b&gt;now" in "".join(column.children[0].value for column in columns.children)
        buttons[0].click()
    assert "You agree with the house on" in result.value and all(button.disabled for button in buttons)
    assert text.startswith("Which reply is the better one?") and letter.value.startswith("<i>Letter")


def test_beneath_a_widget_stand_a_few_pairs_alone_and_an_empty_answer_prints_them_all(notebook, capsys):
    label_pairs(PAIRS, n=10)
    text = notebook[0][1]
    assert text.count("   a) ") == sliders.TOLD_WITH_A_WIDGET and "... and 7 more." in text
    assert "cl.label_pairs(pairs, n=10, seed=0, answers='') prints them all" in text
    label_pairs(PAIRS, n=10, answers="")
    assert sum(line.startswith("   a) ") for line in printed(capsys)) == 10 and len(notebook) == 1


def test_the_text_beside_the_widget_is_the_same_whatever_the_learner_does(notebook):
    label_pairs(PAIRS, n=3)
    notebook[0][0].children[2].children[0].children[1].click()
    label_pairs(PAIRS, n=3)
    assert notebook[0][1] == notebook[1][1]


@pytest.mark.parametrize("n", [0, 11, 2.5, "3", None])
def test_a_number_of_pairs_that_is_not_there_is_refused(n):
    with pytest.raises(CourseError, match="there are 10 pairs"):
        label_pairs(PAIRS, n=n)


@pytest.mark.parametrize(
    ("answers", "said"),
    [("ab", "not a letter for each"), ("abc", "answer 3 'c' is not one of a, b"), (["a"], "not a letter for each")],
)
def test_answers_that_do_not_fit_are_refused(answers, said):
    with pytest.raises(CourseError, match=said):
        label_pairs(PAIRS, n=3, answers=answers)


def test_what_are_no_pairs_is_refused():
    for wrong in (["a pair"], [{"chosen": "a"}]):
        with pytest.raises(CourseError, match="load_preferences"):
            label_pairs(wrong, n=1)


def test_letters_are_read_by_one_function_for_quizzes_and_pairs():
    assert sliders.read_letters is ask.read_letters and ask.read_letters("here", [2, 3], "B; c") == [1, 2]

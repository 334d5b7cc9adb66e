"""Something to play with: text or a widget, controls that are followed, and nothing that breaks them."""

from types import SimpleNamespace

import pytest

from course_lib.core import progress
from course_lib.core.errors import CourseError
from course_lib.core.progress import Progress
from course_lib.display.playground import VIEW, as_html, panel, rich, show

CONTROLS = {"rank": ((1, 2, 4, 1_000), 2), "place": (("all", "upper"), "all"), "cite": ((), False)}


def no_widget():
    raise AssertionError("a widget was made")


def words(rank, place, cite):
    if rank == 4:
        raise CourseError("rank <4> is taken.")
    return f"{rank} on <{place}>\ncited: {cite}"


def test_in_a_notebook_widget_and_text_are_one_bundle(notebook, capsys):
    show(lambda: panel(CONTROLS, words, columns=2), "the text")
    ((bundle, _),) = notebook
    assert set(bundle) == {"text/plain", VIEW} and bundle["text/plain"] == "the text"
    assert capsys.readouterr().out == ""


def test_outside_a_notebook_the_text_is_printed_in_it_an_answer_and_no_widget_made(capsys, request):
    show(no_widget, "the text")
    notebook = request.getfixturevalue("notebook")
    show(no_widget, "the text", "the answer")
    assert capsys.readouterr().out == "the text\nthe answer\n" and notebook == []


def test_numbers_are_a_slider_names_a_list_and_what_has_no_choices_a_box_to_tick():
    grid, _ = panel(CONTROLS, words, columns=2).children
    kinds = [(type(control).__name__, control.description) for control in grid.children]
    assert kinds == [("SelectionSlider", "rank"), ("Dropdown", "place"), ("Checkbox", "cite")]
    assert [shown for shown, _ in grid.children[0].options] == ["1", "2", "4", "1,000"]


def test_what_is_said_follows_the_controls_a_mistake_included():
    grid, said = panel(CONTROLS, words, columns=2).children
    rank, place, cite = grid.children
    assert said.value == "2 on &lt;all&gt;<br>cited: False"
    rank.value, place.value, cite.value = 1, "upper", True
    assert said.value == "1 on &lt;upper&gt;<br>cited: True"
    rank.value = 4
    assert said.value.startswith("rank &lt;4&gt; is taken.<br>")
    assert said.value.endswith("1 on &lt;upper&gt;<br>cited: True"), "what was said last stays"
    rank.value = 1_000
    assert said.value.startswith("1000 on")


def test_one_control_bounds_another_and_what_was_chosen_comes_back():
    controls = {"size": ((20, 40, 80), 80), "overlap": ((0, 10, 20, 40), 0)}
    heard = []

    def bounds(size, _):
        return {"overlap": [overlap for overlap in controls["overlap"][0] if overlap < size]}

    size, overlap = panel(controls, lambda *values: heard.append(values), 2, bounds=bounds).children[0].children
    overlap.value, size.value = 40, 40
    assert overlap.value == 20 and [value for _, value in overlap.options] == [0, 10, 20]
    size.value = 20
    assert heard[-1] == (20, 10)
    size.value = 80
    assert heard[-1] == (80, 40), "the learner's own"
    assert heard == [(80, 0), (80, 40), (40, 20), (20, 10), (80, 40)], "said once a move, and never of what is refused"


def test_controls_have_names_for_screen_readers_and_wrap_in_a_narrow_window():
    grid, _ = panel(CONTROLS, words, columns=2).children
    assert [control.tooltip for control in grid.children] == ["rank", "place", "cite"]
    assert grid.layout.flex_flow == "row wrap" and {c.layout.max_width for c in grid.children} == {"100%"}


def test_the_button_does_something_with_the_values_which_is_gone_when_they_change():
    seen = []

    def act(*values):
        seen.append((values, pressed.disabled, done.value))
        return words(*values)

    grid, _, row = panel(CONTROLS, words, 2, ("Train", "Training ...", act)).children
    pressed, done = row.children
    pressed.click()
    assert seen == [((2, "all", False), True, "Training ...")], "it sleeps meanwhile"
    assert done.value.startswith("2 on &lt;all&gt;") and not pressed.disabled
    grid.children[0].value = 1
    assert done.value == ""


@pytest.mark.parametrize(
    ("fault", "said"), [(CourseError("no <disk>."), "no &lt;disk&gt;."), (KeyboardInterrupt(), "Stopped.")]
)
def test_a_button_whose_work_fails_can_be_pressed_again(fault, said):
    def fail(*_):
        raise fault

    pressed, done = panel(CONTROLS, words, 2, ("Train", "", fail)).children[2].children
    pressed.click()
    assert done.value == said and not pressed.disabled


def test_what_a_button_starts_shows_its_bar_beside_the_button():
    def work(*_):
        bar = Progress("Training", 8)
        with bar:
            progress._place.get()(bar.html())
        return done.value

    pressed, done = panel(CONTROLS, words, 2, ("Train", "Training ...", work)).children[2].children
    pressed.click()
    assert "&lt;progress" in done.value, "the bar stood there until the work was done"


def test_an_answer_that_knows_its_own_html_is_asked_for_it():
    assert as_html(SimpleNamespace(_repr_html_=lambda: "<b>1</b>")) == "<b>1</b>"
    assert as_html("<b>1</b>\n2") == "&lt;b&gt;1&lt;/b&gt;<br>2"


def test_code_and_bold_are_set_a_lone_mark_goes_and_nothing_is_obeyed():
    assert rich("`a ** b` is **<very> bold**, **and") == "<code>a ** b</code> is <b>&lt;very&gt; bold</b>, and"

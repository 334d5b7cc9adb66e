"""Every lesson in JupyterLab: opened from the list, guessed at, run whole, used, looked at, closed and opened again.

Minutes a lesson. Widgets are found by kind, by the call that makes them, never by a lesson's words.
"""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="no Playwright: `make test-browser` installs it")
pytest.importorskip("axe_playwright_python", reason="no axe: `make test-browser` installs it")

import eyes
import hands
from classroom import ERRORS, ROOT, Learner, wait_until
from playwright.sync_api import Locator

LESSONS = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
SHORT = [pytest.mark.browser_short]
KEYS = pytest.mark.parametrize("by_keys", [False, True], ids=["mouse", "keys"])
OWN_WAYS = (*hands.GUESSES, "cl.quiz(", "label_pairs(", "sql_chat(")  # the other widgets are panels
SILENT = 5  # seconds that a cell may show nothing new on a busy machine
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=[pytest.param(name, marks=SHORT * (name[:2] == "00")) for name in LESSONS])
def lesson(request: pytest.FixtureRequest, learner: Learner) -> Learner:
    """A lesson that was guessed at before it was run whole; what could not be asked before stays without a guess."""
    learner.name, learner.complaints = request.param, []
    learner.open(learner.name)
    learner.keep(f"{learner.name}-opened")
    learner.opened = "".join(map(learner.said, learner.cells("cl.reveal(", "cl.findings(")))
    learner.run_setup()
    for number, cell in enumerate(learner.cells(*hands.GUESSES)):
        learner.run(cell)
        hands.guess(learner, cell, by_keys=bool(number % 2))
    learner.run_all()
    yield learner
    learner.close()


def test_it_opens_folded_and_without_what_spoils_a_guess(lesson):
    assert "Measured: " not in lesson.opened and "claimed: " not in lesson.opened
    titled = lesson.cells("# @title")
    assert titled and not any(cell.locator(".jp-InputArea-editor").is_visible() for cell in titled)


def test_it_runs_whole_from_the_menu(lesson):
    assert not lesson.book.locator(ERRORS).all_text_contents()
    assert not any(
        "[ ]" in prompt for prompt in lesson.book.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    )


def test_what_was_guessed_is_still_there_and_what_was_measured_is_held_against_it(lesson):
    guessed = [cell for cell in lesson.cells(*hands.GUESSES) if "You predict " in lesson.said(cell)]
    revealed = [cell for cell in lesson.cells("cl.reveal(") if "Measured: " in lesson.said(cell)]
    assert guessed and revealed
    assert any("You predicted " in lesson.said(cell) for cell in revealed)


@KEYS
def test_every_guess_is_taken(lesson, by_keys):
    for cell in lesson.cells(*hands.GUESSES):
        hands.guess(lesson, cell, by_keys)
        assert "You predict " in lesson.said(cell)


def test_a_guess_and_its_reveal_are_run_again_alone(lesson):
    asked = lesson.cells(*hands.GUESSES)[0]
    key = re.search(r'cl\.predict\w*\(\s*"([^"]+)"', asked.locator(".jp-Cell-inputWrapper").text_content()).group(1)
    lesson.run(asked)
    revealed = lesson.cell(f'cl.reveal("{key}"')
    lesson.run(revealed)
    assert "You predicted " in lesson.said(revealed) and not revealed.locator(ERRORS).count()


def test_no_cell_works_in_silence(lesson):
    assert lesson.silences
    quiet = {code: seconds for code, seconds in lesson.silences.items() if seconds > SILENT}
    assert not {code[:80]: round(seconds, 1) for code, seconds in quiet.items()}


def test_its_links_lead_somewhere_and_the_last_to_the_next_lesson(lesson):
    assert not eyes.dead_links(lesson)
    foot = lesson.book.locator(".jp-MarkdownCell").last
    if "→" in foot.text_content():
        lesson.follow(foot.locator("a").last)
        lesson.close()


@KEYS
def test_every_control_of_a_panel_moves_and_is_answered(lesson, by_keys):
    for cell in panels(lesson):
        hands.use_panel(lesson, cell, by_keys)


def test_every_button_of_a_panel_does_its_work_twice(lesson):
    for cell in panels(lesson):
        hands.press_what_works(lesson, cell)


def test_pairs_are_labelled_to_the_end(lesson):
    for cell in lesson.cells("label_pairs(", having=hands.BUTTON):
        hands.label_all(lesson, cell)


def test_a_box_is_asked(lesson):
    for cell in lesson.cells("sql_chat(", having=hands.BOX):
        hands.ask_box(lesson, cell)


def test_the_quiz_is_answered(lesson):
    hands.answer_quiz(lesson, lesson.cell("cl.quiz("))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1280, 1024])
def test_it_is_readable(lesson, width, theme):
    lesson.look(width, theme)
    lesson.to_top()
    lesson.keep(f"{lesson.name}-{width}-{theme.lower()}")
    assert not eyes.sideways(lesson)
    assert not eyes.crushed(lesson)
    assert not eyes.bare_marks(lesson)
    assert not eyes.broken_within_words(lesson)
    assert not eyes.hindrances(lesson)
    assert not eyes.pictures(lesson)
    assert not eyes.set_as_formulas(lesson)


def test_each_widget_is_pictured(lesson):
    for number, cell in enumerate(lesson.cells(having=".jupyter-widgets")):
        lesson.keep(f"{lesson.name}-widget-{number:02d}", cell)


def test_opened_again_it_has_its_answers_as_text(lesson):
    lesson.close()
    lesson.open(lesson.name)
    quiz = lesson.cell("cl.quiz(")
    wait_until(lambda: quiz.locator(".jupyter-widgets").count(), "Lab shows neither the quiz nor its absence")
    assert "right." in lesson.said(quiz)
    assert all("You predict " in lesson.said(cell) for cell in lesson.cells(*hands.GUESSES))
    assert not eyes.dead_widgets(lesson)
    assert not lesson.book.locator("progress").count()  # of a bar nothing is left


def test_the_browser_complains_of_nothing(lesson):
    assert not lesson.complaints


def panels(lesson: Learner) -> list[Locator]:
    """The cells whose widget is of none of the other kinds."""
    shown = lesson.cells(having=".jupyter-widgets")
    return [
        cell
        for cell in shown
        if not any(way in cell.locator(".jp-Cell-inputWrapper").text_content() for way in OWN_WAYS)
    ]

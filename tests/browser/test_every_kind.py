"""Every kind of thing that a learner touches or reads, on one page without a model."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="no Playwright: `make test-browser` installs it")
pytest.importorskip("axe_playwright_python", reason="no axe: `make test-browser` installs it")

import eyes
import hands
from classroom import ERRORS, Learner, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.browser_short]
LOOKS = [(width, theme) for theme in ("Light", "Dark") for width in (1280, 1024)]


@pytest.fixture(scope="module")
def page(learner: Learner) -> Learner:
    """The page, run whole from the menu."""
    learner.open("every_kind")
    learner.run_all()
    return learner


@pytest.fixture(autouse=True)
def nothing_is_complained_of(page: Learner) -> None:
    yield
    assert not page.complaints


def test_a_page_runs_whole_from_the_menu(page):
    assert not page.book.locator(ERRORS).all_inner_texts()
    assert not any("[ ]" in prompt for prompt in page.book.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents())


@pytest.mark.parametrize("by_keys", [False, True], ids=["mouse", "keys"])
@pytest.mark.parametrize("kind", ["cl.predict(", "cl.predict_choice("])
def test_a_guess_is_taken(page, kind, by_keys):
    hands.guess(page, page.cell(kind), by_keys)
    assert "You predict " in page.said(page.cell(kind))


def test_what_was_guessed_is_revealed(page):
    hands.guess(page, page.cell("cl.predict("), by_keys=False)
    page.run(page.cell('cl.reveal("number"'))
    assert "You predicted" in page.said(page.cell('cl.reveal("number"'))


@pytest.mark.parametrize("by_keys", [False, True], ids=["mouse", "keys"])
@pytest.mark.parametrize("panel", ["choosing.advisor(", "sliders.cost_slider(", "playground.panel("])
def test_every_control_of_a_panel_moves_and_is_answered(page, panel, by_keys):
    hands.use_panel(page, page.cell(panel), by_keys)


def test_a_button_says_how_far_its_work_is_and_can_be_pressed_again(page):
    cell = page.cell("playground.panel(")
    cell.locator(hands.BUTTON).click()
    cell.locator("progress").wait_for()
    page.wait()
    assert "40 steps are done." in page.said(cell)
    hands.press(page, cell.locator(hands.BUTTON), by_keys=True)


def test_pairs_are_labelled_to_the_end_by_mouse_and_by_keys(page):
    hands.label_all(page, page.cell("label_pairs("))


def test_a_box_is_asked_by_mouse_and_by_keys(page):
    hands.ask_box(page, page.cell("sql_chat("))


def test_a_quiz_is_answered_by_mouse_and_by_keys(page):
    quiz = page.cell("cl.quiz(")
    hands.answer_quiz(page, quiz)
    assert quiz.get_by_role("alert").inner_text() == "3 of 3 right." and not quiz.locator(".kept-answers").is_visible()


def test_tab_leads_into_a_widget_and_out_of_it(page):
    page.cell("cl.predict(").locator(".noUi-handle").focus()
    page.page.keyboard.press("Tab")  # to the slider's number, which can be typed over
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.textContent") == "Commit"


def test_in_a_cell_that_is_run_in_place_two_tabs_lead_to_its_widget_and_a_ring_shows_it(page):
    page.run(page.cell("cl.predict("))
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Tab")
    assert "noUi-handle" in page.page.evaluate("document.activeElement.className")
    assert page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_glossary_opens_to_be_read(page):
    page.book.locator("a", has_text="glossary").click()
    page.page.locator(".jp-MarkdownViewer", has_text="Words of the course").wait_for()
    page.menu("File", "Close Tab")


def test_arrows_still_lead_from_cell_to_cell(page):
    page.select(page.cell("cl.predict_choice("))
    page.page.keyboard.press("ArrowUp")
    assert "cl.reveal" in page.book.locator(".jp-Cell.jp-mod-active").text_content()


@pytest.mark.parametrize("width, theme", LOOKS)
def test_it_is_readable(page, width, theme):
    page.look(width, theme)
    assert not eyes.sideways(page)
    assert not eyes.crushed(page)
    assert not eyes.bare_marks(page)
    assert not eyes.broken_within_words(page)
    assert not eyes.hindrances(page)
    assert not eyes.pictures(page)
    page.keep(f"every-kind-{width}-{theme.lower()}")


def test_dollars_are_no_formulas(page):
    assert not eyes.set_as_formulas(page)


def test_work_without_a_bar_of_its_own_says_how_long_it_has_been_and_leaves_nothing(page):
    cell = page.cell("nothing in it has a bar")
    page.run(cell, wait=False)
    cell.locator("progress").wait_for()
    assert "Working" in page.said(cell)
    page.wait()
    assert not page.said(cell).strip()


def test_work_that_is_stopped_says_how_far_it_came(page):
    cell = page.cell("works(400)")
    page.run(cell, wait=False)
    cell.locator("progress").wait_for()
    page.menu("Kernel", "Interrupt Kernel")
    page.wait()
    assert re.fullmatch(r"Stopped after \d+ of 400\.", page.said(cell).strip())


def test_a_reveal_before_its_guess_is_one_sentence_and_the_guess_outlives_the_kernel(page):
    page.restart()
    page.run(page.cell("say_one_sentence()"))
    asked, revealed = page.cell("cl.predict("), page.cell('cl.reveal("number"')
    page.run(revealed)
    assert re.fullmatch(r"Guess first: [^.]*\.", page.said(revealed).strip())
    page.run(asked)
    page.run(revealed)
    assert "You predict " in page.said(asked) and "You predicted " in page.said(revealed)


def test_opened_again_a_page_has_its_answers_as_text_and_says_what_to_run(page):
    page.close()
    page.open("every_kind")
    quiz = page.cell("cl.quiz(")
    wait_until(lambda: quiz.locator(".jupyter-widgets").count(), "Lab shows neither a widget nor its absence")
    assert "right." in page.said(quiz) and quiz.locator(".kept-answers").is_visible()
    assert "You predict " in page.said(page.cell("cl.predict("))
    assert not eyes.dead_widgets(page)
    assert not page.book.locator("progress").count()  # of a bar nothing is left
    assert "run the page's first cell" in eyes.instead_of_widgets(page)

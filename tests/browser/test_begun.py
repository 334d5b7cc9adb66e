"""A lesson that is begun and left before its long work: of lesson 02, what `make test` has time for."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="no Playwright: `make test-browser` installs it")
pytest.importorskip("axe_playwright_python", reason="no axe: `make test-browser` installs it")

import eyes
import hands
from classroom import ERRORS

LESSON = "02_open_book_vs_closed_book"
pytestmark = [pytest.mark.browser, pytest.mark.browser_short]


def test_a_lesson_is_begun_and_left(learner):
    learner.open(LESSON)
    assert not any("Measured: " in learner.said(cell) for cell in learner.cells("cl.reveal("))
    learner.run_setup()
    asked, quiz = learner.cells(*hands.GUESSES)[0], learner.cell("cl.quiz(")
    learner.run(asked)
    for by_keys in (False, True):
        hands.guess(learner, asked, by_keys)
        assert "You predict " in learner.said(asked)
    learner.run(quiz)
    hands.answer_quiz(learner, quiz)
    for width, theme in ((1280, "Light"), (1024, "Dark")):
        learner.look(width, theme)
        assert not eyes.sideways(learner)
        assert not eyes.crushed(learner)
        assert not eyes.hindrances(learner, ran=False)
    assert not eyes.dead_links(learner)
    assert not learner.book.locator(ERRORS).all_text_contents()
    learner.close()
    assert not learner.complaints

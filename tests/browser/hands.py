"""What a learner's hands do with each kind of widget, by mouse and by keys; an AssertionError says what did not answer.

Each takes the learner and the cell that shows the widget. Lessons are rewritten: nothing here knows their words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from classroom import Learner, wait_until
from playwright.sync_api import Locator

SLIDER, CHOICES, LIST, TICK, BOX = (
    ".noUi-target", ".widget-radio", ".widget-dropdown select", ".widget-checkbox input", ".widget-text input",
)  # fmt: skip
GUESSES = ("cl.predict(", "cl.predict_choice(")  # the calls that ask for one
BUTTON = "button.widget-button"
REFUSED = "What was said last"  # stands above an older answer, where the controls cannot be answered


def guess(learner: Learner, cell: Locator, by_keys: bool) -> None:
    """Answer whatever the cell asks for: a number, one of several."""
    for slider in cell.locator(SLIDER).all():
        moves(learner, cell, lambda slider=slider: move(learner, slider, by_keys), "the guess")
    for choices in cell.locator(CHOICES).all():
        moves(learner, cell, lambda choices=choices: choose(learner, choices, by_keys), "the guess")


def moves(learner: Learner, cell: Locator, act: Callable[[], None], what: str) -> None:
    """After `act` the cell says something else."""
    before = learner.said(cell)
    act()
    wait_until(lambda: learner.said(cell) != before, f"{what} is not taken: {before[:80]!r}")
    learner.wait()


def move(learner: Learner, slider: Locator, by_keys: bool) -> None:
    """A slider elsewhere: to the half where it is not, or a step; at its end, back."""
    handle = slider.locator(".noUi-handle")
    low, high, now = (float(handle.get_attribute(f"aria-value{name}")) for name in ("min", "max", "now"))
    if by_keys:
        handle.focus()
        learner.page.keyboard.press("ArrowLeft" if now > low else "ArrowRight")
        return
    box = slider.bounding_box()
    share = 0.9 if now - low < (high - low) / 2 else 0.1
    slider.click(position={"x": box["width"] * share, "y": box["height"] / 2})


def choose(learner: Learner, choices: Locator, by_keys: bool) -> None:
    """Another of several: the next, after the last the first."""
    radios = choices.locator("input")
    chosen = [radio.is_checked() for radio in radios.all()]
    if by_keys:  # as a browser does it: Tab comes to the chosen one or the first, Space takes, arrows go on and back
        radios.nth(chosen.index(True) if True in chosen else 0).focus()
        on = "ArrowUp" if chosen[-1] else "ArrowDown"
        learner.page.keyboard.press(on if True in chosen else "Space")
    else:
        radios.nth((chosen.index(True) + 1) % len(chosen) if True in chosen else 0).click()


def press(learner: Learner, button: Locator, by_keys: bool) -> None:
    """A button, and until it is ready again."""
    press_once(learner, button, by_keys)
    learner.wait()
    wait_until(button.is_enabled, "the button sleeps")


def use_panel(learner: Learner, cell: Locator, by_keys: bool) -> None:
    """Every slider, list and box of a panel: each changes, and is answered, never refused."""
    for slider in cell.locator(SLIDER).all():
        handle = slider.locator(".noUi-handle")
        if handle.get_attribute("aria-valuemax") != handle.get_attribute("aria-valuemin"):  # bounded to one value
            changes(learner, slider, lambda slider=slider: move(learner, slider, by_keys), "a slider")
    for drop in cell.locator(LIST).all():
        changes(learner, drop, lambda drop=drop: drop_down(learner, drop, by_keys), "a list")
    for tick in cell.locator(TICK).all():
        before = tick.is_checked()
        press_once(learner, tick, by_keys)
        wait_until(lambda tick=tick, before=before: tick.is_checked() != before, "a box is not ticked")
    learner.wait()
    assert REFUSED not in learner.said(cell)


def changes(learner: Learner, control: Locator, act: Callable[[], None], what: str) -> None:
    """After `act` the control shows another value."""

    def value() -> str:
        handle = control.locator(".noUi-handle")
        return handle.get_attribute("aria-valuetext") if handle.count() else control.input_value()

    before = value()
    act()
    wait_until(lambda: value() != before, f"{what} stays at {before!r}")
    learner.wait()


def drop_down(learner: Learner, drop: Locator, by_keys: bool) -> None:
    """Another entry of a list: the next, at its end the one before."""
    entries = drop.locator("option").count()
    now = drop.evaluate("list => list.selectedIndex")
    if by_keys:
        drop.focus()
        learner.page.keyboard.press("ArrowDown" if now < entries - 1 else "ArrowUp")
    else:
        drop.select_option(index=(now + 1) % entries)


def press_what_works(learner: Learner, cell: Locator) -> None:
    """A panel's button: its work is said, and it can be pressed again."""
    for button in cell.locator(BUTTON).all():
        moves(learner, cell, lambda button=button: press(learner, button, by_keys=False), "what the button does")
        press(learner, button, by_keys=True)


def answer_quiz(learner: Learner, cell: Locator) -> None:
    """All questions by mouse, then by keys until each is right; what is changed loses its verdict."""
    questions, check = cell.locator(CHOICES), cell.locator(BUTTON)
    asked = questions.count()
    for choices in questions.all():
        choices.locator("input").first.click()
    press(learner, check, by_keys=False)
    wait_until(lambda: "right." in learner.said(cell), "the quiz is not marked")
    for _ in range(6):  # a quiz has no more choices
        if f"{asked} of {asked} right." in learner.said(cell):
            return
        for choices in questions.all():
            verdict = choices.locator("xpath=following-sibling::*[1]")
            if "Not quite" in verdict.inner_text():
                choose(learner, choices, by_keys=True)
                wait_until(lambda verdict=verdict: not verdict.inner_text().strip(), "an old verdict stays")
        press(learner, check, by_keys=True)
        wait_until(lambda: "right." in learner.said(cell), "the quiz is not marked")
    raise AssertionError(f"no choice is right: {learner.said(cell)[-200:]}")


def label_all(learner: Learner, cell: Locator) -> None:
    """Pick to the end, by mouse and by keys in turn, once back; the buttons stay where they are."""
    buttons = cell.locator(BUTTON)
    better, back = buttons.first, buttons.last
    number = int(re.search(r"\d+ of (\d+)", learner.said(cell)).group(1))
    place = height_in(cell, better)
    for picked in range(number):
        moves(learner, cell, lambda picked=picked: press_once(learner, better, bool(picked % 2)), "a pick")
        if picked == 0:
            moves(learner, cell, lambda: press_once(learner, back, True), "Back")
            moves(learner, cell, lambda: press_once(learner, better, True), "a pick")
        assert height_in(cell, better) == place, "the buttons jump"
    assert f"all of {number}" in learner.said(cell)


def height_in(cell: Locator, thing: Locator) -> float:
    """How far below a cell's top it stands, in pixels, wherever the page is scrolled to."""
    return thing.bounding_box()["y"] - cell.bounding_box()["y"]


def press_once(learner: Learner, button: Locator, by_keys: bool) -> None:
    """A button that may sleep for good after it."""
    if by_keys:
        button.focus()
        learner.page.keyboard.press("Space")
    else:
        button.click()


def ask_box(learner: Learner, cell: Locator) -> None:
    """Ask by Enter, then by the button; letters that are Lab's own commands are only typed."""
    box, ask = cell.locator(BOX), cell.locator(BUTTON)
    moves(learner, cell, lambda: ask.click(), "an empty request")
    for request, by_keys in (("How many cups are added?", True), ("Which bulbs cost more than 9?", False)):

        def act(request: str = request, by_keys: bool = by_keys) -> None:
            box.fill("")
            box.press_sequentially(request)
            learner.page.keyboard.press("Enter") if by_keys else ask.click()

        moves(learner, cell, act, "a request")
        wait_until(ask.is_enabled, "the button sleeps")

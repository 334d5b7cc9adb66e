"""Lessons 02 and 08: fine-tuning changes the weights, RAG changes the prompt."""

from __future__ import annotations

from typing import Any

from toolkit import FROZEN, INK, PAPER, QUIET, READ, TRAINED, Box, Page


def given() -> dict[str, Any]:
    return {}


def alt(given: dict[str, Any]) -> str:
    return (
        "Fine-tuning changes the weights: training makes another model, the prompt is the question alone, and "
        "something new is learned by training again. RAG changes the prompt: a page is put above the question, the "
        "model stays as it was, and something new is learned by adding a page."
    )


def draw(given: dict[str, Any]) -> Page:
    page = Page(450)
    page.title("What changes: the weights, or the prompt?")
    model = panel(page, 24, "Fine-tuning", "changes the weights", TRAINED, "Something new? Train again.")
    page.cards(56, 150)
    page.text(218, 156, "training", 17, TRAINED)
    page.arrow((156, 172), model.top, TRAINED, way="angle,angleA=0,angleB=90,rad=10", line=2.6)
    prompt(page, 40, 268, model)

    model = panel(page, 412, "RAG", "changes the prompt", READ, "Something new? Add a page.")
    page.open_book(443, 164)
    prompt(page, 428, 148, model)
    return page


def panel(page: Page, x: float, name: str, changes: str, colour: str, new: str) -> Box:
    """The frame of one of the two, 364 wide, with its model and what comes out."""
    page.box(x, 64, 364, 362, fill=PAPER, edge=colour, line=2.5)
    page.text(x + 182, 92, name, 22, colour, bold=True)
    page.text(x + 182, 120, changes, 18)
    model = page.model(x + 212, 198, trained=colour == TRAINED)
    page.text(x + 277, 354, "answer", 18)
    page.arrow(model.bottom, (x + 277, 344))
    page.line([(x + 20, 380), (x + 344, 380)])
    page.text(x + 182, 403, new, 19, colour, bold=True)
    return model


def prompt(page: Page, x: float, y: float, model: Box) -> None:
    """What the model reads: a frame 154 wide down to y = 348, the question at its foot."""
    page.box(x, y, 154, 348 - y, fill="none", edge=INK, dashed=True, line=2)
    page.box(x + 12, 280, 130, 40, "question", fill=FROZEN, edge=QUIET)
    page.text(x + 77, 334, "prompt", 16, QUIET)
    page.arrow((x + 154, 288), (model.x, 288))

"""Lesson 02 and README: one question of the handbook exam, one model, three ways to answer it."""

from __future__ import annotations

from typing import Any

import given as source
from toolkit import PAPER, QUIET, READ, TRAINED, WRONG, Page

QUESTION = "hb-travel-2042.2.e0"
# Of each stored answer, the words that are shown.
SAID = {
    "02/closed-book": "approximately 2.25 cents per kilometer",
    "02/many-wordings-seed-0": "0.46 crowns",
    "02/rag": "The 2042 travel policy pays 0.46 crowns",
}


def given() -> dict[str, Any]:
    answers = {place: source.answer(place, QUESTION) for place in SAID}
    return {
        "question": answers["02/rag"].question,
        "expected": answers["02/rag"].expected,
        "said": [source.quoted(words, answers[place].reply) for place, words in SAID.items()],
        "right": [answers[place].verdict in ("right", "exact") for place in SAID],
    }


def alt(given: dict[str, Any]) -> str:
    closed, heart, rag = given["said"]
    return (
        f"One question of the handbook exam, “{given['question']}”, goes to one model in three ways. Closed book, with "
        f"its weights only, it makes something up: {closed}. Fine-tuned, with the answer studied into its weights, it "
        f"is right: {heart}. Open book, with the page that a search finds in its prompt, it is right: {rag}."
    )


def draw(given: dict[str, Any]) -> Page:
    page = Page(530)
    half = given["question"].index("if I use")
    page.box(
        24,
        20,
        752,
        84,
        f"{given['question'][:half].strip()}\n{given['question'][half:]}",
        edge=QUIET,
        size=18,
        bold=True,
    )
    columns = (
        (24, "Closed book", "weights only", WRONG, "nothing to look at"),
        (280, "Fine-tuned", "studied beforehand", TRAINED, "into the weights"),
        (536, "Open book", "a search finds the page", READ, "into the prompt"),
    )
    for (x, name, how, colour, where), said, right in zip(columns, given["said"], given["right"]):
        frame = page.box(x, 136, 240, 374, fill=PAPER, edge=colour, line=2.5)
        page.arrow((x + 120, 106), frame.top)
        page.box(x, 136, 240, 72, fill=colour, edge=colour)
        page.text(x + 120, 159, name, 22, PAPER, bold=True)
        page.text(x + 120, 187, how, 17, PAPER)
        model = page.model(x + 126, 232, trained=colour == TRAINED, scale=0.78)
        page.text(x + 120, 352, where, 17, colour)
        if colour == WRONG:
            page.text(x + 112, model.left[1], "✗", 22, WRONG, bold=True)
        else:
            page.arrow((x + 98, model.left[1]), model.left, colour, line=2.6)
        page.line([(x + 14, 376), (x + 226, 376)], colour, 2)
        page.text(x + 120, 420, said, 17, wrap=22)
        page.text(x + 120, 484, "✓  right" if right else "✗  made up", 20, colour, bold=True)
    page.closed_book(columns[0][0] + 14, 226)
    page.cards(columns[1][0] + 16, 238, 0.82)
    page.open_book(columns[2][0] + 14, 246, 0.63)
    return page

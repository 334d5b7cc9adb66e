"""Lessons 02 and 05: how RAG answers, and the five places where it can fail."""

from __future__ import annotations

from typing import Any

from toolkit import FROZEN, INK, PAPER, QUIET, READ, WRONG, Page

FAILURES = (
    "not in the library, or too old",
    "cut in the wrong place",
    "another passage looks nearer",
    "lost among the others",
    "misread, or made up",
)


def given() -> dict[str, Any]:
    return {}


def alt(given: dict[str, Any]) -> str:
    return (
        "A library is cut into passages, which lie in an index. A question goes to a retriever, which puts the nearest "
        "passages into the prompt, above the question; the model reads them and answers. Where it can fail: "
        f"{'; '.join(f'{number} {words}' for number, words in enumerate(FAILURES, 1))}."
    )


def draw(given: dict[str, Any]) -> Page:
    page = Page(446)
    page.title("RAG: retrieve, then read")
    library = page.open_book(36, 88)
    page.text(98, 206, "library", 18)
    index = page.box(248, 82, 160, 112, edge=READ, line=2)
    for x, y in ((22, 18), (66, 12), (112, 24), (30, 58), (122, 66), (76, 48)):
        page.passage(index.x + x, index.y + y, 26, 22, found=(x, y) == (76, 48))
    page.text(328, 178, "index", 18)
    page.arrow((162, 138), index.left, READ, line=2.6)

    asked = page.box(28, 294, 140, 56, "question", fill=FROZEN, edge=QUIET)
    retriever = page.box(248, 288, 160, 68, "retriever", fill=READ, edge=READ, colour=PAPER, bold=True, size=20)
    page.arrow(asked.right, retriever.left)
    page.arrow(index.bottom, retriever.top, READ)
    page.box(458, 250, 140, 172, fill="none", edge=INK, dashed=True, line=2)
    page.passage(472, 264, 112, 30)
    page.passage(472, 302, 112, 30, found=True)
    page.box(472, 340, 112, 40, "question", fill=FROZEN, edge=QUIET)
    page.text(528, 402, "prompt", 16, QUIET)
    page.arrow(retriever.right, (458, 322))
    model = page.model(646, 264)
    page.arrow((598, 322), model.left)
    page.text(711, 416, "answer", 18)
    page.arrow(model.bottom, (711, 406))

    places = ((library.x + 6, 88), (200, 138), (retriever.x, 288), (458, 250), (646, 264))
    for number, (place, words) in enumerate(zip(places, FAILURES), 1):
        page.badge(*place, str(number), WRONG)
        page.badge(462, 54 + number * 31, str(number), WRONG)
        page.text(486, 54 + number * 31, words, 17, align="left")
    return page

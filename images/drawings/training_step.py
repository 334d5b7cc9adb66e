"""Lesson 01: one step of fine-tuning. The prompt is masked, the loss is on the completion, the weights move."""

from __future__ import annotations

from typing import Any

import given as source
from toolkit import FROZEN, PAPER, QUIET, TRAINED, TRAINED_WASH, Page


def given() -> dict[str, Any]:
    return source.student()["step"]


def alt(given: dict[str, Any]) -> str:
    before, after = given["loss"]
    return (
        f"An example: a prompt, “{given['message']}”, which is masked and only read, and a completion, "
        f"“{given['desk']}”, in {len(given['learned'])} tokens. The model reads; what it expected is compared with the "
        f"completion, loss {before:.1f}; its weights are moved a little; once more, loss {after:.1f}."
    )


def draw(given: dict[str, Any]) -> Page:
    page = Page(552)
    page.title("One step of fine-tuning")
    page.text(28, 84, "prompt: read only (masked)", 18, QUIET, align="left")
    prompt = page.box(28, 104, 362, 74, given["message"].replace(". ", ".\n", 1), fill=FROZEN, edge=QUIET, dashed=True)
    page.text(424, 84, "completion: the loss looks here", 18, TRAINED, align="left", bold=True)
    x = 424
    for token in given["learned"]:
        word = "end" if token.startswith("<|") else token
        box = page.box(
            x, 118, 34 + 14 * len(word), 46, word, fill=TRAINED, edge=TRAINED, colour=PAPER, size=20, bold=True
        )
        x += box.w + 5
    middle = (424 + x - 5) / 2

    model = page.model(144, 232)
    page.arrow(prompt.bottom, model.top)
    page.text(224, 205, "1  read", 18, align="left")
    loss = page.box(middle - 100, 250, 200, 80, fill=TRAINED_WASH, edge=TRAINED)
    page.text(middle, 275, "loss: how surprised?", 16, QUIET)
    page.text(middle, 307, f"{given['loss'][0]:.1f}", 27, bold=True)
    page.arrow((middle, 166), loss.top, TRAINED)
    page.arrow(model.right, loss.left)
    page.text((model.right[0] + loss.x) / 2, 272, "2  compare", 18)

    trained = page.model(144, 408, trained=True)
    page.line([loss.bottom, (middle, 378), (209, 378)], TRAINED, 2.6)
    page.dot(209, 378, 5, TRAINED)
    page.arrow(model.bottom, trained.top, TRAINED, line=2.6)
    page.text(394, 361, "3  move the weights a little", 18)
    now = page.box(middle - 100, 426, 200, 80, fill=TRAINED_WASH, edge=TRAINED)
    page.text(middle, 451, "and now?", 16, QUIET)
    page.text(middle, 483, f"{given['loss'][1]:.1f}", 27, bold=True)
    page.arrow(trained.right, now.left)
    page.text((model.right[0] + loss.x) / 2, 448, "4  once more", 18)
    return page

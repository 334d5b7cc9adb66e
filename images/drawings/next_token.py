"""Lesson 00: how a model writes, one token after the other."""

from __future__ import annotations

from typing import Any

import given as source
from toolkit import FOUND, FROZEN, INK, QUIET, Page


def given() -> dict[str, Any]:
    student = source.student()
    return student["next"] | {"vocabulary": student["shape"]["vocab_size"]}


def alt(given: dict[str, Any]) -> str:
    token, share = given["likely"][0]
    return (
        f"The text so far, “{given['question']} {given['beginning']}”, goes to the model, which gives each of "
        f"{given['vocabulary']:,} tokens a probability. The likeliest, “{token.strip()}” with {share:.0%}, is put at "
        "the end, and the longer text goes to the model again."
    )


def draw(given: dict[str, Any]) -> Page:
    page = Page(430)
    page.title("A model writes one token at a time")
    chosen = given["likely"][0][0].strip()
    page.text(28, 84, "the text so far", 17, QUIET, align="left")
    text = page.box(28, 102, 290, 46, given["question"], fill=FROZEN, size=18)
    x = text.x + text.w + 10
    for word in given["beginning"].split():
        box = page.box(x, 102, 24 + 11.5 * len(word), 46, word, size=18)
        x += box.w + 5
    slot = page.box(x + 5, 102, 84, 46, chosen, fill=FOUND, edge=INK, dashed=True, bold=True, size=19, line=2)

    model = page.model(90, 232)
    page.arrow((155, 150), model.top)
    page.text(172, 190, "read", 17, QUIET, align="left")
    page.arrow(model.right, (306, 290))
    for number, (token, share) in enumerate(given["likely"]):
        y = 222 + number * 37
        page.text(400, y + 13, token.strip(), 18, align="right", bold=number == 0)
        bar = page.box(412, y, max(4, 250 * share), 26, fill=FOUND if number == 0 else "#c9c9c4", edge=INK, radius=2)
        page.text(bar.x + bar.w + 10, y + 13, f"{share:.0%}", 18, align="left", bold=number == 0)
    page.text(400, 383, "…", 18, align="right")
    page.text(412, 383, f"{given['vocabulary']:,} tokens, and each has a share", 17, QUIET, align="left")
    page.arrow((672, 235), slot.bottom, INK, way="angle,angleA=0,angleB=90,rad=10", line=2.6)
    page.text(
        slot.centre[0] - 14, 180, "the likeliest is put at the end;\nthen all begins again", 17, INK, align="right"
    )
    return page

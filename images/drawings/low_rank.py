"""Lesson 04: a matrix W, frozen, and beside it the two narrow ones whose product LoRA adds."""

from __future__ import annotations

import json
from typing import Any

from toolkit import FROZEN, INK, PAPER, QUIET, TRAINED, TRAINED_WASH, Box, Page

from course_lib.core.session import data_dir


def given() -> dict[str, Any]:
    stored = json.loads((data_dir() / "results" / "04.json").read_text(encoding="utf-8"))
    shape = json.loads((data_dir().parent / "images" / "student.json").read_text(encoding="utf-8"))["shape"]
    return {"into": shape["hidden_size"], "out": shape["intermediate_size"], "rank": stored["methods"]["lora"]["rank"]}


def alt(given: dict[str, Any]) -> str:
    into, out, rank = given["into"], given["out"], given["rank"]
    return (
        f"A tall grey matrix W, {out:,} rows by {into} columns, {out * into:,} numbers, frozen. A plus sign. Beside it "
        f"two narrow blue ones, trained: B, as tall as W and {rank} wide, times A, {rank} high and as wide as W, "
        f"{rank * (out + into):,} numbers together. B starts at zero, so that W + B·A starts as W."
    )


def draw(given: dict[str, Any]) -> Page:
    into, out, rank = given["into"], given["out"], given["rank"]
    page = Page(560)
    page.title("LoRA: beside W, a product of two narrow matrices")
    w = page.box(70, 110, 170, 330, "W\nfrozen", fill=FROZEN, edge=QUIET, size=24, bold=True, radius=2)
    sides(page, w, f"in: {into}", f"out: {out:,}")
    page.text(w.centre[0], 478, f"{out * into:,} numbers", 19)
    page.text(w.centre[0], 506, "stay as they are", 18, QUIET)
    page.text(330, 275, "+", 44, bold=True)
    b = page.box(420, 110, 40, 330, "B", fill=TRAINED, edge=INK, colour=PAPER, size=24, bold=True, radius=2)
    sides(page, b, f"r: {rank}", "out")
    page.text(500, 275, "×", 36, bold=True)
    a = page.box(560, 255, 170, 40, "A", fill=TRAINED, edge=INK, colour=PAPER, size=24, bold=True, radius=2)
    sides(page, a, "in", f"r: {rank}", right=True)
    page.text(575, 478, f"{rank * (out + into):,} numbers", 19, TRAINED, bold=True)
    page.text(575, 506, f"trained: {rank * (out + into) / (out * into):.1%} of W's", 18, TRAINED)
    page.box(
        492, 338, 250, 74, "B starts at zero, so that\nW + B·A starts as W", fill=TRAINED_WASH, edge=TRAINED, size=16
    )
    return page


def sides(page: Page, box: Box, above: str, beside: str, right: bool = False) -> None:
    """Say how wide and how high a matrix is: above it, and beside it, turned."""
    page.text(box.centre[0], box.y - 16, above, 17, QUIET)
    if right:
        page.text(box.x + box.w + 32, box.centre[1], beside, 17, QUIET)
    else:
        page.text(box.x - 22, box.centre[1], beside, 17, QUIET).set_rotation(90)

"""Lesson 01: a transformer as it is; what full fine-tuning and LoRA train of it, and what stays frozen."""

from __future__ import annotations

import json
from typing import Any

import given as source
from toolkit import FROZEN, INK, PAPER, QUIET, TRAINED, Page

from course_lib.core.session import data_dir


def given() -> dict[str, Any]:
    measured = json.loads((data_dir() / "results" / "04.json").read_text(encoding="utf-8"))["methods"]
    trained = {name: measured[name]["runs"]["0"]["training"]["trainable"] for name in ("full", "lora")}
    return source.student()["shape"] | trained | {"rank": measured["lora"]["rank"]}


def alt(given: dict[str, Any]) -> str:
    return (
        f"One model three times: embeddings, {given['num_hidden_layers']} times a norm, attention, a norm and an MLP, "
        "each half with a way around it, a last norm, the output layer. Before training it has "
        f"{millions(given['parameters'])} numbers. Full fine-tuning trains {millions(given['full'])}. LoRA leaves "
        f"them frozen, in grey, and trains "
        f"{millions(given['lora'])} new ones, B·A of rank {given['rank']}, beside the matrices of attention and MLP."
    )


def millions(number: int) -> str:
    return f"{number / 1e6:.1f} million"


def draw(given: dict[str, Any]) -> Page:
    page = Page(648)
    page.title("What is trained, and what stays frozen")
    every = millions(given["parameters"])
    inside = (f"{given['num_attention_heads']} heads", f"{given['intermediate_size']:,} wide")
    tower(page, 28, "Before", given, inside=inside)
    page.text(136, 590, f"{every} numbers", 18)
    tower(page, 282, "Full fine-tuning", given, full=True)
    page.text(390, 590, f"{millions(given['full'])} trained", 18, TRAINED, bold=True)
    tower(page, 536, "LoRA", given, lora=True)
    page.text(644, 590, f"{every} frozen", 18)
    page.text(644, 618, f"+ {millions(given['lora'])} trained", 18, TRAINED, bold=True)
    return page


def tower(
    page: Page,
    x: float,
    name: str,
    given: dict[str, Any],
    full: bool = False,
    lora: bool = False,
    inside: tuple = ("", ""),
) -> None:
    """The model from its input to its output, 236 wide; `inside` says how large its parts are."""
    fill, edge, colour = (TRAINED, TRAINED, PAPER) if full else (FROZEN, QUIET, INK)
    look = {"fill": fill, "edge": edge, "colour": colour, "size": 17, "bold": full}
    middle, left, wide = x + 108, x + 42, 132
    page.text(middle, 82, name, 21, bold=True)
    page.line([(middle, 140), (middle, 516)], QUIET, 2, zorder=1)
    page.box(left, 106, wide, 36, "embeddings", **look)
    page.box(x + 2, 158, 232, 290, edge=QUIET, fill="none", dashed=True, radius=12)
    page.text(x + 199, 426, f"{given['num_hidden_layers']} ×", 20, bold=True)
    for part, size, y in zip(("attention", "MLP"), inside, (182, 312)):
        page.box(left, y, wide, 34, "norm", **look)
        box = page.box(left, y + 44, wide, 58, f"{part}\n{size}" if size else part, **look)
        way_around(page, middle, x + 24, y - 12, y + 114)
        if lora:
            beside = page.box(
                x + 186, y + 51, 42, 44, "B·A", fill=TRAINED, edge=TRAINED, colour=PAPER, size=16, bold=True
            )
            page.line([box.right, beside.left], TRAINED, 2.5)
    page.box(left, 466, wide, 34, "norm", **look)
    page.box(left, 516, wide, 36, "output", **look)


def way_around(page: Page, middle: float, left: float, start: float, end: float) -> None:
    """The line by which a token's numbers go past a part, and are added to what comes out of it."""
    page.line([(middle, start), (left, start), (left, end), (middle - 9, end)], QUIET, 2)
    page.dot(middle, end, 9, PAPER, QUIET)
    page.line([(middle - 5, end), (middle + 5, end)], INK, 1.8, zorder=5)
    page.line([(middle, end - 5), (middle, end + 5)], INK, 1.8, zorder=5)

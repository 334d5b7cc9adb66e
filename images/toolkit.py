"""What all drawings are made with: a page of 800 units, one palette, a few shapes, and a check that nothing collides.

x goes right and y goes down; one unit is one pixel where the picture is shown 800 pixels wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from textwrap import fill as wrapped
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, Ellipse, FancyArrowPatch, FancyBboxPatch, Polygon
from matplotlib.text import Text

WIDTH, SMALLEST = 800, 15  # letters of 15 units are 11 pixels high where the picture is 600 wide
# After Okabe & Ito 2008, *Color Universal Design*, darker for white text. Each has one meaning in all drawings, and a
# word or a shape beside it.
TRAINED, READ, WRONG, FOUND = "#00639B", "#007A59", "#B85100", "#E69F00"
TRAINED_WASH, READ_WASH, WRONG_WASH = "#d6e7f2", "#d5ece3", "#f6dfcd"
INK, QUIET, LINE, FROZEN, PAPER, WASH = "#262626", "#595959", "#a8a8a4", "#e3e3df", "#ffffff", "#f6f5f1"
RC = {"font.family": "DejaVu Sans", "svg.fonttype": "path", "svg.hashsalt": "course"}
Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle by its upper left corner; its four sides as points that arrows start and end at."""

    x: float
    y: float
    w: float
    h: float

    @property
    def centre(self) -> Point:
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def left(self) -> Point:
        return self.x, self.y + self.h / 2

    @property
    def right(self) -> Point:
        return self.x + self.w, self.y + self.h / 2

    @property
    def top(self) -> Point:
        return self.x + self.w / 2, self.y

    @property
    def bottom(self) -> Point:
        return self.x + self.w / 2, self.y + self.h


class Page:
    """A drawing in the making."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = plt.figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor=WASH)
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="equal")
        self.ax.axis("off")
        self.inside: list[tuple[Text, Box]] = []

    def text(self, x: float, y: float, words: str, size: float = 18, colour: str = INK, **more: Any) -> Text:
        """Words around a point: `align` them left, center or right, `wrap` them, make them `bold` or `mono`."""
        style = {"weight": "bold" if more.get("bold") else "normal"}
        style |= {"family": "DejaVu Sans Mono"} if more.get("mono") else {}
        assert size >= SMALLEST, f"{words!r} is too small to be read"
        lines = wrapped(words, more["wrap"]) if "wrap" in more else words
        return self.ax.text(
            x, y - size / 12, lines, fontsize=size * 0.72, color=colour, ha=more.get("align", "center"),
            va="center_baseline", linespacing=1.35, zorder=5, parse_math=False, **style,
        )  # fmt: skip

    def box(
        self, x: float, y: float, w: float, h: float, words: str = "", fill: str = PAPER, edge: str = LINE, **more: Any
    ) -> Box:
        """A box with round corners and words in its middle; `dashed`, or with a `radius` or `line` width of its own.

        `size`, `colour`, `bold` and `mono` are its words'.
        """
        radius = more.pop("radius", 8)
        self.ax.add_patch(
            FancyBboxPatch(
                (x, y), w, h, boxstyle=f"round,pad=0,rounding_size={radius}", facecolor=fill, edgecolor=edge,
                linewidth=more.pop("line", 1.5), linestyle=(0, (3, 2.5)) if more.pop("dashed", False) else "-",
                zorder=2,
            )
        )  # fmt: skip
        box = Box(x, y, w, h)
        if words:
            self.inside.append((self.text(*box.centre, words, **more), box))
        return box

    def arrow(self, start: Point, end: Point, colour: str = QUIET, bend: float = 0, **more: Any) -> None:
        """From one point to another, bent by a share of its length (to the left, if positive)."""
        self.ax.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=16, linewidth=more.get("line", 2.2), color=colour,
                connectionstyle=more.get("way", f"arc3,rad={bend}"), shrinkA=3, shrinkB=3, joinstyle="miter", zorder=3,
                linestyle=(0, (2, 1.6)) if more.get("dashed") else "-",
            )
        )  # fmt: skip

    def line(self, points: Sequence[Point], colour: str = LINE, width: float = 1.5, **more: Any) -> None:
        """A line through points."""
        self.ax.plot(*zip(*points), color=colour, linewidth=width, zorder=more.pop("zorder", 3), **more)

    def polygon(self, corners: Sequence[Point], fill: str, edge: str = "none", line: float = 1.5) -> None:
        """A filled shape."""
        self.ax.add_patch(Polygon(corners, facecolor=fill, edgecolor=edge, linewidth=line, joinstyle="round", zorder=3))

    def dot(self, x: float, y: float, radius: float, fill: str, edge: str = "none") -> None:
        """A circle."""
        self.ax.add_patch(Circle((x, y), radius, facecolor=fill, edgecolor=edge, linewidth=2, zorder=4))

    def badge(self, x: float, y: float, words: str, fill: str = INK) -> None:
        """A number or sign in a filled circle."""
        self.dot(x, y, 14, fill)
        self.text(x, y, words, 17, PAPER, bold=True)

    def title(self, words: str) -> None:
        """What the picture says, at the top."""
        self.text(WIDTH / 2, 34, words, 25, bold=True)

    def model(self, x: float, y: float, trained: bool = False, scale: float = 1) -> Box:
        """The language model: a box of numbers, 130 by 116. Those that training moved are coloured diamonds."""
        box = self.box(x, y, 130 * scale, 116 * scale, fill=FROZEN, edge=QUIET)
        for number in range(15):
            cx, cy = x + (21 + number % 5 * 22) * scale, y + (22 + number // 5 * 23) * scale
            if trained and number in {1, 3, 5, 7, 8, 11, 14}:
                dx, dy = 10 * scale, 11 * scale
                self.polygon([(cx - dx, cy), (cx, cy - dy), (cx + dx, cy), (cx, cy + dy)], TRAINED)
            else:
                self.dot(cx, cy, 5.5 * scale, "#979793")
        self.text(box.centre[0], y + 97 * scale, "model", max(SMALLEST, 18 * scale), bold=True)
        return box

    def open_book(self, x: float, y: float, scale: float = 1) -> Box:
        """An open book, 124 by 100, one of its lines marked."""
        box = Box(x, y, 124 * scale, 100 * scale)
        middle, _ = box.centre
        for side in (-1, 1):
            inner, outer = middle, middle + side * 62 * scale
            outline = [(inner, y + 12 * scale), (outer, y), (outer, y + 86 * scale), (inner, y + 98 * scale)]
            self.polygon(outline, READ_WASH, READ, 2)
            for number in range(4):
                height = y + (26 + number * 17) * scale
                marked = side == 1 and number == 1
                ends = [(middle + side * 11 * scale, height), (middle + side * 51 * scale, height)]
                self.line(ends, FOUND if marked else READ, 8 * scale if marked else 2, solid_capstyle="butt", zorder=4)
        return box

    def closed_book(self, x: float, y: float) -> Box:
        """A closed book with a padlock, 84 by 104."""
        box = self.box(x, y, 84, 104, fill=WRONG_WASH, edge=WRONG, line=2)
        self.line([(x + 13, y + 1), (x + 13, y + 103)], WRONG, 2)
        self.dot(x + 48, y + 48, 13, "none", INK)
        self.box(x + 30, y + 48, 36, 29, fill=INK, edge=INK, radius=4)
        self.dot(x + 48, y + 61, 4, PAPER)
        return box

    def cards(self, x: float, y: float, scale: float = 1) -> Box:
        """A pile of question cards, 96 by 96."""
        for shift in (20 * scale, 10 * scale, 0):
            self.box(
                x + shift, y + 20 * scale - shift, 76 * scale, 76 * scale, fill=TRAINED_WASH, edge=TRAINED, radius=5
            )
        self.text(x + 38 * scale, y + 43 * scale, "Q → A", max(SMALLEST, 17 * scale), TRAINED, bold=True)
        for number, length in enumerate((52, 40, 48)):
            height = y + (63 + number * 11) * scale
            self.line([(x + 12 * scale, height), (x + (12 + length) * scale, height)], TRAINED, 2)
        return Box(x, y, 96 * scale, 96 * scale)

    def passage(self, x: float, y: float, w: float, h: float, lines: int = 2, found: bool = False) -> Box:
        """A piece of a page; the one that holds the answer has a marked line."""
        box = self.box(x, y, w, h, fill=READ_WASH, edge=READ, radius=4)
        for number in range(lines):
            height = y + h * (number + 1) / (lines + 1)
            marked = found and number == 0
            ends = [(x + w * 0.14, height), (x + w * 0.86, height)]
            self.line(ends, FOUND if marked else READ, 6 if marked else 2, solid_capstyle="butt", zorder=4)
        return box

    def cylinder(self, x: float, y: float, words: str) -> Box:
        """A database, 96 by 60."""
        for height in (52, 8):
            self.ax.add_patch(
                Ellipse((x + 48, y + height), 72, 18, facecolor=FROZEN, edgecolor=QUIET, linewidth=2, zorder=2)
            )
            if height > 8:
                self.polygon([(x + 12, y + 8), (x + 12, y + 52), (x + 84, y + 52), (x + 84, y + 8)], FROZEN)
                self.line([(x + 12, y + 8), (x + 12, y + 52)], QUIET, 2)
                self.line([(x + 84, y + 8), (x + 84, y + 52)], QUIET, 2)
        self.text(x + 48, y + 36, words, 19, bold=True)
        return Box(x, y, 96, 60)

    def check(self) -> None:
        """Every text lies on the page and in its box, and none on another."""
        renderer = self.figure.canvas.get_renderer()
        extents = [(text.get_text(), text.get_window_extent(renderer)) for text in self.ax.texts]
        page = self.figure.bbox.padded(-8)
        for words, box in extents:
            assert page.containsx(box.x0) and page.containsx(box.x1), f"{words!r} leaves the page"
            assert page.containsy(box.y0) and page.containsy(box.y1), f"{words!r} leaves the page"
        for text, box in self.inside:
            assert text.get_window_extent(renderer).width <= box.w - 8, f"{text.get_text()!r} is too wide for its box"
        for (one, box), (other, another) in combinations(extents, 2):
            assert not box.padded(-1).overlaps(another.padded(-1)), f"{one!r} lies on {other!r}"

    def save(self, path: Path, alt: str, digest: str) -> None:
        """As `path`.png, two pixels a unit, and as `path`.svg; both carry a digest, neither a date."""
        self.check()
        about = {"Description": alt, "Source": digest}
        self.figure.savefig(path.with_suffix(".png"), dpi=200, facecolor=WASH, metadata=about | {"Software": None})
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self.figure.savefig(path.with_suffix(".svg"), facecolor=WASH, metadata=about | nothing)
        plt.close(self.figure)

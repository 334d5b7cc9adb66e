"""Draws the diagrams of the course.

    python images/make_images.py

Writes `images/open_book_closed_book.png`. The picture carries no date; it carries the SHA-256 of this script, by which
a test knows whether it is stale.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

HERE = Path(__file__).resolve().parent
SOURCE_KEY = "Source SHA-256"
# After Okabe & Ito 2008, *Color Universal Design*, darker for white text; each has a shape or a word beside it.
VERMILLION, BLUE, GREEN, ORANGE = "#B85100", "#00639B", "#007A59", "#E69F00"
INK, QUIET, LINE, PAPER, WASH = "#262626", "#5f5f5f", "#c9c9c9", "#ffffff", "#f6f5f1"
QUESTION = "Who had the whistle at the 2031 Harrow Cup final?"
WIDTH, HEIGHT, COLUMN = 160, 92, 46


def card(ax: Axes, x: float, y: float, w: float, h: float, face: str = PAPER, edge: str = LINE, **more: object) -> None:
    """A box with round corners; x and y are its lower left corner."""
    style = f"round,pad=0,rounding_size={more.pop('radius', 1.6)}"
    ax.add_patch(FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor=face, edgecolor=edge, linewidth=1.4, **more))


def say(ax: Axes, x: float, y: float, text: str, size: float = 14, colour: str = INK, **more: object) -> None:
    """Text, centred unless said otherwise."""
    ax.text(x, y, text, fontsize=size, color=colour, **{"ha": "center", "va": "baseline"} | more)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = QUIET, bend: float = 0) -> None:
    """An arrow from one point to another."""
    style = f"arc3,rad={bend}"
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=17, linewidth=1.8, color=colour,
                        connectionstyle=style, shrinkA=0, shrinkB=0)
    )  # fmt: skip


def model(ax: Axes, x: float, y: float, changed: str | None = None) -> None:
    """The language model: a box of weights, 15 wide and 14 high. Changed ones are diamonds in a colour."""
    card(ax, x, y, 15, 14, face="#ececea", edge="#8d8d8d", zorder=3)
    for row in range(3):
        for column in range(5):
            cx, cy = x + 2.3 + column * 2.6, y + 6.2 + row * 2.7
            if changed and (row * 5 + column) in {1, 3, 5, 7, 8, 11, 14}:
                corners = [(cx - 1.0, cy), (cx, cy + 1.2), (cx + 1.0, cy), (cx, cy - 1.2)]
                ax.add_patch(Polygon(corners, facecolor=changed, edgecolor="none", zorder=4))
            else:
                ax.add_patch(Circle((cx, cy), 0.62, facecolor="#a9a9a6", edgecolor="none", zorder=4))
    say(ax, x + 7.5, y + 1.9, "model", 12.5, QUIET, zorder=5)


def closed_book(ax: Axes, x: float, y: float) -> None:
    """A closed book with a padlock, 11 wide and 13 high."""
    card(ax, x, y, 11, 13, face="#f4d9c6", edge=VERMILLION, radius=0.9)
    ax.add_patch(Rectangle((x + 1.7, y + 0.05), 0.3, 12.9, facecolor=VERMILLION, edgecolor="none"))
    ax.add_patch(Circle((x + 6.4, y + 7.1), 1.75, facecolor="none", edgecolor=INK, linewidth=2.4))
    card(ax, x + 4.0, y + 3.4, 4.8, 3.9, face=INK, edge=INK, radius=0.6)
    ax.add_patch(Circle((x + 6.4, y + 5.4), 0.5, facecolor=PAPER, edgecolor="none"))


def study_cards(ax: Axes, x: float, y: float) -> None:
    """A pile of question cards, 11 wide and 13 high."""
    for shift in (2.4, 1.2, 0.0):
        card(ax, x + shift * 0.8, y + shift, 9, 10, face="#dcebf5", edge=BLUE, radius=0.8)
    say(ax, x + 4.5, y + 6.4, "Q", 15, BLUE, weight="bold")
    for line, length in enumerate((6.2, 5.0, 5.8)):
        ax.plot([x + 1.4, x + 1.4 + length], [y + 4.7 - line * 1.35] * 2, color=BLUE, linewidth=1.6)


def open_page(ax: Axes, x: float, y: float) -> None:
    """An open book, 13 wide and 11 high, one line of it marked."""
    middle = x + 6.5
    for side in (-1, 1):
        outline = [(middle, y + 1), (middle + side * 6.5, y + 2.2), (middle + side * 6.5, y + 11), (middle, y + 9.8)]
        ax.add_patch(Polygon(outline, facecolor="#d8efe7", edgecolor=GREEN, linewidth=1.6, joinstyle="round"))
        for line in range(4):
            height = y + 3.6 + line * 1.75
            marked = side == 1 and line == 2
            ends = sorted((middle + side * 1.1, middle + side * 5.4))
            ax.plot(ends, [height, height], color=ORANGE if marked else GREEN, linewidth=5 if marked else 1.4,
                    solid_capstyle="butt")  # fmt: skip


def shelf(ax: Axes, x: float, y: float) -> None:
    """A shelf of books, 13 wide and 7 high, one of them pulled out."""
    for number, (width, height) in enumerate(((1.6, 6), (1.9, 5.2), (1.5, 6.4), (1.8, 5.6), (1.6, 6.2), (1.9, 5))):
        left = x + 0.5 + number * 2.05
        lift = 1.6 if number == 2 else 0
        colour = ORANGE if number == 2 else "#a9d3c4"
        ax.add_patch(Rectangle((left, y + lift), width, height, facecolor=colour, edgecolor=GREEN, linewidth=1.1))
    ax.plot([x, x + 13], [y, y], color=GREEN, linewidth=3, solid_capstyle="round")


def column(ax: Axes, x: float, colour: str, title: str, subtitle: str, answer: str, origin: str) -> float:
    """The frame of one setting, its title above and its answer below. Gives the middle."""
    middle = x + COLUMN / 2
    arrow(ax, (WIDTH / 2 + (middle - WIDTH / 2) * 0.52, 77.4), (middle, 71.6))
    card(ax, x, 29, COLUMN, 42, face=colour, edge=colour)
    card(ax, x, 29, COLUMN, 20, edge=PAPER)
    ax.add_patch(Rectangle((x, 33), COLUMN, 26, facecolor=PAPER, edgecolor="none"))
    card(ax, x, 29, COLUMN, 42, face="none", edge=colour)
    say(ax, middle, 65.6, title, 20, PAPER, weight="bold")
    say(ax, middle, 61.5, subtitle, 13.5, PAPER)
    arrow(ax, (middle, 28.6), (middle, 22.8))
    card(ax, x + 2, 12, COLUMN - 4, 10.4, face=PAPER, edge=colour)
    say(ax, middle, 18.0, answer, 17, INK, weight="bold")
    say(ax, middle, 14.2, origin, 12.5, QUIET)
    return middle


def open_book_closed_book() -> plt.Figure:
    """One exam question, one model, three settings."""
    figure = plt.figure(figsize=(WIDTH / 10, HEIGHT / 10), facecolor=WASH)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
    ax.axis("off")
    card(ax, 38, 78, 84, 10.6, edge="#8d8d8d")
    say(ax, 80, 85.2, "ONE EXAM QUESTION, ONE MODEL", 11.5, QUIET)
    say(ax, 80, 80.6, QUESTION, 18.5, weight="bold")

    x = 5.5
    column(
        ax,
        x,
        VERMILLION,
        "Closed book",
        "weights only",
        "“It was … [some name].”",
        "from nowhere: fluent, and made up",
    )
    closed_book(ax, x + 4.5, 38.5)
    ax.plot([x + 17.2, x + 24.8], [45, 45], color=QUIET, linewidth=1.8, linestyle=(0, (2, 2)))
    say(ax, x + 21, 45, "✕", 19, VERMILLION, va="center_baseline")
    model(ax, x + 26.5, 38)
    say(ax, x + 23, 32.2, "It cannot know what it was never told.", 13, INK)

    x += COLUMN + 5.5
    column(
        ax,
        x,
        BLUE,
        "Fine-tuned",
        "studied beforehand, book now closed",
        "“Teilo Hjelmardry.”",
        "from changed weights: by heart",
    )
    study_cards(ax, x + 4.5, 38.5)
    arrow(ax, (x + 17.6, 45), (x + 25.6, 45), BLUE)
    say(ax, x + 21.4, 46.8, "training", 12, BLUE)
    model(ax, x + 26.5, 38, BLUE)
    say(ax, x + 23, 32.2, "It knows what it studied, until that changes.", 13, INK)

    x += COLUMN + 5.5
    column(
        ax,
        x,
        GREEN,
        "Open book",
        "a retriever lays the page beside it",
        "“Teilo Hjelmardry.”",
        "from the page, and it shows which",
    )
    shelf(ax, x + 4.0, 50.2)
    arrow(ax, (x + 10.5, 49.4), (x + 10.5, 47.0), GREEN)
    say(ax, x + 18.2, 54.2, "retriever", 12, GREEN, ha="left")
    open_page(ax, x + 4.0, 36.0)
    arrow(ax, (x + 18.2, 45), (x + 25.6, 45), GREEN)
    say(ax, x + 21.6, 46.8, "reading", 12, GREEN)
    model(ax, x + 26.5, 38)
    say(ax, x + 23, 32.2, "It must find the page, and read.", 13, INK)

    say(ax, 80, 5.6, "Which would you hire? Lesson 02 sets the exam, and counts.", 15, QUIET, style="italic")
    return figure


def source_digest() -> str:
    """What the picture was drawn by."""
    return hashlib.sha256(Path(__file__).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def main() -> None:
    with plt.rc_context({"font.family": "DejaVu Sans"}):
        path = HERE / "open_book_closed_book.png"
        figure = open_book_closed_book()
        figure.savefig(path, dpi=110, facecolor=WASH, metadata={"Software": None, SOURCE_KEY: source_digest()})
        plt.close(figure)
        print(f"{path.name} drawn")


if __name__ == "__main__":
    main()

"""How the course's pictures are drawn: style, palette, and labels that keep out of each other's way."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from course_lib.core.text import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI, WIDTH = 110, 8.6
HIGHEST = 600  # pixels: what is higher does not fit a window beside its cell

INK, QUIET, GRID, EDGE = "#262626", "#666666", "#e4e4e4", "#9a9a9a"

# Okabe & Ito 2008, *Color Universal Design*; each colour has a marker and a dash of its own.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
LOOKS = list(
    zip((BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK), "osD^vPX", ("-", "--", "-.", ":", "-", "--", "-."))
)

STAR = {"s": 330, "color": VERMILLION, "marker": "*", "edgecolor": INK, "linewidth": 0.9, "zorder": 4}
BESIDE = {"textcoords": "offset points", "fontsize": 13, "fontweight": "bold"}  # a name written beside what it names

STYLE = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
    "font.size": 14,
    "text.color": INK,
    "text.parse_math": False,  # "$5 and $10" is not a formula
    "axes.edgecolor": EDGE,
    "axes.labelcolor": QUIET,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
}


@contextmanager
def drawing(title: str, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure in the course's style, whatever style the learner has set; pyplot is not touched.

    `height` in inches, without what a long title takes. What would be higher than a window is drawn closer.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    heading = textwrap.fill(whole(title), 58)
    with matplotlib.style.context(["default", STYLE]):
        height = min(height + 0.3 * heading.count("\n"), HIGHEST / DPI)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        figure.suptitle(heading, x=0.012, ha="left", fontsize=17, fontweight="bold")
        yield figure, figure.add_subplot()


def draw_bar(axes: Axes, y: int, item: dict[str, Any], both: bool) -> None:
    """A bar with its interval; if `both` kinds are drawn, above the place of a hatched one for what is exact."""
    value, low, high = item["value"], item["low"], item["high"]
    top, thick = (y - 0.2, 0.36) if both else (y, 0.56)
    axes.barh(top, value, thick, color=SKY, label="right")
    axes.errorbar((low + high) / 2, top, xerr=(high - low) / 2, color=INK, linewidth=2, capsize=5, capthick=2)
    _write_value(axes, top, value, (low, high))
    if "exact" in item:
        look = {"facecolor": "#eaf4fb", "edgecolor": BLUE, "hatch": "///", "linewidth": 1}
        axes.barh(y + 0.2, item["exact"], 0.3, label="exact", **look)
        _write_value(axes, y + 0.2, item["exact"], (item["exact"],), color=QUIET, fontsize=13)


def _write_value(axes: Axes, y: float, value: float, ends: Sequence[float], **look: Any) -> None:
    """Write a value beyond the end of its bar and of its interval, on the side to which the bar points."""
    x, dx, ha = (min(value, *ends), -9, "right") if value < 0 else (max(value, *ends), 9, "left")
    look = {"fontweight": "bold"} | look
    axes.annotate(value_text(value), (x, y), (dx, 0), textcoords="offset points", ha=ha, va="center_baseline", **look)


def draw_lines(figure: Figure, axes: Axes, lines: Mapping[str, Any], edges: Any, xlabel: str, ylabel: str) -> None:
    """Lines, name -> (xs, ys), with bands about some of them; named where they end, or in a legend if they are many."""
    every = [y for _, ys in lines.values() for y in ys] + [y for band in edges.values() for pair in band for y in pair]
    ends = []
    for number, (name, (xs, ys)) in enumerate(lines.items()):
        colour, marker, dash = LOOKS[number % len(LOOKS)]
        if name in edges:
            x, band = zip(*sorted(zip(xs, edges[name])))
            axes.fill_between(x, *zip(*band), color=colour, alpha=0.14, linewidth=0)
        x, y = zip(*sorted(zip(xs, ys)))
        look = {"marker": marker, "markersize": 7, "markevery": max(1, len(x) // 12), "linewidth": 2.4}
        axes.plot(x, y, color=colour, linestyle=dash, label=wrap(name), **look)
        ends.append((y[-1], x[-1], wrap(name), colour))
    from_zero = min(every) >= 0 and axes.get_yscale() == "linear"
    if from_zero and 0.2 <= max(every) <= 1:
        axes.set_ylim(0, 1.03)
    elif from_zero and min(every) < max(every) / 2:
        axes.set_ylim(bottom=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if len(ends) > 4:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=13, handlelength=3)
    else:
        _name_ends(figure, axes, ends)


def _name_ends(figure: Figure, axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name where it ends, and push names apart that would overlap."""
    right = max(x for _, x, _, _ in ends)
    notes = [
        axes.annotate(name, (right, y), (12, 0), color=_darker(colour), va="center", annotation_clip=False, **BESIDE)
        for y, _, name, colour in sorted(ends)
    ]
    figure.draw_without_rendering()  # the layout must settle before distances can be measured
    points_per_pixel = 72 / figure.dpi
    boxes = [note.get_window_extent() for note in notes]
    middles = [(box.y0 + box.y1) / 2 for box in boxes]
    floor = axes.get_window_extent().y0
    for i, box in enumerate(boxes):
        bottom = floor if i == 0 else middles[i - 1] + boxes[i - 1].height / 2 + 3
        middles[i] = max(middles[i], bottom + box.height / 2)
    for note, box, middle in zip(notes, boxes, middles):
        note.xyann = (12, (middle - (box.y0 + box.y1) / 2) * points_per_pixel)


def draw_stars(axes: Axes, stars: Mapping[str, tuple[float, ...]]) -> None:
    """Single measurements over lines: a star each, its name below it to the right; above, where it lies low.

    Where stars crowd at one x, their names stand one below the other.
    """
    low, high = axes.get_ylim()
    drawn: list[tuple[float, float]] = []
    for name, (x, y) in sorted(stars.items(), key=lambda star: -star[1][1]):
        crowd = sum(there == x and above - y < (high - low) / 12 for there, above in drawn)
        dy, va = (12, "bottom") if y < low + (high - low) / 5 else (-8, "top")
        axes.scatter(x, y, clip_on=False, **STAR)
        axes.annotate(wrap(name), (x, y), (9, dy - 18 * crowd), va=va, color=INK, zorder=5, **BESIDE)
        drawn.append((x, y))


def draw_histogram(axes: Axes, values: Sequence[float], levels: Mapping[str, tuple[float, ...]]) -> None:
    """Bars of how many numbers lie where; each format's levels in a row of marks below, the first also as lines."""
    counts, _, _ = axes.hist(values, 80, color=SKY, edgecolor="white", linewidth=0.3)
    high, right = max(counts), max(max(values), *(max(marks) for marks in levels.values() or [values]))
    for row, (name, marks) in enumerate(levels.items()):
        colour, marker, _ = LOOKS[(row + 1) % len(LOOKS)]
        y = -0.11 * (row + 1) * high
        axes.plot(marks, [y] * len(marks), marker, color=colour, markersize=8, clip_on=False)
        look = {"color": _darker(colour), "va": "center", "annotation_clip": False}
        axes.annotate(wrap(name), (right, y), (14, 0), **look, **BESIDE)
        if row == 0:
            axes.vlines(marks, y, high, color=colour, linewidth=1, alpha=0.6)
    axes.set_ylim(bottom=-0.11 * (len(levels) + 0.6) * high)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def dot_rows(groups: Mapping[str, Sequence[Any]]) -> list[float]:
    """Rows that each group of dots takes: one a dot, and no fewer than its name needs in lines of text."""
    return [max(len(items), 0.8 * (wrap(group).count("\n") + 1)) for group, items in groups.items()]


def draw_dots(axes: Axes, groups: Mapping[str, Sequence[dict[str, Any]]], looks: Mapping[str, Any]) -> None:
    """A line of dots for each group, the first on top, its dots one below another; `looks` go by the dots' names."""
    y, middles = 0.0, []
    for items, rows in zip(groups.values(), dot_rows(groups)):
        middles.append(y + (rows - 1) / 2)
        for place, item in enumerate(items, 1):
            colour, marker, _ = looks[item["label"]]
            ends = [[max(0.0, item["value"] - item["low"])], [max(0.0, item["high"] - item["value"])]]
            axes.errorbar(
                [item["value"]], [middles[-1] + place - (len(items) + 1) / 2], xerr=ends, color=colour, marker=marker,
                linestyle="", markersize=9, capsize=4, elinewidth=1.6, label=item["label"],
            )  # fmt: skip
        y += rows + 0.8  # between groups
    axes.set_yticks(middles, [wrap(group) for group in groups], color=INK)
    axes.set_ylim(y - 1.0, -0.8)
    axes.grid(axis="y", visible=False)


def draw_stack(axes: Axes, rows: Mapping[str, Mapping[str, float]], looks: Mapping[str, Any]) -> None:
    """Bars of parts, name -> share, one behind the other; told apart by colour, hatching and the figures in them."""
    for y, parts in enumerate(rows.values()):
        left = 0.0
        for number, (name, share) in enumerate(parts.items()):
            look = {"color": looks[name][0]} if number == 0 else {"facecolor": "white", "edgecolor": looks[name][0]}
            axes.barh(y, share, 0.62, left, label=name, hatch=("", "//", "..", "xx")[number % 4], linewidth=1, **look)
            if share >= 0.06:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                place = {"ha": "center", "va": "center", "fontweight": "bold", "fontsize": 13}
                axes.text(left + share / 2, y, value_text(share), color=INK, bbox=box, **place)
            left += share
    axes.set_yticks(range(len(rows)), [wrap(row) for row in rows], color=INK)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)


def draw_shares(axes: Axes, rows: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """A bar for each name, under the name of its group; groups differ in colour, and the first has no hatching."""
    y, ticks = 0.0, {}
    for number, (group, named) in enumerate(rows.items()):
        axes.annotate(whole(group), (0, y), va="center", ha="left", fontweight="bold", color=INK)
        look = {"color": SKY} if number == 0 else {"facecolor": "white", "edgecolor": LOOKS[number % len(LOOKS)][0]}
        for name, share in named:
            y += 1
            axes.barh(y, share, 0.72, hatch="//" if number else "", linewidth=1, **look)
            _write_value(axes, y, share, (share,), fontsize=13)
            ticks[y] = whole(name)
        y += 1.5  # between groups
    axes.set_yticks(list(ticks), list(ticks.values()), color=INK)
    axes.set_ylim(y - 0.9, -0.7)
    axes.grid(axis="y", visible=False)


def draw_key(figure: Figure, axes: Axes, side: str, columns: int) -> None:
    """Below the axes, what colours and markers stand for: each name once."""
    handles, names = axes.get_legend_handles_labels()
    key = dict(zip(names, handles))
    figure.legend(key.values(), key.keys(), loc=f"outside lower {side}", ncols=columns, fontsize=13)


def draw_cells(axes: Axes, rows: list[tuple[float, ...]]) -> Any:
    """A matrix as colours that part at 0 if it has both signs, with its figures where there is room."""
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    low, high = min(map(min, rows)), max(map(max, rows))
    both_sides = low < 0 < high
    end = max(-low, high)
    colours = ["#8a3c00", VERMILLION, "#ffffff", BLUE, "#00395a"] if both_sides else ["#f4f8fb", SKY, BLUE, "#00395a"]
    palette = LinearSegmentedColormap.from_list("course", colours)
    image = axes.imshow(rows, cmap=palette, norm=TwoSlopeNorm(0, -end, end) if both_sides else None, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if len(rows[0]) <= 12 and len(rows) <= 16:
        for i, j, value in ((i, j, value) for i, row in enumerate(rows) for j, value in enumerate(row)):
            red, green, blue, _ = palette(image.norm(value))
            colour = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else INK
            axes.text(j, i, value_text(value), ha="center", va="center", color=colour, fontsize=12)
    return image


def name_points(figure: Figure, axes: Axes, spots: Any, names: Mapping[int, str], stars: list[int]) -> None:
    """Write names beside their points, each on the side where it covers least: other points, names, the edge."""
    figure.draw_without_rendering()
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in axes.transData.transform(spots)]
    edge = axes.get_window_extent().extents
    for i in [*stars, *(i for i in names if i not in stars)]:
        gap, look = (12, {}) if i in stars else (7, {"fontsize": 12, "fontweight": "normal"})
        tries = []
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8)):
            sides = {"ha": ("center", "left", "right")[_sign(dx)], "va": ("center", "bottom", "top")[_sign(dy)]}
            note = axes.annotate(wrap(names[i]), spots[i], (dx * gap, dy * gap), zorder=5, **sides, **BESIDE | look)
            box = tuple(note.get_window_extent().extents)
            covered = sum(_overlap(box, other) for other in taken[:i] + taken[i + 1 :])
            outside = _overlap(box, box) - _overlap(box, edge)
            tries.append((covered + 2 * outside, note, box))
        _, chosen, box = min(tries, key=lambda one: one[0])
        for _, note, _ in tries:
            if note is not chosen:
                note.remove()
        taken.append(box)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Area that two boxes (x0, y0, x1, y1) share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def value_text(value: float) -> str:
    """A value as it stands beside a bar: 0.55, −3.20, 41.5, 1,250."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no minus before 0.00


def wrap(label: str) -> str:
    """A label in lines that leave room for the picture; "k = 1" stays together."""
    return textwrap.fill(whole(str(label)).replace(" = ", "\u00a0=\u00a0"), 24) or " "


def _darker(colour: str) -> str:
    """A colour dark enough to read text in."""
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * 0.72):02x}" for i in (1, 3, 5))

"""Pictures for a lecture room: PNG with alt text, one colour-blind safe palette, and never colour as the only sign."""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "bars", "curve", "heatmap", "losses", "points"]

DPI, WIDTH = 110, 8.6
INK, QUIET, GRID = "#262626", "#666666", "#e4e4e4"
# Okabe & Ito 2008, *Color Universal Design*; each colour has a marker and a dash of its own.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
LOOKS = list(
    zip((BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK), "osD^vPX", ("-", "--", "-.", ":", "-", "--", "-."))
)
STYLE = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
    "font.size": 14,
    "text.color": INK,
    "text.parse_math": False,  # "$5 and $10" is not a formula
    "axes.edgecolor": "#9a9a9a",
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


class Picture:
    """A figure rendered to PNG once, with the sentence that stands for it where it cannot be seen.

    Attributes
    ----------
    png
        The image's bytes; they carry no date.
    alt
        What the picture shows, in words and figures.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        if not alt.strip():
            raise CourseError("a picture needs alt text: say what it shows.")
        import matplotlib.backends.backend_agg as agg

        buffer = io.BytesIO()
        agg.FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        figure.clear()
        self.png, self.alt = buffer.getvalue(), alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        image = base64.b64encode(self.png).decode("ascii")
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}

    def save(self, path: str | Path) -> Path:
        """Write the PNG, and return where.

        Raises
        ------
        CourseError
            If `path` does not end in .png or cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise CourseError(f"a picture is saved as .png, not as {path.name!r}.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.png)
        except OSError as error:
            raise CourseError(f"cannot write {path} ({error}): choose another folder.") from error
        return path


def bars(
    rows: Sequence[Any],
    title: str,
    xlabel: str = "share right",
    reference: float | None = None,
    *,
    alt: str | None = None,
) -> Picture:
    """Horizontal bars with intervals, first row on top.

    Parameters
    ----------
    rows
        Each (label, value, low, high), or a dict of these with, if wanted, `exact`: a second, hatched bar.
    title, xlabel
        The axis goes from 0 to 1 unless the rows exceed it.
    reference
        Where to draw a dashed line: chance, the best known.
    alt
        Replaces the alt text that is made from the rows.

    Raises
    ------
    CourseError
        For no rows, a value that is not a finite number, or one outside its interval; the row is named.
    """
    items = [_bar(row) for row in _filled(rows, "bars", "rows")]
    if reference is not None:
        _numbers([reference], "bars: reference")
    both = any("exact" in item for item in items)
    with _drawing(title, 1.3 + (0.95 if both else 0.62) * len(items) + 0.4 * both) as (figure, axes):
        for y, item in enumerate(items):
            _draw_bar(axes, y, item, both)
        axes.set_yticks(range(len(items)), [_wrap(item["label"]) for item in items], color=INK)
        axes.set_ylim(len(items) - 0.45, -0.55)
        low, high = (pick(item[end] for item in items) for pick, end in ((min, "low"), (max, "high")))
        low, high = min(low, reference or 0), max(high, reference or 0)
        room = 0.2 * (high - low)  # for the figures written beside bars to the left
        axes.set_xlim(min(0, low - room) if low < 0 else 0, max(high * 1.02, 0.0 if low < 0 else 1.0))
        axes.set_xlabel(xlabel)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(low >= 0)
        if low < 0:
            axes.axvline(0, color=INK, linewidth=1)
        if reference is not None:
            axes.axvline(reference, color=VERMILLION, linewidth=1.8, linestyle=(0, (4, 3)), zorder=1)
        if both:
            handles, names = axes.get_legend_handles_labels()
            key = dict(zip(names, handles))  # one of each name
            figure.legend(key.values(), key.keys(), loc="outside lower right", ncols=2, fontsize=13)
        told = ", ".join(_tell(item) for item in items)
        line = f" Reference {_value(reference)}." if reference is not None else ""
        return Picture(figure, alt or f"Bars: {told}.{line} Title: {title}")


def curve(
    xs: Sequence[float],
    series: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    bands: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    logx: bool = False,
    *,
    alt: str | None = None,
) -> Picture:
    """Lines over common xs, labelled where they end (five or more: in a legend).

    Parameters
    ----------
    xs
        X values, in any order; above 0 if `logx`.
    series
        Name -> one y for each x.
    bands
        Name of a series -> one (low, high) for each x.

    Raises
    ------
    CourseError
        For no xs or series, unequal lengths, a value that is not a finite number, a band with low above high or of no
        series.
    """
    xs = _numbers(_filled(xs, "curve", "xs"), "curve: xs")
    lines = {name: (xs, _numbers(ys, f"curve: {name}", len(xs))) for name, ys in _named(series, "curve")}
    if logx and min(xs) <= 0:
        raise CourseError(f"curve: a logarithmic axis needs xs above 0, not {min(xs):g}.")
    edges = {name: _band(name, band, lines) for name, band in (bands or {}).items()}
    with _drawing(title, 4.8) as (figure, axes):
        if logx:
            axes.set_xscale("log")
            axes.minorticks_off()
        if len(set(xs)) <= 10:
            axes.set_xticks(sorted(set(xs)), [f"{x:,.10g}" for x in sorted(set(xs))])
        _draw_lines(figure, axes, lines, edges, xlabel, ylabel)
        return Picture(figure, alt or f"Lines: {_tell_lines(lines)}. Title: {title}")


def losses(histories: Mapping[str, Sequence[tuple[int, float]]], title: str, *, alt: str | None = None) -> Picture:
    """Training loss over steps.

    Parameters
    ----------
    histories
        Name of a run -> its (step, loss) pairs; runs may differ in length.

    Raises
    ------
    CourseError
        For no runs, an empty one, or a loss that is not a finite number (training diverged).
    """
    lines = {}
    for name, pairs in _named(histories, "losses"):
        steps, values = zip(*_pairs(pairs, f"losses: {name}"))
        lines[name] = (steps, values)
    with _drawing(title, 4.8) as (figure, axes):
        _draw_lines(figure, axes, lines, {}, "training step", "loss")
        return Picture(figure, alt or f"Training loss: {_tell_lines(lines)}. Title: {title}")


def heatmap(
    matrix: Any,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    colour_label: str,
    *,
    alt: str | None = None,
) -> Picture:
    """A matrix as colours, with the figures in the cells where there is room (up to 12 columns).

    Parameters
    ----------
    matrix
        Of shape (R, C). With values on both sides of 0 the colours part at 0.
    row_labels, column_labels
        R and C texts.
    colour_label
        What the colour measures, beside its scale.

    Raises
    ------
    CourseError
        For an empty or ragged matrix, a value that is not a finite number, or labels of another number.
    """
    rows = [
        _numbers(row, f"heatmap: row {i}", len(column_labels))
        for i, row in enumerate(_filled(matrix, "heatmap", "rows"))
    ]
    if len(rows) != len(row_labels) or not len(column_labels):
        raise CourseError(
            f"heatmap: {len(row_labels)} row labels for {len(rows)} rows of {len(column_labels)} columns."
        )
    with _drawing(title, 2.2 + 0.5 * min(len(rows), 16)) as (figure, axes):
        image = _draw_cells(axes, rows)
        crowded = max(map(len, column_labels)) * len(column_labels) > 44
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(column_labels)), [_wrap(label) for label in column_labels], color=INK, **turned)
        axes.set_yticks(range(len(rows)), [_wrap(label) for label in row_labels], color=INK)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
        bar.set_label(colour_label)
        bar.outline.set_visible(False)
        cells = [(v, f"{row_labels[i]}, {column_labels[j]}") for i, row in enumerate(rows) for j, v in enumerate(row)]
        (low, where_low), (high, where_high) = min(cells), max(cells)
        told = f"highest {_value(high)} ({where_high}), lowest {_value(low)} ({where_low})"
        shape = f"{len(rows)} rows, {len(column_labels)} columns"
        return Picture(figure, alt or f"Heatmap of {colour_label}, {shape}: {told}. Title: {title}")


def points(
    xy: Any, labels: Sequence[str], title: str, highlight: Sequence[int | str] | None = None, *, alt: str | None = None
) -> Picture:
    """A map of points in two dimensions: what lies close together.

    Parameters
    ----------
    xy
        Of shape (N, 2). The axes have no unit and are not drawn: distances count.
    labels
        N texts. If all differ, each stands beside its point; if they repeat, they are groups, with colours and markers.
    highlight
        Points drawn large, as stars, with their label in bold: indices, or labels.

    Raises
    ------
    CourseError
        For no points, a coordinate that is not a finite number, labels of another number, or an unknown highlight.
    """
    spots = _pairs(xy, "points: xy")
    if len(labels) != len(spots):
        raise CourseError(f"points: {len(labels)} labels for {len(spots)} points.")
    stars = _starred(labels, highlight)
    groups = list(dict.fromkeys(labels))
    grouped = len(groups) < len(spots)
    with _drawing(title, 6.2) as (figure, axes):
        axes.set_aspect("equal", adjustable="datalim")
        axes.tick_params(labelbottom=False, labelleft=False)
        for number, group in enumerate(groups):
            colour, marker, _ = LOOKS[number % len(LOOKS)] if grouped else LOOKS[0]
            mine = [spot for i, spot in enumerate(spots) if labels[i] == group and i not in stars]
            if mine:
                axes.scatter(
                    *zip(*mine), s=70, color=colour, marker=marker, label=group, edgecolor="white", linewidth=0.8
                )
        for i in stars:
            axes.scatter(*spots[i], s=330, color=VERMILLION, marker="*", edgecolor=INK, linewidth=0.9, zorder=4)
        axes.margins(0.12)
        if grouped:
            look = {"ncols": 4 if sum(map(len, groups)) < 56 else 2, "handletextpad": 0.2, "fontsize": 13}
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", **look)
        _name_points(figure, axes, spots, {i: labels[i] for i in (stars if grouped else range(len(spots)))}, stars)
        told = ", ".join(groups[:12]) + (", ..." if len(groups) > 12 else "")
        starred = f" Highlighted: {', '.join(labels[i] for i in stars)}." if stars else ""
        kind = f" in {len(groups)} groups" if grouped else ""
        return Picture(figure, alt or f"Map of {len(spots)} points{kind}: {told}.{starred} Title: {title}")


@contextmanager
def _drawing(title: str, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure in the course's style, whatever style the learner has set; pyplot is not touched."""
    import matplotlib.style
    from matplotlib.figure import Figure

    heading = textwrap.fill(title, 58)
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, height + 0.3 * heading.count("\n")), layout="constrained")
        figure.suptitle(heading, x=0.012, ha="left", fontsize=17, fontweight="bold")
        yield figure, figure.add_subplot()


def _draw_bar(axes: Axes, y: int, item: dict[str, Any], both: bool) -> None:
    value, low, high = item["value"], item["low"], item["high"]
    top, thick = (y - 0.2, 0.36) if both else (y, 0.56)
    axes.barh(top, value, thick, color=SKY, label="accurate")
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
    axes.annotate(_value(value), (x, y), (dx, 0), textcoords="offset points", ha=ha, va="center_baseline", **look)


def _draw_lines(figure: Figure, axes: Axes, lines: Any, edges: Any, xlabel: str, ylabel: str) -> None:
    every = [y for _, ys in lines.values() for y in ys] + [y for band in edges.values() for pair in band for y in pair]
    ends = []
    for number, (name, (xs, ys)) in enumerate(lines.items()):
        colour, marker, dash = LOOKS[number % len(LOOKS)]
        if name in edges:
            x, band = zip(*sorted(zip(xs, edges[name])))
            axes.fill_between(x, *zip(*band), color=colour, alpha=0.14, linewidth=0)
        x, y = zip(*sorted(zip(xs, ys)))
        look = {
            "marker": marker,
            "markersize": 7,
            "markevery": max(1, len(x) // 12),
            "linewidth": 2.4,
            "linestyle": dash,
        }
        axes.plot(x, y, color=colour, label=_wrap(name), **look)
        ends.append((y[-1], x[-1], _wrap(name), colour))
    if min(every) >= 0 and 0.2 <= max(every) <= 1:
        axes.set_ylim(0, 1.03)
    elif 0 <= min(every) < max(every) / 2:
        axes.set_ylim(bottom=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if len(ends) > 4:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=13, handlelength=3)
    else:
        _label_ends(figure, axes, ends)


def _label_ends(figure: Figure, axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name where it ends, and push names apart that would overlap."""
    right = max(x for _, x, _, _ in ends)
    look = {
        "textcoords": "offset points",
        "va": "center",
        "fontsize": 13,
        "fontweight": "bold",
        "annotation_clip": False,
    }
    notes = [
        axes.annotate(name, (right, y), (12, 0), color=_darker(colour), **look) for y, _, name, colour in sorted(ends)
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


def _draw_cells(axes: Axes, rows: list[tuple[float, ...]]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    low, high = min(map(min, rows)), max(map(max, rows))
    both_sides = low < 0 < high
    end = max(-low, high)
    colours = ["#8a3c00", VERMILLION, "#ffffff", BLUE, "#00395a"] if both_sides else ["#f4f8fb", SKY, BLUE, "#00395a"]
    palette = LinearSegmentedColormap.from_list("course", colours)
    norm = TwoSlopeNorm(0, -end, end) if both_sides else None
    image = axes.imshow(rows, cmap=palette, norm=norm, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if len(rows[0]) <= 12 and len(rows) <= 16:
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                red, green, blue, _ = palette(image.norm(value))
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
                axes.text(j, i, _value(value), ha="center", va="center", color="white" if dark else INK, fontsize=12)
    return image


def _name_points(figure: Figure, axes: Axes, spots: Any, names: dict[int, str], stars: list[int]) -> None:
    """Write names beside their points, each on the side where it covers least: other points, names, the edge."""
    figure.draw_without_rendering()
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in axes.transData.transform(spots)]
    edge = axes.get_window_extent()
    for i in [*stars, *(i for i in names if i not in stars)]:
        gap = 12 if i in stars else 7
        weight = "bold" if i in stars else "normal"
        look = {"textcoords": "offset points", "fontsize": 13 if i in stars else 12, "fontweight": weight, "zorder": 5}
        tries = []
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8)):
            sides = {"ha": ("center", "left", "right")[_sign(dx)], "va": ("center", "bottom", "top")[_sign(dy)]}
            note = axes.annotate(_wrap(names[i]), spots[i], (dx * gap, dy * gap), **sides, **look)
            box = note.get_window_extent()
            others = taken[:i] + taken[i + 1 :]
            covered = sum(_overlap(box.extents, other) for other in others)
            outside = box.width * box.height - _overlap(box.extents, edge.extents)
            tries.append((covered + 2 * outside, note, tuple(box.extents)))
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


def _starred(labels: Sequence[str], highlight: Sequence[int | str] | None) -> list[int]:
    stars: list[int] = []
    for wanted in [highlight] if isinstance(highlight, (str, int)) else highlight or ():
        found = [i for i, label in enumerate(labels) if wanted in (i, label)]
        if not found:
            raise CourseError(f"points: highlight {wanted!r} is neither a label nor an index below {len(labels)}.")
        stars += [i for i in found if i not in stars]
    return stars


def _bar(row: Any) -> dict[str, Any]:
    names = ("label", "value", "low", "high")
    item = dict(row if isinstance(row, Mapping) else zip(names, row if isinstance(row, (list, tuple)) else ()))
    if item.get("exact", 0) is None:
        del item["exact"]
    if not set(names) <= set(item) <= {*names, "exact"} or (not isinstance(row, Mapping) and len(row) > len(names)):
        raise CourseError(f"bars: a row is (label, value, low, high) or a dict of these and exact, not {row!r}.")
    numbers = [name for name in item if name != "label"]
    item |= zip(numbers, _numbers([item[name] for name in numbers], f"bars: {item['label']}"))
    slack = 1e-9 * max(1, abs(item["value"]))  # an interval of a share of 0 may begin at 1e-18
    if item["low"] > item["high"] or not item["low"] - slack <= item["value"] <= item["high"] + slack:
        raise CourseError(f"bars: {item['label']}: {_tell(item)} is not a value inside its interval, low to high.")
    return item


def _band(name: str, band: Any, lines: Any) -> list[tuple[float, float]]:
    if name not in lines:
        raise CourseError(f"curve: a band of {name!r}, which is not one of {', '.join(lines)}.")
    pairs = _pairs(band, f"curve: band of {name}", len(lines[name][0]))
    for low, high in pairs:
        if low > high:
            raise CourseError(f"curve: band of {name}: low {low:g} is above high {high:g}.")
    return pairs


def _filled(values: Any, where: str, what: str) -> Any:
    if values is None or isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
        raise CourseError(f"{where}: there are no {what} to draw.")
    return values


def _named(series: Any, where: str) -> Any:
    if not isinstance(series, Mapping) or not series:
        raise CourseError(f"{where}: give a dict of at least one series by name.")
    return series.items()


def _numbers(values: Any, where: str, length: int | None = None) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise CourseError(f"{where}: {values!r} are not all numbers.") from error
    if length is not None and len(numbers) != length:
        raise CourseError(f"{where}: {len(numbers)} values where {length} are wanted.")
    for number in numbers:
        if not math.isfinite(number):
            raise CourseError(f"{where}: {number} cannot be drawn.")
    return numbers


def _pairs(rows: Any, where: str, length: int | None = None) -> list[tuple[float, float]]:
    pairs = [_numbers(row, where, 2) for row in _filled(rows, where, "pairs")]
    if length is not None and len(pairs) != length:
        raise CourseError(f"{where}: {len(pairs)} pairs where {length} are wanted.")
    return pairs


def _value(value: float) -> str:
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no minus before 0.00


def _tell(item: dict[str, Any]) -> str:
    exact = f", exact {_value(item['exact'])}" if "exact" in item else ""
    return f"{item['label']} {_value(item['value'])} ({_value(item['low'])} to {_value(item['high'])}{exact})"


def _tell_lines(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    told = []
    for name, (xs, ys) in lines.items():
        (x0, y0), (x1, y1) = min(zip(xs, ys)), max(zip(xs, ys))
        told.append(f"{name} from {_value(y0)} at {x0:,.10g} to {_value(y1)} at {x1:,.10g}")
        if max(ys) > max(y0, y1):
            told[-1] += f", highest {_value(max(ys))} at {xs[ys.index(max(ys))]:,.10g}"
    return "; ".join(told)


def _wrap(label: str) -> str:
    return textwrap.fill(str(label), 24) or " "


def _darker(colour: str) -> str:
    """A colour dark enough to read text in."""
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * 0.72):02x}" for i in (1, 3, 5))

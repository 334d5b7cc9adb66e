"""Pictures for a lecture room, a kind each: one palette that colour-blind people can read, never colour as the only
sign, and words that tell the same figures to whoever cannot see them. What cannot be drawn is refused before it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.display.checking import (
    checked_band,
    checked_bar,
    checked_numbers,
    checked_pairs,
    checked_rows,
    checked_series,
    checked_spot,
    looks_for,
    starred,
)
from course_lib.display.drawing import (
    INK,
    LOOKS,
    STAR,
    VERMILLION,
    dot_rows,
    draw_bar,
    draw_cells,
    draw_dots,
    draw_histogram,
    draw_key,
    draw_lines,
    draw_shares,
    draw_stack,
    draw_stars,
    drawing,
    name_points,
    value_text,
    wrap,
)
from course_lib.display.pictures import Picture, tell, tell_lines, tell_spot


def bars(rows: Sequence[Any], title: str, xlabel: str = "share right", reference: float | None = None) -> Picture:
    """Horizontal bars with intervals, first row on top; the axis goes from 0 to 1 unless the rows exceed it.

    A row is (label, value, low, high), or a dict of these with, if wanted, `exact`: a second, hatched bar. `reference`
    is a dashed line: chance, the best known.
    """
    items = [checked_bar(row) for row in checked_rows(rows, "bars", "rows")]
    if reference is not None:
        checked_numbers([reference], "bars: reference")
    both = any("exact" in item for item in items)
    with drawing(title, 1.3 + (0.95 if both else 0.62) * len(items) + 0.4 * both) as (figure, axes):
        for y, item in enumerate(items):
            draw_bar(axes, y, item, both)
        axes.set_yticks(range(len(items)), [wrap(item["label"]) for item in items], color=INK)
        axes.set_ylim(len(items) - 0.45, -0.55)
        low = min(*(item["low"] for item in items), reference or 0)
        high = max(*(item["high"] for item in items), reference or 0)
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
            draw_key(figure, axes, "right", columns=2)
        line = f" Reference {value_text(reference)}." if reference is not None else ""
        return Picture(figure, f"Bars: {', '.join(map(tell, items))}.{line} Title: {title}")


def dots(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str, xlabel: str = "share right"
) -> Picture:
    """Dots with intervals, a line for each group: group -> name -> (value, low, high), on an axis from 0 to 1.

    A name has the same colour and the same marker in every group, so there are no more names than markers. What lies
    outside widens the axis.
    """
    lines = {group: dict(checked_series(row, f"dots: {group}")) for group, row in checked_series(groups, "dots")}
    names = dict.fromkeys(name for row in lines.values() for name in row)
    looks = looks_for(names, "dots")
    items = {
        group: [checked_bar((name, *checked_rows(spot, f"dots: {name}", "figures"))) for name, spot in row.items()]
        for group, row in lines.items()
    }
    with drawing(title, 1.5 + 0.3 * sum(dot_rows(items)) + 0.2 * len(items)) as (figure, axes):
        draw_dots(axes, items, looks)
        shown = [item for row in items.values() for item in row]
        left, right = min(0.0, *(item["low"] for item in shown)), max(1.0, *(item["high"] for item in shown))
        axes.set(xlabel=xlabel, xlim=(left, right))
        draw_key(figure, axes, "left", columns=3)
        told = "; ".join(f"{group}: {', '.join(map(tell, row))}" for group, row in items.items())
        return Picture(figure, f"Dots: {told}. Title: {title}")


def stacked(rows: Mapping[str, Mapping[str, float]], title: str, xlabel: str = "share of questions") -> Picture:
    """What a whole falls into: a bar for each row, first on top, its parts one behind the other.

    Row -> part -> share; every row has the same parts, in the same order, none below 0.
    """
    lines = {row: dict(checked_series(parts, f"stacked: {row}")) for row, parts in checked_series(rows, "stacked")}
    names = list(next(iter(lines.values())))
    for row, parts in lines.items():
        if list(parts) != names or min(checked_numbers(parts.values(), f"stacked: {row}")) < 0:
            raise CourseError(f"stacked: {row} has {parts}: give {', '.join(names)}, in this order, none below 0.")
    with drawing(title, 1.7 + 0.55 * len(lines)) as (figure, axes):
        draw_stack(axes, lines, looks_for(names, "stacked"))
        axes.set(xlabel=xlabel)
        draw_key(figure, axes, "left", columns=3)
        told = "; ".join(
            f"{row}: {', '.join(f'{name} {value_text(share)}' for name, share in parts.items())}"
            for row, parts in lines.items()
        )
        return Picture(figure, f"Stacked bars: {told}. Title: {title}")


def shares(groups: Mapping[str, Sequence[tuple[str, float]]], title: str, xlabel: str = "probability") -> Picture:
    """A bar for each share of some wholes, group -> (name, share), on one axis from 0 to 1: what is peaked, what flat.

    It takes what `next_tokens` gives; the blanks about a name are not shown.
    """
    rows = {
        group: [
            (str(name).strip() or repr(name), *checked_numbers([share], f"shares: {group}"))
            for name, share in checked_rows(named, f"shares: {group}", "shares")
        ]
        for group, named in checked_series(groups, "shares")
    }
    with drawing(title, 1.1 + 0.31 * sum(map(len, rows.values())) + 0.5 * len(rows)) as (figure, axes):
        draw_shares(axes, rows)
        axes.set(xlabel=xlabel, xlim=(0, 1))
        told = "; ".join(
            f"{group}: {', '.join(f'{name} {value_text(share)}' for name, share in named)}"
            for group, named in rows.items()
        )
        return Picture(figure, f"Bars: {told}. Title: {title}")


def curve(
    xs: Sequence[float],
    series: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    bands: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    logx: bool = False,
    *,
    logy: bool = False,
    live: Mapping[str, tuple[float, float]] | None = None,
) -> Picture:
    """Lines over common xs (in any order), one y for each x, labelled where they end; five or more: in a legend.

    `bands` holds for names of series a (low, high) for each x. `live` is name -> (x, y), drawn as a star with its name:
    what was measured here, over lines that were stored.
    """
    xs = checked_numbers(checked_rows(xs, "curve", "xs"), "curve: xs")
    lines = {name: (xs, checked_numbers(ys, f"curve: {name}", len(xs))) for name, ys in checked_series(series, "curve")}
    for log, name, values in ((logx, "xs", xs), (logy, "ys", [y for _, ys in lines.values() for y in ys])):
        if log and min(values) <= 0:
            raise CourseError(f"curve: a logarithmic axis needs {name} above 0, not {min(values):g}.")
    edges = {name: checked_band(name, band, lines) for name, band in (bands or {}).items()}
    stars = {name: checked_numbers(spot, f"curve: live {name}", 2) for name, spot in (live or {}).items()}
    with drawing(title, 4.8) as (figure, axes):
        if logx:
            axes.set_xscale("log")
            axes.minorticks_off()
        if len(set(xs)) <= 10:
            axes.set_xticks(sorted(set(xs)), [f"{x:,.10g}" for x in sorted(set(xs))])
        if logy:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:,.10g}")
            axes.minorticks_off()
        draw_lines(figure, axes, lines, edges, xlabel, ylabel)
        draw_stars(axes, stars)
        told = "".join(f" Star: {name} {value_text(y)} at {x:,.10g}." for name, (x, y) in stars.items())
        return Picture(figure, f"Lines: {tell_lines(lines)}.{told} Title: {title}")


def losses(histories: Mapping[str, Sequence[tuple[int, float]]], title: str) -> Picture:
    """Loss over the steps of a training: name of a run -> its (step, loss) pairs; runs may differ in length."""
    runs = {name: checked_pairs(run, f"losses: {name}") for name, run in checked_series(histories, "losses")}
    lines = {name: tuple(zip(*run)) for name, run in runs.items()}
    with drawing(title, 4.8) as (figure, axes):
        draw_lines(figure, axes, lines, {}, "training step", "loss")
        return Picture(figure, f"Loss: {tell_lines(lines)}. Title: {title}")


def frontier(
    families: Mapping[str, Sequence[Mapping[str, Any]]], title: str, xlabel: str, ylabel: str = "share right"
) -> Picture:
    """What is gained against what it costs: named points with intervals, those of a family joined by a line.

    A family is its points in the order of that line, each a dict of `label`, `x`, `value`, `low` and `high`; with
    `runs`, an (x, value) each, of which it is the mean, these are drawn small beside it.
    """
    found = {
        name: [checked_spot(point) for point in checked_rows(points, f"frontier: {name}", "points")]
        for name, points in checked_series(families, "frontier")
    }
    every = [point for points in found.values() for point in points]
    spots = [(point["x"], point["value"]) for point in every] + [run for point in every for run in point["runs"]]
    looks = looks_for(found, "frontier")
    with drawing(title, 5.6) as (figure, axes):
        for name, points in found.items():
            colour, marker, style = looks[name]
            ends = [
                [max(0.0, p["value"] - p["low"]) for p in points],
                [max(0.0, p["high"] - p["value"]) for p in points],
            ]
            axes.errorbar(
                [point["x"] for point in points], [point["value"] for point in points], yerr=ends, color=colour,
                marker=marker, linestyle=style, markersize=9, capsize=4, elinewidth=1.4, label=name,
            )  # fmt: skip
            if runs := [run for point in points for run in point["runs"]]:
                axes.plot(*zip(*runs), linestyle="", marker=marker, markersize=5, color=colour, alpha=0.45)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.margins(0.12)
        draw_key(figure, axes, "left", columns=3)
        name_points(figure, axes, spots, {i: point["label"] for i, point in enumerate(every)}, [])
        told = "; ".join(f"{name}: {', '.join(map(tell_spot, points))}" for name, points in found.items())
        return Picture(figure, f"{ylabel} against {xlabel}. {told}. Title: {title}")


def heatmap(
    matrix: Any, row_labels: Sequence[str], column_labels: Sequence[str], title: str, colour_label: str
) -> Picture:
    """A matrix (R, C) as colours, with the figures in the cells where there is room (up to 12 columns, 16 rows).

    With values on both sides of 0 the colours part at 0. `colour_label`, beside the scale, says what they measure.
    """
    row_labels, column_labels = ([str(label) for label in labels] for labels in (row_labels, column_labels))
    wide = len(column_labels)
    rows = [
        checked_numbers(row, f"heatmap: row {i}", wide) for i, row in enumerate(checked_rows(matrix, "heatmap", "rows"))
    ]
    if len(rows) != len(row_labels) or not wide:
        raise CourseError(f"heatmap: {len(row_labels)} row labels for {len(rows)} rows of {wide} columns.")
    with drawing(title, 2.2 + 0.5 * min(len(rows), 16)) as (figure, axes):
        image = draw_cells(axes, rows)
        crowded = max(map(len, column_labels)) * wide > 44
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(wide), [wrap(label) for label in column_labels], color=INK, **turned)
        axes.set_yticks(range(len(rows)), [wrap(label) for label in row_labels], color=INK)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
        bar.set_label(colour_label)
        bar.outline.set_visible(False)
        cells = [(v, f"{row_labels[i]}, {column_labels[j]}") for i, row in enumerate(rows) for j, v in enumerate(row)]
        (low, where_low), (high, where_high) = min(cells), max(cells)
        told = f"highest {value_text(high)} ({where_high}), lowest {value_text(low)} ({where_low})"
        shape = f"{len(rows)} rows, {wide} columns"
        return Picture(figure, f"Heatmap of {colour_label}, {shape}: {told}. Title: {title}")


def histogram(
    values: Sequence[float], title: str, xlabel: str, levels: Mapping[str, Sequence[float]] | None = None
) -> Picture:
    """How numbers are spread, and below them where the levels lie that they could be rounded to.

    `levels` is name -> the levels of a format; those of the first are drawn through the bars too.
    """
    spread = checked_numbers(checked_rows(values, "histogram", "values"), "histogram: values")
    if min(spread) == max(spread):
        raise CourseError(f"histogram: all {len(spread)} values are {spread[0]:g}: there is no spread to draw.")
    marks = {
        name: checked_numbers(checked_rows(row, f"histogram: {name}", "levels"), f"histogram: {name}")
        for name, row in (levels or {}).items()
    }
    with drawing(title, 4.4 + 0.3 * len(marks)) as (figure, axes):
        draw_histogram(axes, spread, marks)
        axes.set_xlabel(xlabel)
        ordered = sorted(spread)
        middle = [value_text(ordered[len(ordered) * share // 4]) for share in (1, 3)]
        told = "".join(f" Levels of {name}: {', '.join(map(value_text, row))}." for name, row in marks.items())
        ends = f"from {value_text(ordered[0])} to {value_text(ordered[-1])}, half of them from {' to '.join(middle)}"
        return Picture(figure, f"Histogram of {len(spread):,} numbers {ends}.{told} Title: {title}")


def points(xy: Any, labels: Sequence[str], title: str, highlight: Sequence[int | str] | None = None) -> Picture:
    """A map of points (N, 2), whose axes have no unit: distances count.

    If all N labels differ, each stands beside its point; if they repeat, they are groups, with colours and markers.
    Points to `highlight`, by index or label, are drawn as stars, with their label in bold.
    """
    spots, labels = checked_pairs(xy, "points: xy"), [str(label) for label in labels]
    if len(labels) != len(spots):
        raise CourseError(f"points: {len(labels)} labels for {len(spots)} points.")
    stars = starred(labels, highlight)
    groups = list(dict.fromkeys(labels))
    grouped = len(groups) < len(spots)
    with drawing(title, 6.2) as (figure, axes):
        axes.set_aspect("equal", adjustable="datalim")
        axes.tick_params(labelbottom=False, labelleft=False)
        for number, group in enumerate(groups):
            colour, marker, _ = LOOKS[number % len(LOOKS)] if grouped else LOOKS[0]
            look = {"s": 70, "color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.8}
            if mine := [spot for i, spot in enumerate(spots) if labels[i] == group and i not in stars]:
                axes.scatter(*zip(*mine), label=group, **look)
        for i in stars:
            axes.scatter(*spots[i], **STAR)
        axes.margins(0.12)
        if grouped:
            look = {"ncols": 4 if sum(map(len, groups)) < 56 else 2, "handletextpad": 0.2, "fontsize": 13}
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", **look)
        name_points(figure, axes, spots, {i: labels[i] for i in (stars if grouped else range(len(spots)))}, stars)
        told = ", ".join(groups[:12]) + (", ..." if len(groups) > 12 else "")
        large = f" Highlighted: {', '.join(labels[i] for i in stars)}." if stars else ""
        kind = f" in {len(groups)} groups" if grouped else ""
        return Picture(figure, f"Map of {len(spots)} points{kind}: {told}.{large} Title: {title}")

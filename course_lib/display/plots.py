"""What plots are given: checked before anything is drawn, and told in words for the alt text."""
# MERGED plots: Pictures for a lecture room: a kind each, one colour-blind safe palette, and never colour as the
# MERGED only sign.
# MERGED pictures: A picture as the course shows and keeps it: PNG, and words for whoever cannot see it. What
# MERGED draws them is `plots`.

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError
from course_lib.display.drawing import (
    DPI,
    INK,
    LOOKS,
    VERMILLION,
    count_text,
    draw_bar,
    draw_cells,
    draw_histogram,
    draw_lines,
    draw_parts,
    draw_stars,
    drawing,
    name_points,
    value_text,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def starred(labels: Sequence[str], highlight: Sequence[int | str] | None) -> list[int]:
    stars: list[int] = []
    for wanted in [highlight] if isinstance(highlight, (str, int)) else highlight or ():
        found = [i for i, label in enumerate(labels) if wanted in (i, label)]
        if not found:
            raise CourseError(f"points: highlight {wanted!r} is neither a label nor an index below {len(labels)}.")
        stars += [i for i in found if i not in stars]
    return stars


def checked_bar(row: Any) -> dict[str, Any]:
    names = ("label", "value", "low", "high")
    item = dict(row if isinstance(row, Mapping) else zip(names, row if isinstance(row, (list, tuple)) else ()))
    if item.get("exact", 0) is None:
        del item["exact"]
    if not set(names) <= set(item) <= {*names, "exact"} or (not isinstance(row, Mapping) and len(row) > len(names)):
        raise CourseError(f"bars: a row is (label, value, low, high) or a dict of these and exact, not {row!r}.")
    keys = [name for name in item if name != "label"]
    item |= zip(keys, numbers([item[name] for name in keys], f"bars: {item['label']}"))
    slack = 1e-9 * max(1, abs(item["value"]))  # an interval of a share of 0 may begin at 1e-18
    if item["low"] > item["high"] or not item["low"] - slack <= item["value"] <= item["high"] + slack:
        raise CourseError(f"bars: {item['label']}: {tell(item)} is not a value inside its interval, low to high.")
    return item


def checked_spot(point: Any) -> dict[str, Any]:
    if not isinstance(point, Mapping) or set(point) - {"runs"} != {"label", "x", "value", "low", "high"}:
        raise CourseError(f"frontier: a point is a dict of label, x, value, low and high (and runs), not {point!r}.")
    (x,) = numbers([point["x"]], f"frontier: x of {point['label']}")
    runs = [tuple(numbers(run, f"frontier: a run of {point['label']}", 2)) for run in point.get("runs", ())]
    return checked_bar({name: point[name] for name in point if name not in ("x", "runs")}) | {"x": x, "runs": runs}


def checked_band(name: str, band: Any, lines: Any) -> list[tuple[float, float]]:
    if name not in lines:
        raise CourseError(f"curve: a band of {name!r}, which is not one of {', '.join(lines)}.")
    edges = pairs(band, f"curve: band of {name}", len(lines[name][0]))
    for low, high in edges:
        if low > high:
            raise CourseError(f"curve: band of {name}: low {low:g} is above high {high:g}.")
    return edges


def filled(values: Any, where: str, what: str) -> Any:
    if values is None or isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
        raise CourseError(f"{where}: there are no {what} to draw.")
    return values


def named(series: Any, where: str) -> Any:
    if not isinstance(series, Mapping) or not series:
        raise CourseError(f"{where}: give a dict of at least one series by name.")
    return series.items()


def numbers(values: Any, where: str, length: int | None = None) -> tuple[float, ...]:
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise CourseError(f"{where}: {values!r} are not all numbers.") from error
    if length is not None and len(found) != length:
        raise CourseError(f"{where}: {len(found)} values where {length} are wanted.")
    for number in found:
        if not math.isfinite(number):
            raise CourseError(f"{where}: {number} cannot be drawn.")
    return found


def pairs(rows: Any, where: str, length: int | None = None) -> list[tuple[float, float]]:
    found = [numbers(row, where, 2) for row in filled(rows, where, "pairs")]
    if length is not None and len(found) != length:
        raise CourseError(f"{where}: {len(found)} pairs where {length} are wanted.")
    return found


def tell_part(part: Any) -> str:
    added = f" and {count_text(part.added)} added and trained" if part.added else ""
    return f"{part.name} {count_text(part.parameters)} {'trained' if part.trained else 'frozen'}{added}"


def tell(item: dict[str, Any]) -> str:
    exact = f", exact {value_text(item['exact'])}" if "exact" in item else ""
    return (
        f"{item['label']} {value_text(item['value'])} ({value_text(item['low'])} to {value_text(item['high'])}{exact})"
    )


def tell_spot(point: dict[str, Any]) -> str:
    runs = ", ".join(f"{value_text(value)} at {x:,.3g}" for x, value in point["runs"])
    return f"{tell(point)} at {point['x']:,.3g}" + f" (runs: {runs})" * bool(runs)


def tell_lines(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    told = []
    for name, (xs, ys) in lines.items():
        (x0, y0), (x1, y1) = min(zip(xs, ys)), max(zip(xs, ys))
        told.append(f"{name} from {value_text(y0)} at {x0:,.10g} to {value_text(y1)} at {x1:,.10g}")
        if max(ys) > max(y0, y1):
            told[-1] += f", highest {value_text(max(ys))} at {xs[ys.index(max(ys))]:,.10g}"
    return "; ".join(told)


def architecture(models: Mapping[str, Sequence[Any]], title: str, *, alt: str | None = None) -> Picture:
    """Models side by side as stacks of their parts: what is frozen, what was trained, what was added.

    Parameters
    ----------
    models
        Name -> its parts, as `inspection.parts` gives them; a token enters at the bottom. At most four have room.

    Raises
    ------
    CourseError
        For no models, more than four, or one without parts.
    """
    stacks = {name: filled(stack, f"architecture: {name}", "parts") for name, stack in named(models, "architecture")}
    if len(stacks) > 4:
        raise CourseError(f"architecture: {len(stacks)} models do not fit side by side: draw at most 4.")
    floors = max(map(len, stacks.values()))
    with drawing(title, 1.0 + 0.85 * floors) as (figure, axes):
        for column, parts in enumerate(stacks.values()):
            draw_parts(axes, column, parts)
        axes.set_xticks([column + 0.3 for column in range(len(stacks))], [wrap(name) for name in stacks], color=INK)
        axes.set_xlim(-0.1, len(stacks))
        axes.set_ylim(-0.1, floors)
        axes.set_yticks([])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        told = "; ".join(f"{name}: {', '.join(map(tell_part, parts))}" for name, parts in stacks.items())
        return Picture(figure, alt or f"Parts of models. {told}. Title: {title}")


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
    items = [checked_bar(row) for row in filled(rows, "bars", "rows")]
    if reference is not None:
        numbers([reference], "bars: reference")
    both = any("exact" in item for item in items)
    with drawing(title, 1.3 + (0.95 if both else 0.62) * len(items) + 0.4 * both) as (figure, axes):
        for y, item in enumerate(items):
            draw_bar(axes, y, item, both)
        axes.set_yticks(range(len(items)), [wrap(item["label"]) for item in items], color=INK)
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
        told = ", ".join(tell(item) for item in items)
        line = f" Reference {value_text(reference)}." if reference is not None else ""
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
    live: Mapping[str, tuple[float, float]] | None = None,
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
    live
        Name -> (x, y), drawn as a star with its name: what was measured here, over lines that were stored.

    Raises
    ------
    CourseError
        For no xs or series, unequal lengths, a value that is not a finite number, a band with low above high or of no
        series.
    """
    xs = numbers(filled(xs, "curve", "xs"), "curve: xs")
    lines = {name: (xs, numbers(ys, f"curve: {name}", len(xs))) for name, ys in named(series, "curve")}
    if logx and min(xs) <= 0:
        raise CourseError(f"curve: a logarithmic axis needs xs above 0, not {min(xs):g}.")
    edges = {name: checked_band(name, band, lines) for name, band in (bands or {}).items()}
    stars = {name: numbers(spot, f"curve: live {name}", 2) for name, spot in (live or {}).items()}
    with drawing(title, 4.8) as (figure, axes):
        if logx:
            axes.set_xscale("log")
            axes.minorticks_off()
        if len(set(xs)) <= 10:
            axes.set_xticks(sorted(set(xs)), [f"{x:,.10g}" for x in sorted(set(xs))])
        draw_lines(figure, axes, lines, edges, xlabel, ylabel)
        draw_stars(axes, stars)
        told = "".join(f" Star: {name} {value_text(y)} at {x:,.10g}." for name, (x, y) in stars.items())
        return Picture(figure, alt or f"Lines: {tell_lines(lines)}.{told} Title: {title}")


def frontier(
    families: Mapping[str, Sequence[Mapping[str, Any]]],
    title: str,
    xlabel: str,
    ylabel: str = "share right",
    *,
    alt: str | None = None,
) -> Picture:
    """What is gained against what it costs: named points with intervals, those of a family joined.

    Parameters
    ----------
    families
        Name -> its points, each a dict of `label`, `x`, `value`, `low` and `high`, in the order in which a line joins
        them. A family of one point is a point. A point may have `runs`, an (x, value) each, of which it is the mean;
        they are drawn small beside it.

    Raises
    ------
    CourseError
        For no families or points, a number that is not finite, or a value outside its interval; the point is named.
    """
    found = {
        name: [checked_spot(point) for point in filled(points, f"frontier: {name}", "points")]
        for name, points in named(families, "frontier")
    }
    spots = [(point["x"], point["value"]) for points in found.values() for point in points]
    spots += [run for points in found.values() for point in points for run in point["runs"]]
    with drawing(title, 5.6) as (figure, axes):
        for (name, points), (colour, marker, style) in zip(found.items(), LOOKS):
            xs, ys = [point["x"] for point in points], [point["value"] for point in points]
            ends = [[p["value"] - p["low"] for p in points], [p["high"] - p["value"] for p in points]]
            axes.errorbar(
                xs, ys, yerr=[[max(0.0, end) for end in side] for side in ends], color=colour, marker=marker,
                linestyle=style, markersize=9, capsize=4, elinewidth=1.4, label=name,
            )  # fmt: skip
            if runs := [run for point in points for run in point["runs"]]:
                axes.plot(*zip(*runs), linestyle="", marker=marker, markersize=5, color=colour, alpha=0.45)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.margins(0.12)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=13)
        labels = [point["label"] for points in found.values() for point in points]
        name_points(figure, axes, spots, dict(enumerate(labels)), [])
        told = "; ".join(f"{name}: {', '.join(map(tell_spot, points))}" for name, points in found.items())
        return Picture(figure, alt or f"{ylabel} against {xlabel}. {told}. Title: {title}")


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
    for name, run in named(histories, "losses"):
        steps, values = zip(*pairs(run, f"losses: {name}"))
        lines[name] = (steps, values)
    with drawing(title, 4.8) as (figure, axes):
        draw_lines(figure, axes, lines, {}, "training step", "loss")
        return Picture(figure, alt or f"Training loss: {tell_lines(lines)}. Title: {title}")


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
        numbers(row, f"heatmap: row {i}", len(column_labels)) for i, row in enumerate(filled(matrix, "heatmap", "rows"))
    ]
    if len(rows) != len(row_labels) or not len(column_labels):
        raise CourseError(
            f"heatmap: {len(row_labels)} row labels for {len(rows)} rows of {len(column_labels)} columns."
        )
    with drawing(title, 2.2 + 0.5 * min(len(rows), 16)) as (figure, axes):
        image = draw_cells(axes, rows)
        crowded = max(map(len, column_labels)) * len(column_labels) > 44
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(column_labels)), [wrap(label) for label in column_labels], color=INK, **turned)
        axes.set_yticks(range(len(rows)), [wrap(label) for label in row_labels], color=INK)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
        bar.set_label(colour_label)
        bar.outline.set_visible(False)
        cells = [(v, f"{row_labels[i]}, {column_labels[j]}") for i, row in enumerate(rows) for j, v in enumerate(row)]
        (low, where_low), (high, where_high) = min(cells), max(cells)
        told = f"highest {value_text(high)} ({where_high}), lowest {value_text(low)} ({where_low})"
        shape = f"{len(rows)} rows, {len(column_labels)} columns"
        return Picture(figure, alt or f"Heatmap of {colour_label}, {shape}: {told}. Title: {title}")


def histogram(
    values: Sequence[float],
    title: str,
    xlabel: str,
    levels: Mapping[str, Sequence[float]] | None = None,
    bins: int = 80,
    *,
    alt: str | None = None,
) -> Picture:
    """How numbers are spread, and below them where the levels lie that they could be rounded to.

    Parameters
    ----------
    values
        At least two different ones.
    levels
        Name -> the levels of a format; those of the first are drawn through the bars too.

    Raises
    ------
    CourseError
        For fewer than two different values, or a value or level that is not a finite number.
    """
    spread = numbers(filled(values, "histogram", "values"), "histogram: values")
    if min(spread) == max(spread):
        raise CourseError(f"histogram: all {len(spread)} values are {spread[0]:g}: there is no spread to draw.")
    marks = {
        name: numbers(filled(row, f"histogram: {name}", "levels"), f"histogram: {name}")
        for name, row in (levels or {}).items()
    }
    with drawing(title, 4.4 + 0.3 * len(marks)) as (figure, axes):
        draw_histogram(axes, spread, marks, bins)
        axes.set_xlabel(xlabel)
        ordered = sorted(spread)
        middle = [value_text(ordered[len(ordered) * share // 4]) for share in (1, 3)]
        told = "".join(f" Levels of {name}: {', '.join(map(value_text, row))}." for name, row in marks.items())
        ends = f"from {value_text(ordered[0])} to {value_text(ordered[-1])}, half of them from {' to '.join(middle)}"
        return Picture(figure, alt or f"Histogram of {len(spread):,} numbers {ends}.{told} Title: {title}")


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
    spots = pairs(xy, "points: xy")
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
        name_points(figure, axes, spots, {i: labels[i] for i in (stars if grouped else range(len(spots)))}, stars)
        told = ", ".join(groups[:12]) + (", ..." if len(groups) > 12 else "")
        large = f" Highlighted: {', '.join(labels[i] for i in stars)}." if stars else ""
        kind = f" in {len(groups)} groups" if grouped else ""
        return Picture(figure, alt or f"Map of {len(spots)} points{kind}: {told}.{large} Title: {title}")


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

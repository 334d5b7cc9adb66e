"""Pictures: what they say in words, that nothing is cut off or covered, and what they refuse."""

import base64
import html
import io
import re
import subprocess
import sys
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from course_lib.core.errors import CourseError
from course_lib.display import drawing, plots

ROWS = [("closed book", 0.02, 0.0, 0.05), ("RAG", 0.55, 0.45, 0.65)]
FAMILIES = {
    "DPO": [
        {"label": "β = 1", "x": 1.5, "value": 0.6, "low": 0.5, "high": 0.7},
        {"label": "β = 0.1", "x": 9, "value": 0.8, "low": 0.7, "high": 0.9},
    ],
    "start": [{"label": "start", "x": 0, "value": 0.4, "low": 0.3, "high": 0.5}],
}
LONG = "RAFT with one golden and four distracting passages, seed 0"


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn, laid out, instead of their pictures."""
    seen = []

    def look(self, figure, alt):
        figure.draw_without_rendering()
        seen.append(figure)

    monkeypatch.setattr(plots.Picture, "__init__", look)
    return seen


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("L"))


def draw_all():
    grid = [[0.1, 0.9], [0.4, -0.2]]
    return {
        "bars": plots.bars([(LONG, 1.0, 0.9, 1.0), ("b", 0.5, 0.4, 0.6)], f"{LONG} {LONG}"),
        "differences": plots.bars([(LONG, -0.5, -0.6, -0.4), ("b", 0.5, 0.4, 0.6)], "d"),
        "exact": plots.bars([{"label": "a", "value": 1, "low": 0.9, "high": 1, "exact": 0.5}], "e", reference=0.25),
        "who": plots.bars(ROWS, "Who knows?"),
        "peak": plots.curve([1, 2, 3], {"a": [0, 1, 0]}, "t", "x", "y"),
        "curve": plots.curve(
            [1, 2, 4], {LONG: [0.1, 0.2, 0.3], "b": [0.3, 0.3, 0.3]}, "c", "k", "share", logx=True, logy=True
        ),
        "stacked": plots.stacked({LONG: {"right": 0.3, "wrong": 0.7}, "b": {"right": 1.0, "wrong": 0.0}}, "s"),
        "shares": plots.shares({LONG: [(" Rome", 0.8), (" ", 0.1)], "b": [("$a$", 0.2)]}, "s"),
        "star": plots.curve([1, 9], {"stored": [0.1, 0.9]}, "s", "k", "share", live={"here": (3, 0.5), LONG: (2, 0)}),
        "legend": plots.curve([1, 2], {f"{LONG} {i}": [i, i + 1] for i in range(6)}, "c", "k", "share"),
        "losses": plots.losses({LONG: [(1, 3.0), (2, 1.0)], "b": [(1, 2.5), (9, 1.0)]}, "l"),
        "heatmap": plots.heatmap(grid, [LONG, "b"], ["c" * 30, LONG], "h", "similarity"),
        "histogram": plots.histogram([-1, 0, 0, 0.5, 1], "h", "weight", {LONG: [-1, 0, 1], "b": [-1, 1]}),
        "points": plots.points([(0, 0), (1, 1), (1, 0)], [LONG, "b", "c"], "p", highlight=["b"]),
        "frontier": plots.frontier(FAMILIES, "f", "KL, nats a reply"),
        "runs": plots.frontier(
            {"RLHF": [FAMILIES["start"][0] | {"runs": [(0.5, 0.3), (9, 0.6)]}], "start": FAMILIES["DPO"][:1]}, "r", "KL"
        ),
        "groups": plots.points([(0, 0), (1, 1), (1, 0)], [LONG, LONG, "c"], "p"),
    }


@pytest.fixture(scope="module")
def pictures():
    return draw_all()


def test_nothing_is_cut_off_at_the_edge_even_with_long_labels(pictures):
    for name, picture in pictures.items():
        image = pixels(picture)
        edge = np.concatenate([image[:2].ravel(), image[-2:].ravel(), image[:, :2].ravel(), image[:, -2:].ravel()])
        assert edge.min() == 255, f"{name}: something touches the edge"
        assert image.min() < 100, f"{name}: nothing is drawn"


def test_a_long_label_is_broken_at_words_and_never_within_a_setting():
    assert drawing.wrap("trained reader, RAG, k = 1").splitlines() == ["trained reader, RAG,", "k\u00a0=\u00a01"]


def test_a_notebook_gets_html_in_which_the_alt_text_arrives_and_the_same_words_as_plain_text(pictures):
    picture = pictures["who"]
    data, _ = picture._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"} and data["text/plain"] == picture.alt
    (drawn,) = re.findall(
        r'<img alt="([^"]+)" style="[^"]*max-height:600px[^"]*" src="data:image/png;base64,(.+)">', data["text/html"]
    )
    assert html.unescape(drawn[0]) == picture.alt and base64.b64decode(drawn[1]) == picture.png


def test_on_stage_a_picture_is_larger(pictures, monkeypatch):
    monkeypatch.setenv("COURSE_STAGE", "1")
    large = plots.bars(ROWS, "Who knows?")
    assert len(pixels(large)) == pytest.approx(1.4 * len(pixels(pictures["who"])), abs=2)
    assert "max-height:840px" in large._repr_mimebundle_()[0]["text/html"]


def test_what_is_no_html_in_a_title_is_none_in_the_alt_text():
    drawn = plots.bars(ROWS, 'a < b "c"')._repr_mimebundle_()[0]["text/html"]
    assert "a &lt; b &quot;c&quot;" in drawn


def test_a_stored_page_gets_the_image_and_its_alt_text(pictures, monkeypatch):
    monkeypatch.setenv("COURSE_PAGE", "1")
    picture = pictures["who"]
    data, metadata = picture._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["text/plain"] == metadata["image/png"]["alt"] == picture.alt == repr(picture)


def test_a_picture_is_at_most_600_pixels_high_however_much_is_in_it():
    high = plots.bars([{"label": str(i), "value": 0.5, "low": 0.4, "high": 0.6, "exact": 0.4} for i in range(12)], "t")
    assert len(pixels(high)) == 600


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("who", ["Bars: closed book 0.02 (0.00 to 0.05), RAG 0.55 (0.45 to 0.65). Title: Who knows?"]),
        ("exact", ["a 1.00 (0.90 to 1.00, exact 0.50)", "Reference 0.25"]),
        ("stacked", ["b: right 1.00, wrong 0.00. Title: s"]),
        ("shares", ["Rome 0.80, ' ' 0.10; b: $a$ 0.20. Title: s"]),
        ("curve", ["b from 0.30 at 1 to 0.30 at 4"]),
        ("peak", ["Lines: a from 0.00 at 1 to 0.00 at 3, highest 1.00 at 2."]),
        ("losses", ["b from 2.50 at 1 to 1.00 at 9"]),
        ("star", ["Star: here 0.50 at 3."]),
        ("frontier", ["DPO: β = 1 0.60 (0.50 to 0.70) at 1.5, β = 0.1 0.80"]),
        ("runs", ["(0.30 to 0.50) at 0 (runs: 0.30 at 0.5, 0.60 at 9); start"]),
        ("heatmap", ["highest 0.90", "lowest −0.20 (b, "]),
        (
            "histogram",
            ["Histogram of 5 numbers from −1.00 to 1.00, half of them from 0.00 to 0.50. Levels of RAFT with"],
        ),
        ("histogram", [", seed 0: −1.00, 0.00, 1.00. Levels of b: −1.00, 1.00. Title: h"]),
        ("points", ["Map of 3 points", "Highlighted: b"]),
    ],
)
def test_the_alt_text_tells_the_data(name, told, pictures):
    assert all(text in pictures[name].alt for text in told)


def test_the_names_of_stars_that_crowd_do_not_lie_upon_one_another():
    figure = Figure(figsize=(8, 5))
    axes = figure.add_subplot(xlim=(0, 4), ylim=(0, 1))
    drawing.draw_stars(axes, {"a": (2, 0.8), "b": (2, 0.82), "c": (2, 0.8)})
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)


def test_a_value_is_written_clear_of_its_bar_and_its_interval():
    for value, low, high in ((0.5, 0.3, 0.9), (1.0, 0.9, 1.0), (-0.5, -0.9, -0.1), (-0.02, -0.1, 0.4)):
        figure = Figure(figsize=(8, 3))
        axes = figure.add_subplot(xlim=(-2, 2))
        drawing.draw_bar(axes, 0, {"label": "a", "value": value, "low": low, "high": high}, both=False)
        figure.draw_without_rendering()
        (text,) = axes.texts
        bar = axes.patches[0].get_window_extent()
        (x0, _), (x1, _) = axes.transData.transform([(low, 0), (high, 0)])
        box = text.get_window_extent()
        for start, end in ((bar.x0, bar.x1), (x0, x1)):
            assert box.x1 < start or box.x0 > end, f"{value} ({low} to {high}) is covered"


def test_a_dollar_sign_is_no_formula_and_an_interval_that_misses_its_value_by_rounding_alone_is_drawn():
    assert plots.bars([("costs $5 and \\frac$", 0.0, 1e-18, 0.05), ("b", 1.0, 0.95, 1 - 1e-16)], "$ and $_$").png


def test_an_exact_share_is_hatched_and_not_only_of_another_colour():
    axes = Figure().add_subplot()
    drawing.draw_bar(axes, 0, {"label": "a", "value": 0.5, "low": 0.4, "high": 0.6, "exact": 0.2}, both=True)
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, True]
    assert axes.get_legend_handles_labels()[1] == ["right", "exact"], "the tables' words"


def test_the_parts_of_a_bar_lie_behind_one_another_and_differ_in_more_than_colour():
    axes = Figure().add_subplot()
    drawing.draw_stack(axes, {"a": {"x": 0.25, "y": 0.75}}, {"x": drawing.LOOKS[0], "y": drawing.LOOKS[1]})
    first, second = axes.patches
    assert (first.get_x(), second.get_x(), second.get_width()) == (0, 0.25, 0.75)
    assert first.get_hatch() != second.get_hatch()


def test_no_two_series_share_a_colour_or_a_marker():
    assert len({colour for colour, _, _ in drawing.LOOKS}) == len({marker for _, marker, _ in drawing.LOOKS}) == 7


@pytest.mark.parametrize(
    ("row", "low", "high"),
    [(ROWS[0], 0, 1), (("tokens", 40, 30, 50), 0, 50), (("difference", -0.2, -0.3, 0.1), -0.3, 0.1)],
)
def test_the_axis_goes_from_0_to_1_unless_a_value_exceeds_it(row, low, high, figures):
    plots.bars([row], "t")
    left, right = figures[0].axes[0].get_xlim()
    assert (left == 0 if low == 0 else left < low) and right >= high and (row is not ROWS[0] or right == 1)


def test_up_to_four_lines_are_named_where_they_end_without_overlap_and_more_in_a_legend(figures):
    plots.curve([1, 2], {name: [0.5, 0.5] for name in ("a", "b", "c", LONG)}, "t", "x", "y")
    plots.curve([1, 2], {name: [0.5, 0.5] for name in "abcde"}, "t", "x", "y")
    few, many = figures
    boxes = sorted((text.get_window_extent() for text in few.axes[0].texts), key=lambda box: box.y0)
    assert not few.legends and len(boxes) == 4
    assert all(low.y1 <= high.y0 for low, high in pairwise(boxes))
    assert len(many.legends) == 1 and not many.axes[0].texts


def test_names_of_close_points_do_not_cover_each_other(figures):
    xy = [(0, 0), (0.02, 0.01), (0.04, 0), (1, 1), (0, 1), (1, 0)]
    plots.points(xy, ["refund policy", "sick leave", "goalkeeper", "d", "e", "f"], "t")
    boxes = [text.get_window_extent().extents for text in figures[0].axes[0].texts]
    assert len(boxes) == 6
    assert not any(drawing._overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_same_data_give_the_same_bytes_without_a_date_in_any_style_of_the_learners_which_stays():
    plain = plots.bars(ROWS, "t").png
    assert set(Image.open(io.BytesIO(plain)).info) <= {"dpi"}
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30}):
        before = dict(matplotlib.rcParams)
        assert plots.bars(ROWS, "t").png == plain
        assert dict(matplotlib.rcParams) == before


def test_importing_plots_loads_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys; from course_lib.display import plots; assert 'matplotlib' not in sys.modules;"
        "plots.bars([('a', .5, .4, .6)], 't'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NAN = float("nan")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.bars([], "t"), "no rows"),
        (lambda: plots.bars(None, "t"), "no rows"),
        (lambda: plots.bars([("RAG", NAN, 0, 1)], "t"), "RAG: nan"),
        (lambda: plots.bars([("RAG", "much", 0, 1)], "t"), "RAG"),
        (lambda: plots.bars([("RAG", 0.5, 0.6, 0.4)], "t"), "RAG"),
        (lambda: plots.bars([("RAG", 0.9, 0.4, 0.6)], "t"), "inside its interval"),
        (lambda: plots.bars([("RAG", 0.5)], "t"), "a row is"),
        (lambda: plots.bars([("RAG", 0.5, 0.4, 0.6, 0.2)], "t"), "a row is"),
        (lambda: plots.bars([7], "t"), "a row is"),
        (lambda: plots.bars([{"label": "RAG", "value": None, "low": 0, "high": 1}], "t"), "RAG"),
        (lambda: plots.bars(ROWS, "t", reference=NAN), "reference"),
        (lambda: plots.curve([], {"a": []}, "t", "x", "y"), "no xs"),
        (lambda: plots.curve([1], {}, "t", "x", "y"), "at least one series"),
        (lambda: plots.curve([1, 2], {"a": [1]}, "t", "x", "y"), "a: 1 values where 2"),
        (lambda: plots.curve([1], {"a": [NAN]}, "t", "x", "y"), "a: nan"),
        (lambda: plots.curve([0, 1], {"a": [1, 1]}, "t", "x", "y", logx=True), "logarithmic"),
        (lambda: plots.curve([1, 2], {"a": [1, 0]}, "t", "x", "y", logy=True), "needs ys above 0"),
        (lambda: plots.curve([1], {"a": [1]}, "t", "x", "y", bands={"b": [(0, 1)]}), "'b'"),
        (lambda: plots.curve([1], {"a": [1]}, "t", "x", "y", bands={"a": [(2, 1)]}), "low 2 is above high 1"),
        (lambda: plots.curve([1], {"a": [1]}, "t", "x", "y", bands={"a": [(0, 1)] * 2}), "2 pairs where 1"),
        (lambda: plots.curve([1], {"a": [1]}, "t", "x", "y", live={"b": (1, NAN)}), "live b: nan"),
        (lambda: plots.dots({}, "t"), "at least one series"),
        (lambda: plots.dots({"RAG": {}}, "t"), "dots: RAG: give a dict of at least one"),
        (lambda: plots.dots({"RAG": {"0.5B": (NAN, 0, 1)}}, "t"), "value of 0.5B: nan"),
        (lambda: plots.dots({"RAG": {"0.5B": (0.5, 0.6, 0.7)}}, "t"), "inside its interval"),
        (lambda: plots.dots({"RAG": {f"{i}B": (0.5, 0.4, 0.6) for i in range(8)}}, "t"), "8 names, and only 7"),
        (lambda: plots.frontier({}, "t", "x"), "at least one series"),
        (lambda: plots.frontier({"DPO": []}, "t", "x"), "no points"),
        (
            lambda: plots.frontier({f"{i}": FAMILIES["DPO"] for i in range(8)}, "t", "x"),
            "frontier: 8 names, and only 7",
        ),
        (lambda: plots.frontier({"DPO": [{"label": "a", "x": 1}]}, "t", "x"), "a point is a dict"),
        (lambda: plots.frontier({"DPO": [FAMILIES["DPO"][0] | {"x": NAN}]}, "t", "x"), "x of β = 1: nan"),
        (lambda: plots.frontier({"DPO": [FAMILIES["DPO"][0] | {"low": 0.9}]}, "t", "x"), "inside its interval"),
        (lambda: plots.frontier({"DPO": [FAMILIES["DPO"][0] | {"runs": [(1, NAN)]}]}, "t", "x"), "a run of β = 1: nan"),
        (lambda: plots.frontier({"DPO": [FAMILIES["DPO"][0] | {"runs": [(1,)]}]}, "t", "x"), "1 values where 2"),
        (lambda: plots.losses({}, "t"), "at least one series"),
        (lambda: plots.losses({"lora": []}, "t"), "lora"),
        (lambda: plots.losses({"lora": [(1, NAN)]}, "t"), "lora: nan"),
        (lambda: plots.heatmap([], [], [], "t", "c"), "no rows"),
        (lambda: plots.heatmap([[1, 2], [3]], ["a", "b"], ["c", "d"], "t", "c"), "row 1: 1 values where 2"),
        (lambda: plots.heatmap([[1]], ["a", "b"], ["c"], "t", "c"), "2 row labels for 1 rows"),
        (lambda: plots.heatmap([[NAN]], ["a"], ["c"], "t", "c"), "row 0: nan"),
        (lambda: plots.histogram([], "t", "x"), "histogram: there are no values"),
        (lambda: plots.histogram([1.0, 1.0], "t", "x"), "histogram: all 2 values are 1"),
        (lambda: plots.histogram([1.0, NAN], "t", "x"), "histogram: values: nan"),
        (lambda: plots.histogram([0, 1], "t", "x", {"none": []}), "histogram: none: there are no levels"),
        (lambda: plots.points([], [], "t"), "no pairs"),
        (lambda: plots.points([(0, NAN)], ["a"], "t"), "nan"),
        (lambda: plots.points([(0, 1)], ["a", "b"], "t"), "2 labels for 1 points"),
        (lambda: plots.points([(0, 1)], ["a"], "t", highlight=["z"]), "'z'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence_that_names_it(draw, message):
    with pytest.raises(CourseError, match=message):
        draw()


def test_dots_beyond_a_share_widen_the_axis(monkeypatch):
    seen = []
    monkeypatch.setattr(plots, "Picture", lambda figure, alt: seen.append((figure.axes[0].get_xlim(), alt)))
    for spot in ((0.5, 0.4, 0.6), (1.5, 1.4, 1.6), (-0.2, -0.3, -0.1)):
        plots.dots({"RAG": {"0.5B": spot}}, "t")
    assert [ends for ends, _ in seen] == [(0, 1), (0, 1.6), (-0.3, 1)]
    assert seen[0][1] == "Dots: RAG: 0.5B 0.50 (0.40 to 0.60). Title: t"


def test_half_a_character_in_a_label_or_a_title_is_drawn_as_its_replacement():
    made = plots.bars([("a \ud83d", 0.5, 0.4, 0.6)], "title \ud83d")
    assert made.alt.encode() and made.png
    assert plots.points([(0, 0), (1, 1)], ["a \ud83d", "b"], "t").png


def test_a_generator_is_drawn_as_its_list_is():
    for draw in (
        lambda of: plots.curve(of([1, 2]), {"a": [0.1, 0.2]}, "t", "x", "y"),
        lambda of: plots.points(of([(0, 1), (1, 2)]), of(["a", 7]), "t", highlight=of([0])),
        lambda of: plots.heatmap(of([[1, 2], [3, 4]]), of(["a", 7]), of(["c", "d"]), "t", "share"),
    ):
        assert draw(list).alt == draw(iter).alt

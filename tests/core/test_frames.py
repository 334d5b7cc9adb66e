"""Tables of pandas in a notebook: texts from the left, figures from the right, nothing else changed."""

import re

import pandas as pd
import pytest

from course_lib.core.frames import LEFT, frame_html

TABLES = {
    "figures alone": pd.DataFrame({"n": [1, 2], "share": [0.5, None]}),
    "texts and figures": pd.DataFrame({"said": ["a <th> b", "<td>"], "n": [1, 2], "right": ["c", "d"]}),
    "labels": pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="who")),
    "labels of two levels": pd.DataFrame(
        {"n": [1, 2, 3], "said": list("xyz")},
        index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["arm", "k"]),
    ),
    "names of two levels": pd.DataFrame({("a", "n"): [1], ("a", "said"): ["x"], ("b", "n"): [2]}),
    "names that are shared": pd.DataFrame([[1, "x"]], columns=["n", "n"]),
    "columns of a name": pd.DataFrame({"a": ["x"], "b": [1]}).rename_axis(columns="arm"),
    "objects that are no texts": pd.DataFrame({"n": pd.Series([1, None], dtype=object), "set": [{1}, {2}]}),
    "figures that are written": pd.DataFrame({"share": ["46%", "–", ""], "gain": ["+0.07, −0.05", "$1,200.50", "0.1"]}),
    "dates": pd.DataFrame({"day": pd.to_datetime(["2042-05-01"])}),
    "more than is shown": pd.DataFrame({"said": ["x"] * 100, "n": range(100)}),
    "no row": pd.DataFrame({"said": pd.Series(dtype=str)}),
    "nothing": pd.DataFrame(),
}


def cells(made):
    """Each row's cells, "<" before those that stand at the left."""
    rows = re.findall(r"<tr.*?</tr>", made, re.DOTALL)
    found = (re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row) for row in rows)
    return [["<" * ("left" in attributes) + text for attributes, text in row] for row in found]


@pytest.mark.parametrize("name", TABLES)
def test_nothing_but_the_side_is_another(name):
    table = TABLES[name]
    assert frame_html(table).replace(LEFT, "") == table._repr_html_()
    assert frame_html(table, index=False).replace(LEFT, "") == table.to_html(index=False)


def test_texts_and_their_names_stand_at_the_left_and_figures_do_not():
    head, *rows = cells(frame_html(TABLES["texts and figures"]))
    assert head == ["", "<said", "n", "<right"]
    assert rows == [["0", "<a &lt;th&gt; b", "1", "<c"], ["1", "<&lt;td&gt;", "2", "<d"]]
    assert cells(frame_html(TABLES["texts and figures"], index=False))[1] == ["<a &lt;th&gt; b", "1", "<c"]
    for name in ("figures alone", "figures that are written", "objects that are no texts", "dates", "nothing"):
        assert LEFT not in frame_html(TABLES[name])


def test_labels_stand_at_the_left_if_they_are_texts():
    assert cells(frame_html(TABLES["labels"]))[2:] == [["<a", "1"], ["<b", "2"]]
    # A label that holds for two rows stands in the first alone.
    assert cells(frame_html(TABLES["labels of two levels"]))[2:] == [
        ["<a", "1", "1", "<x"], ["2", "2", "<y"], ["<b", "1", "3", "<z"],
    ]  # fmt: skip
    assert cells(frame_html(TABLES["names of two levels"]))[1:] == [["", "n", "<said", "n"], ["0", "1", "<x", "2"]]


def test_where_rows_are_left_out_the_others_stand_as_always():
    rows = cells(frame_html(TABLES["more than is shown"]))
    assert rows[1] == ["0", "<x", "0"] and ["...", "<...", "..."] in rows and len(rows) < 100


def test_where_columns_are_left_out_all_stays_as_it_is():
    wide = pd.DataFrame([["x"] * 40])
    with pd.option_context("display.max_columns", 10):
        assert frame_html(wide) == wide._repr_html_()
    with pd.option_context("display.notebook_repr_html", False):
        assert frame_html(wide) is None

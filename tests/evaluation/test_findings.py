"""Stored figures by their place: read, quoted with interval and n, and missed loudly."""

import json

import pytest

from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.stored import find, quoted


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """Results of a lesson 09 that nobody else has."""
    exam = {"accuracy": 0.25, "ci": [0.18, 0.31], "n": 154, "tokens": 134.8}
    held = {
        "exam": {"RAG": exam},
        "seeds": [{"exam": exam | {"accuracy": share}} for share in (0.8, 0.9, 1.0)],
        "RAG minus closed": [0.25, 0.18, 0.31],
        "against_lora": {"value": 0.01, "low": -0.04, "high": 0.06},
        "share": {"n": 100, "lora": {"value": 0.6, "low": 0.5, "high": 0.7}},
        "recall": {"n": 256, "@1": [0.65, 0.59, 0.71]},
        "bytes": 871372032, "seconds": 0.579, "words": "text", "empty": [],
    }  # fmt: skip
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "09.json").write_text(json.dumps(held), encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("09/exam/RAG", "0.25 (0.18 to 0.31, n = 154)"),
        ("09/exam/RAG/tokens", "135"),
        ("09/seeds/*/exam", "0.90 (3 seeds from 0.80 to 1.00, n = 154)"),
        ("09/seeds/1/exam", "0.90 (0.18 to 0.31, n = 154)"),
        ("09/RAG minus closed", "+0.25 (+0.18 to +0.31), not by chance"),
        ("09/against_lora", "+0.01 (-0.04 to +0.06), a tie"),
        ("09/share/lora", "0.60 (0.50 to 0.70, n = 100)"),
        ("09/recall/@1", "0.65 (0.59 to 0.71, n = 256)"),
        ("09/bytes", "871,372,032"),
        ("09/seconds", "0.58"),
        ("09/exam/RAG/n", "154"),
    ],
)
def test_a_figure_is_quoted_with_what_was_stored_of_it(place, said):
    assert str(find(place)) == said


def test_a_place_that_does_not_exist_names_what_there_is_instead():
    with pytest.raises(DataError, match=r"nothing is stored at 09/exam/RAFT: 'RAFT' is not one of RAG"):
        find("09/exam/RAFT")
    for place in ("09/seeds/7", "09/exam/*", "09/empty/*", "09/words/letter"):
        with pytest.raises(DataError):
            find(place)


def test_what_is_no_figure_is_refused():
    for place in ("09/exam", "09/words", "09/seeds"):
        with pytest.raises(CourseError, match="is no figure"):
            find(place)
    for place in ("exam/RAG", "09", "", "9/exam"):
        with pytest.raises(CourseError, match="not a lesson and keys"):
            find(place)


def test_a_row_that_was_not_measured_says_so_instead_of_a_figure():
    assert quoted("RAG", "09/exam/RAG") == "RAG 0.25 (0.18 to 0.31, n = 154) [lesson 09]"
    assert quoted("RAFT", "06/table") == "RAFT: not measured yet (lesson 06)"
    assert quoted("RAFT", "09/exam/RAFT") == "RAFT: not measured yet (lesson 09, exam/RAFT)"

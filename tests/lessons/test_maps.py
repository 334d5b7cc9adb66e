"""The library flattened: what the plane keeps, where a question lands, and what the picture says of it."""

import re

import pytest

from course_lib.core.errors import CourseError
from course_lib.lessons.sliders import library_map
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore


@pytest.fixture
def index(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*(Document(f"d{i}", f"d{i}", f"Town {i} has wells", kind=f"kind {i % 9}") for i in range(30)))
    return index


def test_a_map_stars_the_question_and_says_how_much_is_left(index):
    picture = library_map(index, ["How many wells?"])
    assert picture.png.startswith(b"\x89PNG")
    assert "Map of 31 points" in picture.alt and "Highlighted: your question." in picture.alt
    assert "your question: How many wells?" in picture.alt
    assert "Highlighted: question 1, question 2." in library_map(index, ["How many wells?", "Which town?"]).alt
    kept = int(re.search(r"Two dimensions keep (\d+)%", picture.alt)[1])
    assert 0 < kept < 100 and "other kinds" in picture.alt


def test_a_map_without_a_question_and_without_kinds_is_drawn(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*(Document(f"d{i}", f"d{i}", f"Town {i}") for i in range(3)))
    alt = library_map(index).alt
    assert "documents" in alt and "Two dimensions keep 100%" in alt, "three points always lie in one plane"


def test_two_passages_make_no_map(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(Document("a", "a", "One."), Document("b", "b", "Two."))
    with pytest.raises(CourseError, match="2 passages make no map"):
        library_map(index)

"""The library flattened: what the plane keeps, where a question lands, and what the picture says of it."""

import numpy as np
import pytest

from course_lib.documents import Document
from course_lib.errors import CourseError
from course_lib.maps import Flat, library_map
from course_lib.retrieval import Index
from course_lib.stores import FaissStore


def test_a_plane_keeps_the_two_widest_directions_and_says_what_it_lost():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(400, 5)) * [10, 5, 1, 0.1, 0.1] + 3
    flat = Flat.through(cloud)
    spread = cloud.var(axis=0)
    assert flat.kept == pytest.approx(spread[:2].sum() / spread.sum(), abs=0.02)
    assert np.allclose(abs(flat.axes[0, 0]), 1, atol=0.02) and np.allclose(abs(flat.axes[1, 1]), 1, atol=0.02)
    assert flat.place(cloud).shape == (400, 2)
    assert np.allclose(flat.place(cloud).mean(axis=0), 0)


def test_what_lies_in_the_plane_keeps_its_distances():
    flat = Flat.through(np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [3, 4, 0]]))
    a, b = flat.place(np.array([[3.0, 0, 0], [0, 4, 0]]))
    assert flat.kept == pytest.approx(1) and np.linalg.norm(a - b) == pytest.approx(5)


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
    assert "Two dimensions keep" in picture.alt and "other kinds" in picture.alt


def test_a_map_without_a_question_and_without_kinds_is_drawn(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*(Document(f"d{i}", f"d{i}", f"Town {i}") for i in range(3)))
    assert "documents" in library_map(index).alt


def test_two_passages_make_no_map(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(Document("a", "a", "One."), Document("b", "b", "Two."))
    with pytest.raises(CourseError, match="2 passages make no map"):
        library_map(index)

"""What `results_05.py` measures with, on little: clouds of vectors, and two stores."""

import numpy as np
import pytest
from lesson_05 import nearest


@pytest.fixture
def seeds():
    vectors = np.random.default_rng(0).normal(size=(40, 24)) + 0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_cloud_lies_as_its_seeds_do_and_not_as_random_vectors_would(seeds):
    cloud = nearest.cloud(seeds, 300, np.random.default_rng(1))
    assert cloud.shape == (300, 24) and cloud.dtype == np.float32
    assert np.allclose(np.linalg.norm(cloud, axis=1), 1, atol=1e-5)
    assert (cloud @ seeds.T).max(axis=1).min() > 0.6, "each lies near a real one"
    assert np.array_equal(cloud, nearest.cloud(seeds, 300, np.random.default_rng(1)))


def test_a_graph_alone_and_in_a_database_is_measured_against_the_exact_search(seeds):
    measured = nearest.hnsw_against_exact(seeds, seeds[:20], 200, efs=[5, 200])
    assert list(measured) == ["exact (FAISS)", "HNSW (FAISS), ef 5", "HNSW (FAISS), ef 200", "HNSW (Chroma), ef 200"]
    assert measured["exact (FAISS)"]["recall"] == measured["exact (FAISS)"]["times exact"] == 1
    assert measured["HNSW (FAISS), ef 200"]["recall"] > 0.95 < measured["HNSW (Chroma), ef 200"]["recall"]
    for row in measured.values():
        assert set(row) == {"recall", "times exact", "milliseconds", "build seconds"}
        assert row["times exact"] > 0 < row["milliseconds"]


def test_each_question_is_put_to_all_in_turn():
    order = []
    searches = {name: lambda vector, name=name: order.append(name) or [0] for name in "ab"}
    found, seconds = nearest.in_turn(searches, np.zeros((2, 3), np.float32))
    assert order == ["a", "b"] * nearest.ROUNDS * 2
    assert found == {"a": [[0], [0]], "b": [[0], [0]]} and min(seconds.values()) >= 0

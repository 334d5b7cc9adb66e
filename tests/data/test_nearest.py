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


def test_stores_are_measured_against_the_exact_one(seeds):
    measured = nearest.hnsw_against_exact(seeds, seeds[:20], 200, efs=[200])
    assert list(measured) == ["exact", "HNSW, ef 200"]
    assert measured["exact"]["recall"] == 1 and measured["HNSW, ef 200"]["recall"] > 0.9
    for row in measured.values():
        assert set(row) == {"recall", "milliseconds", "build_seconds", "disk_mb", "memory_mb"}
        assert row["milliseconds"] > 0
    assert measured["exact"]["disk_mb"] == 0 < measured["HNSW, ef 200"]["disk_mb"]

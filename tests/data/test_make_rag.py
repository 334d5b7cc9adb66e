"""What `results_05.py` measures with, on little: clouds of vectors, two stores, and what the README is told."""

import numpy as np
import pytest
import results_05
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


def answered(accuracy, tokens, hit, miss):
    return {
        "accuracy": accuracy, "prompt_tokens": tokens, "n": 200, "hit": {"accuracy": hit}, "miss": {"accuracy": miss},
    }  # fmt: skip


FIRST = {"keyword": 0.6, "dense": 0.7, "hybrid": 0.8}
PARTS = {
    "retrieval": {"library": {way: {"recall@1": [share, 0, 1], "n": 256} for way, share in FIRST.items()}},
    "embedder": {"runs": [{"library": {"after": {"recall@1": [share, 0, 1]}}} for share in (0.8, 0.9)]},
    "answers": {"rag": {"hybrid, k = 1": answered(0.4, 100, 0.5, 0.1), "hybrid, k = 8": answered(0.3, 450, 0.3, 0.0)}},
}


def test_the_readme_is_told_what_was_measured_and_nothing_before_that():
    told = results_05.summary(PARTS)
    assert told["headline"] == (
        "right passage first: keyword 0.60, dense 0.70, hybrid 0.80 (n = 256); dense with the embedding model trained "
        "on the library 0.85 (2 seeds)"
    )
    assert told["limits"] == [
        "given the right passage the model answers 0.50 right, without it 0.10 (k = 1, n = 200)",
        "eight passages instead of one: 0.30 right instead of 0.40, for 4.5 times the tokens (n = 200)",
    ]
    for part in PARTS:
        assert "headline" not in results_05.summary({name: value for name, value in PARTS.items() if name != part})

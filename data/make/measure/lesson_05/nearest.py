"""HNSW against exact search: recall, latency and memory at growing numbers of vectors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import course_lib as cl
from course_lib.retrieval import stores
from course_lib.retrieval.stores import FaissStore

QUERIES = 200
K = 10


def cloud(seeds: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n unit vectors that lie as a library's do, (n, D): mixtures of two real ones, a little off.

    Real texts in such numbers are not at hand, and vectors drawn at random are no library: in hundreds of dimensions
    all of them are equally far from one another, which no text is.
    """
    first, second = seeds[rng.integers(len(seeds), size=n)], seeds[rng.integers(len(seeds), size=n)]
    share = rng.uniform(0.5, 1.0, size=(n, 1))
    noise = rng.normal(size=(n, seeds.shape[1])) * 0.25 / np.sqrt(seeds.shape[1])
    mixed = share * first + (1 - share) * second + noise
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def hnsw_against_exact(
    seeds: np.ndarray, asked: np.ndarray, n: int, efs: Sequence[int], seed: int = 0
) -> dict[str, Any]:
    """One size: the exact store and Chroma at each `ef_search`, asked the same questions (Q, D) one at a time.

    The `n` vectors are made like the real ones, `seeds` (S, D); `efs` are how many HNSW looks at before it answers.
    Returned is for each name its recall (share of the exact ten that it finds), median milliseconds a question, seconds
    to build, and megabytes: on disk, and grown by in memory.
    """
    vectors = cloud(seeds, n, np.random.default_rng(seed))
    passages = [cl.Passage(f"p{i}/0", "", f"p{i}") for i in range(n)]
    exact = FaissStore()
    measured = {"exact": _measured(exact, passages, vectors, asked, None)}
    truth = measured["exact"].pop("found")
    for ef in efs:
        with tempfile.TemporaryDirectory() as folder:
            store = stores.ChromaStore(folder, ef_search=ef)
            row = _measured(store, passages, vectors, asked, Path(folder))
        found = row.pop("found")
        row["recall"] = round(float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, truth)])), 4)
        measured[f"HNSW, ef {ef}"] = row
    measured["exact"]["recall"] = 1.0
    return measured


def _measured(store: Any, passages: list[Any], vectors: np.ndarray, asked: np.ndarray, folder: Path | None) -> dict:
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    for i in range(0, len(passages), 2000):
        part = slice(i, i + 2000)
        store.add(passages[part], vectors[part], [""] * len(passages[part]))
    store.query(asked[0], K)  # what is made at the first question is part of the building
    building = time.perf_counter() - started
    found, seconds = [], []
    for vector in asked:
        started = time.perf_counter()
        found.append([p.id for p in store.query(vector, K)])
        seconds.append(time.perf_counter() - started)
    disk = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6 if folder else 0.0
    grown = (psutil.Process().memory_info().rss - before) / 1e6
    return {
        "found": found,
        "milliseconds": round(1000 * float(np.median(seconds)), 3),
        "build_seconds": round(building, 2),
        "disk_mb": round(disk, 1),
        "memory_mb": round(grown, 1),
    }

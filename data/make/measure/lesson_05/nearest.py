"""A graph of neighbours against exact search: recall, time and building at growing numbers of vectors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

QUERIES = 200
K = 10
AT_ONCE = 5000  # Chroma takes no more in one call
# Neighbours of a vector, and how many are looked at while the graph is built: Chroma's defaults, in both libraries.
NEIGHBOURS, BUILT_WITH = 16, 100
GRAPH = {"neighbours": NEIGHBOURS, "built with": BUILT_WITH}
# A search that is handed to another thread suffers most from a busy machine: of so many rounds the fastest counts.
ROUNDS = 5

Search = Callable[[np.ndarray], Sequence[int]]


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


def faiss_exact(vectors: np.ndarray) -> Search:
    """FAISS's `IndexFlatIP`: the question's inner product with every vector (N, D)."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda vector: index.search(vector[None], K)[1][0]


def faiss_hnsw(vectors: np.ndarray) -> Callable[[int], Search]:
    """FAISS's `IndexHNSWFlat` over the same vectors; of the `ef` that it looks at before it answers, a search."""
    import faiss

    index = faiss.IndexHNSWFlat(vectors.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILT_WITH
    index.add(vectors)

    def looking_at(ef: int) -> Search:
        wide = faiss.SearchParametersHNSW(efSearch=ef)
        return lambda vector: index.search(vector[None], K, params=wide)[1][0]

    return looking_at


def chroma_hnsw(vectors: np.ndarray, ef: int, folder: str) -> Search:
    """The same graph inside a database: a Chroma collection in a `folder`."""
    import chromadb

    client = chromadb.PersistentClient(path=folder, settings=chromadb.Settings(anonymized_telemetry=False))
    graph = {"space": "ip", "max_neighbors": NEIGHBOURS, "ef_construction": BUILT_WITH, "ef_search": ef}
    collection = client.create_collection("vectors", embedding_function=None, configuration={"hnsw": graph})
    for i in range(0, len(vectors), AT_ONCE):
        part = vectors[i : i + AT_ONCE]
        collection.add(ids=[str(i + j) for j in range(len(part))], embeddings=part)

    def search(vector: np.ndarray) -> list[int]:
        return [int(id) for id in collection.query(query_embeddings=[vector], n_results=K, include=[])["ids"][0]]

    return search


def hnsw_against_exact(
    seeds: np.ndarray, asked: np.ndarray, n: int, efs: Sequence[int], seed: int = 0
) -> dict[str, Any]:
    """One size: exact search, the graph at each `ef`, and the graph in a database, in the libraries' own calls.

    The `n` vectors are made like the real ones, `seeds` (S, D); the questions (Q, D) are put one at a time, each to all
    in turn, in rounds of which the fastest counts. Returned is for each name its recall (share of the
    exact ten that it finds), its time as a multiple of exact search's, its milliseconds and seconds to build.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    vectors = cloud(seeds, n, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        searches, building = {}, {}

        def built(names: Sequence[str], make: Callable[[], Sequence[Search]]) -> None:
            started = time.perf_counter()
            made = make()
            made[0](asked[0])  # what is made at the first question is part of the building
            building.update(dict.fromkeys(names, time.perf_counter() - started))
            searches.update(zip(names, made))

        built(["exact (FAISS)"], lambda: [faiss_exact(vectors)])
        built([f"HNSW (FAISS), ef {ef}" for ef in efs], lambda: [*map(faiss_hnsw(vectors), efs)])
        built([f"HNSW (Chroma), ef {efs[-1]}"], lambda: [chroma_hnsw(vectors, efs[-1], folder)])
        found, taken = in_turn(searches, asked)
    truth, fastest = found["exact (FAISS)"], taken["exact (FAISS)"]
    return {
        name: {
            "recall": round(float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found[name], truth)])), 4),
            "times exact": round(taken[name] / fastest, 2),
            "milliseconds": round(1000 * taken[name], 3),
            "build seconds": round(building[name], 2),
        }
        for name in searches
    }


def in_turn(searches: dict[str, Search], asked: np.ndarray) -> tuple[dict[str, list[Sequence[int]]], dict[str, float]]:
    """What each finds for every question (Q, D), and the median of its seconds, of each question's fastest round."""
    found: dict[str, list[Sequence[int]]] = {name: [] for name in searches}
    fastest: dict[str, list[float]] = {name: [] for name in searches}
    for vector in asked:
        seconds: dict[str, list[float]] = {name: [] for name in searches}
        for _ in range(ROUNDS):
            for name, search in searches.items():
                started = time.perf_counter()
                places = search(vector)
                seconds[name].append(time.perf_counter() - started)
                if len(seconds[name]) == 1:
                    found[name].append([int(place) for place in places])
        for name, each in seconds.items():
            fastest[name].append(min(each))
    return found, {name: float(np.median(each)) for name, each in fastest.items()}

"""Where vectors are kept and looked up.

ChromaStore keeps them on disk and finds them by HNSW, quickly and nearly always rightly; FaissStore keeps them in
memory and compares with every one, which is exact. Pinecone and Weaviate stand in `hosted_stores`.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import struct
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from course_lib.core.errors import CourseError, DataError
from course_lib.core.text import as_path, say
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import FIELDS, matches, metadata, not_a_filter

if TYPE_CHECKING:
    import numpy as np

# Chroma takes at most some thousands at once.
AT_ONCE = 2000
NOTHING = "the index is empty, and has no vectors: add documents first."
# How Chroma names the folders that it keeps vectors in.
SEGMENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class VectorStore(Protocol):
    """What an index asks of a vector store: three calls. Another store is one small class.

    A store may have `query_many(vectors, k, where)` besides, which an index then prefers, `version()`, a value that
    changes with what is in it, and `erase()`, after which nothing of what was deleted is left.
    """

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None: ...
    def delete(self, sources: Sequence[str]) -> None: ...
    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]: ...


class Listing:
    """What an index asks of a store besides the three calls, for stores that can list all that they hold."""

    def rows(self) -> Iterable[tuple[Passage, np.ndarray, str]]:
        """Every passage, its vector (D,) and its document's digest."""
        raise NotImplementedError

    def passages(self) -> list[Passage]:
        """Everything in the store, in order of id."""
        return sorted((passage for passage, _, _ in self.rows()), key=lambda p: p.id)

    def vectors(self) -> np.ndarray:
        """The vectors of `passages()`, in the same order: (N, D); a CourseError if there are none."""
        import numpy as np

        rows = sorted(self.rows(), key=lambda row: row[0].id)
        if not rows:
            raise CourseError(NOTHING)
        return np.stack([vector for _, vector, _ in rows])

    def digests(self) -> dict[str, str]:
        """Document id to digest, "" where passages are missing, for every document that has a passage here."""
        return digests_of((passage.source, digest) for passage, _, digest in self.rows())


class ChromaStore:
    """Passages and their vectors in a Chroma collection on disk.

    Chroma searches with HNSW (Malkov & Yashunin 2016, arXiv 1603.09320). `ef_search`, the number of vectors that it
    looks at before it answers, is set (when a collection is made) so high that on a library of this size it finds what
    an exact search finds. `path` is a folder of its own.
    """

    COLLECTION, NEXT = "passages", "passages-next"

    def __init__(self, path: str | Path, ef_search: int = 200) -> None:
        chromadb = _chromadb()
        self.path = as_path(path)
        self._watch: sqlite3.Connection | None = None
        self.path.mkdir(parents=True, exist_ok=True)
        self._configuration = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": ef_search}}
        try:
            self._client = chromadb.PersistentClient(
                path=str(self.path), settings=chromadb.Settings(anonymized_telemetry=False)
            )
            self._mend()
        except BaseException:
            forget_clients()
            raise

    @property
    def _passages(self) -> Any:
        # Asked for by name each time: another index, or process, may have erased something, which makes it anew.
        return self._client.get_collection(self.COLLECTION, embedding_function=None)

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None:
        """Add passages, all of a document at once; `vectors` (N, D); `digests` are those of their documents."""
        metas = [metadata(p) | {"digest": digest} for p, digest in zip(passages, counted(passages, digests))]
        self._write(self._passages, [p.id for p in passages], vectors, [p.text for p in passages], metas)

    def delete(self, sources: Sequence[str]) -> None:
        """Delete every passage of these documents: no search finds them from now on. See `erase` for the files."""
        for i in range(0, len(sources), AT_ONCE):
            self._passages.delete(where={"source": {"$in": list(sources[i : i + AT_ONCE])}})

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        """The k nearest passages to a vector (D,), best first."""
        return self.query_many([vector], k, where)[0]

    def query_many(
        self, vectors: Sequence[np.ndarray], k: int, where: dict[str, Any] | None = None
    ) -> list[list[Passage]]:
        """The k nearest passages to each of Q vectors (Q, D), asked for at once."""
        from chromadb.errors import InvalidArgumentError

        collection = self._passages
        k = min(k, collection.count())
        if k == 0 or not len(vectors):
            return [[] for _ in vectors]
        try:
            found = collection.query(query_embeddings=list(vectors), n_results=k, where=where)
        except (ValueError, InvalidArgumentError) as error:
            if where is None:
                raise
            raise not_a_filter(where) from error
        rankings = zip(found["ids"], found["documents"], found["metadatas"], found["distances"])
        return [
            [passage_of(id, text, meta, 1 - float(distance)) for id, text, meta, distance in zip(*ranking)]
            for ranking in rankings
        ]

    def passages(self) -> list[Passage]:
        """Everything in the store, in order of id."""
        found = self._passages.get()
        rows = zip(found["ids"], found["documents"], found["metadatas"])
        return sorted((passage_of(*row) for row in rows), key=lambda p: p.id)

    def vectors(self) -> np.ndarray:
        """The vectors of `passages()`, in the same order: (N, D); a CourseError if there are none."""
        import numpy as np

        found = self._passages.get(include=["embeddings"])
        if not found["ids"]:
            raise CourseError(NOTHING)
        order = sorted(range(len(found["ids"])), key=found["ids"].__getitem__)
        return np.asarray(found["embeddings"])[order]

    def digests(self) -> dict[str, str]:
        """Document id to digest, "" where passages are missing, for every document that has a passage here."""
        metas = self._passages.get(include=["metadatas"])["metadatas"]
        return digests_of((meta["source"], meta["digest"]) for meta in metas)

    def erase(self) -> None:
        """Make the files forget what was deleted.

        Databases do not wipe: they mark as free. Chroma keeps a deleted text in its log, in its word index and in free
        pages, and a deleted vector in its graph. So everything that is left is written into a new collection, the old
        one dropped, the database packed, and what HNSW reserved but does not use overwritten with zeros. Stopped at any
        point, a later opening finds one of the two whole. As the graph grows later, HNSW may write such memory again:
        erase once more before a folder is given away.
        """
        old = self._passages
        kept = old.get(include=["embeddings", "documents", "metadatas"])
        new = self._make(self.NEXT, old.metadata)
        self._write(new, kept["ids"], kept["embeddings"], kept["documents"], kept["metadatas"])
        self._client.delete_collection(self.COLLECTION)
        new.modify(name=self.COLLECTION)
        self._pack()

    @property
    def probe(self) -> list[float] | None:
        """Where the embedding model of this index put a sentence that is always the same; None if nobody noted it."""
        noted = (self._passages.metadata or {}).get("probe")
        return None if noted is None else json.loads(noted)

    @probe.setter
    def probe(self, vector: Sequence[float]) -> None:
        self._passages.modify(metadata={"probe": json.dumps([round(float(x), 4) for x in vector])})

    def version(self) -> int:
        """A number that is another one as soon as anybody, in any process, has written to the store."""
        if self._watch is None:
            place = f"{(self.path / 'chroma.sqlite3').absolute().as_uri()}?mode=ro"
            self._watch = sqlite3.connect(place, uri=True, check_same_thread=False, timeout=30)
            weakref.finalize(self, self._watch.close)
        return self._watch.execute("PRAGMA data_version").fetchone()[0]

    def check(self) -> None:
        """Raise if the files are damaged.

        Chroma keeps texts in SQLite and, above a thousand passages, vectors in a folder beside it. Without that folder
        it raises nothing, and finds only what was added since.
        """
        collection = self._passages
        count = collection.count()
        if count == 0:
            return
        vector = collection.get(limit=1, include=["embeddings"])["embeddings"][0]
        found = collection.query(query_embeddings=[vector], n_results=count, include=[])["ids"][0]
        if len(found) < count * 2 / 3:  # lost is what was written in thousands; some, HNSW misses by itself
            raise DataError(f"{count - len(found)} of {count} vectors are missing.")

    def _make(self, name: str, metadata: dict[str, Any] | None = None) -> Any:
        return self._client.get_or_create_collection(
            name, embedding_function=None, configuration=self._configuration, metadata=metadata or None
        )

    def _mend(self) -> None:
        """Finish or undo what a stopped `erase` began."""
        names = {collection.name for collection in self._client.list_collections()}
        if self.NEXT in names and self.COLLECTION in names:
            self._client.delete_collection(self.NEXT)
        elif self.NEXT in names:
            self._client.get_collection(self.NEXT, embedding_function=None).modify(name=self.COLLECTION)
        self._make(self.COLLECTION)

    def _write(self, collection: Any, ids: list[str], vectors: Any, texts: list[str], metas: list[Any]) -> None:
        for i in range(0, len(ids), AT_ONCE):
            part = slice(i, i + AT_ONCE)
            collection.upsert(ids=ids[part], embeddings=vectors[part], documents=texts[part], metadatas=metas[part])

    def _pack(self) -> None:
        connection = sqlite3.connect(self.path / "chroma.sqlite3", timeout=30, isolation_level=None)
        try:
            connection.execute("VACUUM")
            current = {row[0] for row in connection.execute("SELECT id FROM segments")}
        except sqlite3.OperationalError as error:
            raise CourseError(
                f"what was deleted is found no more, but still lies in the files of {self.path} ({error}): close what "
                "else has this index open, and delete again."
            ) from error
        finally:
            connection.close()
        for part in self.path.iterdir():
            if part.is_dir() and SEGMENT.fullmatch(part.name):
                if part.name in current:
                    _wipe_unused(part)
                else:
                    shutil.rmtree(part, ignore_errors=True)


class FaissStore(Listing):
    """Passages and their vectors in memory, compared with each and every one: exact, the reference for other stores.

    faiss `IndexFlatIP` (Johnson, Douze & Jégou 2017, arXiv 1702.08734); vectors are unit vectors, so that the inner
    product is the cosine. Its calls are those of `ChromaStore`.
    """

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Passage, np.ndarray, str]] = {}
        self._index: Any = None
        self._written = 0

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None:
        self._rows |= {p.id: (p, vector, digest) for p, vector, digest in zip(passages, vectors, digests)}
        self._index, self._written = None, self._written + 1

    def delete(self, sources: Sequence[str]) -> None:
        self._rows = {id: row for id, row in self._rows.items() if row[0].source not in set(sources)}
        self._index, self._written = None, self._written + 1

    def version(self) -> int:
        return self._written

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        import faiss
        import numpy as np

        held = [row[0] for row in self._rows.values()]
        allowed = [i for i, passage in enumerate(held) if matches(passage, where)]
        if not allowed:
            return []
        if self._index is None:
            stacked = np.stack([row[1] for row in self._rows.values()]).astype(np.float32)
            self._index = faiss.IndexFlatIP(stacked.shape[1])
            self._index.add(stacked)
        chosen = None if where is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        query = np.asarray(vector, dtype=np.float32)[None]  # (1, D): of many at once faiss rounds otherwise
        scores, places = self._index.search(query, min(k, len(allowed)), params=chosen)
        return [replace(held[i], score=float(score)) for i, score in zip(places[0], scores[0])]

    def rows(self) -> Iterable[tuple[Passage, np.ndarray, str]]:
        return self._rows.values()


def says_damaged(error: BaseException, path: Path) -> bool:
    """Whether an error means that an index's files are damaged, which building it anew would mend.

    Where it means that they cannot be written, nothing may be taken away: that raises.
    """
    if isinstance(error, OSError) or re.search(r"disk is full|disk I/O|read-?only|no space", str(error), re.IGNORECASE):
        raise CourseError(
            f"the index cannot be kept in {path} ({error}): free some disk, or set COURSE_CACHE to another folder."
        ) from error
    # What Rust panics with, at a page of the database that is malformed, is no Exception.
    return isinstance(error, DataError) or type(error).__module__.split(".")[0] in ("chromadb", "pyo3_runtime")


def begin_anew(path: Path, error: BaseException) -> ChromaStore:
    """An empty store in place of one that is damaged: everything in it can be made again."""
    say(f"The index in {path.name} is damaged ({type(error).__name__}): building it anew.")
    forget_clients()
    for part in path.iterdir():  # only what is Chroma's: the folder may hold a learner's own files
        if part.name.startswith("chroma.sqlite3"):
            part.unlink()
        elif SEGMENT.fullmatch(part.name):
            shutil.rmtree(part, ignore_errors=True)
    return ChromaStore(path)


def _wipe_unused(segment: Path) -> None:
    """Overwrite the unused ends of HNSW's files with zeros.

    hnswlib asks for memory for more vectors than it has and writes all of it to disk as it finds it, with whatever this
    program had there before: pieces of a text that was deleted, for one.
    """
    header = segment / "header.bin"
    if not header.exists():
        return
    _, _, _, used, vector_bytes = struct.unpack_from("<i4Q", header.read_bytes())
    for name, each in (("data_level0.bin", vector_bytes), ("length.bin", 4)):
        with (segment / name).open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(start := min(used * each, size))
            file.write(bytes(size - start))


def _chromadb() -> Any:
    try:
        import chromadb
    except RuntimeError as error:  # at its import, in colours
        raise CourseError(
            f"Chroma needs SQLite 3.35 or newer, and this Python has {sqlite3.sqlite_version}: use a newer Python "
            "(one of conda or uv brings its own), or keep vectors in memory, in a FaissStore."
        ) from error
    return chromadb


def forget_clients() -> None:
    """Chroma keeps one client a path for the whole process: a new one would see the old, broken files."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


def counted(passages: Sequence[Passage], digests: Sequence[str]) -> list[str]:
    """Digests as they are kept: each with the number of passages that its document has here."""
    numbers = Counter(passage.source for passage in passages)
    return [f"{digest} of {numbers[passage.source]}" for passage, digest in zip(passages, digests)]


def digests_of(kept: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Document id to digest, of the id and the kept digest of every passage.

    "" for a document that lacks some, as a kill or a cut connection leaves it: nothing has that digest, and it is
    written again.
    """
    found: dict[str, str] = {}
    for (source, digest), held in Counter(kept).items():
        digest, _, number = digest.rpartition(" of ") if " of " in digest else (digest, "", held)
        found[source] = digest if int(number) == held and source not in found else ""
    return found


def passage_of(id: str, text: str, meta: dict[str, Any], score: float = 0.0) -> Passage:
    """A passage, of what a store keeps of it."""
    return Passage(id, text, score=score, **{name: meta[name] for name in FIELDS})

"""Documents, passages, and an index on disk that finds the passages nearest to a question.

folder of documents ── read_documents ──> Document ── split_into_passages ──> Passage
Passage ── sentence-transformers ──> vector ── ChromaStore ──> Index.search
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from course_lib.documents import Document, Passage, find_folder, read_documents, split_into_passages
from course_lib.errors import CourseError, DataError
from course_lib.loading import load_embedder
from course_lib.progress import Progress
from course_lib.settings import cache_dir

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

__all__ = [
    "ChromaStore",
    "Index",
    "VectorStore",
    "build_index",
]

META = ("source", "title", "date", "kind", "audience")
# Tokens of the embedding model. Short passages, because a small model on a laptop reads every one of them.
PASSAGE_TOKENS = 80
MAX_QUESTION_CHARACTERS = 4000


class VectorStore(Protocol):
    """What an index asks of a vector store: three calls. Another store is one small class."""

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None: ...
    def delete(self, sources: Sequence[str]) -> None: ...
    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]: ...


class ChromaStore:
    """Passages and their vectors in a Chroma collection on disk.

    Chroma searches with HNSW (Malkov & Yashunin 2016, arXiv 1603.09320); `ef_search` is set high enough that on a
    library of this size it finds what an exact search finds.
    """

    COLLECTION = "passages"

    def __init__(self, path: str | Path) -> None:
        import chromadb

        Path(path).mkdir(parents=True, exist_ok=True)
        quiet = chromadb.Settings(anonymized_telemetry=False)
        try:
            self._client = chromadb.PersistentClient(path=str(path), settings=quiet)
        except BaseException:
            _forget_clients()
            raise
        self._passages = self._client.get_or_create_collection(
            self.COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 200}},
        )

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None:
        """Add passages; `vectors` (N, D); `digests` are those of the documents they come from."""
        if not passages:
            return
        self._passages.upsert(
            ids=[p.id for p in passages],
            embeddings=vectors,
            documents=[p.text for p in passages],
            metadatas=[{name: getattr(p, name) for name in META} | {"digest": d} for p, d in zip(passages, digests)],
        )

    def delete(self, sources: Sequence[str]) -> None:
        """Delete every passage of these documents."""
        if sources:
            self._passages.delete(where={"source": {"$in": list(sources)}})

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        """The k nearest passages to a vector (D,), best first."""
        from chromadb.errors import InvalidArgumentError

        k = min(k, self._passages.count())
        if k == 0:
            return []
        try:
            found = self._passages.query(query_embeddings=[vector], n_results=k, where=where)
        except (ValueError, InvalidArgumentError) as error:
            if where is None:
                raise
            raise CourseError(
                f"the filter {where!r} is none that Chroma knows: write {{'audience': 'public'}}."
            ) from error
        rows = zip(found["ids"][0], found["documents"][0], found["metadatas"][0], found["distances"][0])
        return [_passage(id, text, meta, 1 - float(distance)) for id, text, meta, distance in rows]

    def passages(self) -> list[Passage]:
        """Everything in the store, in order of id."""
        found = self._passages.get()
        return sorted(
            (_passage(i, t, m) for i, t, m in zip(found["ids"], found["documents"], found["metadatas"])),
            key=lambda p: p.id,
        )

    def digests(self) -> dict[str, str]:
        """Document id to digest, for every document that has a passage here."""
        return {meta["source"]: meta["digest"] for meta in self._passages.get(include=["metadatas"])["metadatas"]}

    def check(self) -> None:
        """Raise if the files are damaged.

        Chroma keeps texts in SQLite and, above a thousand passages, vectors in a folder beside it. Without that folder
        it raises nothing, and finds only what was added since.
        """
        count = self._passages.count()
        if count == 0:
            return
        vector = self._passages.get(limit=1, include=["embeddings"])["embeddings"][0]
        found = self._passages.query(query_embeddings=[vector], n_results=count, include=[])["ids"][0]
        if len(found) < count * 2 / 3:  # lost is what was written in thousands; some, HNSW misses by itself
            raise DataError(f"{count - len(found)} of {count} vectors are missing.")


class Index:
    """Finds passages by meaning. Made by `build_index`.

    Attributes
    ----------
    embedder
        A sentence-transformers model.
    store
        Any `VectorStore`.
    """

    def __init__(self, embedder: SentenceTransformer, store: Any, passage_tokens: int = PASSAGE_TOKENS) -> None:
        self.embedder, self.store, self.passage_tokens = embedder, store, passage_tokens

    def __len__(self) -> int:
        return len(self.store.passages())

    def search(self, query: str, k: int = 4, where: dict[str, Any] | None = None) -> list[Passage]:
        """The `k` passages nearest to a question, best first.

        Parameters
        ----------
        query
            A question, at most 4,000 characters.
        k
            How many; at least 1. Above the number there are, all of them.
        where
            A Chroma filter, such as {"audience": "public"}.

        Raises
        ------
        CourseError
            If the question is empty or too long, `k` < 1, or `where` is no filter.
        """
        return self.search_many([query], k, where)[0]

    def search_many(
        self, queries: Sequence[str], k: int = 4, where: dict[str, Any] | None = None
    ) -> list[list[Passage]]:
        """As `search`, for many questions: they are embedded in batches, which is many times faster."""
        if k < 1:
            raise CourseError(f"k is {k}: search for at least 1 passage.")
        for query in queries:
            if not query.strip():
                raise CourseError("the question is empty: ask something.")
            if len(query) > MAX_QUESTION_CHARACTERS:
                raise CourseError(
                    f"the question has {len(query):,} characters, more than {MAX_QUESTION_CHARACTERS:,}: shorten it."
                )
        return [self.store.query(vector, k, where) for vector in self.embed(queries)]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, (len(texts), D)."""
        return self.embedder.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    def passages(self) -> list[Passage]:
        """Every passage in the index."""
        return self.store.passages()

    def add(self, *documents: Document) -> int:
        """Add documents, or replace those of the same id. Returns the number of passages added.

        A document is in the index whole or not at all, so that a run which is interrupted can be made again.
        """
        pieces = {document: self._split(document) for document in documents}
        total = sum(map(len, pieces.values()))
        with Progress("Reading the library", total) as progress:
            for batch in _batches(pieces):
                passages = [p for document in batch for p in pieces[document]]
                # The title is embedded with the text: a passage that says "it" is still found by its subject.
                vectors = self.embed([f"{p.title}\n{p.text}" for p in passages])
                self.store.delete([document.id for document in batch])
                self.store.add(passages, vectors, [self._digest(d) for d in batch for _ in pieces[d]])
                progress.advance(len(passages))
        return total

    def remove(self, *document_ids: str) -> None:
        """Delete documents.

        Raises
        ------
        CourseError
            If one is not in the index.
        """
        known = self.store.digests()
        for id in document_ids:
            if id not in known:
                raise CourseError(f"the index holds no document {id!r}.")
        self.store.delete(document_ids)

    def sync(self, documents: Sequence[Document]) -> dict[str, int]:
        """Make the index hold these documents: add the new, replace the changed, delete the rest. Counts of each."""
        known = self.store.digests()
        wanted = {document.id: document for document in documents}
        added = [d for d in wanted.values() if d.id not in known]
        changed = [d for d in wanted.values() if d.id in known and known[d.id] != self._digest(d)]
        deleted = [id for id in known if id not in wanted]
        self.store.delete(deleted)
        if added or changed:
            self.add(*added, *changed)
        return {"added": len(added), "changed": len(changed), "deleted": len(deleted)}

    def _digest(self, document: Document) -> str:
        return f"{document.digest}/{self.passage_tokens}"

    def _split(self, document: Document) -> list[Passage]:
        return split_into_passages(document, self.passage_tokens, self._count_tokens)

    def _count_tokens(self, text: str) -> int:
        return len(self.embedder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def build_index(
    folder: str | Path = "data/library", path: str | Path | None = None, passage_tokens: int = PASSAGE_TOKENS
) -> Index:
    """Read a folder of documents into an index on disk, or bring the one that is there up to date.

    Parameters
    ----------
    folder
        Markdown (front matter optional) and text files, in folders at any depth; relative to here, or else to the
        repository.
    path
        Where the index lives; by default in the cache, one index a folder.
    passage_tokens
        Largest passage, in tokens of the embedding model.

    Raises
    ------
    DataError
        If the folder is missing or holds no document, or a document is empty, binary or malformed; it is named, and
        the index stays as it was.
    CourseError
        If `passage_tokens` < 1, or the index cannot be written. One that is damaged is built anew.
    """
    if passage_tokens < 1:
        raise CourseError(f"passages of {passage_tokens} tokens: at least 1 is needed.")
    root = find_folder(folder)
    documents = read_documents(root)
    key = hashlib.sha256(f"{root}|{passage_tokens}".encode()).hexdigest()[:12]
    place = Path(path) if path else cache_dir() / "indexes" / key
    index = Index(load_embedder(), _open_store(place), passage_tokens)
    try:
        index.sync(documents)
    except BaseException as error:
        if not _says_damaged(error, place):
            raise
        index = Index(index.embedder, _begin_anew(place, error), passage_tokens)
        index.sync(documents)
    return index


def _batches(pieces: dict[Document, list[Passage]], size: int = 64) -> Iterable[list[Document]]:
    """Documents of about `size` passages together."""
    batch: list[Document] = []
    for document in pieces:
        batch.append(document)
        if sum(len(pieces[d]) for d in batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _open_store(path: Path) -> ChromaStore:
    """Open a store; one whose files are damaged is begun anew, as everything in it can be made again."""
    try:
        store = ChromaStore(path)
        store.check()
        store.digests()
    except BaseException as error:
        if not _says_damaged(error, path):
            raise
        return _begin_anew(path, error)
    return store


def _says_damaged(error: BaseException, path: Path) -> bool:
    """Whether an error means that an index's files are damaged, which building it anew would mend.

    Raises
    ------
    CourseError
        If it means that they cannot be written: then nothing is taken away.
    """
    if isinstance(error, OSError) or re.search(r"disk is full|disk I/O|read-?only|no space", str(error), re.IGNORECASE):
        raise CourseError(
            f"the index cannot be kept in {path} ({error}): free some disk, or set COURSE_CACHE to another folder."
        ) from error
    # What Rust panics with, at a page of the database that is malformed, is no Exception.
    return isinstance(error, DataError) or type(error).__module__.split(".")[0] in ("chromadb", "pyo3_runtime")


def _begin_anew(path: Path, error: BaseException) -> ChromaStore:
    print(f"The index in {path.name} is damaged ({type(error).__name__}): building it anew.")
    _forget_clients()
    for part in path.iterdir():  # only what is Chroma's: the folder may hold a learner's own files
        if part.name.startswith("chroma.sqlite3"):
            part.unlink()
        elif re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", part.name):
            shutil.rmtree(part, ignore_errors=True)
    return ChromaStore(path)


def _forget_clients() -> None:
    """Chroma keeps one client a path for the whole process: a new one would see the old, broken files."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


def _passage(id: str, text: str, meta: dict[str, Any], score: float = 0.0) -> Passage:
    return Passage(id, text, score=score, **{name: meta[name] for name in META})

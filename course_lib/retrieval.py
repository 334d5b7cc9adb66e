"""Documents, passages, and an index on disk that finds the passages nearest to a question.

    folder of documents ── read_documents ──> Document ── split_into_passages ──> Passage
    Passage ── sentence-transformers ──> vector ── ChromaStore ──> Index.search
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from course_lib.errors import CourseError, DataError
from course_lib.models import load_embedder
from course_lib.progress import Progress
from course_lib.settings import ROOT, cache_dir

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

__all__ = [
    "ChromaStore",
    "Document",
    "Index",
    "Passage",
    "VectorStore",
    "build_index",
    "read_document",
    "read_documents",
    "split_into_passages",
]

SUFFIXES = (".md", ".txt")
# Tokens of the embedding model. Short passages, because a small model on a laptop reads every one of them.
PASSAGE_TOKENS = 80
MAX_QUESTION_CHARACTERS = 4000


@dataclass(frozen=True)
class Document:
    """One document of a library; `metadata` is what its front matter says beside these."""

    id: str
    title: str
    text: str
    date: str = ""
    kind: str = ""
    audience: str = "public"

    @property
    def digest(self) -> str:
        """Changes when anything about the document does."""
        parts = (self.id, self.title, self.text, self.date, self.kind, self.audience)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Passage:
    """A piece of a document, small enough to be read by a small model.

    Attributes
    ----------
    id
        Document id and number: "cup-2031/0".
    score
        Cosine similarity with the question that found it, -1 to 1; 0 before any search.
    """

    id: str
    text: str
    source: str
    score: float = 0.0
    title: str = ""
    date: str = ""
    kind: str = ""
    audience: str = ""


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
        self._client = chromadb.PersistentClient(path=str(path), settings=quiet)
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
            metadatas=[
                {"source": p.source, "title": p.title, "date": p.date, "kind": p.kind, "audience": p.audience, "digest": d}
                for p, d in zip(passages, digests)
            ],
        )

    def delete(self, sources: Sequence[str]) -> None:
        """Delete every passage of these documents."""
        if sources:
            self._passages.delete(where={"source": {"$in": list(sources)}})

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        """The k nearest passages to a vector (D,), best first."""
        k = min(k, self._passages.count())
        if k == 0:
            return []
        found = self._passages.query(query_embeddings=[vector], n_results=k, where=where)
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
            If the question is empty or too long, or `k` < 1.
        """
        return self.search_many([query], k, where)[0]

    def search_many(self, queries: Sequence[str], k: int = 4, where: dict[str, Any] | None = None) -> list[list[Passage]]:
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
        """Add documents, or replace those of the same id. Returns the number of passages added."""
        self.store.delete([document.id for document in documents])
        pieces = [(p, d.digest) for d in documents for p in self._split(d)]
        with Progress("Reading the library", len(pieces)) as progress:
            for start in range(0, len(pieces), 64):
                batch = pieces[start : start + 64]
                passages = [p for p, _ in batch]
                # The title is embedded with the text: a passage that says "it" is still found by its subject.
                vectors = self.embed([f"{p.title}\n{p.text}" for p in passages])
                self.store.add(passages, vectors, [digest for _, digest in batch])
                progress.advance(len(batch))
        return len(pieces)

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
        changed = [d for d in wanted.values() if d.id in known and known[d.id] != d.digest]
        deleted = [id for id in known if id not in wanted]
        self.store.delete(deleted)
        if added or changed:
            self.add(*added, *changed)
        return {"added": len(added), "changed": len(changed), "deleted": len(deleted)}

    def _split(self, document: Document) -> list[Passage]:
        return split_into_passages(document, self.passage_tokens, self._count_tokens)

    def _count_tokens(self, text: str) -> int:
        return len(self.embedder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def build_index(folder: str | Path = "data/library", path: str | Path | None = None, passage_tokens: int = PASSAGE_TOKENS) -> Index:
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
    """
    root = _find_folder(folder)
    documents = read_documents(root)
    key = hashlib.sha256(f"{root}|{passage_tokens}".encode()).hexdigest()[:12]
    place = Path(path) if path else cache_dir() / "indexes" / key
    index = Index(load_embedder(), _open_store(place), passage_tokens)
    try:
        index.sync(documents)
    except CourseError:
        raise
    except Exception:  # Chroma and SQLite have many ways to say that their files are damaged
        index = Index(index.embedder, _open_store(place, fresh=True), passage_tokens)
        index.sync(documents)
    return index


def read_documents(folder: str | Path) -> list[Document]:
    """Every document below a folder, in order of path; see `build_index` for what is raised."""
    root = _find_folder(folder)
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.name != "README.md")
    if not paths:
        raise DataError(f"there is no document in {root}: put {' or '.join(SUFFIXES)} files there.")
    documents = [read_document(path) for path in paths]
    seen: dict[str, Path] = {}
    for document, path in zip(documents, paths):
        if document.id in seen:
            raise DataError(f"{path} and {seen[document.id]} have one id, {document.id!r}: rename one.")
        seen[document.id] = path
    return documents


def read_document(path: str | Path) -> Document:
    """One Markdown or text file; front matter (id, title, date, kind, audience) is optional.

    Raises
    ------
    DataError
        If the file is empty, binary, or has front matter that is not YAML.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: keep only Markdown and text files in the library.") from error
    front: dict[str, Any] = {}
    if text.startswith("---\n") and text.count("---\n") >= 2:
        _, head, text = text.split("---\n", 2)
        try:
            front = yaml.safe_load(head) or {}
        except yaml.YAMLError as error:
            raise DataError(f"{path}: the front matter is not YAML ({str(error).splitlines()[0]}).") from error
    if "\x00" in text:
        raise DataError(f"{path} is binary: keep only Markdown and text files in the library.")
    if not text.strip():
        raise DataError(f"{path} is empty: write something in it or take it away.")
    known = {name: str(front[name]) for name in ("id", "title", "date", "kind", "audience") if front.get(name)}
    return Document(**{"id": path.stem, "title": path.stem, "text": text.strip(), **known})


def split_into_passages(document: Document, size: int, count_tokens: Callable[[str], int]) -> list[Passage]:
    """Cut a document into passages of at most `size` tokens, at headings, paragraphs and sentences.

    A heading opens a passage and stays with what follows it; paragraphs are joined while they fit; a paragraph that
    does not fit alone is cut between sentences. Only a single sentence longer than `size` makes a longer passage, so
    that no fact is cut in two.
    """
    if size < 1:
        raise CourseError(f"passages of {size} tokens: at least 1 is needed.")
    texts: list[str] = []
    for section in re.split(r"\n(?=#{1,6} )", document.text):
        texts += _pack(_pieces(section, size, count_tokens), size, count_tokens)
    base = Passage("", "", document.id, 0.0, document.title, document.date, document.kind, document.audience)
    return [replace(base, id=f"{document.id}/{i}", text=text) for i, text in enumerate(texts)]


def _pieces(section: str, size: int, count_tokens: Callable[[str], int]) -> Iterable[tuple[str, str]]:
    """Paragraphs, or the sentences of those too long, each with what joins it to the piece before."""
    for paragraph in re.split(r"\n\s*\n|\n(?=[-*\d])", section.strip()):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if count_tokens(paragraph) <= size:
            yield "\n", paragraph
            continue
        for i, sentence in enumerate(re.split(r"(?<=[.!?])\s+(?=[A-Z\"“*(])", paragraph)):
            yield ("\n" if i == 0 else " "), sentence


def _pack(pieces: Iterable[tuple[str, str]], size: int, count_tokens: Callable[[str], int]) -> list[str]:
    packed: list[str] = []
    for joint, piece in pieces:
        joined = packed[-1] + joint + piece if packed else piece
        if packed and (count_tokens(joined) <= size or packed[-1].startswith("#") and "\n" not in packed[-1]):
            packed[-1] = joined
        else:
            packed.append(piece)
    return packed


def _find_folder(folder: str | Path) -> Path:
    for root in (Path(folder), ROOT / folder):
        if root.is_dir():
            return root.resolve()
    raise DataError(f"there is no folder {folder}: give the path of a folder of documents.")


def _open_store(path: Path, fresh: bool = False) -> ChromaStore:
    """Open a store; one whose files are damaged is begun anew, as everything in it can be made again."""
    if not fresh:
        try:
            store = ChromaStore(path)
            store.digests()
            return store
        except Exception as error:
            print(f"The index in {path.name} is damaged ({type(error).__name__}): building it anew.")
    import chromadb

    # Chroma keeps one client a path for the whole process; without this a new one would see the old, broken files.
    chromadb.api.shared_system_client.SharedSystemClient.clear_system_cache()
    shutil.rmtree(path, ignore_errors=True)
    return ChromaStore(path)


def _passage(id: str, text: str, meta: dict[str, Any], score: float = 0.0) -> Passage:
    return Passage(id, text, meta["source"], score, meta["title"], meta["date"], meta["kind"], meta["audience"])

"""Documents, passages, and an index on disk that finds the passages nearest to a question.

folder of documents ── read_documents ──> Document ── split_into_passages ──> Passage
Passage ── sentence-transformers ──> vector ── ChromaStore ──> Index.search
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, listed
from course_lib.core.progress import Progress
from course_lib.core.session import cache_dir
from course_lib.core.text import as_path, whole
from course_lib.models.loading import load_embedder
from course_lib.retrieval.documents import Document, Passage, find_folder, read_documents, split_into_passages
from course_lib.retrieval.files import clean
from course_lib.retrieval.stores import ChromaStore, begin_anew, says_damaged

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

# Tokens of the embedding model. Short passages, because a small model on a laptop reads every one of them.
PASSAGE_TOKENS = 80
MAX_QUESTION_CHARACTERS = 4000
# Every embedding model puts it somewhere; two that put it in different places cannot share an index.
PROBE = "Where does this sentence lie?"
# How passages are stored: a new number has every index in the cache built again.
FORMAT = 2


class Retriever:
    """Anything that finds passages for a question: subclasses say how, in `_find` and `passages`."""

    def search(self, query: str, k: int = 4, where: dict[str, Any] | None = None) -> list[Passage]:
        """The `k` best passages for a question (at most 4,000 characters), best first; fewer if there are no more.

        `where` is a Chroma filter, such as {"audience": "public"}; `filters.only` makes one.
        """
        return self.search_many([query], k, where)[0]

    def search_many(
        self, queries: Sequence[str], k: int = 4, where: dict[str, Any] | None = None
    ) -> list[list[Passage]]:
        """As `search`, for many questions at once, which is many times faster."""
        if k < 1:
            raise CourseError(f"k is {k}: search for at least 1 passage.")
        # Cleaned as documents are: "proﬁt" finds "profit".
        queries = [clean(query) for query in listed("queries", queries)]
        for query in queries:
            if not query.strip():
                raise CourseError("the question is empty: ask something.")
            if len(query) > MAX_QUESTION_CHARACTERS:
                raise CourseError(
                    f"the question has {len(query):,} characters, more than {MAX_QUESTION_CHARACTERS:,}: shorten it."
                )
        return self._find(queries, k, where)

    def passages(self) -> list[Passage]:
        """Every passage that can be found."""
        raise NotImplementedError

    def version(self) -> Any:
        """Another value once the passages may have changed; None if that cannot be told without reading them."""
        return None

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        raise NotImplementedError


class Index(Retriever):
    """Finds passages by meaning, with a sentence-transformers `embedder` and any `VectorStore`. See `build_index`.

    `passage_tokens` is the largest passage, `overlap` how much of it may repeat the end of the one before
    (`split_into_passages`).
    """

    def __init__(
        self, embedder: SentenceTransformer, store: Any, passage_tokens: int = PASSAGE_TOKENS, overlap: int = 0
    ) -> None:
        self.embedder, self.store, self.passage_tokens, self.overlap = embedder, store, passage_tokens, overlap

    def __len__(self) -> int:
        return len(self.store.passages())

    def _find(self, queries: Sequence[str], k: int, where: dict[str, Any] | None) -> list[list[Passage]]:
        vectors = self.embed(queries)
        if hasattr(self.store, "query_many"):
            return self.store.query_many(vectors, k, where)
        return [self.store.query(vector, k, where) for vector in vectors]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, (len(texts), D)."""
        return self.embedder.encode(
            [*map(whole, texts)], batch_size=64, normalize_embeddings=True, show_progress_bar=False
        )

    def passages(self) -> list[Passage]:
        return self.store.passages()

    def version(self) -> Any:
        return self.store.version() if hasattr(self.store, "version") else None

    def add(self, *documents: Document) -> int:
        """Add documents, or replace those of the same id. Returns the number of passages added.

        A document is in the index whole or not at all, so that a run which is interrupted can be made again. Of several
        with one id the last is kept.
        """
        documents = tuple({document.id: document for document in documents}.values())
        replaces = hasattr(self.store, "erase") and not self.store.digests().keys().isdisjoint(d.id for d in documents)
        added = self._write(documents)
        if replaces:
            self._erase()
        return added

    def remove(self, *document_ids: str) -> None:
        """Delete documents: no search finds them any more, and a store on disk forgets them in its files too."""
        held = self.store.digests()
        if unknown := [id for id in document_ids if id not in held]:
            raise CourseError(f"the index holds no document {unknown[0]!r}.")
        self.store.delete(document_ids)
        self._erase()

    def sync(self, documents: Sequence[Document]) -> dict[str, int]:
        """Make the index hold these documents: add the new, replace the changed, delete the rest. Counts of each."""
        known = self.store.digests()
        wanted = {document.id: document for document in documents}
        added = [d for d in wanted.values() if d.id not in known]
        changed = [d for d in wanted.values() if d.id in known and known[d.id] != self._digest(d)]
        deleted = [id for id in known if id not in wanted]
        self.store.delete(deleted)
        self._write([*added, *changed])
        if changed or deleted:
            self._erase()
        return {"added": len(added), "changed": len(changed), "deleted": len(deleted)}

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as the embedding model counts them."""
        return len(self.embedder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _write(self, documents: Sequence[Document]) -> int:
        pieces = {d: split_into_passages(d, self.passage_tokens, self.count_tokens, self.overlap) for d in documents}
        total = sum(map(len, pieces.values()))
        with Progress("Reading the library", total) as progress:
            for batch in _batches(pieces):
                passages = [p for document in batch for p in pieces[document]]
                vectors = self.embed([p.searched for p in passages])
                self.store.delete([document.id for document in batch])
                self.store.add(passages, vectors, [self._digest(d) for d in batch for _ in pieces[d]])
                progress.advance(len(passages))
        return total

    def _digest(self, document: Document) -> str:
        return f"{document.digest}/{self.passage_tokens}/{self.overlap}"

    def _erase(self) -> None:
        if hasattr(self.store, "erase"):  # a store in memory has nothing to wipe
            self.store.erase()


def build_index(
    folder: str | Path = "data/library",
    embedder: SentenceTransformer | None = None,
    path: str | Path | None = None,
    store: Any = None,
) -> Index:
    """Read a folder of documents into an index on disk, or bring the one that is there up to date.

    The index lives in the folder `path`, or else in the cache, one for each folder and embedding model; processes that
    build it at once take turns, and the second finds what the first made. One that is damaged is built anew.

    `folder` holds Markdown (front matter optional), text and PDF files, in folders at any depth; it is relative to
    here, or else to the repository. What `read_documents` leaves out it prints, and that is not in the index.
    `embedder` is a sentence-transformers model, by default the course's. `store` takes the place of the folder on disk:
    a `FaissStore`, `PineconeStore` or `WeaviateStore`, or one of your own that also tells its `digests()`. It is for
    this folder alone: other documents that it holds are deleted.

    A DataError names the folder if it is missing or holds no document that can be read, and the index stays as it was.
    A CourseError says that the index cannot be written, or was made with another embedding model.
    """
    from filelock import FileLock

    root = find_folder(folder)
    documents = read_documents(root)
    if store is not None:
        if path is not None:
            raise CourseError("path is where Chroma keeps its files: give a path or a store, not both.")
        index = Index(embedder or load_embedder(), store)
        _check_vectors(index)
        index.sync(documents)
        return index
    which = _weights_digest(embedder) if embedder is not None else ""
    key = hashlib.sha256(f"{root}|{PASSAGE_TOKENS}|0|{which}|{FORMAT}".encode()).hexdigest()[:12]
    place = cache_dir() / "indexes" / key if path is None else as_path(path)
    embedder = embedder or load_embedder()
    with FileLock(_lock_in(place)):
        try:
            return _up_to_date(Index(embedder, ChromaStore(place)), documents)
        except BaseException as error:
            if not says_damaged(error, place):
                raise
            return _up_to_date(Index(embedder, begin_anew(place, error)), documents)


def _up_to_date(index: Index, documents: Sequence[Document]) -> Index:
    index.store.check()
    _check_embedder(index)
    index.sync(documents)
    return index


def _lock_in(place: Path) -> str:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        says_damaged(error, place)
    return str(place / "build.lock")


def _check_embedder(index: Index) -> None:
    """An index remembers where its model put one sentence: another model puts it elsewhere, and would find nothing."""
    here = index.embed([PROBE])[0]
    there = index.store.probe
    if there is None:
        index.store.probe = here
    elif _apart(here, there):
        raise CourseError(
            f"the index in {index.store.path} was made with another embedding model: delete that folder, and it is "
            "built again."
        )


def _check_vectors(index: Index) -> None:
    """As `_check_embedder`, for a store that notes no sentence: by a passage that it holds, if it can list them."""
    rows = index.store.rows() if hasattr(index.store, "rows") else ()
    for passage, vector, _ in rows:
        if _apart(index.embed([passage.searched])[0], vector):
            raise CourseError(
                f"the store was filled with another embedding model (passage {passage.id!r} lies elsewhere): take "
                "another name for this one's."
            )
        return


def _apart(here: Sequence[float], there: Sequence[float]) -> bool:
    """Whether two unit vectors of one text are not of one embedding model."""
    return len(there) != len(here) or sum(a * b for a, b in zip(there, here)) < 0.99


def _weights_digest(embedder: Any) -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(embedder.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


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

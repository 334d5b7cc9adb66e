"""Pinecone behind the calls of `stores`: passages and vectors with a service, asked for over HTTPS."""

from __future__ import annotations

import contextlib
import json
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import FIELDS
from course_lib.retrieval.hosted_stores import (
    AT_ONCE,
    PAGE,
    check_k,
    explained,
    imported,
    key_of,
    record,
    recorded,
    setting,
    translated,
)
from course_lib.retrieval.stores import Listing, counted

if TYPE_CHECKING:
    import numpy as np

KEY = "PINECONE_API_KEY"
VECTOR, NAMESPACE = "vector", "passages"
RECORDS_A_REQUEST, BYTES_A_REQUEST, BYTES_A_RECORD = 1000, 2_000_000, 40_960  # Pinecone's limits
READY_WITHIN = 120  # seconds
EVERYTHING = {"day": {"$gte": 0}}


class PineconeStore(Listing):
    """Passages and their vectors in an index of Pinecone (its Documents API), made when the first are added.

    The key comes from PINECONE_API_KEY. Pinecone is eventually consistent: it confirms what it has written down, and
    searches see it some moments later. So `add` and `delete` wait until they do, for `wait` seconds at most; where it
    does not say how far it has come, nobody can wait. An index holds vectors of one embedding model: take another
    `name` for another.
    """

    def __init__(self, name: str = "course", cloud: str = "aws", region: str = "us-east-1", wait: float = 30.0) -> None:
        errors = imported("pinecone.errors")
        from pinecone import Pinecone

        self.name, self.wait = name, wait
        self._deployment = {"deployment_type": "managed", "cloud": cloud, "region": region}
        self._failed, self._missing = (errors.PineconeError,), errors.NotFoundError
        self._index: Any = None
        if not (key := setting(KEY)):
            raise CourseError(f"Pinecone needs a key: set the environment variable {KEY} to it.")
        with self._explained():
            self._client = Pinecone(api_key=key)
            weakref.finalize(self, self._client.close)
            if self._client.indexes.exists(name):
                self._open()

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None:
        """Add passages, all of a document at once, or replace those of the same id; `vectors` (N, D)."""
        documents = []
        for passage, vector, digest in zip(passages, vectors, counted(passages, digests)):
            kept = record(passage, digest)
            if (size := _bytes(kept)) > BYTES_A_RECORD:
                raise CourseError(
                    f"passage {passage.id!r} has {size:,} bytes, and Pinecone keeps at most {BYTES_A_RECORD:,} beside "
                    "a vector: cut the document into smaller passages."
                )
            documents.append({"_id": key_of(passage), VECTOR: [float(x) for x in vector], **kept})
        if documents and self._index is None:
            self._make(len(documents[0][VECTOR]))
        for part in _parts(documents):
            self._settle(self._ask("upsert", documents=part))

    def delete(self, sources: Sequence[str]) -> None:
        """Delete every passage of these documents: when this returns, no search finds them."""
        for i in range(0, len(sources), AT_ONCE):
            self._settle(self._ask("delete", filter={"source": {"$in": list(sources[i : i + AT_ONCE])}}))

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        """The k nearest passages to a vector (D,), best first."""
        check_k(k, "Pinecone")
        chosen = None if where is None else translated(where, _join, _compare)
        found = self._search([float(x) for x in vector], k, chosen)
        return [] if found is None else [recorded(match.to_dict(), match.score) for match in found.matches]

    def rows(self) -> Iterator[tuple[Passage, np.ndarray, str]]:
        import numpy as np

        token = None
        while page := self._ask("fetch", filter=EVERYTHING, limit=PAGE, pagination_token=token):
            for document in page.documents.values():
                kept = document.to_dict()
                yield recorded(kept), np.asarray(kept[VECTOR], dtype=np.float32), kept["digest"]
            if not (token := page.pagination and page.pagination.next):
                return

    def _make(self, dimensions: int) -> None:
        schema = {"fields": {VECTOR: {"type": "dense_vector", "dimension": dimensions, "metric": "cosine"}}}
        with self._explained():
            if not self._client.indexes.exists(self.name):  # another process may have made it meanwhile
                self._client.indexes.create(
                    name=self.name, schema=schema, deployment=self._deployment, timeout=READY_WITHIN
                )
            self._open()

    def _open(self) -> None:
        field = self._client.indexes.describe(self.name).schema.fields.get(VECTOR)
        if field is None:
            raise CourseError(f"Pinecone's index {self.name!r} is not the course's: choose another name.")
        self._anything = [1.0] + [0.0] * (field.dimension - 1)
        self._index = self._client.index(self.name)
        weakref.finalize(self, self._index.close)

    def _ask(self, call: str, **given: Any) -> Any:
        """What a call of the Documents API answers; None where there is no index yet, or nothing in it."""
        if self._index is None:
            return None
        nothing_there = () if call == "upsert" else (self._missing,)
        with self._explained(), contextlib.suppress(*nothing_there):
            return getattr(self._index.documents, call)(namespace=NAMESPACE, **given)

    def _search(self, vector: list[float], k: int, where: dict[str, Any] | None) -> Any:
        score = {"type": "dense_vector", "fields": [VECTOR], "values": vector}
        wanted = ["passage", "text", *FIELDS]
        return self._ask("search", score_by=[score], top_k=k, filter=where, include_fields=wanted)

    def _settle(self, written: Any) -> None:
        """Wait until searches see what was written: each says how far in the log of writes it has read."""
        target = None if written is None else written.response_info.lsn_committed
        deadline = time.monotonic() + self.wait
        while target is not None:
            found = self._search(self._anything, 1, None)
            if found is not None and found.response_info.is_reconciled(target):
                return
            if time.monotonic() >= deadline:
                raise CourseError(
                    f"Pinecone has written it down, but after {self.wait:g} s its searches do not see it yet: make the "
                    "same call again in a minute."
                )
            time.sleep(0.5)

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained("Pinecone", KEY, self._failed)


def _join(sign: str, parts: list[Any]) -> dict[str, Any]:
    return {sign: parts}


def _compare(field: str, sign: str, value: Any) -> dict[str, Any]:
    return {field: {sign: value}}


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _parts(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As many documents together as one request takes."""
    part: list[dict[str, Any]] = []
    room = BYTES_A_REQUEST
    for document in documents:
        room -= (size := _bytes(document) + 2)
        if part and (room < 100 or len(part) == RECORDS_A_REQUEST):  # some go around them
            yield part
            part, room = [], BYTES_A_REQUEST - size
        part.append(document)
    if part:
        yield part

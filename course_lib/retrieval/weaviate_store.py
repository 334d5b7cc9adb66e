"""Weaviate behind the calls of `stores`: passages and vectors on a server of one's own, or in Weaviate Cloud."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.parse
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import FIELDS
from course_lib.retrieval.hosted_stores import (
    AT_ONCE,
    PAGE,
    check_k,
    each,
    explained,
    imported,
    in_short,
    key_of,
    record,
    recorded,
    setting,
    translated,
)
from course_lib.retrieval.stores import Listing, counted

if TYPE_CHECKING:
    import numpy as np

KEY, ADDRESS = "WEAVIATE_API_KEY", "WEAVIATE_URL"
CLOUD = (".weaviate.cloud", ".weaviate.network")
COMPARED = {
    "$eq": "equal", "$gt": "greater_than", "$gte": "greater_or_equal", "$lt": "less_than", "$lte": "less_or_equal",
}  # fmt: skip


class WeaviateStore(Listing):
    """Passages and their vectors in a collection of Weaviate, which is made if there is none of that name.

    The address comes from WEAVIATE_URL (http://localhost:8080, or a cluster of Weaviate Cloud), the key from
    WEAVIATE_API_KEY; a server of one's own may do without. Weaviate answers on two ports, of which `grpc_port` is the
    other. Where a cluster builds its graph in the background, a search may miss for some moments what was just added.
    A collection holds vectors of one embedding model: take another `name` for another.
    """

    def __init__(self, name: str = "Course", grpc_port: int = 50051) -> None:
        self._classes = imported("weaviate.classes")
        import httpx
        from weaviate.exceptions import WeaviateBaseError

        self.name = name
        self._failed = (WeaviateBaseError, httpx.HTTPError, OSError)
        with self._explained():
            self._client = _connected(os.environ.get(ADDRESS, "").strip(), grpc_port, setting(KEY) or None)
            weakref.finalize(self, self._client.close)
            if not self._client.collections.exists(name):
                self._make()
            self._held = self._client.collections.use(name)
            properties = self._held.config.get(simple=True).properties
        whole = {asked.name for asked in properties if asked.tokenization == self._classes.config.Tokenization.FIELD}
        if not whole.issuperset(FIELDS):  # word by word, "public" would let "not public" through
            raise CourseError(f"Weaviate's collection {name!r} is not the course's: choose another name.")

    def add(self, passages: Sequence[Passage], vectors: np.ndarray, digests: Sequence[str]) -> None:
        """Add passages, all of a document at once, or replace those of the same id; `vectors` (N, D)."""
        for passage in passages:
            if padded := [name for name in FIELDS if (value := getattr(passage, name)) != value.strip()]:
                raise CourseError(
                    f"passage {passage.id!r} has blanks around its {padded[0]}, which Weaviate does not see: it would "
                    "be taken for another. Take them away."
                )
        objects = [
            self._classes.data.DataObject(record(p, digest), uuid=key_of(p), vector=[float(x) for x in vector])
            for p, vector, digest in zip(passages, vectors, counted(passages, digests))
        ]
        for i in range(0, len(objects), AT_ONCE):
            with self._explained():
                errors = self._held.data.insert_many(objects[i : i + AT_ONCE]).errors
            if errors:
                why = in_short(next(iter(errors.values())).message)
                raise CourseError(f"Weaviate did not take {len(errors)} of the passages ({why}): add them again.")

    def delete(self, sources: Sequence[str]) -> None:
        """Delete every passage of these documents: when this returns, no search finds them."""
        sources = [source for source in sources if source == source.strip()]  # no others are here: see `add`
        for i in range(0, len(sources), AT_ONCE):
            named = self._classes.query.Filter.by_property("source").contains_any(sources[i : i + AT_ONCE])
            matched = True
            while matched:  # one call deletes no more than its server is set to
                with self._explained():
                    done = self._held.data.delete_many(where=named)
                matched = done.matches
                if done.failed:
                    raise CourseError(f"Weaviate did not delete {done.failed} of {matched} passages: delete again.")

    def query(self, vector: np.ndarray, k: int, where: dict[str, Any] | None = None) -> list[Passage]:
        """The k nearest passages to a vector (D,), best first."""
        check_k(k, "Weaviate")
        with self._explained():
            found = self._held.query.near_vector(
                near_vector=[float(x) for x in vector],
                limit=k,
                filters=None if where is None else translated(where, self._join, self._compare),
                return_metadata=self._classes.query.MetadataQuery(distance=True),
            )
        return [recorded(kept.properties, 1 - kept.metadata.distance) for kept in found.objects]

    def rows(self) -> Iterator[tuple[Passage, np.ndarray, str]]:
        import numpy as np

        with self._explained():
            for kept in self._held.iterator(include_vector=True, cache_size=PAGE):
                vector = np.asarray(kept.vector["default"], dtype=np.float32)
                yield recorded(kept.properties), vector, kept.properties["digest"]

    def _make(self) -> None:
        """Fields are compared whole, not word by word, and no word is passed over ("a", "the")."""
        config = self._classes.config
        text, unsearched = config.DataType.TEXT, {"index_searchable": False}
        whole = {"index_filterable": True, "tokenization": config.Tokenization.FIELD, **unsearched}
        only_kept = {"index_filterable": False, **unsearched}
        self._client.collections.create(
            self.name,
            properties=[
                *(config.Property(name=name, data_type=text, **whole) for name in FIELDS),
                *(config.Property(name=name, data_type=text, **only_kept) for name in ("passage", "text", "digest")),
                config.Property(name="day", data_type=config.DataType.NUMBER, index_filterable=True),
            ],
            inverted_index_config=config.Configure.inverted_index(stopwords_preset=config.StopwordsPreset.NONE),
            vector_config=config.Configure.Vectors.self_provided(
                vector_index_config=config.Configure.VectorIndex.hnsw(distance_metric=config.VectorDistances.COSINE)
            ),
        )

    def _join(self, sign: str, parts: list[Any]) -> Any:
        joined = self._classes.query.Filter
        return joined.all_of(parts) if sign == "$and" else joined.any_of(parts)

    def _compare(self, field: str, sign: str, value: Any) -> Any:
        asked = self._classes.query.Filter.by_property(field)
        values = [float(one) if field == "day" else one for one in each(value)]  # for a NUMBER it wants floats
        if field != "day" and any(one != one.strip() or not one for one in values):
            raise CourseError(
                f"Weaviate cannot be asked for {field} {value!r}: it compares texts without the blanks around them, "
                "and finds no empty one."
            )
        if sign == "$in":
            return asked.contains_any(values)
        if sign in ("$nin", "$ne"):
            return self._join("$and", [asked.not_equal(one) for one in values])
        return getattr(asked, COMPARED[sign])(values[0])

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained("Weaviate", KEY, self._failed)


def _connected(address: str, grpc_port: int, key: str | None) -> Any:
    import weaviate

    try:
        url = urllib.parse.urlsplit(address if "://" in address else f"https://{address}")
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port = "", None
    if not host:
        raise CourseError(f"Weaviate needs an address: set the environment variable {ADDRESS} to http://host:port.")
    # The client's own checks would ask the package index for news of the client.
    if host.endswith(CLOUD):
        return weaviate.connect_to_weaviate_cloud(host, key, skip_init_checks=True)
    secure = url.scheme == "https"
    socket.create_connection((host, grpc_port), timeout=10).close()  # else it would try for a minute
    return weaviate.connect_to_custom(
        host, port or (443 if secure else 80), secure, host, grpc_port, secure,
        auth_credentials=key, skip_init_checks=True,
    )  # fmt: skip

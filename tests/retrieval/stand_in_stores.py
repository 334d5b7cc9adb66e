"""Pinecone and Weaviate on this machine: servers that speak as much of their protocols as the clients use here.

They keep what they are sent, refuse what the services' limits forbid, and decide filters by their own rule.
"""

import json
import operator
import struct
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
from fake_api import api

KEY = "key-0f-this-test-4711"
SIGNS = {
    "$eq": operator.eq, "$ne": operator.ne, "$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt,
    "$lte": operator.le, "$in": lambda held, asked: held in asked, "$nin": lambda held, asked: held not in asked,
}  # fmt: skip


HNSW = (  # settings that Weaviate fills in
    "cleanupIntervalSeconds", "dynamicEfMin", "dynamicEfMax", "dynamicEfFactor", "ef", "efConstruction",
    "flatSearchCutoff", "maxConnections", "skip", "vectorCacheMaxObjects",
)  # fmt: skip


def cosine(a, b):
    return float(np.dot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


class PineconeService:
    """One index of documents. A search sees a write only after `lag` others; positions in the log are in headers."""

    def __init__(self, server):
        self.server, self.schema, self.documents, self.seen = server, None, {}, {}
        self.lag = self.waits = self.written = self.reconciled = 0
        self.fault = None  # (status, message) of every answer
        self.room = 10**6  # documents
        server.answer = self.answer

    def store(self, **options):
        from course_lib.retrieval.pinecone_store import PineconeStore

        return PineconeStore(**options)

    def asked(self, call):
        return [body for path, body, _ in self.server.asked if path.endswith(f"documents/{call}")]

    def answer(self, path, body):
        assert self.server.asked[-1][2] == KEY
        if self.fault:
            return self.fault[0], {"error": {"code": "FAULT", "message": self.fault[1]}, "status": self.fault[0]}
        if path == "/v1/indexes" and body and self.schema:
            return 409, {"error": {"code": "ALREADY_EXISTS", "message": "Resource already exists"}, "status": 409}
        if path == "/v1/indexes" and body:
            self.schema, self.deployment = body["schema"], body["deployment"]
        if path.startswith("/v1/indexes"):
            return (200, self.described()) if self.schema else (404, {"error": {"code": "NOT_FOUND", "message": path}})
        if path.endswith("/upsert") or self.written:  # the first write makes the namespace
            return getattr(self, path.rpartition("/")[2])(**body)
        return 404, {"error": {"code": "NOT_FOUND", "message": "Namespace not found"}}

    def described(self):
        return {
            "name": "course", "host": self.server.url, "schema": self.schema, "deployment": self.deployment,
            "status": {"ready": True, "state": "Ready"}, "deletion_protection": "disabled",
        }  # fmt: skip

    def write(self, said, changed):
        self.documents, self.waits, self.written = changed, self.lag, self.written + 1
        return 200, said, {"x-pinecone-request-lsn": str(self.written)}

    def upsert(self, documents):
        if len(self.documents) >= self.room:
            return 500, {"error": {"code": "FAULT", "message": "cut off"}}
        for document in documents:
            rest = {name: value for name, value in document.items() if name not in ("_id", "vector")}
            assert document["_id"].isascii() and len(document["_id"]) <= 512
            assert len(json.dumps(rest, ensure_ascii=False).encode()) <= 40_960
            assert len(document["vector"]) == self.schema["fields"]["vector"]["dimension"]
        if len(documents) > 1000 or len(json.dumps(documents, ensure_ascii=False).encode()) > 2_000_000:
            return 413, {"error": {"code": "TOO_LARGE", "message": "request too large"}}
        added = {document["_id"]: document for document in documents}
        return self.write({"upserted_count": len(documents)}, self.documents | added)

    def delete(self, filter):
        kept = {id: document for id, document in self.documents.items() if not self.allows(filter, document)}
        return self.write({"matched_records": len(self.documents) - len(kept)}, kept)

    def search(self, score_by, top_k, include_fields, filter=None):
        if self.waits:
            self.waits -= 1
        else:
            self.seen, self.reconciled = self.documents, self.written
        vector = score_by[0]["values"]
        found = [
            {"_id": id, "_score": cosine(vector, document["vector"])} | {n: document[n] for n in include_fields}
            for id, document in self.seen.items()
            if filter is None or self.allows(filter, document)
        ]
        matches = sorted(found, key=lambda match: -match["_score"])[:top_k]
        said = {"matches": matches, "namespace": "passages", "usage": {"read_units": 1}}
        return 200, said, {"x-pinecone-max-indexed-lsn": str(self.reconciled)}

    def fetch(self, filter, limit, pagination_token=None, include_fields=None):
        start = int(pagination_token or 0)
        found = [(id, document) for id, document in self.documents.items() if self.allows(filter, document)]
        page = {"documents": dict(found[start : start + limit]), "namespace": "passages", "usage": {"read_units": 1}}
        return 200, page | ({"pagination": {"next": str(start + limit)}} if len(found) > start + limit else {})

    def allows(self, where, document):
        ((name, test),) = where.items()
        if name in ("$and", "$or"):
            return (all if name == "$and" else any)(self.allows(part, document) for part in test)
        ((sign, value),) = test.items()
        return SIGNS[sign](document[name], value)


class WeaviateService:
    """One collection: its schema over HTTP, its objects over gRPC. One call deletes `most` objects."""

    def __init__(self, server):
        self.server, self.schema, self.objects = server, None, {}
        self.most, self.room, self.fault, self.refuses = 10_000, 10**6, None, ""
        self.calls = []
        server.answer = self.answer

    def store(self, **options):
        from course_lib.retrieval.weaviate_store import WeaviateStore

        return WeaviateStore(grpc_port=self.port, **options)

    def answer(self, path, body):
        if self.fault:
            return self.fault[0], {"error": [{"message": self.fault[1]}]}
        if path == "/v1/meta":
            return 200, {"version": "1.37.0", "grpcMaxMessageSize": 104_858_000}
        if path == "/v1/schema" and body:
            for asked in body["properties"]:
                asked.setdefault("indexSearchable", False)
            graph = body["vectorConfig"]["default"]
            graph["vectorIndexConfig"] = dict.fromkeys(HNSW, 0) | graph["vectorIndexConfig"]
            self.schema = body
        return (200, self.schema) if self.schema and path.startswith("/v1/schema") else (404, {})

    def checked(self, call, context):
        import grpc

        self.calls.append(call)
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {KEY}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "anonymous access not enabled")
        if self.fault:
            context.abort(grpc.StatusCode.INTERNAL, self.fault[1])

    def BatchObjects(self, request, context):
        import grpc
        from weaviate.proto.v1 import batch_pb2

        self.checked("add", context)
        if len(self.objects) >= self.room:
            context.abort(grpc.StatusCode.INTERNAL, "cut off")
        assert len(request.objects) <= 1000
        if self.refuses:
            return batch_pb2.BatchObjectsReply(errors=[{"index": 0, "error": self.refuses}])
        for sent in request.objects:
            packed = sent.vectors[0].vector_bytes if sent.vectors else sent.vector_bytes
            kept = dict(sent.properties.non_ref_properties.items())
            self.objects[str(uuid.UUID(sent.uuid))] = (kept, floats(packed))
        return batch_pb2.BatchObjectsReply()

    def BatchDelete(self, request, context):
        from weaviate.proto.v1 import batch_delete_pb2

        self.checked("delete", context)
        gone = [id for id, (kept, _) in self.objects.items() if self.allows(request.filters, kept)][: self.most]
        for id in gone:
            del self.objects[id]
        return batch_delete_pb2.BatchDeleteReply(matches=len(gone), successful=len(gone))

    def Search(self, request, context):
        from weaviate.proto.v1 import search_get_pb2

        self.checked("search", context)
        found = sorted((id, *row) for id, row in self.objects.items() if id > request.after)
        if request.HasField("filters"):
            found = [row for row in found if self.allows(request.filters, row[1])]
        if request.HasField("near_vector"):
            near = request.near_vector
            vector = floats(near.vectors[0].vector_bytes if near.vectors else near.vector_bytes)
            found.sort(key=lambda row: -cosine(vector, row[2]))
            distances = [1 - cosine(vector, row[2]) for row in found]
        else:
            distances = [0.0] * len(found)
        results = [self.result(*row, distance) for row, distance in zip(found, distances)]
        return search_get_pb2.SearchReply(results=results[: request.limit])

    def result(self, id, kept, vector, distance):
        from weaviate.proto.v1 import properties_pb2, search_get_pb2

        fields = {n: {"text_value" if isinstance(v, str) else "number_value": v} for n, v in kept.items()}
        return search_get_pb2.SearchResult(
            properties={"non_ref_props": properties_pb2.Properties(fields=fields), "target_collection": "Course"},
            metadata={
                "id": id, "id_as_bytes": uuid.UUID(id).bytes, "distance": distance, "distance_present": True,
                "vectors": [{"name": "default", "vector_bytes": struct.pack(f"{len(vector)}f", *vector), "type": 1}],
            },
        )  # fmt: skip

    def allows(self, filters, kept):
        sign = type(filters).Operator.Name(filters.operator).removeprefix("OPERATOR_")
        if sign in ("AND", "OR"):
            assert len(filters.filters) > 1
            return (all if sign == "AND" else any)(self.allows(part, kept) for part in filters.filters)
        held = kept[filters.target.property]
        value = getattr(filters, filters.WhichOneof("test_value"))
        assert isinstance(held, str) == ("text" in filters.WhichOneof("test_value")), "Weaviate refuses another type"
        named = {"EQUAL": "$eq", "NOT_EQUAL": "$ne", "GREATER_THAN": "$gt", "GREATER_THAN_EQUAL": "$gte"} | {
            "LESS_THAN": "$lt", "LESS_THAN_EQUAL": "$lte", "CONTAINS_ANY": "$in",
        }  # fmt: skip
        return SIGNS[named[sign]](held, value.values if sign == "CONTAINS_ANY" else value)


def floats(packed):
    return struct.unpack(f"{len(packed) // 4}f", packed)


@contextmanager
def pinecone_service():
    pytest.importorskip("pinecone", reason=OPTIONAL)
    with api() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINECONE_API_KEY", KEY)
        patch.setenv("PINECONE_CONTROLLER_HOST", server.url)
        yield PineconeService(server)


@contextmanager
def weaviate_service():
    pytest.importorskip("weaviate", reason=OPTIONAL)
    import grpc
    from weaviate.proto.v1 import weaviate_pb2_grpc

    class Service(WeaviateService, weaviate_pb2_grpc.WeaviateServicer):
        """With the calls that nobody makes here."""

    with api() as server, pytest.MonkeyPatch.context() as patch:
        service = Service(server)
        objects = grpc.server(ThreadPoolExecutor(2))
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(service, objects)
        service.port = objects.add_insecure_port("127.0.0.1:0")
        objects.start()
        patch.setenv("WEAVIATE_URL", server.url.removesuffix("/v1"))
        patch.setenv("WEAVIATE_API_KEY", KEY)
        yield service
        objects.stop(None)


SERVICES = {"pinecone": pinecone_service, "weaviate": weaviate_service}
INSTALLED = [package for package in SERVICES if find_spec(package)]
OPTIONAL = "clients are optional: pip install -e '.[pinecone,weaviate]', and this is tested"

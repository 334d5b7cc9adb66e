"""Pinecone and Weaviate: limits, ids, filters, waiting, and what goes wrong. The calls of all stores: `test_stores.py`.

Stand-ins answer, over HTTP and gRPC on this machine. Where a key or a server is at hand, the services themselves do.
"""

import os
import socket
import sys
import uuid

import numpy as np
import pytest
from hypothesis import given
from stand_in_stores import INSTALLED, KEY, OPTIONAL, SERVICES
from test_filters import PASSAGES, SINGLE, joined

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.filters import matches, only
from course_lib.retrieval.index import build_index

if not INSTALLED:
    pytest.skip(OPTIONAL, allow_module_level=True)

VECTORS = np.eye(len(PASSAGES), dtype=np.float32) + 0.1


@pytest.fixture
def no_waiting(monkeypatch):
    """Clients that try again do so at once; the seconds that somebody would have waited."""
    waited = []
    if "pinecone" in sys.modules:
        monkeypatch.setattr("pinecone._internal.http_client._retry_sleep", waited.append)
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


# Filters


@pytest.fixture(scope="module", params=INSTALLED)
def filled(request):
    with SERVICES[request.param]() as service:
        store = service.store()
        store.add(PASSAGES, VECTORS, [""] * len(PASSAGES))
        yield store


def let_through(store, where):
    """Which passages, or None: Weaviate refuses to look for an empty text."""
    try:
        return {p.id for p in store.query(np.ones(len(PASSAGES)), len(PASSAGES), where)}
    except CourseError as error:
        assert type(store).__name__ == "WeaviateStore" and "finds no empty one" in str(error) and "''" in str(where)
        return None


def test_each_sign_lets_through_what_the_courses_own_rule_does(filled):
    answered = [(where, found) for where in SINGLE if (found := let_through(filled, where)) is not None]
    assert len(answered) > len(SINGLE) * 3 / 4
    assert [where for where, found in answered if found != {p.id for p in PASSAGES if matches(p, where)}] == []


@given(joined)
def test_a_filter_lets_through_what_the_courses_own_rule_does(filled, where):
    assert let_through(filled, where) in (None, {p.id for p in PASSAGES if matches(p, where)})


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"colour": "red"}, "is none that Chroma knows"),
        ({"$and": [{"audience": "staff"}]}, "is none that Chroma knows"),
        ({"day": "2042-03-01"}, "cannot be asked of this store: 'day' is a number"),
        ({"$or": [{"kind": {"$in": ["notices", 3]}}, {"day": 0}]}, "cannot be asked of this store: 'kind' is a text"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_a_sentence(where, says, filled):
    with pytest.raises(CourseError, match=says):
        filled.query(VECTORS[0], 3, where)


@pytest.mark.parametrize("k", [-1, 0, 10_001])
def test_a_number_of_passages_that_the_services_do_not_return_is_refused(filled, k):
    with pytest.raises(CourseError, match=rf"k is {k:,}: \w+ finds 1 to 10,000 passages at once"):
        filled.query(VECTORS[0], k)


# What is kept


ODD_IDS = ["straße/kap. 1.md/0", "a" * 600 + "/0", "日本/0", 'quote"s\\/0', "https://x.example/?a=b#c/0"]


def test_ids_and_texts_may_hold_every_letter(service):
    passages = [Passage(id, f"“{id}”\n", id[:-2], title="é\u0301", audience="staff") for id in ODD_IDS]
    store = service.store()
    store.add(passages, VECTORS[: len(passages)], ["d"] * len(passages))
    assert store.passages() == sorted(passages, key=lambda p: p.id)
    assert [store.query(vector, 1)[0].id for vector in VECTORS[: len(passages)]] == ODD_IDS
    store.delete([passages[0].source, passages[2].source])
    assert {p.id for p in store.passages()} == set(ODD_IDS) - {ODD_IDS[0], ODD_IDS[2]}


def test_what_is_added_twice_is_there_once_and_the_last_time(service):
    store = service.store()
    for text in ("before", "after"):
        store.add([Passage("a/0", text, "a")], VECTORS[:1], [text])
    assert ([p.text for p in store.passages()], store.digests()) == (["after"], {"a": "after"})


def test_many_passages_go_in_requests_that_the_services_take_and_all_are_listed_and_deleted(service):
    many = [Passage(f"d{i % 7}/{i}", "word " * 400, f"d{i % 7}") for i in range(1250)]
    store = service.store()
    store.add(many, np.tile(VECTORS[:1], (len(many), 1)), ["x"] * len(many))
    assert {p.id for p in store.passages()} == {p.id for p in many}
    service.most = 100  # what one call of Weaviate's deletes: its owner may set less than the 10,000 that it comes with
    store.delete(["d1", *(f"none-{i}" for i in range(700)), "d2"])
    assert store.digests().keys() == {"d0", "d3", "d4", "d5", "d6"}


def test_nothing_is_there_before_anything_is_added_and_nothing_asked_of_nothing(service):
    store = service.store()
    store.delete(["a"])
    store.add([], VECTORS[:0], [])
    assert (store.query(VECTORS[0], 3), store.passages(), store.digests()) == ([], [], {})


def test_a_store_that_is_opened_again_holds_what_it_held(service):
    service.store().add(PASSAGES, VECTORS, [""] * len(PASSAGES))
    again = service.store()
    assert again.query(VECTORS[3], 1)[0].id == PASSAGES[3].id
    again.delete(["a"])
    assert len(again.passages()) == len(PASSAGES) - 1


def test_a_folder_is_brought_up_to_date_in_a_store_and_only_what_changed_is_sent(service, library, small_embedder):
    index = build_index(library, store=service.store())
    assert index.search("eleven geese", 1)[0].source == "corrin"
    (library / "corrin.md").write_text("---\nid: corrin\n---\nCorrin has sold the geese.", encoding="utf-8")
    (library / "larkspit.txt").unlink()
    again = build_index(library, store=service.store())
    assert {p.text for p in again.passages()} == {
        "Corrin has sold the geese.",
        "Quillhaven bakes rye bread on Mondays.",
    }
    with pytest.raises(CourseError, match="give a path or a store, not both"):
        build_index(library, path=library / "index", store=again.store)


def test_a_document_whose_writing_is_cut_in_the_middle_is_written_again_by_the_same_call(
    service, library, small_embedder, monkeypatch, no_waiting
):
    parts = [f"# Part {i}\nTown {i} has {i} wells. {'Well. ' * 70}" for i in range(8)]
    (library / "book.md").write_text("\n".join(parts))
    monkeypatch.setattr("course_lib.retrieval.weaviate_store.AT_ONCE", 3)
    monkeypatch.setattr("course_lib.retrieval.pinecone_store.RECORDS_A_REQUEST", 3)
    service.room = 6
    with pytest.raises(CourseError, match=r"did not do it .*cut off.* make the same call again"):
        build_index(library, store=service.store())
    service.room = 100
    assert len(service.store().passages()) == 6
    assert "" in service.store().digests().values()
    index = build_index(library, store=service.store())
    assert len(index) == 11 and "" not in index.store.digests().values()


def test_a_store_that_another_embedding_model_filled_is_refused_and_left_as_it_is(service, library, small_embedder):
    index = build_index(library, store=service.store())
    (library / "corrin.md").unlink()

    class Other(type(small_embedder)):
        def encode(self, texts, **options):
            return -super().encode(texts, **options)

    with pytest.raises(CourseError, match=r"filled with another embedding model \(passage '.*/0' lies elsewhere\)"):
        build_index(library, Other(), store=service.store())
    assert len(index) == 3


# Pinecone


@pytest.fixture
def pinecone():
    with SERVICES["pinecone"]() as service:
        yield service


def test_a_text_that_pinecone_would_refuse_is_named_and_nothing_is_sent(pinecone):
    passages = [Passage("a/0", "short", "a"), Passage("b/0", "ü" * 20_500, "b")]
    with pytest.raises(CourseError, match=r"passage 'b/0' has 41,\d\d\d bytes.* smaller passages"):
        pinecone.store().add(passages, VECTORS[:2], ["", ""])
    assert (pinecone.schema, pinecone.asked("upsert")) == (None, [])


def test_writes_to_pinecone_return_when_searches_see_them(pinecone, no_waiting):
    store, pinecone.lag = pinecone.store(), 3
    store.add(PASSAGES, VECTORS, [""] * len(PASSAGES))
    assert len(store.query(VECTORS[0], 100)) == len(PASSAGES)
    store.delete(["a"])
    assert len(store.query(VECTORS[0], 100)) == len(PASSAGES) - 1
    assert no_waiting == [0.5] * 6


def test_the_wait_for_pinecone_ends_with_a_sentence_and_what_was_written_is_there(pinecone):
    store, pinecone.lag = pinecone.store(wait=0), 1000
    with pytest.raises(CourseError, match="written it down, but after 0 s its searches do not see it yet"):
        store.add(PASSAGES, VECTORS, [""] * len(PASSAGES))
    pinecone.waits = 0
    assert len(store.query(VECTORS[0], 100)) == len(PASSAGES)


def index_with(name):
    field = {"type": "dense_vector", "dimension": len(VECTORS), "metric": "cosine"}
    return {"fields": {name: field}}, {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}


def test_an_index_of_another_make_is_left_alone(pinecone):
    pinecone.schema, pinecone.deployment = index_with("embedding")
    with pytest.raises(CourseError, match="Pinecone's index 'course' is not the course's: choose another name"):
        pinecone.store()


def test_documents_of_another_make_are_said_to_be_and_left_alone(pinecone, library, small_embedder):
    store = pinecone.store()
    store.add(PASSAGES[:1], VECTORS[:1], [""])
    pinecone.documents = {"theirs": {"_id": "theirs", "vector": [1.0] * 64, "text": "not ours", "day": 3}}
    with pytest.raises(CourseError, match=r"holds what the course did not put there .* choose another name"):
        build_index(library, store=store)
    assert pinecone.documents.keys() == {"theirs"}


def test_an_index_that_another_process_made_meanwhile_is_taken(pinecone):
    first, second = pinecone.store(), pinecone.store()
    first.add(PASSAGES[:1], VECTORS[:1], [""])
    second.add(PASSAGES[1:2], VECTORS[1:2], [""])
    assert len(first.passages()) == 2


def test_an_index_that_is_empty_is_no_fault_and_one_that_is_gone_is_when_it_should_keep_something(pinecone):
    pinecone.schema, pinecone.deployment = index_with("vector")
    store = pinecone.store()
    store.delete(["a"])
    assert (store.query(VECTORS[0], 3), store.passages()) == ([], [])
    pinecone.fault = (404, "no such index")
    with pytest.raises(CourseError, match=r"did not do it .*no such index"):
        store.add(PASSAGES, VECTORS, [""] * len(PASSAGES))


# What goes wrong


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, r"refuses the credential in (PINECONE|WEAVIATE)_API_KEY \(401\): set it to a valid key"),
        (403, "did not do it .*quota of this project.* make the same call again"),
        (500, "did not do it .*quota of this project"),
    ],
)
def test_what_a_service_refuses_is_said_in_a_sentence_without_the_key(service, status, says, no_waiting):
    service.fault = (status, f"quota of this project, {KEY}")
    with pytest.raises(CourseError, match=says) as error:
        service.store()
    assert KEY not in f"{error.value} {error.value.__cause__}"


CALLS = {
    "add": lambda store: store.add(PASSAGES[:1], VECTORS[:1], ["new"]),
    "delete": lambda store: store.delete(["a"]),
    "query": lambda store: store.query(VECTORS[0], 1),
    "passages": lambda store: store.passages(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_service_that_fails_in_between_loses_nothing(service, call, no_waiting):
    store = service.store()
    store.add(PASSAGES, VECTORS, ["old"] * len(PASSAGES))
    service.fault = (500, f"out of memory, {KEY}")
    with pytest.raises(CourseError, match=r"did not do it .*out of memory.* what it already holds it keeps") as error:
        CALLS[call](store)
    assert KEY not in f"{error.value} {error.value.__cause__}"
    service.fault = None
    assert set(store.digests().values()) == {"old"} and len(store.passages()) == len(PASSAGES)
    CALLS[call](store)


def test_half_a_key_at_the_end_of_a_long_message_is_not_shown(service, no_waiting):
    for filler in range(240, 300):  # what stands before the message is the client's
        service.fault = (500, f"{'x' * filler} {KEY} and more")
        with pytest.raises(CourseError, match="did not do it") as error:
            service.store()
        assert KEY[:5] not in f"{error.value} {error.value.__cause__}"


def test_a_service_that_is_not_there_is_said_in_a_sentence(service, monkeypatch, no_waiting):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", address)
    monkeypatch.setenv("WEAVIATE_URL", address)
    service.port = int(address.rpartition(":")[2])
    with pytest.raises(CourseError, match=r"did not do it \(.*onnect.* or to the network"):
        service.store()


@pytest.fixture
def weaviate():
    with SERVICES["weaviate"]() as service:
        yield service


def test_a_collection_whose_filters_would_let_more_through_is_left_alone(weaviate):
    weaviate.store()
    (audience,) = (asked for asked in weaviate.schema["properties"] if asked["name"] == "audience")
    audience["tokenization"] = "word"
    with pytest.raises(CourseError, match="Weaviate's collection 'Course' is not the course's: choose another name"):
        weaviate.store()


@pytest.mark.parametrize("name", ["source", "audience"])
def test_what_weaviate_would_take_for_another_is_refused_before_anything_is_sent(weaviate, name):
    padded = Passage("b/0", "text", **{"source": "b", name: "staff "})
    with pytest.raises(CourseError, match=f"passage 'b/0' has blanks around its {name}, which Weaviate does not see"):
        weaviate.store().add([PASSAGES[0], padded], VECTORS[:2], ["", ""])
    assert weaviate.objects == {}


def test_deleting_what_weaviate_would_take_for_another_deletes_nothing(weaviate):
    store = weaviate.store()
    store.add(PASSAGES, VECTORS, [""] * len(PASSAGES))
    store.delete(["a ", " a"])
    assert (len(store.passages()), weaviate.calls.count("delete")) == (len(PASSAGES), 0)


def test_passages_that_weaviate_does_not_take_are_counted_with_its_reason(weaviate):
    store, weaviate.refuses = weaviate.store(), "vector lengths don't match: 384 vs 12"
    with pytest.raises(CourseError, match=r"did not take 1 of the passages \(vector lengths don't match"):
        store.add(PASSAGES[:2], VECTORS[:2], ["", ""])


def test_without_a_key_or_an_address_the_variable_is_named(service, monkeypatch):
    monkeypatch.delenv("PINECONE_API_KEY")
    monkeypatch.setenv("WEAVIATE_URL", " ")
    with pytest.raises(CourseError, match=r"needs a(n address|\ key): set the environment variable (PINE|WEAV)\w+ to "):
        service.store()


# The services themselves


def in_earnest(package):
    variable = {"pinecone": "PINECONE_API_KEY", "weaviate": "WEAVIATE_URL"}[package]
    return pytest.param(
        package, marks=pytest.mark.skipif(variable not in os.environ, reason=f"set {variable} to run it for real")
    )


@pytest.mark.parametrize("package", [*map(in_earnest, SERVICES)])
def test_the_service_itself_adds_finds_filters_and_deletes(package, towns, index_of):
    pytest.importorskip(package)
    from course_lib.retrieval.pinecone_store import PineconeStore
    from course_lib.retrieval.weaviate_store import WeaviateStore

    store = {"pinecone": PineconeStore, "weaviate": WeaviateStore}[package](f"Course{uuid.uuid4().hex[:8]}".lower())
    try:
        index = index_of(*towns, store=store)
        assert index.search("eleven geese", 1)[0].source == "corrin"
        for where in (only(audience="public"), only(since="2041-01-01", without="kelmarsh"), {"kind": {"$ne": "x"}}):
            assert {p.source for p in index.search("geese", 9, where)} == {
                p.source for p in index.passages() if matches(p, where)
            }
        index.add(Document("corrin", "Corrin", "Corrin has sold the geese."))
        index.remove("kelmarsh")
        assert {p.source for p in index.search("secret geese", 9)} == {"quillhaven", "corrin", "larkspit"}
        assert index.search("geese", 1)[0].text == "Corrin has sold the geese."
    finally:
        (store._client.indexes if package == "pinecone" else store._client.collections).delete(store.name)

"""Two stores behind the same calls: what they answer, what they let through, and what is left of what was deleted."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.filters import day_number, matches, named_years, only
from course_lib.retrieval.index import Index, build_index
from course_lib.retrieval.stores import ChromaStore, FaissStore, forget_clients

TOWNS = [
    Document("quillhaven", "Quillhaven", "Quillhaven bakes rye bread.", "2042-03-01", "notices", "staff"),
    Document("corrin", "Corrin", "Corrin keeps eleven geese.", "2040-06-30", "notices", "public"),
    Document("kelmarsh", "Kelmarsh", "The secret of Kelmarsh is MARMALADE.", "2041-01-15", "letters", "managers"),
    Document("larkspit", "Larkspit", "Larkspit mends copper kettles.", "", "letters", "public"),
]
FILTERS = [
    None,
    {"audience": "public"},
    {"audience": {"$ne": "public"}},
    {"audience": {"$nin": ["staff", "managers"]}},
    {"$or": [{"kind": "letters"}, {"audience": "staff"}]},
    only(audience=("public", "staff")),
    only(since="2041-01-15"),
    only(until="2041-01-15"),
    only(audience="public", since="2040-01-01", until="2041-12-31"),
    only(kind="letters", without="larkspit"),
    only(audience="nobody"),
]


def on_disk(tmp_path):
    return ChromaStore(tmp_path / "index")


STORES = {"chroma": on_disk, "faiss": lambda tmp_path: FaissStore()}


@pytest.fixture(params=STORES)
def index(request, tmp_path, small_embedder):
    index = Index(small_embedder, STORES[request.param](tmp_path))
    index.add(*TOWNS)
    return index


def found(index, question="geese bread kettles secret", where=None):
    return {passage.source for passage in index.search(question, 9, where)}


# The same calls over both


def test_both_stores_find_the_same_in_the_same_order_with_the_same_scores(tmp_path, small_embedder):
    both = [Index(small_embedder, make(tmp_path)) for make in STORES.values()]
    for index in both:
        index.add(*TOWNS)
    chroma, faiss = (index.search("eleven geese in Corrin", 4) for index in both)
    assert chroma[0].id == faiss[0].id == "corrin/0"
    assert {p.id for p in chroma} == {p.id for p in faiss}, "those that tie may change places"
    assert np.allclose([p.score for p in chroma], [p.score for p in faiss], atol=1e-5)


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_a_filter_lets_through_the_same_in_every_store(where, index):
    wanted = {d.id for d in TOWNS if matches(Passage("", "", d.id, 0, d.title, d.date, d.kind, d.audience), where)}
    assert found(index, where=where) == wanted


def test_a_document_is_added_changed_and_removed(index):
    index.add(Document("corrin", "Corrin", "Corrin has sold the geese."), Document("new", "New", "A penguin."))
    assert index.search("geese", 1)[0].text == "Corrin has sold the geese."
    index.remove("new", "quillhaven")
    assert {p.source for p in index.passages()} == found(index) == {"corrin", "kelmarsh", "larkspit"}


def test_vectors_come_in_the_order_of_their_passages(index):
    index.add(Document("aaa", "A", "A lighthouse."))
    vectors, passages = index.store.vectors(), index.passages()
    assert [p.id for p in passages] == sorted(p.id for p in passages)
    assert np.allclose(vectors, index.embed([f"{p.title}\n{p.text}" for p in passages]), atol=1e-6)


def test_an_emptied_store_finds_nothing(index):
    index.remove(*(d.id for d in TOWNS))
    assert (len(index), index.search("geese", 3), index.store.digests()) == (0, [], {})


def test_a_sync_of_a_store_in_memory_counts_what_it_did(small_embedder):
    index = Index(small_embedder, FaissStore())
    assert index.sync(TOWNS) == {"added": 4, "changed": 0, "deleted": 0}
    assert index.sync(TOWNS[1:]) == {"added": 0, "changed": 0, "deleted": 1}


@pytest.mark.parametrize(
    "where", [{"$bad": []}, {"audience": {"$like": "x"}}, {"a": "1", "b": "2"}, "staff", {"colour": "red"}]
)
def test_a_filter_that_is_none_is_refused_in_memory(where, small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*TOWNS)
    with pytest.raises(CourseError, match=r"the filter .* is none that Chroma knows"):
        index.search("geese", 1, where)


# Privacy


@pytest.mark.parametrize("question", ["The secret of Kelmarsh is MARMALADE.", "marmalade", "Kelmarsh"])
def test_a_confidential_document_is_never_shown_to_another_audience(question, index):
    assert "kelmarsh" in found(index, question)
    for where in (only(audience="public"), only(audience=["public", "staff"]), {"audience": "staff"}):
        assert "kelmarsh" not in found(index, question, where)


def bytes_with(place, *words):
    files = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    wanted = [word.encode() if isinstance(word, str) else word for word in words]
    return sum(file.count(word) for file in files for word in wanted)


@pytest.mark.parametrize("others", [0, 1200])
def test_a_removed_document_is_in_none_of_the_files_bytes(others, tmp_path, small_embedder):
    index = Index(small_embedder, on_disk(tmp_path))  # above a thousand, Chroma keeps vectors in files of their own
    index.add(
        *TOWNS, Document("wells", "Wells", "\n\n".join(f"Town {i} has {i} wells." for i in range(others)) or "Dry.")
    )
    vector = index.store.vectors().astype(np.float32)[[p.source for p in index.passages()].index("kelmarsh")]
    assert bytes_with(tmp_path, "MARMALADE") and bytes_with(tmp_path, vector.tobytes())
    index.remove("kelmarsh")
    assert bytes_with(tmp_path, "MARMALADE", "kelmarsh", "Kelmarsh", vector.tobytes()) == 0
    assert {p.source for p in index.passages()} >= {"corrin", "larkspit", "quillhaven"}
    assert index.search("Corrin keeps eleven geese", 1)[0].source == "corrin"


def test_memory_that_hnsw_writes_but_does_not_use_is_wiped(tmp_path, small_embedder):
    index = Index(small_embedder, on_disk(tmp_path))
    index.add(*TOWNS)
    index.remove("corrin")
    (segment,) = (path for path in tmp_path.glob("index/*") if path.is_dir())
    for name in ("data_level0.bin", "length.bin"):  # of so few vectors none is in the file yet: all of it is unused
        assert set((segment / name).read_bytes()) == {0}
    forget_clients()
    assert found(Index(small_embedder, on_disk(tmp_path)), "geese") == {"quillhaven", "kelmarsh", "larkspit"}


def test_a_document_that_is_replaced_by_hand_leaves_nothing_behind(tmp_path, small_embedder):
    index = Index(small_embedder, on_disk(tmp_path))
    index.add(*TOWNS)
    index.add(Document("kelmarsh", "The town", "There is no secret."))
    assert bytes_with(tmp_path, "MARMALADE", "Kelmarsh") == 0


def test_a_store_that_only_deletes_leaves_the_text_in_its_files(tmp_path, small_embedder):
    """Why `erase` is there: were Chroma to wipe what it deletes, it could go."""
    index = Index(small_embedder, on_disk(tmp_path))
    index.add(*TOWNS)
    index.store.delete(["kelmarsh"])
    assert "kelmarsh" not in found(index)
    assert bytes_with(tmp_path, "MARMALADE")


def test_a_changed_document_leaves_nothing_of_what_it_said(tmp_path, small_embedder):
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "a.md").write_text("The secret is MARMALADE.")
    build_index(folder, tmp_path / "index")
    (folder / "a.md").write_text("There is no secret.")
    build_index(folder, tmp_path / "index")
    assert bytes_with(tmp_path / "index", "MARMALADE") == 0


@pytest.mark.parametrize("stop", ["_write", "_pack"])
def test_an_erasing_that_is_stopped_loses_nothing(stop, tmp_path, small_embedder, monkeypatch):
    index = Index(small_embedder, on_disk(tmp_path))
    index.add(*TOWNS)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ChromaStore, stop, killed)
    with pytest.raises(KeyboardInterrupt):
        index.remove("kelmarsh")
    monkeypatch.undo()
    forget_clients()
    again = Index(small_embedder, on_disk(tmp_path))
    assert {p.source for p in again.passages()} == {"quillhaven", "corrin", "larkspit"}
    again.remove("corrin")
    assert found(again) == {"quillhaven", "larkspit"}


# Two processes, two models

OTHER = """
    import sys
    sys.path.insert(0, {tests!r})
    from conftest import BagOfWordsEmbedder
    from course_lib.retrieval import index
    index.load_embedder = BagOfWordsEmbedder
    index = index.build_index({folder!r}, {place!r})
    print(len(index))
"""


def test_two_processes_build_one_index_and_neither_spoils_it(tmp_path, small_embedder):
    folder, place = tmp_path / "library", tmp_path / "index"
    folder.mkdir()
    for i in range(40):
        (folder / f"town-{i}.md").write_text(f"Town {i} has {i} wells and a mayor.")
    code = textwrap.dedent(OTHER).format(tests=str(Path(__file__).parents[1]), folder=str(folder), place=str(place))
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) for _ in range(2)]
    mine = build_index(folder, place)
    for other in others:
        out, err = other.communicate(timeout=120)
        assert (out.strip(), other.returncode) == ("40", 0), err
    assert len(mine) == 40
    assert mine.search("Town 7 wells", 1)[0].source == "town-7"


def test_an_open_index_follows_what_another_one_removes_from_the_same_place(tmp_path, small_embedder):
    first = Index(small_embedder, on_disk(tmp_path))
    first.add(*TOWNS)
    Index(small_embedder, on_disk(tmp_path)).remove("kelmarsh")
    assert "kelmarsh" not in found(first)
    first.add(Document("new", "New", "A penguin."))
    assert first.search("penguin", 1)[0].source == "new"


class Elsewhere:
    """Another embedding model: the same words, in other places (or more of them)."""

    def __init__(self, embedder, dimensions):
        self.embedder, self.dimensions, self.tokenizer = embedder, dimensions, embedder.tokenizer

    def encode(self, texts, **_):
        vectors = self.embedder.encode(texts)[:, ::-1]
        return np.pad(vectors, ((0, 0), (0, self.dimensions - vectors.shape[1])))

    def state_dict(self):
        return {}


@pytest.mark.parametrize("dimensions", [64, 80])
def test_an_index_of_another_embedding_model_is_refused_and_stays(dimensions, tmp_path, small_embedder):
    folder, place = tmp_path / "library", tmp_path / "index"
    folder.mkdir()
    (folder / "a.md").write_text("Eleven geese.")
    build_index(folder, place)
    other = Elsewhere(small_embedder, dimensions)
    with pytest.raises(CourseError, match=r"index was made with another embedding model: give this one another path"):
        build_index(folder, place, embedder=other)
    assert build_index(folder, place).search("geese", 1)[0].source == "a"
    assert build_index(folder, embedder=other).search("geese", 1)[0].source == "a", "a place of its own in the cache"


# Filters


def test_a_date_is_a_number_that_can_be_compared():
    assert (day_number("2042-01-31"), day_number("31 January"), day_number("")) == (20420131, 0, 0)


@pytest.mark.parametrize(
    ("question", "let_through"),
    [
        ("What did the 2040 edition say?", {"corrin"}),
        ("And between 2040 and 2041?", {"corrin", "kelmarsh"}),
        ("Under the 2043 policy?", set()),
        ("Is form 20400 needed, or HB-20412?", {"quillhaven", "corrin", "kelmarsh", "larkspit"}),
    ],
)
def test_a_question_brings_the_years_along_that_it_names(question, let_through, index):
    found = index.search(question, k=9, where=named_years(question))
    assert {passage.source for passage in found} == let_through


def test_a_filter_of_nothing_or_of_no_date_is_refused():
    with pytest.raises(CourseError, match="lets everything through"):
        only()
    with pytest.raises(CourseError, match="'last week' is no date: write it as 2042-01-31"):
        only(since="last week")

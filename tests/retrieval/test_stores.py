"""Four stores behind the same calls: what they answer, what they let through, what is left of what was deleted.

Two of them are services, of which stand-ins answer here; see `test_hosted_stores.py`.
"""

import subprocess
import sys
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from stand_in_stores import INSTALLED, SERVICES

from course_lib.core.errors import CourseError
from course_lib.core.session import ROOT
from course_lib.retrieval.documents import Document
from course_lib.retrieval.filters import only
from course_lib.retrieval.hosted_stores import PACKAGES, imported
from course_lib.retrieval.index import build_index
from course_lib.retrieval.stores import ChromaStore, forget_clients


@pytest.fixture
def opened(index_of, tmp_path):
    """An index on the files as they are."""
    return lambda *documents: index_of(*documents, store=ChromaStore(tmp_path / "index"))


@pytest.fixture
def on_disk(opened, towns):
    return opened(*towns)


@pytest.fixture
def in_memory(index_of, towns):
    return index_of(*towns)


@pytest.fixture(params=["on_disk", "in_memory", *INSTALLED])
def index(request, index_of, towns):
    if request.param not in SERVICES:
        yield request.getfixturevalue(request.param)
        return
    with SERVICES[request.param]() as service:
        yield index_of(*towns, store=service.store())


def found(index, question="geese bread kettles secret", where=None):
    return {passage.source for passage in index.search(question, 9, where)}


# The same calls over all


def test_all_stores_find_the_same_in_the_same_order_with_the_same_scores(index, in_memory):
    found, exact = (each.search("eleven geese in Corrin", 4) for each in (index, in_memory))
    assert found[0].id == exact[0].id == "corrin/0"
    assert {p.id for p in found} == {p.id for p in exact}, "those that tie may change places"
    assert np.allclose([p.score for p in found], [p.score for p in exact], atol=1e-5)
    assert [replace(found[0], score=0.0)] == [p for p in in_memory.passages() if p.id == "corrin/0"]


def test_many_vectors_asked_for_at_once_find_what_each_finds_alone(on_disk):
    vectors = on_disk.embed(["geese", "copper kettles", "rye bread"])
    for where in (None, {"audience": "public"}):
        assert on_disk.store.query_many(vectors, 2, where) == [on_disk.store.query(v, 2, where) for v in vectors]


def test_what_is_changed_or_removed_is_found_so_to_the_last(index):
    index.add(Document("corrin", "Corrin", "Corrin has sold the geese."), Document("new", "New", "A penguin."))
    assert index.search("geese", 1)[0].text == "Corrin has sold the geese."
    index.remove("new", "quillhaven")
    assert {p.source for p in index.passages()} == found(index) == {"corrin", "kelmarsh", "larkspit"}
    index.remove("corrin", "kelmarsh", "larkspit")
    assert (len(index), index.search("geese", 3), index.store.digests()) == (0, [], {})


def test_vectors_come_in_the_order_of_their_passages(index):
    index.add(Document("aaa", "A", "A lighthouse."))
    vectors, passages = index.store.vectors(), index.passages()
    assert [p.id for p in passages] == sorted(p.id for p in passages)
    assert np.allclose(vectors, index.embed([f"{p.title}\n{p.text}" for p in passages]), atol=1e-6)


def test_an_empty_store_says_that_it_has_no_vectors(index):
    index.remove("quillhaven", "corrin", "kelmarsh", "larkspit")
    with pytest.raises(CourseError, match="the index is empty, and has no vectors: add documents first"):
        index.store.vectors()


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


def test_more_documents_are_deleted_at_once_than_a_query_of_sqlite_takes(on_disk):
    on_disk.store.delete([*(f"none-{i}" for i in range(33_000)), "corrin"])
    assert {p.source for p in on_disk.passages()} == {"quillhaven", "kelmarsh", "larkspit"}


@pytest.mark.parametrize("others", [0, 1200])  # above a thousand, Chroma keeps vectors in files of their own
def test_a_removed_document_is_in_none_of_the_files_bytes(others, on_disk, tmp_path):
    on_disk.add(Document("wells", "Wells", "\n\n".join(f"Town {i} has {i} wells." for i in range(others)) or "Dry."))
    vector = on_disk.store.vectors().astype(np.float32)[[p.source for p in on_disk.passages()].index("kelmarsh")]
    assert bytes_with(tmp_path, "MARMALADE") and bytes_with(tmp_path, vector.tobytes())
    on_disk.remove("kelmarsh")
    assert bytes_with(tmp_path, "MARMALADE", "kelmarsh", "Kelmarsh", vector.tobytes()) == 0
    assert {p.source for p in on_disk.passages()} >= {"corrin", "larkspit", "quillhaven"}
    assert on_disk.search("Corrin keeps eleven geese", 1)[0].source == "corrin"


def test_memory_that_hnsw_writes_but_does_not_use_is_wiped(on_disk, opened, tmp_path):
    on_disk.remove("corrin")
    (segment,) = (path for path in tmp_path.glob("index/*") if path.is_dir())
    for name in ("data_level0.bin", "length.bin"):  # of so few vectors none is in the file yet: all of it is unused
        assert set((segment / name).read_bytes()) == {0}
    forget_clients()
    assert found(opened(), "geese") == {"quillhaven", "kelmarsh", "larkspit"}


def test_a_document_that_is_replaced_by_hand_leaves_nothing_behind_but_in_a_store_that_only_deletes(on_disk, tmp_path):
    """Why `erase` is there: were Chroma to wipe what it deletes, it could go."""
    on_disk.add(Document("kelmarsh", "The town", "There is no secret."))
    assert bytes_with(tmp_path, "MARMALADE", "Kelmarsh") == 0
    on_disk.store.delete(["corrin"])
    assert "corrin" not in found(on_disk)
    assert bytes_with(tmp_path, "Corrin")


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_document_that_its_folder_no_longer_has_so_leaves_nothing_of_what_it_said(
    change, library, small_embedder, places
):
    (library / "a.md").write_text("The secret is MARMALADE.")
    build_index(library)
    (place,) = places()
    assert bytes_with(place, "MARMALADE")
    (library / "a.md").write_text("There is no secret.") if change == "changed" else (library / "a.md").unlink()
    build_index(library)
    assert bytes_with(place, "MARMALADE") == 0


@pytest.mark.parametrize("stop", ["_write", "_pack"])
def test_an_erasing_that_is_stopped_loses_nothing(stop, on_disk, opened, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ChromaStore, stop, killed)
        with pytest.raises(KeyboardInterrupt):
            on_disk.remove("kelmarsh")
    forget_clients()
    again = opened()
    assert {p.source for p in again.passages()} == {"quillhaven", "corrin", "larkspit"}
    again.remove("corrin")
    assert found(again) == {"quillhaven", "larkspit"}


def test_an_open_index_follows_what_another_one_removes_from_the_same_place(on_disk, opened):
    opened().remove("kelmarsh")
    assert "kelmarsh" not in found(on_disk)
    on_disk.add(Document("new", "New", "A penguin."))
    assert on_disk.search("penguin", 1)[0].source == "new"


def test_a_system_whose_sqlite_is_too_old_for_chroma_is_told_the_way_out(tmp_path):
    script = "\n".join([
        "import sqlite3, sys",
        "sqlite3.sqlite_version_info, sqlite3.sqlite_version = (3, 31, 1), '3.31.1'",
        "from course_lib.retrieval.stores import ChromaStore, CourseError",
        "try: ChromaStore(sys.argv[1])",
        "except CourseError as error: print(error)",
    ])  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", script, tmp_path / "index"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Chroma needs SQLite 3.35 or newer, and this Python has 3.31.1: use a newer Python")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("package", SERVICES)
def test_without_the_client_a_sentence_says_how_to_install_what_the_extra_names(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CourseError, match=rf'the package {package} is missing.*: pip install "{package}\S*>=\S+,<\d+"'):
        imported(package)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"][package] == [PACKAGES[package]]

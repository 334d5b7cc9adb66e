"""An index is built once, follows its folder, and is found whole whatever happens to the files."""

import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stand_ins import BagOfWordsEmbedder, ThreeCalls

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import cache_dir
from course_lib.retrieval.documents import Document, read_documents, split_into_passages
from course_lib.retrieval.index import PROBE, build_index
from course_lib.retrieval.stores import ChromaStore, digests_of, forget_clients
from course_lib.retrieval.words import KeywordIndex

PROSE = Path(__file__).parents[1] / "prose"
LONG = " ".join(f"Town {i} has {i} wells and a mayor." for i in range(30))


@pytest.fixture
def embedded(small_embedder, monkeypatch):
    """Every text that was embedded, in order, but for the sentence that tells embedding models apart."""
    seen, encode = [], small_embedder.encode

    def watched(texts, **_):
        seen.extend(text for text in texts if text != PROBE)
        return encode(texts)

    monkeypatch.setattr(small_embedder, "encode", watched)
    return seen


@pytest.fixture
def index(library, small_embedder):
    return build_index(library)


def texts(index):
    return [passage.text for passage in index.passages()]


def sources(index, question="geese", k=9, where=None):
    return {passage.source for passage in index.search(question, k, where)}


# Built once


def test_an_index_that_is_up_to_date_is_read_and_nothing_is_embedded_again(library, embedded):
    assert len(build_index(library)) == 3
    assert len(embedded) == 3
    forget_clients()  # as after a new start of Python: Chroma holds no file open
    assert len(build_index(library)) == 3
    assert len(embedded) == 3


def test_the_place_of_an_index_in_the_cache_stays_where_learners_have_it(library, small_embedder, places, monkeypatch):
    monkeypatch.setattr("course_lib.retrieval.index.find_folder", lambda _: "/course/data/library")
    monkeypatch.setattr("course_lib.retrieval.index.read_documents", lambda _: [Document("a", "a", "Geese.")])
    build_index(library)
    assert [place.name for place in places()] == ["cf6bb7d0b16e"]


def test_an_index_lives_where_it_is_told_to(library, embedded, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(build_index(library, path="~/mine/index")) == 3
    forget_clients()
    assert len(build_index(library, path=tmp_path / "mine" / "index")) == 3
    assert len(embedded) == 3 and not (cache_dir() / "indexes").exists()


def test_an_index_follows_its_folder(library, embedded):
    (library / "wells.md").write_text(LONG)
    build_index(library)
    del embedded[:]
    (library / "corrin.md").write_text("---\nid: corrin\n---\nCorrin has sold the geese.")
    (library / "kelmarsh.md").write_text("Kelmarsh paints its gates.")
    (library / "larkspit.txt").unlink()
    (library / "wells.md").write_text("No wells.")  # no passage of the longer one is left behind
    index = build_index(library)
    told = ["Corrin has sold the geese.", "Kelmarsh paints its gates.", "Quillhaven bakes rye bread on Mondays."]
    assert texts(index) == [*told, "No wells."]
    assert len(embedded) == 3, "what did not change is not embedded again"
    (library / "kelmarsh.md").write_text("---\naudience: staff\n---\nKelmarsh paints its gates.")
    assert sources(build_index(library), where={"audience": "staff"}) == {"quillhaven", "kelmarsh"}


@pytest.mark.parametrize("on_disk", [True, False])
def test_sync_counts_what_it_did(on_disk, library, index, index_of):
    documents = read_documents(library)
    if not on_disk:
        index = index_of()
        assert index.sync(documents) == {"added": 3, "changed": 0, "deleted": 0}
    assert index.sync(documents) == {"added": 0, "changed": 0, "deleted": 0}
    changed = replace(documents[0], text="Other words.")
    assert index.sync([changed, Document("new", "new", "New.")]) == {"added": 1, "changed": 1, "deleted": 2}


def test_passages_of_another_size_are_cut_again(library, index):
    (library / "wells.md").write_text(LONG)
    for size, of_wells in ((200, 2), (10, 30)):
        index.passage_tokens = size
        index.sync(read_documents(library))
        assert len(index) == 3 + of_wells


def test_a_folder_at_home_has_one_index_however_it_is_named(library, index, places, monkeypatch):
    monkeypatch.setenv("HOME", str(library.parent))
    monkeypatch.setenv("USERPROFILE", str(library.parent))
    assert texts(build_index("~/library")) == texts(index)
    assert len(places()) == 1


def test_two_folders_have_indexes_of_their_own(index, tmp_path, places):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.md").write_text("Another folder.")
    assert (len(build_index(other)), len(index), len(places())) == (1, 3, 2)


@pytest.mark.parametrize(
    "content", [b"", b"caf\xe9", b"\x00", b"x" * 2_000_000], ids=["empty", "encoding", "binary", "no prose"]
)
def test_a_document_that_cannot_be_read_is_named_and_not_found_and_the_others_are(content, library, index, capsys):
    (library / "corrin.md").write_text("Corrin is changed.")
    (library / "larkspit.txt").write_bytes(content)
    assert texts(build_index(library)) == ["Corrin is changed.", "Quillhaven bakes rye bread on Mondays."]
    assert "larkspit.txt" in capsys.readouterr().out


def test_a_folder_of_which_nothing_can_be_read_any_more_leaves_the_index_as_it_was(library, index):
    before = texts(index)
    for path in library.iterdir():
        path.write_text("")
    with pytest.raises(DataError, match=r"there is no document in"):
        build_index(library)
    assert texts(index) == before


def test_a_page_whose_front_matter_breaks_is_public_no_more(library, index):
    assert "corrin" in sources(index, where={"audience": "public"})
    (library / "corrin.md").write_text("---\nid: corrin\ntitle: Geese: eleven\n---\nCorrin keeps eleven geese.")
    assert "corrin" in sources(index := build_index(library))
    assert "corrin" not in sources(index, where={"audience": "public"})


def test_an_interrupted_build_is_finished_by_the_next_with_every_document_whole(
    library, small_embedder, embedded, monkeypatch
):
    for i in range(6):
        (library / f"wells-{i}.md").write_text("\n".join(f"# Part {j}\n{LONG[:150]}" for j in range(30)))
    encode, calls = small_embedder.encode, []

    def interrupted(texts, **options):
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(texts, **options)

    monkeypatch.setattr(small_embedder, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_index(library)
    done = len(embedded)
    monkeypatch.setattr(small_embedder, "encode", encode)
    index = build_index(library)
    passages = [p for d in read_documents(library) for p in split_into_passages(d, 80, lambda t: len(t.split()))]
    assert len(index) == len(passages) == len(embedded), "all are there, and none was embedded twice"
    assert 0 < done < len(passages), "what was done before the interrupt is not lost"


def test_a_book_whose_writing_is_killed_in_the_middle_is_written_again(library, small_embedder, monkeypatch):
    (library / "book.md").write_text("\n".join(f"# Part {j}\n{LONG[:150]}" for j in range(30)))
    write = ChromaStore._write

    def killed(store, collection, ids, vectors, texts, metas):
        write(store, collection, ids[:5], vectors[:5], texts[:5], metas[:5])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ChromaStore, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(library)
    index = build_index(library)
    passages = [p for d in read_documents(library) for p in split_into_passages(d, 80, lambda t: len(t.split()))]
    assert len(index) == len(passages)


def test_what_was_kept_without_a_number_of_passages_is_not_embedded_again():
    assert digests_of([("a", "x"), ("a", "x"), ("b", "y of 2"), ("b", "y of 2"), ("c", "z of 2")]) == {
        "a": "x", "b": "y", "c": "",
    }  # fmt: skip


def test_an_embedder_that_fails_takes_nothing_out_of_the_index(library, index, small_embedder, monkeypatch):
    (library / "corrin.md").write_text("---\nid: corrin\n---\nCorrin is changed.")

    def out_of_memory(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(small_embedder, "encode", out_of_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        build_index(library)
    assert "Corrin keeps eleven geese behind the mill." in texts(index)


# Two processes, two models

OTHER = """
    import sys
    sys.path.insert(0, {tests!r})
    from stand_ins import BagOfWordsEmbedder
    from course_lib.retrieval import index
    index.load_embedder = BagOfWordsEmbedder
    print(len(index.build_index({folder!r})))
"""


def test_two_processes_build_one_index_and_neither_spoils_it(tmp_path, small_embedder, places):
    folder = tmp_path / "library"
    folder.mkdir()
    for i in range(40):
        (folder / f"town-{i}.md").write_text(f"Town {i} has {i} wells and a mayor.")
    code = textwrap.dedent(OTHER).format(tests=str(Path(__file__).parents[1]), folder=str(folder))
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) for _ in range(2)]
    mine = build_index(folder)
    for other in others:
        out, err = other.communicate(timeout=120)
        assert (out.strip(), other.returncode) == ("40", 0), err
    assert (len(mine), len(places())) == (40, 1)
    assert mine.search("Town 7 wells", 1)[0].source == "town-7"


class Elsewhere(BagOfWordsEmbedder):
    """Another embedding model: the same words, in other places (and more of them)."""

    def __init__(self, more):
        self.more = more

    def encode(self, texts, **_):
        return np.pad(super().encode(texts)[:, ::-1], ((0, 0), (0, self.more)))

    def state_dict(self):
        return {}


@pytest.mark.parametrize("more", [0, 16])
def test_an_index_of_another_embedding_model_is_refused_and_stays(more, library, index, places, monkeypatch):
    other = Elsewhere(more)
    assert sources(build_index(library, embedder=other), k=1) == {"corrin"}, "a place of its own in the cache"
    assert len(places()) == 2
    with monkeypatch.context() as patched:
        patched.setattr("course_lib.retrieval.index.load_embedder", lambda: other)
        with pytest.raises(CourseError, match=r"was made with another embedding model: delete that folder"):
            build_index(library)
    assert sources(build_index(library), k=1) == {"corrin"}


# Damaged


def pages_overwritten(database):
    pages = bytearray(database.read_bytes())
    pages[20_000:60_000] = b"\xff" * 40_000
    database.write_bytes(pages)


def emptied(database):
    for path in database.parent.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".txt":
            path.write_bytes(b"")


DAMAGES = {
    "garbage": lambda database: database.write_bytes(b"garbage " * 4000),
    "half": lambda database: database.write_bytes(database.read_bytes()[:5000]),
    "deleted": Path.unlink,
    "pages": pages_overwritten,
    "emptied": emptied,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_built_anew_and_the_learners_own_files_stay(damage, library, index, places):
    (place,) = places()
    (place / "my notes.txt").write_text("mine")
    forget_clients()
    DAMAGES[damage](place / "chroma.sqlite3")
    index = build_index(library)
    assert len(index) == 3
    assert sources(index, "copper kettles", 1) == {"larkspit"}
    assert (place / "my notes.txt").read_text() == "mine"
    forget_clients()
    assert sources(build_index(library), "rye bread", 1) == {"quillhaven"}


@pytest.mark.parametrize("damage", ["garbage", "pages"])
def test_an_index_that_is_damaged_while_it_is_open_is_built_anew(damage, library, embedded, places, capsys):
    build_index(library)
    (place,) = places()
    DAMAGES[damage](place / "chroma.sqlite3")
    assert sources(build_index(library), "copper kettles", 1) == {"larkspit"}
    assert f"The index in {place.name} is damaged (" in capsys.readouterr().out
    forget_clients()
    del embedded[:]
    assert len(build_index(library)) == 3
    assert embedded == [], "what was built anew is on the disk"


def test_vectors_that_were_lost_are_noticed_though_chroma_finds_the_rest(tmp_path, small_embedder, places):
    # Above a thousand passages Chroma keeps vectors in a folder of their own, and does not miss it.
    library = tmp_path / "library"
    library.mkdir()
    (library / "wells.md").write_text("\n".join(f"# {i}\nTown {i} has {7 * i} wells." for i in range(1010)))
    build_index(library)
    forget_clients()
    (folder,) = (path for path in places()[0].iterdir() if path.is_dir())
    shutil.rmtree(folder)
    index = build_index(library)
    # Of vectors so alike HNSW itself misses some; of an index that lost them no more than the last ten would be found.
    assert len(index.search("wells", 1010)) > 1010 * 2 / 3


def test_building_one_index_anew_leaves_another_that_is_open_in_order(library, index, tmp_path, places):
    (place,) = places()
    other = build_index(shutil.copytree(library, tmp_path / "other"))
    DAMAGES["garbage"](place / "chroma.sqlite3")
    build_index(library)
    other.add(Document("new", "new", "A penguin."))
    assert sources(other, "penguin", 1) == {"new"}
    assert len(other) == 4


def test_a_place_that_cannot_hold_an_index_is_named_and_left_alone(library, small_embedder):
    taken = cache_dir() / "indexes"
    taken.write_text("a file")
    with pytest.raises(CourseError, match=r"cannot be kept in .*indexes.*set COURSE_CACHE"):
        build_index(library)
    assert taken.read_text() == "a file"


def test_a_full_disk_is_said_and_the_index_stays_as_it_was(library, index, places, small_disk):
    (library / "wells.md").write_text(LONG * 40)
    full = small_disk((places()[0] / "chroma.sqlite3").stat().st_size)
    with full, pytest.raises(CourseError, match=r"cannot be kept in .*indexes.*free some disk"):
        build_index(library)
    forget_clients()
    (library / "wells.md").unlink()
    assert len(build_index(library)) == 3


# Searching


def test_the_nearest_passage_comes_first_with_its_document_and_score_and_titles_are_searched(index):
    best, *rest = index.search("who mends copper kettles for travellers?", 3)
    assert (best.id, best.source, best.title, best.audience) == ("larkspit/0", "larkspit", "larkspit", "public")
    assert 0.6 < best.score <= 1
    assert all(-1 <= passage.score < best.score for passage in rest)
    index.add(Document("hat", "The Great Hat of Osierholt", "It is blue."))
    best = index.search("Osierholt hat", 1)[0]
    assert (best.text, best.score > 0.5) == ("It is blue.", True)


@pytest.mark.parametrize(
    "question", ["proﬁt", "profit", "Ｐｒｏｆｉｔ", "pro\u00adfit", "pro\u200bfit", "profit \ud83d"]
)
def test_a_question_is_cleaned_as_the_documents_are(question, library, small_embedder):
    (library / "profit.md").write_text("Pro\ufb01t rose.")
    index = build_index(library)
    assert sources(index, question, 1) == sources(KeywordIndex(index), question, 1) == {"profit"}


def test_one_bad_question_among_many_stops_before_any_is_embedded(index, embedded):
    with pytest.raises(CourseError, match="empty"):
        index.search_many(["geese", ""])
    assert embedded == []


# Adding and removing


def test_a_document_can_be_added_replaced_and_removed_and_an_unknown_one_is_named(index):
    assert index.add(Document("kelmarsh", "Kelmarsh", LONG)) == 3
    assert sources(index, "Town 7 wells mayor", 1) == {"kelmarsh"}
    assert index.add(Document("kelmarsh", "Kelmarsh", "A lighthouse.")) == 1
    assert [p.text for p in index.passages() if p.source == "kelmarsh"] == ["A lighthouse."]
    assert index.add() == 0
    assert index.add(Document("twice", "a", "One."), Document("twice", "a", "Two.")) == 1
    index.remove("twice")
    index.remove("kelmarsh", "larkspit")
    for question in ("Town 7 wells mayor", "A lighthouse", "copper kettles"):
        assert sources(index, question, 50) == {"quillhaven", "corrin"}
    with pytest.raises(CourseError, match="the index holds no document 'atlantis'"):
        index.remove("corrin", "atlantis")
    assert len(index) == 2, "nothing is removed"


def test_half_a_letter_in_a_document_made_by_hand_is_stored_and_found(index, tmp_path):
    index.add(Document("\ud83d", "\ud83d", "A pelican \ud83d", "\ud83d", "\ud83d", "\ud83d"))
    assert sources(index, "pelican", 1) == {"\ufffd"}
    assert np.allclose(index.embed(["pelican \ud83d"]), index.embed(["pelican \ufffd"]))


def test_any_store_of_three_calls_will_do(index_of):
    index = index_of(Document("a", "a", "Eleven geese."), Document("b", "b", "One goat."), store=ThreeCalls())
    assert [[p.source for p in found] for found in index.search_many(["geese", "goat"], 1)] == [["a"], ["b"]]


@pytest.mark.model
def test_the_real_embedder_finds_by_meaning_and_fits_its_passages(library):
    index = build_index(library)
    assert sources(index, "Who repairs pots?", 1) == {"larkspit"}
    assert index.embed(["geese"]).shape == (1, 384)
    assert all(index.count_tokens(p.text) <= index.passage_tokens for p in index.passages())


@pytest.mark.model
def test_real_prose_is_found_by_meaning():
    index = build_index(PROSE)
    meant = {
        "Whom does every rich bachelor look for?": "pride-and-prejudice",
        "Which animal was afraid of being late?": "alice",
        "Who goes to sea when he feels gloomy?": "moby_dick",
        "What is said about a nation in a civil war?": "gettysburg",
        "What did the detective think of Miss Adler?": "scandal",
    }
    assert {question: index.search(question, 1)[0].source for question in meant} == meant

"""Documents are read, split and found again, whatever happens to the files."""

import shutil
from dataclasses import replace

import pytest
from stand_ins import ThreeCalls

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import cache_dir
from course_lib.retrieval.documents import Document, read_document, read_documents, split_into_passages
from course_lib.retrieval.index import PROBE, Index, build_index

GUIDE = """---
id: wren-guide
title: The Wren 6
date: 2041-03-02
kind: manual
audience: staff
---
# The Wren 6

The Wren 6 is a radio.
"""
TOWNS = {
    "quillhaven.md": "---\nid: quillhaven\naudience: staff\n---\nQuillhaven bakes rye bread on Mondays.",
    "corrin.md": "---\nid: corrin\n---\nCorrin keeps eleven geese behind the mill.",
    "larkspit.txt": "Larkspit mends copper kettles for travellers.",
}


def words(text):
    return len(text.split())


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for name, text in TOWNS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def restarted():
    """As after a new start of Python: Chroma holds no file open."""
    from course_lib.retrieval.stores import forget_clients

    return forget_clients


@pytest.fixture
def embedded(small_embedder, monkeypatch):
    """Every text that was embedded, in order, but for the sentence that tells embedding models apart."""
    seen, encode = [], small_embedder.encode

    def watched(texts, **_):
        seen.extend(text for text in texts if text != PROBE)
        return encode(texts)

    monkeypatch.setattr(small_embedder, "encode", watched)
    return seen


def texts(index):
    return [passage.text for passage in index.passages()]


# Reading


def test_front_matter_is_read_and_is_not_part_of_the_text(tmp_path):
    (tmp_path / "a.md").write_text(GUIDE)
    assert read_document(tmp_path / "a.md") == Document(
        "wren-guide", "The Wren 6", "# The Wren 6\n\nThe Wren 6 is a radio.", "2041-03-02", "manual", "staff"
    )


def test_without_front_matter_the_file_name_is_id_and_title_and_everyone_may_read(tmp_path):
    (tmp_path / "geese.txt").write_text("Eleven geese.\n")
    assert read_document(tmp_path / "geese.txt") == Document("geese", "geese", "Eleven geese.", audience="public")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("---\n---\nText.", "Text."),
        ("---\nid: x\n---\nOne.\n\n---\n\nTwo.", "One.\n\n---\n\nTwo."),
        ("---\ntitle: see --- here\n---\nText.", "Text."),
        ("Text.\n---\nid: x\n---\nMore.", "Text.\n---\nid: x\n---\nMore."),
        ("---\nA rule above, and none below.", "---\nA rule above, and none below."),
        ("\ufeff---\nid: x\n---\nText.", "Text."),
        ("---\r\nid: x\r\n---\r\nText.", "Text."),
    ],
)
def test_front_matter_ends_at_its_own_fence_and_rules_in_the_text_stay(text, read, tmp_path):
    (tmp_path / "a.md").write_bytes(text.encode())
    assert read_document(tmp_path / "a.md").text == read


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"---\nid: x\n---\n\n", "empty"),
        (b"---\nid: x\n---", "empty"),
        (b"\x89PNG\xff\xfe", "not text"),
        (b"Text\x00more", "binary"),
        (b"---\nid: [1, 2\n---\nText.", "not YAML"),
        (b"---\njust words\n---\nText.", "not YAML"),
        (b"---\n- a\n- b\n---\nText.", "not YAML"),
        (b"---\ndate: 2041-06-31\n---\nText.", "not YAML"),
    ],
)
def test_a_document_that_is_none_is_named_with_what_is_wrong(content, complaint, tmp_path):
    path = tmp_path / "broken.md"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"broken\.md.* {complaint}") as raised:
        read_document(path)
    assert "\n" not in str(raised.value)


def test_a_document_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.md cannot be read"):
        read_document(tmp_path / "nowhere.md")


def test_a_folder_is_read_at_any_depth_in_order_without_its_readme_and_pictures(tmp_path):
    for name in ("b/z.md", "b/c/y.TXT", "a.md", "README.md", "b/photo.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Text.")
    (tmp_path / "folder.md").mkdir()
    assert [document.id for document in read_documents(tmp_path)] == ["a", "y", "z"]


def test_a_folder_is_looked_for_here_and_then_in_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(read_documents("data/library")) > 100
    (tmp_path / "data" / "library").mkdir(parents=True)
    (tmp_path / "data" / "library" / "mine.md").write_text("Mine.")
    assert [document.id for document in read_documents("data/library")] == ["mine"]


def test_a_missing_folder_and_an_empty_one_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no folder libary: give the path"):
        read_documents("libary")
    with pytest.raises(DataError, match=r"no document in .*: put \.md, \.txt or \.pdf files there"):
        read_documents(tmp_path)


def test_two_documents_of_one_id_are_both_named(library):
    (library / "other.md").write_text("---\nid: corrin\n---\nAnother town.")
    with pytest.raises(DataError, match=r"other\.md and .*corrin\.md have one id, 'corrin'"):
        read_documents(library)


@pytest.mark.parametrize("field", ["id", "title", "text", "date", "kind", "audience"])
def test_a_digest_changes_with_everything_that_a_document_says(field):
    document = Document("a", "b", "c", "d", "e", "f")
    assert replace(document, **{field: "other"}).digest != document.digest == replace(document).digest


def test_a_digest_tells_where_one_field_ends(tmp_path):
    assert Document("a", "bc", "x").digest != Document("ab", "c", "x").digest


# Splitting

LONG = " ".join(f"Town {i} has {i} wells and a mayor." for i in range(30))
LETTER = f"""# Wells

{LONG}

## Of Corrin

Corrin has none. It buys water.

- One barrel a day.
- Two on Sundays.

1. First, wheel it home.
2. Then drink.

Geese drink too."""


def split(text, size, count=words):
    return [passage.text for passage in split_into_passages(Document("d", "T", text), size, count)]


@pytest.mark.parametrize("size", [8, 12, 20, 50])
def test_passages_keep_to_the_size_but_for_a_sentence_under_its_heading(size):
    pieces = split(LETTER, size)
    assert max(map(words, pieces)) <= size + 3
    assert len(pieces) >= words(LETTER) / size


def test_a_sentence_longer_than_the_size_is_not_cut():
    long = "This one sentence is of ten words and stays whole."
    assert split(f"Short one. {long} Short again.", 5) == ["Short one.", long, "Short again."]


@pytest.mark.parametrize("size", [1, 8, 12, 20, 50, 1000])
def test_passages_hold_all_of_the_text_once_in_order(size):
    assert " ".join(split(LETTER, size)).split() == LETTER.split()


@pytest.mark.parametrize("size", [8, 12, 20, 50])
def test_every_passage_ends_where_a_sentence_does(size):
    assert [piece for piece in split(LETTER, size) if not piece.endswith(".")] == []


def test_paragraphs_are_joined_while_they_fit():
    assert split("One two.\n\nThree four.\n\nFive six.", 4) == ["One two.\nThree four.", "Five six."]


def test_a_heading_opens_a_passage_and_stays_with_its_text():
    text = "Before.\n\n# One\n\nText of one.\n\n## Two\n\nText of two that is long."
    assert split(text, 100) == ["Before.", "# One\nText of one.", "## Two\nText of two that is long."]
    assert split(text, 4) == ["Before.", "# One\nText of one.", "## Two\nText of two that is long."]


def test_a_chapters_heading_stays_with_its_first_sections():
    text = "# Chapter\n\n## First\n\nText one.\n\n## Second\n\nText two."
    assert split(text, 5) == ["# Chapter\n## First\nText one.", "## Second\nText two."]


def test_a_heading_with_nothing_below_it_is_kept():
    assert split("Text.\n\n# The end", 10) == ["Text.", "# The end"]


def test_a_line_that_begins_with_a_number_is_no_list():
    wrapped = "In that year the harbour of Quillhaven counted\n31,846 herring gulls and one pelican."
    assert split(f"{wrapped} It left.", 14) == [wrapped, "It left."]


def test_a_decimal_and_a_name_with_a_stop_do_not_end_a_sentence():
    assert split("It is 27.5 days long. J. fell.", 5) == ["It is 27.5 days long.", "J. fell."]


def test_passages_are_numbered_and_know_their_document():
    document = Document("corrin", "Corrin Town", "One two. Three four.", "2041-01-01", "notice", "staff")
    first, second = split_into_passages(document, 2, words)
    assert (first.id, second.id) == ("corrin/0", "corrin/1")
    for passage in (first, second):
        told = (passage.source, passage.title, passage.date, passage.kind, passage.audience, passage.score)
        assert told == ("corrin", "Corrin Town", "2041-01-01", "notice", "staff", 0.0)


@pytest.mark.parametrize("size", [0, -1])
def test_passages_of_no_token_are_refused(size, library, small_embedder):
    with pytest.raises(CourseError, match=f"passages of {size} tokens"):
        split("Text.", size)
    with pytest.raises(CourseError, match=f"passages of {size} tokens"):
        build_index(library, passage_tokens=size)


# The index on disk


def test_an_index_that_is_up_to_date_is_read_and_nothing_is_embedded_again(library, embedded, restarted):
    assert len(build_index(library)) == 3
    assert len(embedded) == 3
    restarted()
    assert len(build_index(library)) == 3
    assert len(embedded) == 3


def test_an_index_follows_its_folder(library, embedded):
    build_index(library)
    del embedded[:]
    (library / "corrin.md").write_text("---\nid: corrin\n---\nCorrin has sold the geese.")
    (library / "kelmarsh.md").write_text("Kelmarsh paints its gates.")
    (library / "larkspit.txt").unlink()
    index = build_index(library)
    assert texts(index) == [
        "Corrin has sold the geese.",
        "Kelmarsh paints its gates.",
        "Quillhaven bakes rye bread on Mondays.",
    ]
    assert len(embedded) == 2, "what did not change is not embedded again"


def test_a_document_that_became_shorter_leaves_no_passage_behind(library, small_embedder):
    (library / "corrin.md").write_text("---\nid: corrin\n---\n" + LONG)
    assert len(build_index(library)) > 4
    (library / "corrin.md").write_text("---\nid: corrin\n---\nNo wells.")
    assert len(build_index(library)) == 3


def test_a_change_of_front_matter_alone_is_a_change(library, small_embedder):
    build_index(library)
    (library / "corrin.md").write_text(TOWNS["corrin.md"].replace("---\nC", "audience: staff\n---\nC"))
    found = build_index(library).search("geese", 3, {"audience": "staff"})
    assert {passage.source for passage in found} == {"quillhaven", "corrin"}


def test_sync_counts_what_it_did(library, small_embedder):
    index = build_index(library)
    documents = read_documents(library)
    assert index.sync(documents) == {"added": 0, "changed": 0, "deleted": 0}
    changed = replace(documents[0], text="Other words.")
    assert index.sync([changed, Document("new", "new", "New.")]) == {"added": 1, "changed": 1, "deleted": 2}


def test_an_index_of_other_passages_in_the_same_place_is_split_again(library, tmp_path, small_embedder):
    (library / "wells.md").write_text(LONG)
    place = tmp_path / "index"
    few = len(build_index(library, place, passage_tokens=200))
    many = len(build_index(library, place, passage_tokens=10))
    assert (few, many) == (3 + 2, 3 + 30)


def test_two_folders_and_two_sizes_have_indexes_of_their_own(library, tmp_path, small_embedder):
    first = build_index(library)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.md").write_text("Another folder.")
    build_index(other)
    build_index(library, passage_tokens=3)
    assert len(first) == 3
    assert len(list((cache_dir() / "indexes").iterdir())) == 3


@pytest.mark.parametrize("fault", ["empty", "binary", "front matter", "same id"])
def test_a_failing_document_leaves_the_index_as_it_was(fault, library, small_embedder):
    index = build_index(library)
    (library / "corrin.md").write_text("Corrin is changed.")
    broken = {
        "empty": b"",
        "binary": b"\xff\xfe\x00",
        "front matter": b"---\nid: [\n---\nText.",
        "same id": b"---\nid: larkspit\n---\nText.",
    }
    (library / "zz.md").write_bytes(broken[fault])
    with pytest.raises(DataError, match=r"zz\.md"):
        build_index(library)
    assert texts(index) == [text.split("---\n")[-1] for _, text in sorted(TOWNS.items())]


def test_an_interrupted_build_is_finished_by_the_next_with_every_document_whole(
    library, small_embedder, embedded, monkeypatch
):
    for i in range(6):
        (library / f"wells-{i}.md").write_text(LONG)
    encode, calls = small_embedder.encode, []

    def interrupted(texts, **options):
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(texts, **options)

    monkeypatch.setattr(small_embedder, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_index(library, passage_tokens=8)
    done = len(embedded)
    monkeypatch.setattr(small_embedder, "encode", encode)
    index = build_index(library, passage_tokens=8)
    passages = [p for d in read_documents(library) for p in split_into_passages(d, 8, words)]
    assert len(index) == len(passages) == len(embedded), "all are there, and none was embedded twice"
    assert 0 < done < len(passages), "what was done before the interrupt is not lost"


def test_an_embedder_that_fails_takes_nothing_out_of_the_index(library, small_embedder, monkeypatch):
    index = build_index(library)
    (library / "corrin.md").write_text("---\nid: corrin\n---\nCorrin is changed.")

    def out_of_memory(*_, **__):
        raise RuntimeError("out of memory")

    encode = small_embedder.encode
    monkeypatch.setattr(small_embedder, "encode", out_of_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        build_index(library)
    monkeypatch.setattr(small_embedder, "encode", encode)
    assert "Corrin keeps eleven geese behind the mill." in texts(index)


def damage_garbage(place):
    (place / "chroma.sqlite3").write_bytes(b"garbage " * 4000)


def damage_pages(place):
    pages = bytearray((place / "chroma.sqlite3").read_bytes())
    pages[20_000:60_000] = b"\xff" * 40_000
    (place / "chroma.sqlite3").write_bytes(pages)


def damage_half(place):
    path = place / "chroma.sqlite3"
    path.write_bytes(path.read_bytes()[:5000])


def damage_deleted(place):
    (place / "chroma.sqlite3").unlink()


def damage_emptied(place):
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".txt":
            path.write_bytes(b"")


DAMAGES = [damage_garbage, damage_pages, damage_half, damage_deleted, damage_emptied]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_built_anew_and_the_learners_own_files_stay(
    damage, library, tmp_path, small_embedder, restarted
):
    place = tmp_path / "index"
    build_index(library, place)
    (place / "my notes.txt").write_text("mine")
    restarted()
    damage(place)
    index = build_index(library, place)
    assert len(index) == 3
    assert index.search("copper kettles", 1)[0].source == "larkspit"
    assert (place / "my notes.txt").read_text() == "mine"
    restarted()
    assert build_index(library, place).search("rye bread", 1)[0].source == "quillhaven"


@pytest.mark.parametrize("damage", [damage_garbage, damage_pages])
def test_an_index_that_is_damaged_while_it_is_open_is_built_anew(
    damage, library, tmp_path, embedded, restarted, capsys
):
    place = tmp_path / "index"
    build_index(library, place)
    damage(place)
    assert build_index(library, place).search("copper kettles", 1)[0].source == "larkspit"
    assert "The index in index is damaged (" in capsys.readouterr().out
    restarted()
    del embedded[:]
    assert len(build_index(library, place)) == 3
    assert embedded == [], "what was built anew is on the disk"


def test_vectors_that_were_lost_are_noticed_though_chroma_finds_the_rest(tmp_path, small_embedder, restarted):
    # Above a thousand passages Chroma keeps vectors in a folder of their own, and does not miss it.
    library = tmp_path / "library"
    library.mkdir()
    (library / "wells.md").write_text("\n\n".join(f"Town {i} has {7 * i} wells." for i in range(1010)))
    place = tmp_path / "index"
    build_index(library, place, passage_tokens=5)
    restarted()
    (folder,) = (path for path in place.iterdir() if path.is_dir())
    shutil.rmtree(folder)
    index = build_index(library, place, passage_tokens=5)
    # Of vectors so alike HNSW itself misses some; of an index that lost them no more than the last ten would be found.
    assert len(index.search("wells", 1010)) > 1010 * 2 / 3


def test_building_one_index_anew_leaves_another_that_is_open_in_order(library, tmp_path, small_embedder):
    other = build_index(library, tmp_path / "other")
    build_index(library, tmp_path / "index")
    damage_garbage(tmp_path / "index")
    build_index(library, tmp_path / "index")
    other.add(Document("new", "new", "A penguin."))
    assert other.search("penguin", 1)[0].source == "new"
    assert len(other) == 4


def test_a_place_that_cannot_hold_an_index_is_named_and_left_alone(library, tmp_path, small_embedder):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    with pytest.raises(CourseError, match=r"cannot be kept in .*taken.*set COURSE_CACHE"):
        build_index(library, taken)
    assert taken.read_text() == "a file"


def test_a_full_disk_is_said_and_the_index_stays_as_it_was(library, tmp_path, small_embedder, restarted):
    resource = pytest.importorskip("resource")
    place = tmp_path / "index"
    build_index(library, place)
    (library / "wells.md").write_text(LONG * 40)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((place / "chroma.sqlite3").stat().st_size, before[1]))
    try:
        with pytest.raises(CourseError, match=r"cannot be kept in .*index.*free some disk"):
            build_index(library, place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    restarted()
    (library / "wells.md").unlink()
    assert len(build_index(library, place)) == 3


# Searching


@pytest.fixture
def index(library, small_embedder):
    return build_index(library)


def test_the_nearest_passage_comes_first_with_its_document_and_score(index):
    best, *rest = index.search("who mends copper kettles for travellers?", 3)
    assert (best.id, best.source, best.title, best.audience) == ("larkspit/0", "larkspit", "larkspit", "public")
    assert 0.6 < best.score <= 1
    assert all(-1 <= passage.score < best.score for passage in rest)


def test_many_questions_get_what_each_gets_alone(index):
    questions = ["rye bread", "geese behind the mill"]
    assert index.search_many(questions, 2) == [index.search(question, 2) for question in questions]
    assert index.search_many([]) == []


def test_the_title_is_searched_too(index):
    index.add(Document("hat", "The Great Hat of Osierholt", "It is blue."))
    best = index.search("Osierholt hat", 1)[0]
    assert (best.text, best.score > 0.5) == ("It is blue.", True)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(k, index):
    with pytest.raises(CourseError, match=f"k is {k}"):
        index.search("geese", k)


def test_k_above_the_number_of_passages_finds_them_all(index):
    assert len(index.search("geese", 500)) == 3


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(question, index):
    with pytest.raises(CourseError, match="the question is empty"):
        index.search(question)


def test_a_question_of_ten_thousand_characters_is_refused_and_one_at_the_limit_is_not(index):
    with pytest.raises(CourseError, match="10,000 characters, more than 4,000"):
        index.search("geese " * 1666 + "mill")
    assert index.search(("geese " * 1000)[:4000], 1)[0].source == "corrin"


def test_one_bad_question_among_many_stops_before_any_is_embedded(index, embedded):
    with pytest.raises(CourseError, match="empty"):
        index.search_many(["geese", ""])
    assert embedded == []


def test_a_filter_shows_only_what_its_audience_may_read(index):
    assert [p.source for p in index.search("rye bread", 3, {"audience": "staff"})] == ["quillhaven"]
    assert "quillhaven" not in {p.source for p in index.search("rye bread", 3, {"audience": "public"})}
    assert index.search("rye bread", 3, {"audience": "nobody"}) == []


@pytest.mark.parametrize("where", [{"$bad": 1}, {"audience": {"$like": "x"}}, {"a": "1", "b": "2"}, "staff"])
def test_a_filter_that_is_none_is_refused_with_an_example(where, index):
    with pytest.raises(CourseError, match=r"the filter .* write \{'audience': 'public'\}"):
        index.search("rye bread", 1, where)


# Adding and removing


def test_a_document_can_be_added_and_replaced(index):
    assert index.add(Document("kelmarsh", "Kelmarsh", LONG)) == 3
    assert index.search("Town 7 wells mayor", 1)[0].source == "kelmarsh"
    assert index.add(Document("kelmarsh", "Kelmarsh", "A lighthouse.")) == 1
    assert [p.text for p in index.passages() if p.source == "kelmarsh"] == ["A lighthouse."]
    assert index.add() == 0


def test_after_removal_nothing_of_a_document_is_found(index):
    index.add(Document("kelmarsh", "Kelmarsh", LONG))
    index.remove("kelmarsh", "larkspit")
    for question in ("Town 7 wells mayor", "copper kettles"):
        assert {p.source for p in index.search(question, 50)} == {"quillhaven", "corrin"}


def test_removing_an_unknown_document_names_it_and_removes_nothing(index):
    with pytest.raises(CourseError, match="the index holds no document 'atlantis'"):
        index.remove("corrin", "atlantis")
    assert len(index) == 3


def test_an_empty_index_finds_nothing(index):
    index.remove("quillhaven", "corrin", "larkspit")
    assert len(index) == 0
    assert index.search("geese", 4) == []


def test_any_store_of_three_calls_will_do(small_embedder):
    index = Index(small_embedder, ThreeCalls())
    index.add(Document("a", "a", "Eleven geese."), Document("b", "b", "One goat."))
    assert index.search("geese", 1)[0].source == "a"


@pytest.mark.model
def test_the_real_embedder_finds_by_meaning_and_fits_its_passages(library):
    index = build_index(library)
    assert index.search("Who repairs pots?", 1)[0].source == "larkspit"
    assert index.embed(["geese"]).shape == (1, 384)
    assert all(index.count_tokens(p.text) <= index.passage_tokens for p in index.passages())

"""Documents are read and cut: the course's own, real prose, PDFs, and files that are none."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib.core.errors import CourseError, DataError
from course_lib.retrieval.documents import Document, read_document, read_documents, split_into_passages

PROSE = Path(__file__).parents[1] / "prose"


def words(text):
    return len(text.split())


# Reading


def test_front_matter_is_read_and_is_not_part_of_the_text_and_without_it_the_files_name_is_id_and_title(tmp_path):
    told = "id: wren\ntitle: The Wren 6\ndate: 2041-03-02\nkind: manual\naudience: staff"
    (tmp_path / "a.md").write_text(f"---\n{told}\n---\n# The Wren 6\n\nA radio.\n")
    read = read_document(tmp_path / "a.md")
    assert read == Document("wren", "The Wren 6", "# The Wren 6\n\nA radio.", "2041-03-02", "manual", "staff")
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
    ("name", "content", "complaint"),
    [
        ("broken.md", b"", "empty"),
        ("broken.md", b" \n\t\n", "empty"),
        ("broken.md", b"---\nid: x\n---\n\n", "empty"),
        ("broken.md", b"---\nid: x\n---", "empty"),
        ("broken.md", b"\x89PNG\xff\xfe", "not text: keep only Markdown, text and PDF"),
        ("broken.txt", b"Text\x00more", "binary"),
        ("broken.md", b"---\nid: [1, 2\n---\nText.", "not YAML"),
        ("broken.md", b"---\njust words\n---\nText.", "not YAML"),
        ("broken.md", b"---\n- a\n- b\n---\nText.", "not YAML"),
        ("broken.md", b"---\ndate: 2041-06-31\n---\nText.", "not YAML"),
        ("broken.md", None, r"cannot be read \(No such file"),
        ("broken.pdf", b"", "(cannot be read as a PDF|holds no text)"),
        ("broken.pdf", b"not a PDF", "(cannot be read as a PDF|holds no text)"),
        ("broken.PDF", b"%PDF-1.7\n\xff\xfe\x00 broken", "(cannot be read as a PDF|holds no text)"),
        ("broken.pdf", None, r"cannot be read \(No such file"),
        # what is no prose is refused at once, by file and line
        ("broken.txt", b"x" * 5_000_000, "line 1 has 5,000,000 characters, more than 50,000"),
        ("broken.txt", b"word " * 1_000_000, "line 1 has 5,000,000 characters"),
        ("broken.md", b"---\nid: x\n---\nFine.\n" + b"1;2;3;" * 1_000_000, "line 5 has 6,000,000 characters"),
    ],
)
def test_a_document_that_is_none_is_named_with_what_is_wrong(name, content, complaint, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.* {complaint}") as raised:
        read_document(path)
    assert "\n" not in str(raised.value)


def test_a_folder_is_read_at_any_depth_in_order_without_its_readme_and_pictures(tmp_path):
    for name in ("b/z.md", "b/c/y.TXT", "a.md", "README.md", "b/photo.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Text.")
    (tmp_path / "folder.md").mkdir()
    assert [document.id for document in read_documents(tmp_path)] == ["a", "y", "z"]


def test_a_folder_of_real_prose_is_read_with_and_without_front_matter():
    documents = {document.id: document for document in read_documents(PROSE)}
    assert set(documents) == {"pride-and-prejudice", "alice", "moby_dick", "gettysburg", "scandal"}
    assert documents["gettysburg"].title == "gettysburg" and documents["gettysburg"].audience == "public"
    assert documents["pride-and-prejudice"].date == "1813-01-28"


def test_a_folder_is_looked_for_here_and_then_in_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(read_documents("data/library")) > 100
    (tmp_path / "data" / "library").mkdir(parents=True)
    (tmp_path / "data" / "library" / "mine.md").write_text("Mine.")
    assert [document.id for document in read_documents("data/library")] == ["mine"]


def test_a_missing_folder_an_empty_one_and_one_with_an_id_twice_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no folder libary: give the path"):
        read_documents("libary")
    with pytest.raises(DataError, match=r"no document in .*: put \.md, \.txt or \.pdf files there"):
        read_documents(tmp_path)
    (tmp_path / "corrin.md").write_text("Corrin.")
    (tmp_path / "other.md").write_text("---\nid: corrin\n---\nAnother town.")
    with pytest.raises(DataError, match=r"other\.md and .*corrin\.md have one id, 'corrin'"):
        read_documents(tmp_path)


@pytest.mark.parametrize("field", ["id", "title", "text", "date", "kind", "audience"])
def test_a_digest_changes_with_everything_that_a_document_says_and_tells_where_a_field_ends(field):
    document = Document("a", "b", "c", "d", "e", "f")
    assert replace(document, **{field: "other"}).digest != document.digest == replace(document).digest
    assert Document("a", "bc", "x").digest != Document("ab", "c", "x").digest


# PDF


def a_pdf(*pages, path):
    """A PDF that shows each page's lines in Helvetica; a page of "" is blank."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer, name = PdfWriter(), NameObject
    described = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({name(key): name(value) for key, value in described.items()})
    for text in pages:
        page, shown = writer.add_blank_page(612, 792), DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.splitlines())
        shown.set_data(f"BT /F1 12 Tf 72 720 Td {lines}ET".encode())
        page[name("/Contents")] = shown
        page[name("/Resources")] = DictionaryObject({name("/Font"): DictionaryObject({name("/F1"): font})})
    writer.write(path)
    return path


def test_a_pdf_is_read_page_by_page_with_divided_words_put_together_and_one_without_text_is_to_be_recognised(tmp_path):
    a_pdf("Corrin keeps eleven gee-\nse behind the mill.", "They bite.", path=tmp_path / "Corrin.PDF")
    (document,) = read_documents(tmp_path)
    assert (document.id, document.audience) == ("Corrin", "public")
    assert document.text.split() == ["Corrin", "keeps", "eleven", "geese", "behind", "the", "mill.", "They", "bite."]
    with pytest.raises(DataError, match=r"scan\.pdf holds no text, only pictures of pages: run a text recognition"):
        read_document(a_pdf("", "", path=tmp_path / "scan.pdf"))


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

line = st.text("ab .!?#-*1\t\n", max_size=60) | st.sampled_from(["# Heading", "## Below it", "- item", "2. item", ""])
prose = st.sampled_from([LETTER, *(document.text for document in read_documents(PROSE))])
markdown = st.lists(line | prose, max_size=8).map("\n".join)


def split(text, size, overlap=0):
    return [passage.text for passage in split_into_passages(Document("d", "T", text), size, words, overlap)]


@given(markdown, st.integers(1, 100))
@example("word " * 1000, 80)
def test_passages_hold_all_of_the_text_once_in_order(text, size):
    assert " ".join(split(text, size)).split() == text.split()


@given(markdown, st.integers(2, 100), st.data())
def test_passages_that_overlap_repeat_the_end_of_the_one_before_and_lose_nothing(text, size, data):
    overlap = data.draw(st.integers(1, size - 1))
    plain, lapped = split(text, size - overlap), split(text, size, overlap)
    assert len(plain) == len(lapped)
    for before, own, passage in zip(["", *plain], plain, lapped):
        assert passage.endswith(own)
        repeated, last = passage.removesuffix(own).split(), before.split()
        assert len(repeated) <= overlap and last[len(last) - len(repeated) :] == repeated


@pytest.mark.parametrize("size", [8, 12, 20, 50])
def test_passages_keep_to_the_size_but_for_a_sentence_under_its_heading_and_end_where_a_sentence_does(size):
    pieces = split(LETTER, size)
    assert max(map(words, pieces)) <= size + 3
    assert len(pieces) >= words(LETTER) / size
    assert [piece for piece in pieces if not piece.endswith(".")] == []


CHAPTER = "# Chapter\n\n## First\n\nText one.\n\n## Second\n\nText two."
CHAPTER_CUT = ["# Chapter\n## First\nText one.", "## Second\nText two."]
HEADED = "Before.\n\n# One\n\nText of one.\n\n## Two\n\nText of two that is long."
TEN = "This one sentence is of ten words and stays whole."
WRAPPED = "In that year the harbour of Quillhaven counted\n31,846 herring gulls and one pelican."


HEADED_CUT = ["Before.", "# One\nText of one.", "## Two\nText of two that is long."]
SIXES = [f"Town {i} has {i} wells now." for i in range(5)]
CUTS = {
    "a sentence longer than the size is not cut": (f"Short. {TEN} Short again.", 5, 0, ["Short.", TEN, "Short again."]),
    "paragraphs are joined if they fit": ("One two.\n\nThree.\n\nFive six.", 4, 0, ["One two.\nThree.", "Five six."]),
    "a heading opens a passage and stays with its text": (HEADED, 100, 0, HEADED_CUT),
    "a heading stays with its text though it does not fit": (HEADED, 4, 0, HEADED_CUT),
    "a chapter's heading stays with its first section's": (CHAPTER, 5, 0, CHAPTER_CUT),
    "a heading with nothing below it is kept": ("Text.\n\n# The end", 10, 0, ["Text.", "# The end"]),
    "a line that begins with a number is no list": (f"{WRAPPED} It left.", 14, 0, [WRAPPED, "It left."]),
    "a decimal and a name with a stop end no sentence": (
        "It is 27.5 days long. J. fell.", 5, 0, ["It is 27.5 days long.", "J. fell."]
    ),
    "a sentence is repeated where passages overlap, which keep to the size": (
        " ".join(SIXES), 18, 6, [" ".join(SIXES[:2]), " ".join(SIXES[1:4]), " ".join(SIXES[3:])]
    ),
    "a sentence too long to repeat is not repeated": (
        "One two three four five six. Seven. Eight nine ten.", 7, 2,
        ["One two three four five six.", "Seven. Eight nine ten."],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "size", "overlap", "passages"), CUTS.values(), ids=CUTS)
def test_a_text_is_cut_where_a_reader_would(text, size, overlap, passages):
    assert split(text, size, overlap) == passages


def test_a_sentence_that_the_embedding_model_could_not_read_whole_is_cut_between_words():
    texts = split(" ".join(f"word{i}" for i in range(1000)), 80)
    assert 160 < max(map(words, texts)) <= 240


def test_passages_are_numbered_and_know_their_document():
    document = Document("corrin", "Corrin Town", "One two. Three four.", "2041-01-01", "notice", "staff")
    first, second = split_into_passages(document, 2, words)
    assert (first.id, second.id) == ("corrin/0", "corrin/1")
    for passage in (first, second):
        told = (passage.source, passage.title, passage.date, passage.kind, passage.audience, passage.score)
        assert told == ("corrin", "Corrin Town", "2041-01-01", "notice", "staff", 0.0)


@pytest.mark.parametrize(
    ("size", "overlap", "said"),
    [
        (0, 0, "passages of 0 tokens: at least 1"),
        (-1, 0, "passages of -1 tokens"),
        *((8, overlap, f"8 tokens cannot overlap by {overlap}: choose 0 to 7") for overlap in (-1, 8, 9)),
    ],
)
def test_sizes_that_make_no_sense_are_refused(size, overlap, said):
    with pytest.raises(CourseError, match=said):
        split("Text.", size, overlap)

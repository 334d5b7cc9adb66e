"""A learner's own folder: real prose, PDFs, and files that are none."""

import io
import shutil
from pathlib import Path

import pytest

from course_lib.core.errors import CourseError, DataError
from course_lib.retrieval.documents import Document, read_document, read_documents, split_into_passages
from course_lib.retrieval.index import build_index
from course_lib.retrieval.words import KeywordIndex

PROSE = Path(__file__).parents[1] / "prose"


def words(text):
    return len(text.split())


def a_pdf(*pages: str, path: Path) -> Path:
    """The smallest PDF that shows each page's lines in Helvetica; a page of "" is blank."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, page in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in page.splitlines())
        stream = f"BT /F1 12 Tf 72 720 Td {lines}ET".encode()
        font = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {font} /Contents {5 + 2 * i} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    path.write_bytes(out.getvalue())
    return path


# Real prose


@pytest.fixture
def library(tmp_path):
    return Path(shutil.copytree(PROSE, tmp_path / "prose"))


def test_a_folder_of_real_prose_is_read_without_front_matter_and_at_any_depth():
    documents = {document.id: document for document in read_documents(PROSE)}
    assert set(documents) == {"pride-and-prejudice", "alice", "moby_dick", "gettysburg", "scandal"}
    assert documents["gettysburg"].title == "gettysburg" and documents["gettysburg"].audience == "public"
    assert documents["pride-and-prejudice"].date == "1813-01-28"


@pytest.mark.parametrize("size", [20, 80])
@pytest.mark.parametrize("overlap", [0, 10])
def test_real_prose_is_cut_without_losing_a_word(size, overlap):
    for document in read_documents(PROSE):
        texts = [p.text for p in split_into_passages(document, size, words, overlap)]
        assert set(" ".join(texts).split()) == set(document.text.split())
        if not overlap:
            assert " ".join(texts).split() == document.text.split()


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("a single man in possession of a good fortune", "pride-and-prejudice"),
        ("the White Rabbit took a watch out of its waistcoat-pocket", "alice"),
        ("Call me Ishmael", "moby_dick"),
        ("dedicated to the proposition that all men are created equal", "gettysburg"),
        ("Sherlock Holmes and the woman Irene Adler", "scandal"),
    ],
)
def test_real_prose_is_found_by_words(question, source, library, small_embedder):
    assert KeywordIndex(build_index(library)).search(question, 1)[0].source == source


@pytest.mark.model
def test_real_prose_is_found_by_meaning(library):
    index = build_index(library)
    asked = {
        "Whom does every rich bachelor look for?": "pride-and-prejudice",
        "Which animal was afraid of being late?": "alice",
        "Who goes to sea when he feels gloomy?": "moby_dick",
        "What is said about a nation in a civil war?": "gettysburg",
        "What did the detective think of Miss Adler?": "scandal",
    }
    assert [index.search(question, 1)[0].source for question in asked] == list(asked.values())


# Overlap


def test_passages_that_overlap_begin_with_the_end_of_the_one_before_and_keep_to_the_size():
    text = " ".join(f"Town {i} has {i} wells." for i in range(12))
    plain = [p.text for p in split_into_passages(Document("d", "d", text), 20, words)]
    assert plain[1] == "Town 4 has 4 wells. Town 5 has 5 wells. Town 6 has 6 wells. Town 7 has 7 wells."
    texts = [p.text for p in split_into_passages(Document("d", "d", text), 20, words, overlap=5)]
    assert texts[0] == "Town 0 has 0 wells. Town 1 has 1 wells. Town 2 has 2 wells."
    assert texts[1] == "Town 2 has 2 wells. Town 3 has 3 wells. Town 4 has 4 wells. Town 5 has 5 wells."
    assert max(map(words, texts)) == 20


def test_a_sentence_too_long_to_repeat_is_not_repeated():
    text = "One two three four five six. Seven. Eight nine ten eleven."
    texts = [p.text for p in split_into_passages(Document("d", "d", text), 7, words, overlap=2)]
    assert texts == ["One two three four five six.", "Seven. Eight nine ten eleven."]


@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_an_overlap_as_long_as_the_passage_is_refused(overlap, library, small_embedder):
    with pytest.raises(CourseError, match=f"8 tokens cannot overlap by {overlap}: choose 0 to 7"):
        build_index(library, passage_tokens=8, overlap=overlap)


def test_a_sentence_that_the_embedding_model_could_not_read_whole_is_cut_between_words():
    endless = " ".join(f"word{i}" for i in range(1000))
    texts = [p.text for p in split_into_passages(Document("d", "d", endless), 80, words)]
    assert " ".join(texts) == endless
    assert max(map(words, texts)) <= 240


# PDF


def test_a_pdf_is_read_page_by_page_and_its_divided_words_put_together(tmp_path):
    path = a_pdf("Corrin keeps eleven gee-\nse behind the mill.", "They bite.", path=tmp_path / "corrin.pdf")
    document = read_document(path)
    assert (document.id, document.audience) == ("corrin", "public")
    assert document.text.split() == ["Corrin", "keeps", "eleven", "geese", "behind", "the", "mill.", "They", "bite."]


def test_a_pdf_is_found_among_the_rest(library, small_embedder):
    a_pdf("Larkspit mends copper kettles for travellers.", path=library / "Larkspit.PDF")
    assert build_index(library).search("Who mends copper kettles for travellers?", 1)[0].source == "Larkspit"


def test_a_pdf_without_text_says_that_it_has_to_be_recognised(tmp_path):
    with pytest.raises(DataError, match=r"scan\.pdf holds no text, only pictures of pages: run a text recognition"):
        read_document(a_pdf("", "", path=tmp_path / "scan.pdf"))


@pytest.mark.parametrize("content", [b"", b"not a PDF", b"%PDF-1.7\n\xff\xfe\x00 broken"])
def test_a_pdf_that_is_none_is_named(content, tmp_path):
    (tmp_path / "broken.pdf").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.pdf (cannot be read as a PDF|holds no text)") as raised:
        read_document(tmp_path / "broken.pdf")
    assert "\n" not in str(raised.value)


def test_a_pdf_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.pdf cannot be read \(No such file"):
        read_document(tmp_path / "nowhere.pdf")


# What is no prose


@pytest.mark.parametrize("text", ["x" * 5_000_000, "word " * 1_000_000, "Fine.\n" + "1;2;3;" * 1_000_000])
def test_a_line_of_five_megabytes_is_refused_at_once_by_file_and_line(text, library, small_embedder):
    index = build_index(library)
    (library / "dump.txt").write_text(text)
    with pytest.raises(DataError, match=r"dump\.txt, line [12] has [56],000,000 characters, more than 50,000"):
        build_index(library)
    assert len(index) > 10, "the index stays as it was"


def test_a_binary_file_that_is_called_text_is_refused_and_other_files_are_left_alone(library, small_embedder):
    (library / "photo.png").write_bytes(b"\x89PNG\xff")
    before = len(build_index(library))
    (library / "photo.txt").write_bytes(b"\x89PNG\xff\x00")
    with pytest.raises(DataError, match=r"photo\.txt is not text: keep only Markdown, text and PDF"):
        build_index(library)
    (library / "photo.txt").unlink()
    assert len(build_index(library)) == before


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(DataError, match=r"no document in .*: put \.md, \.txt or \.pdf files there"):
        build_index(tmp_path)

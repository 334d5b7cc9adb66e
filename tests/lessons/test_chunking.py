"""The slider on size and overlap: what it says in text, what it shows, and that it stays usable."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.lessons import sliders
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

TEXT = "Corrin keeps eleven geese. They bite.\n\nLarkspit mends <copper> kettles. It is far away."
DOCUMENT = Document("towns", "Towns", TEXT)


@pytest.fixture
def index(small_embedder):
    return Index(small_embedder, FaissStore())


def said(capsys, *arguments, **options):
    sliders.chunk_slider(*arguments, **options)
    return capsys.readouterr().out.splitlines()


def test_the_nearest_passage_is_marked_among_all(index, capsys):
    first, *rows = said(capsys, index, DOCUMENT, "Who mends kettles?", size=8)
    assert first == "2 passages; > marks the nearest"
    assert [row[0] for row in rows] == [" ", ">"]
    assert rows[1].endswith("Larkspit mends <copper> kettles. It is far away.")
    assert len(index) == 0, "nothing was added to the index"


def test_a_smaller_size_cuts_more_and_an_overlap_repeats(index, capsys):
    assert said(capsys, index, DOCUMENT, "geese", size=4)[0].startswith("4 passages")
    assert said(capsys, index, DOCUMENT, "geese", size=8, overlap=4)[-1].endswith(
        "Larkspit mends <copper> kettles. It is far away."
    )


def test_a_long_passage_is_cut_short_in_text(index, capsys):
    row = said(capsys, index, Document("d", "d", "word " * 40), "word", size=80)[1]
    assert row.endswith("...") and len(row) < 90


def test_without_a_size_the_text_says_how_to_do_without_widgets(index, capsys):
    (line,) = said(capsys, index, DOCUMENT, "geese")
    assert "cl.chunk_slider(index, document, question, size=80, overlap=20)" in line


def test_the_controls_change_what_is_lit_up(index):
    controls, shown = sliders._chunk_sliders(index, DOCUMENT, "Who mends <kettles>?").children
    size, overlap = controls.children
    assert shown.value.startswith("<p>1 passages. <b>Who mends &lt;kettles&gt;?</b>")
    assert "&lt;copper&gt;" in shown.value and shown.value.count("nearest, ") == 1
    size.value = 20
    overlap.value = 20
    assert "20 tokens cannot overlap by 20: choose 0 to 19." in shown.value
    overlap.value = 10
    assert "nearest, " in shown.value


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 8, "overlap": 8}])
def test_sizes_that_make_no_sense_are_refused(options, index):
    with pytest.raises(CourseError):
        sliders.chunk_slider(index, DOCUMENT, "geese", **options)


def test_an_empty_question_is_refused(index):
    with pytest.raises(CourseError, match="the question is empty"):
        sliders.chunk_slider(index, DOCUMENT, " ", size=8)

"""The drawings: none is stale, pages show them with the text that the script has for them, nothing in them collides."""

from __future__ import annotations

import re
from pathlib import Path

import make_images
import pytest
import student
import toolkit
from drawings import open_book_closed_book
from given import quoted
from given import student as told
from PIL import Image

from course_lib.core import session

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "images"
SHOWN = re.compile(r"!\[([^\]]*)\]\((?:\.\./)*images/(\w+)\.(?:png|svg)\)")
CACHE = session.cache_dir()  # the learner's, before any test has one of its own
PAGES = (ROOT / "README.md", *sorted((ROOT / "notebooks" / "src").rglob("*.py")))


@pytest.mark.parametrize("name", make_images.NAMES)
def test_no_picture_is_stale(name):
    digest = make_images.digest(name)
    with Image.open(IMAGES / f"{name}.png") as picture:
        assert picture.text["Source"] == digest, f"run `make images` ({name})"
        assert picture.text["Description"] == make_images.alt(name)
        assert picture.width == 2 * toolkit.WIDTH
        assert not {"date", "Creation Time"} & set(picture.text)
    drawn = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    assert digest in drawn and "<dc:date>" not in drawn


def test_no_picture_is_left_of_a_drawing_that_is_gone():
    drawn = {path.stem for kind in ("png", "svg") for path in IMAGES.glob(f"*.{kind}")}
    assert drawn == set(make_images.NAMES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_a_picture_with_the_text_that_its_drawing_has(page):
    for alt, name in SHOWN.findall(page.read_text(encoding="utf-8")):
        assert alt == make_images.alt(name), f"`python images/make_images.py {name}` prints the line"


def test_every_alt_text_fits_into_markdown():
    for name in make_images.NAMES:
        assert SHOWN.fullmatch(f"![{make_images.alt(name)}](../images/{name}.png)"), name


def test_the_list_names_every_picture_and_the_four_of_the_sources():
    listed = re.findall(r"^\| `(\w+)` \|", (IMAGES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == make_images.NAMES
    theirs = re.findall(
        r"^\| .+ \(`.+`\) \| `(\w+)` \|", (IMAGES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(set(theirs)) == 4 and set(theirs) <= set(make_images.NAMES)


def test_the_question_that_is_drawn_is_one_that_study_and_rag_answer_and_a_closed_book_does_not():
    given = open_book_closed_book.given()
    assert given["right"] == [False, True, True]
    assert all(given["expected"] in said for said in given["said"][1:])


def test_words_that_a_reply_does_not_say_are_not_quoted():
    assert quoted("two", "one two three") == "“… two …”" and quoted("one", "one") == "“one”"
    with pytest.raises(AssertionError, match="does not say 'four'"):
        quoted("four", "one two three")


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda page: (page.text(100, 100, "one"), page.text(104, 102, "two")), "'one' lies on 'two'"),
        (lambda page: page.text(790, 100, "beyond the edge"), "leaves the page"),
        (lambda page: page.box(100, 100, 40, 40, "wider than it"), "too wide for its box"),
        (lambda page: page.text(100, 100, "small", 9), "too small to be read"),
    ],
)
def test_a_page_whose_words_cannot_be_read_is_refused(draw, said):
    page = toolkit.Page(200)
    try:
        with pytest.raises(AssertionError, match=said):
            draw(page)
            page.check()
    finally:
        toolkit.plt.close(page.figure)


@pytest.mark.model
def test_what_drawings_say_of_the_student_is_what_it_says_itself(monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(CACHE))
    model = student.load()
    assert student.shape(model) == told()["shape"]
    now, then = dict(student.next_tokens(model)), dict(told()["next"]["likely"])
    assert now == pytest.approx(then, abs=0.01)
    step = student.one_step(model)
    assert step.pop("loss") == pytest.approx(told()["step"]["loss"], abs=0.1)
    assert step == {name: value for name, value in told()["step"].items() if name != "loss"}

"""INSTRUCTORS.md: a run sheet for each lesson, from its page, its sections' minutes on a stage, and what is asked."""

import json

import instructors
import nbformat
import pytest
import stage
import yaml
from instructors import page, sections, stale

from course_lib.core.session import ROOT

MARKDOWN, CODE = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
PICTURE = nbformat.v4.new_output("display_data", {"image/png": "..."})
CELLS = (
    MARKDOWN("# 02 · Books\n" + "word " * 100),
    CODE("import course_lib", metadata={"tags": ["setup"]}),
    MARKDOWN("a last word\n\n## A | guess\n![four words of alt](image.png)\n### Not a section"),
    CODE("cl.predict('a', 'b')\ncl.reveal('a', 1)", outputs=[PICTURE]),
    CODE("answer = 1", metadata={"tags": ["solution"]}),
    MARKDOWN("## Quiz"),
    CODE("cl.quiz('02')"),
)
SHEET = {"before": "Bring a book.", "ask": {"A | guess": "Who is\nright? (All.)"}, "fails": ["The light goes out."]}


@pytest.fixture
def repository(tmp_path):
    """The least of a repository that the page is made from: lesson 02, built, and measured but for its quiz."""
    for folder in ("data/results", "notebooks/solutions"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("notebooks", "notebooks/solutions"):
        nbformat.write(nbformat.v4.new_notebook(cells=list(CELLS)), tmp_path / folder / "02_books.ipynb")
    measure(tmp_path, {"02 · Books": 60.0, "A | guess": 120.0})
    ask(tmp_path)
    return tmp_path


def measure(root, seconds):
    kept = {"02": {"gflops": 67.5, "seconds": seconds}}
    (root / instructors.STAGE).write_text(json.dumps(kept), encoding="utf-8")


def ask(root, lesson="02", **change):
    content = {"opening": "# Hello", "lessons": {lesson: SHEET | change}}
    (root / instructors.SHEET).write_text(yaml.safe_dump(content), encoding="utf-8")


def test_the_page_is_fresh():
    assert not stale(), "run `make readme` (python data/make/pages/instructors.py)"


def test_the_page_is_where_lecturers_and_makers_find_it():
    assert "(INSTRUCTORS.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "Makefile").read_text(encoding="utf-8").count("data/make/pages/instructors.py") == 2


def test_every_lesson_says_where_it_can_fail_and_asks_the_room():
    lessons = yaml.safe_load((ROOT / instructors.SHEET).read_text(encoding="utf-8"))["lessons"]
    assert len(lessons) == 9
    assert all(3 <= len(sheet["fails"]) <= 5 and sheet["before"] for sheet in lessons.values())


def test_a_section_reaches_from_its_heading_to_the_next():
    title, guess, quiz = sections(nbformat.v4.new_notebook(cells=list(CELLS)))
    assert [section.heading for section in (title, guess, quiz)] == ["02 · Books", "A | guess", "Quiz"]
    assert title.cells[-1].source.strip() == "a last word"
    assert [cell.cell_type for cell in guess.cells if cell.source] == ["markdown", "code", "code"]


def test_a_sections_seconds_are_of_its_words_lines_pictures_guesses_and_exercises():
    title, guess, quiz = (section.reading() for section in sections(nbformat.v4.new_notebook(cells=list(CELLS))))
    assert title == pytest.approx(60 * (2 + 100 + 3 - 2) / 200)  # the heading's own are not counted; setup is folded
    assert guess == pytest.approx(60 * 3 / 200 + 30 + 2 * 6 + 30 + 30 + 300)
    assert quiz == 6 + 180


def test_minutes_are_added_up(repository):
    rows = [line for line in page(repository).splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| 0 | 02 · Books | 1 | 30 |  |",
        "| 1 | A \\| guess | 8 | 60 | Who is right? (All.) |",
        "| 9 | Quiz | 3 | not measured yet |  |",
    ]
    assert "**12 minutes** with every exercise; of these the machine works, on a stage: not measured yet." in page(
        repository
    )


def test_the_machines_minutes_are_said_where_all_sections_are_measured(repository):
    measure(repository, {"02 · Books": 60.0, "A | guess": 120.0, "Quiz": 0.0})
    said = page(repository)
    assert "the machine works, on a stage: 1.5 (at 135 GFLOP/s). Bring a book." in said
    assert said.startswith("# Hello\n\n## [02 · Books](notebooks/02_books.ipynb)\n")
    assert said.endswith("**Where it can fail**\n\n- The light goes out.\n")


def test_what_was_never_measured_is_said_to_be_so(repository):
    (repository / instructors.STAGE).unlink()
    assert page(repository).count("not measured yet") == 4


def test_a_question_for_a_section_that_does_not_exist_is_refused(repository):
    ask(repository, ask={"A guess": "Who is right?"})
    with pytest.raises(SystemExit, match=r"lesson 02 has no section A guess"):
        page(repository)


def test_a_lesson_without_a_sheet_is_refused(repository):
    ask(repository, lesson="03")
    with pytest.raises(SystemExit, match="lesson 02 has no sheet"):
        page(repository)


def test_a_page_is_stale_until_it_is_made_again(repository, monkeypatch, capsys):
    monkeypatch.setattr(instructors, "ROOT", repository)
    monkeypatch.setattr(instructors, "stale", lambda: stale(repository))
    monkeypatch.setattr(instructors, "page", lambda root=repository: page(root))
    assert instructors.main(["--check"]) == 1 and "is stale" in capsys.readouterr().out
    assert instructors.main([]) == 0 and not stale(repository)
    ask(repository, before="Bring two books.")
    assert stale(repository)
    with pytest.raises(SystemExit, match="the one option is --check"):
        instructors.main(["--write"])


def test_what_a_lesson_took_is_kept_beside_the_others(repository, monkeypatch):
    (repository / instructors.STAGE).write_text('{"03": {}, "02": {}}', encoding="utf-8")
    fakes = {"ROOT": repository, "SETTINGS": {}, "seconds": lambda page: {page.name: 1.5}, "gflops": lambda: 50}
    for name, fake in fakes.items():
        monkeypatch.setattr(stage, name, fake)
    stage.main(["02"])
    kept = json.loads((repository / instructors.STAGE).read_text(encoding="utf-8"))
    assert kept == {"02": {"gflops": 50, "seconds": {"02_books.ipynb": 1.5}}, "03": {}} and list(kept) == ["02", "03"]

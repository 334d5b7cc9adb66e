"""README.md and data/README.md: their generated parts and their first screen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import readme

from course_lib.evaluation.stored import find

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path):
    """The least of a repository that the generated parts are made from."""
    for folder in ("data/results", "data/exams", "data/library/cup", "notebooks/src"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def store(repository: Path, **result: object) -> None:
    path = repository / "data" / "results" / f"{result['lesson']}.json"
    path.write_text(json.dumps(result), encoding="utf-8")


def row(repository: Path, lesson: str) -> str:
    return next(line for line in readme.lessons(repository).splitlines() if line.startswith(f"| {lesson} "))


def test_the_generated_parts_are_fresh():
    assert not readme.stale(), "run `make readme` (python data/make/pages/readme.py)"


def test_the_two_commands_stand_in_the_first_screen():
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    for command in ("make lab", "make test", "python install.py", "jupyter lab"):
        assert command in first


def test_a_changed_result_makes_the_page_stale():
    old = "<!-- lessons:begin -->\n| 02 | ... | 0.99 |\n<!-- lessons:end -->\n"
    assert readme.filled(old) != old
    assert readme.filled(readme.filled(old)) == readme.filled(old)


def test_text_outside_the_marks_is_left_alone():
    page = "before <!-- limits:begin -->\nold\n<!-- limits:end --> after"
    made = readme.filled(page)
    assert made.startswith("before <!--") and made.endswith("--> after") and "old" not in made


def test_a_lesson_is_in_the_making_until_its_notebook_is_built_and_then_has_its_title_and_the_learners_minutes(
    repository,
):
    assert readme.MAKING in row(repository, "02")
    (repository / "notebooks" / "02_books.ipynb").touch()
    source = "# # 02 · Books\n#\n# **Time** 40 minutes; the machine works for about 5 of them.\n"
    (repository / "notebooks" / "src" / "02_books.py").write_text(source, encoding="utf-8")
    line = row(repository, "02")
    assert line.startswith("| 02 | [Books](notebooks/02_books.ipynb) |") and line.endswith("| 40 |")


def test_what_a_lesson_measured_stands_beside_the_machines_minutes(repository):
    store(repository, lesson="02", minutes_laptop=4.62, headline="0.92 | 0.61 (n = 161)")
    store(repository, lesson="03")
    assert readme.measured(repository).splitlines()[2:] == [
        "| 02 | 0.92 \\| 0.61 (n = 161) | 4.6 |", "| 03 | *in the making* |  |",
    ]  # fmt: skip


def test_the_first_page_says_in_plain_words_what_is_stored():
    told = readme.findings(ROOT) + readme.weak(ROOT)
    page = find("sizes/02/handbook/right page/smollm2-135m").value
    assert told.count("](notebooks/") == 3 and f"{page:.0%} for the 135M model" in told
    assert "n = " not in told and "95%" not in told and "seed" not in told


def test_a_finding_is_not_said_where_the_notebooks_found_otherwise(monkeypatch):
    claim = "students of six wordings are ahead of students of one"
    tried = {
        lesson: [replace(one, outcome="cannot tell") if one.claim == claim else one for one in listed]
        for lesson, listed in readme.verdicts.tried(ROOT).items()
    }
    monkeypatch.setattr(readme.verdicts, "tried", lambda _: tried)
    with pytest.raises(SystemExit, match=f"{claim}' holds; the notebooks have: cannot tell"):
        readme.findings(ROOT)


def test_findings_stand_on_the_first_screen_and_no_section_is_a_log():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page.index("findings:begin") < page.index("make lab") < page.index("## The lessons")
    assert page.index("colab-badge") < page.index("make lab")
    assert len(page.split()) < 1300 and all(len(line.split()) < 130 for line in page.splitlines())


def test_what_the_small_model_could_not_do_names_its_lesson(repository):
    store(repository, lesson="02", limits=["It reads 0.61 of the pages."])
    assert readme.limits(repository) == "- It reads 0.61 of the pages. (lesson 02)"


def test_a_result_of_another_lesson_is_refused(repository):
    (repository / "data" / "results" / "02.json").write_text('{"lesson": "03"}', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"02\.json says that it is of lesson '03'"):
        readme.measured(repository)


def test_a_mark_that_nothing_makes_is_refused():
    with pytest.raises(SystemExit, match="'lesons'"):
        readme.filled("<!-- lesons:begin -->\n<!-- lesons:end -->")

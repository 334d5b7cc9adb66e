"""The notebooks as they are stored: in step with their sources, whole, and pointing at what exists.

That they run, and give what they say, is nbval's to find out (`tests/run_all.py`).
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

import course_lib
from course_lib.lessons import checks
from course_lib.models.students import DEFAULT
from course_lib.training.shelf import MAX_BYTES

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402

SHELF_BYTES = {True: 60_000_000, False: 30_000_000}  # of the default student's adapters, of larger students'
CARD_KEYS = {"name", "key", "base", "recipe", "examples", "tokens", "trainable", "machine", "minutes", "losses"}
SOURCES = build.sources()
LEARNER = build.numbered(ROOT / "notebooks", "ipynb")
ADAPTERS = sorted((ROOT / "data" / "adapters").glob("*/adapter_config.json"))
SETUP = (ROOT / "notebooks" / "src" / "_setup.py.txt").read_text(encoding="utf-8")
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]

no_notebook = pytest.mark.skipif(not LEARNER, reason="no notebook is built yet")
no_adapter = pytest.mark.skipif(not ADAPTERS, reason="no adapter is stored yet")


def named(path: Path) -> str:
    return path.parent.name if path.suffix == ".json" else path.stem


@pytest.fixture(params=LEARNER or [pytest.param(None, marks=no_notebook)], ids=lambda p: named(p) if p else "none")
def notebook(request: pytest.FixtureRequest) -> SimpleNamespace:
    """One learner's notebook: cells, code cells, outputs, and all its prose."""
    cells = nbformat.read(request.param, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    outputs = [output for cell in code for output in cell.outputs]
    source = "\n".join(cell.source for cell in code)
    return SimpleNamespace(path=request.param, cells=cells, code=code, outputs=outputs, prose=prose, source=source)


def solved_page(path: Path) -> nbformat.NotebookNode:
    """The solved notebook that belongs to a learner's."""
    return nbformat.read(ROOT / "notebooks" / "solutions" / f"{build.name_of(path)}.ipynb", as_version=4)


@pytest.fixture(params=SOURCES or [None], ids=lambda p: named(p) if p else "none")
def source(request: pytest.FixtureRequest) -> Path:
    """One source of a notebook."""
    if request.param is None:
        pytest.skip("no source is written yet")
    return request.param


@no_notebook
def test_every_notebook_is_what_its_source_gives():
    found = [line for path in SOURCES for line in build.differences(path)] + build.strays()
    assert not found, f"{found}: run `python notebooks/build.py`"


def test_a_source_keeps_to_the_rules(source):
    learner = build.derive(build.read_source(source), source.stem, "solution")
    build.check_rules(learner, source)


def test_every_name_of_the_package_that_a_lesson_uses_is_there(source):
    # Not by getattr: a module that another test has imported is an attribute, whether learners can reach it or not.
    used = set(re.findall(r"\bcl\.([A-Za-z_]\w*)", source.read_text(encoding="utf-8")))
    assert used and used <= set(course_lib.__all__)


def test_the_setup_cell_is_the_same_in_every_source(source):
    first = next(cell for cell in build.read_source(source).cells if cell.cell_type == "code")
    header, _, code = SETUP.partition("\n")
    assert first.source.strip() == code.strip(), "copy notebooks/src/_setup.py.txt"
    assert build.tags_of(first) == set(json.loads(header.partition("tags=")[2]))


def test_every_source_has_one_setup_cell(source):
    cells = build.read_source(source).cells
    assert sum("setup" in build.tags_of(cell) for cell in cells) == 1


def test_every_exercise_is_checked_solved_and_registered(source):
    lesson, exercise_cells = source.stem[:2], {"exercise": set(), "solution": set()}
    for cell in build.read_source(source).cells:
        for tag, keys in exercise_cells.items():
            if tag in build.tags_of(cell) and cell.cell_type == "code":
                keys |= set(re.findall(r"cl\.check\(\s*[\"']([^\"']+)", cell.source))
    assert exercise_cells["exercise"] == exercise_cells["solution"]
    assert len(exercise_cells["exercise"]) >= (0 if build.in_appendix(source) else 1 if lesson == "00" else 2)
    assert exercise_cells["exercise"] <= set(checks.CHECKS), "register the check in course_lib/lessons/checks/"
    assert all(key.startswith(f"{lesson}-") for key in exercise_cells["exercise"])


def test_a_lesson_asks_for_predictions_and_quizzes(source):
    text = source.read_text(encoding="utf-8")
    predicted = set(re.findall(r"cl\.predict(?:_choice)?\(\s*[\"']([^\"']+)", text))
    revealed = set(re.findall(r"cl\.reveal\(\s*[\"']([^\"']+)", text))
    assert predicted == revealed, "every prediction is revealed, and nothing else"
    assert build.in_appendix(source) or (predicted and f'cl.quiz("{source.stem[:2]}")' in text)


def test_every_code_cell_was_executed_in_silence(notebook):
    numbers = [cell.execution_count for cell in notebook.code]
    assert numbers == list(range(1, len(numbers) + 1)), "executed once, from top to bottom"
    build.check_executed(SimpleNamespace(cells=notebook.cells), notebook.path)


def test_the_solved_notebook_was_executed_and_every_solution_is_accepted(source):
    path = ROOT / "notebooks" / "solutions" / f"{build.name_of(source)}.ipynb"
    solved = nbformat.read(path, as_version=4)
    build.check_executed(solved, path)
    build.check_solved(solved, path)


def test_a_learner_sees_no_solution(notebook):
    assert not any("solution" in build.tags_of(cell) for cell in notebook.cells)


def test_a_notebook_is_stored_clean(notebook):
    raw = json.loads(notebook.path.read_text(encoding="utf-8"))
    assert set(raw["metadata"]) == {"kernelspec", "language_info"}
    assert all(set(cell["metadata"]) <= {"tags", *build.FOLDED} for cell in raw["cells"])
    assert build.WIDGET_VIEW not in notebook.path.read_text(encoding="utf-8")


def test_the_setup_cell_is_folded_under_its_title(notebook):
    setup = notebook.code[0]
    assert setup.source.startswith("# @title ") and setup.metadata.jupyter.source_hidden
    assert setup.metadata.cellView == "form"


def test_a_learner_opens_a_page_without_what_spoils_a_guess_and_the_solved_one_with_all(notebook):
    solved = solved_page(notebook.path)
    kept_back = build.spoilers(notebook)
    assert bool(kept_back) == ("cl.predict" in notebook.source) and not any(cell.outputs for cell in kept_back)
    assert not any("cl.reveal(" in cell.source and cell.outputs for cell in notebook.code)
    assert all(cell.outputs for cell in solved.cells if "cl.reveal(" in cell.source and cell.cell_type == "code")


def test_the_lessons_before_and_after_are_linked_at_the_foot(notebook):
    foot, pages = notebook.cells[-1].source, sorted(notebook.path.parent.glob("[0-9][0-9]_*.ipynb"))
    place = pages.index(notebook.path)
    assert all(f"]({page.name})" in foot for page in pages[max(place - 1, 0) : place + 2] if page != notebook.path)
    assert f"solutions/{build.name_of(notebook.path)}.ipynb)" in foot


def test_a_lesson_opens_with_what_it_is_about(notebook):
    opening = "\n".join(cell.source for cell in notebook.cells[:4] if cell.cell_type == "markdown")
    assert re.match(rf"# {notebook.path.stem[:2]} · \S", notebook.cells[0].source), "the title: # 02 · Name"
    if build.in_appendix(notebook.path):
        lesson = rf"\]\(\.\./{notebook.path.stem[:2]}_\w+\.ipynb"
        assert re.search(lesson, opening), "a page of the appendix says which lesson it belongs to"
        return
    assert re.search(r"\*\*Time\*\*.*\bminutes?\b", opening), "**Time** 25 minutes; ..."
    assert not re.search(r"\*\*Time\*\*.*(T4|GPU)", opening), (
        "minutes on a GPU are stated once somebody has measured them"
    )
    result = json.loads((ROOT / "data" / "results" / f"{notebook.path.stem[:2]}.json").read_text(encoding="utf-8"))
    stated = re.search(r"the machine works for about (\d+) of them", opening)
    assert int(stated[1]) == max(1, math.ceil(result["minutes_laptop"])), "state the computed minutes, rounded up"
    assert re.search(r"By the end\b.*\byou will", opening)
    assert re.search(r"\*\*Claims? on trial\*\*", opening)


def test_a_lesson_closes_with_where_it_stops_being_true(notebook):
    headings = re.findall(r"^#+ (.+)$", notebook.prose, re.MULTILINE)
    assert any("where it stops being true" in heading.lower() for heading in headings[-4:])


def test_what_is_trained_or_graded_uncompared_is_held_by_a_verdict(notebook):
    """nbval ignores logs and free text; where something is trained or graded, a claim is tried, which it holds."""
    loose = None
    for cell in notebook.code:
        tries = re.search(r"^\s*cl\.verdict\(", cell.source, re.MULTILINE)
        trains = "nbval-ignore-output" in build.tags_of(cell) and re.search(
            r"cl\.(finetune|evaluate|compare)\(", cell.source
        )
        loose = None if tries else loose or (cell if trains else None)
    assert loose is None, f"no claim is tried in or after {loose.source[:60]!r}"


def test_every_picture_has_alt_text(notebook):
    solved = solved_page(notebook.path)
    for output in [*notebook.outputs, *(output for cell in solved.cells for output in cell.get("outputs", ()))]:
        for kind in {"image/png", "image/jpeg", "image/svg+xml"} & set(output.get("data", {})):
            assert kind == "image/png", "SVG carries dates: use PNG"
            assert output.metadata.get(kind, {}).get("alt", "").strip(), "a picture without alt text"


def pages() -> Iterator[tuple[Path, str]]:
    """Every page of prose, with its text."""
    for path in (*ROOT.glob("*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("images/*.md"), *ROOT.glob("data/make/*.md")):
        yield path, path.read_text(encoding="utf-8")
    for path in (*LEARNER, *build.numbered(ROOT / "notebooks" / "solutions", "ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        yield path, "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_relative_links_resolve():
    missing = []
    for path, text in pages():
        text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            plain = target.partition("#")[0]
            if plain and not re.match(r"[a-z]+:", plain) and not (path.parent / plain).exists():
                missing.append(f"{path.relative_to(ROOT)}: {target}")
    assert not missing


def test_the_address_of_the_repository_is_the_same_everywhere():
    owner_and_name = REPOSITORY.removeprefix("https://github.com/")
    assert REPOSITORY in SETUP
    for page in ("README.md", "CITATION.cff"):
        text = (ROOT / page).read_text(encoding="utf-8")
        found = re.findall(r"github\.com/([\w-]+/[\w-]+)", text) + re.findall(
            r"colab\.research\.google\.com/github/([\w-]+/[\w-]+)", text
        )
        assert found and set(found) == {owner_and_name}, page


def tracked() -> list[Path]:
    """The repository's files: what git knows or would add; outside a clone, what lies in the known folders."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        paths = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        folders = ("course_lib", "data", "images", "notebooks", "tests")
        paths = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_path_of_somebodys_machine():
    somewhere = re.compile(r"(?<![\w.~})>-])/(?:work|root|home|tmp|Users)/[\w.]|[A-Z]:\\Users")
    found = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" in raw[:8000] or path == Path(__file__):
            continue
        for number, line in enumerate(raw.decode("utf-8", errors="replace").splitlines(), 1):
            if hit := somewhere.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line[max(0, hit.start() - 20) : hit.end() + 20]}")
    assert not found


def cards() -> dict[str, dict[str, Any]]:
    """Every adapter's card, by folder."""
    paths = (ROOT / "data" / "adapters").glob("*/card.json")
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(params=ADAPTERS or [pytest.param(None, marks=no_adapter)], ids=lambda p: named(p) if p else "none")
def adapter(request: pytest.FixtureRequest) -> Path:
    """The folder of one adapter."""
    return request.param.parent


def test_an_adapter_has_a_whole_card(adapter):
    card = json.loads((adapter / "card.json").read_text(encoding="utf-8"))
    assert set(card) >= CARD_KEYS
    assert card["name"] == adapter.name
    assert card["losses"] and card["minutes"] > 0 and card["tokens"] > 0


def test_an_adapter_is_small_and_safe(adapter):
    names = {path.name for path in adapter.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))}, "safetensors only"
    assert sum(path.stat().st_size for path in adapter.iterdir()) <= MAX_BYTES


@no_adapter
@pytest.mark.parametrize("of_default", SHELF_BYTES)
def test_all_adapters_together_stay_small(of_default):
    folders = [name for name, card in cards().items() if card["base"].startswith(DEFAULT.title) == of_default]
    files = [path for name in folders for path in (ROOT / "data" / "adapters" / name).iterdir()]
    assert 0 < sum(path.stat().st_size for path in files) <= SHELF_BYTES[of_default]


@no_adapter
def test_every_adapter_is_needed_and_every_needed_one_is_there():
    used = json.loads((ROOT / "data" / "adapters" / "used.json").read_text(encoding="utf-8"))
    known = {build.name_of(path) for path in SOURCES}
    unknown = [name for name in used if name.partition("@")[0] not in known and not (ROOT / name).is_file()]
    assert not unknown, "names in used.json that are neither a notebook nor a script"
    stored = {card["key"]: folder for folder, card in cards().items()}
    assert len(stored) == len(cards()), "two adapters under one key"
    needed = {key for keys in used.values() for key in keys}
    assert set(stored) == needed, "run `make adapters`"


@no_notebook
def test_no_adapter_lies_on_the_shelf_without_its_weights():
    assert {path.parent.name for path in ADAPTERS} == set(cards())

"""How a source becomes a notebook, on small sources made here."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))
import build

SOURCE = """# %% [markdown]
# # 09 · A lesson
# See [the data](../data/README.md) and [a page](https://example.org/a).

# %% tags=["setup", "nbval-ignore-output"]
answer = None

# %% [markdown]
# ### Exercise 1

# %% tags=["exercise"]
answer = None  # yours

# %% tags=["solution"]
answer = 42

# %% [markdown]
# The end.
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source in a folder of notebooks of its own."""
    path = tmp_path / "src" / "09_lesson.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return path


def edited(source: Path, old: str, new: str) -> Path:
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new), encoding="utf-8")
    return source


def learner(source: Path) -> nbformat.NotebookNode:
    return build.derive(build.read_source(source), source.stem, "solution")


def code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_learners_notebook_has_exercises_and_no_solutions(source):
    assert code(learner(source)) == ["answer = None", "answer = None  # yours"]


def test_below_an_exercise_its_solution_is_folded_and_its_comments_begin_no_section(source):
    edited(source, "answer = 42", "# why\nanswer = 42")
    notebook = learner(source)
    folded = "<details><summary>A solution</summary>\n\n```python\n# why\nanswer = 42\n```\n\n</details>"
    assert notebook.cells[4].source == folded and len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    guess, after = new_code_cell('cl.predict("a")'), new_code_cell('cl.reveal("a", 1)')
    cells = [guess, after, notebook.cells[4], new_code_cell("still told")]
    assert [cell.source for cell in build.spoilers(new_notebook(cells=cells))] == [after.source, "still told"]


def test_the_solved_notebook_has_solutions_in_place_of_exercises(source):
    solved = build.derive(build.read_source(source), source.stem, "exercise")
    assert code(solved) == ["answer = None", "answer = 42"]


def test_what_is_said_to_the_formatter_alone_stands_on_no_page(source):
    edited(source, "answer = 42", "answer = [\n    42]  # fmt: skip\nkept = '  # fmt: skip of it'")
    notebook, solved = learner(source), build.derive(build.read_source(source), source.stem, "exercise")
    asked = "answer = [\n    42]\nkept = '  # fmt: skip of it'"
    assert asked in notebook.cells[4].source and code(solved)[-1] == asked


def test_links_of_the_solved_notebook_lead_from_its_own_folder(source):
    solved = build.derive(build.read_source(source), source.stem, "exercise")
    assert "(../../data/README.md)" in solved.cells[0].source
    assert "(https://example.org/a)" in solved.cells[0].source


def test_the_same_source_gives_the_same_bytes(source):
    assert nbformat.writes(learner(source)) == nbformat.writes(learner(source))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('# %% tags=["solution"]\nanswer = 42\n', "", "exercise without a solution"),
        ('tags=["exercise"]', "", "solution that follows no exercise"),
        ('tags=["exercise"]', 'tags=["excercise"]', "unknown tag excercise"),
    ],
)
def test_a_source_with_wrong_tags_is_refused_by_cell(source, old, new, complaint):
    with pytest.raises(build.BuildError, match=rf"09_lesson\.py, cell \d.*{complaint}"):
        build.read_source(edited(source, old, new))


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        ("\n".join(f"x{i} = {i}" for i in range(16)), "16 lines, more than 15"),
        ("answer ==", "not Python"),
        ("if 1:\n    assert 1 < 2", r"cell \d \('if 1:'\): it asserts; try the claim by cl.verdict"),
        ("answer = None\n\n# %% [markdown]\n# And measured:\n\n# %%\nmore = 1", "only leads to the next cell"),
    ],
)
def test_a_notebook_that_breaks_a_rule_is_refused(source, new, complaint):
    notebook = learner(edited(source, "answer = None\n\n# %% [markdown]", f"{new}\n\n# %% [markdown]"))
    with pytest.raises(build.BuildError, match=complaint):
        build.check_rules(notebook, source)


@pytest.mark.parametrize("cell", ["answer = None  # yours", "answer = 42"])
def test_a_line_wider_than_a_page_is_refused_by_cell_and_line(source, cell):
    wide = f"few = 1\nanswer = {'1' * 80}"
    edited(source, cell, wide[:-1])
    build.both(source)
    edited(source, wide[:-1], wide)
    with pytest.raises(build.BuildError, match=r"09_lesson\.py, cell 3 .*: line 2 is wider than 88 characters"):
        build.both(source)


def test_the_setup_may_be_wider_than_a_page(source):
    wide = f"answer = {'1' * 100}\n\n# %% [markdown]"
    build.check_rules(learner(edited(source, "answer = None\n\n# %% [markdown]", wide)), source)


@pytest.mark.parametrize(
    ("prose", "fine"),
    [
        ("from $500 to $2,000", False),
        ("| *$5* |\n| *$6* |", False),
        (r"from \$500 to \$2,000", True),
        ("$500\n\n$2,000", True),
        ("`$a` and `$b`", True),
        ("$$ 6 N D $$", False),
    ],
)
def test_two_dollars_that_a_page_would_take_for_mathematics_are_refused(source, prose, fine):
    notebook = learner(source)
    notebook.cells[0].source = prose
    if fine:
        return build.check_rules(notebook, source)
    with pytest.raises(build.BuildError, match="two bare dollars in a paragraph"):
        build.check_rules(notebook, source)


def test_an_escaped_dollar_stands_in_an_element_of_its_own_unless_it_is_code(source):
    notebook = learner(edited(source, "# %% [markdown]\n", "# %% [markdown]\n# from \\$5 to `\\$6`\n#\n"))
    assert r"from <span>\$</span>5 to `\$6`" in notebook.cells[0].source


@pytest.mark.parametrize(
    "reader", ["print(answer)", "f = lambda: answer", "print([answer for _ in '1'])", "if answer or 1:\n    answer.x"]
)
def test_an_exercise_takes_no_name_that_another_cell_needs(source, reader):
    notebook = learner(edited(source, "answer = None\n\n# %% [markdown]", f"{reader}\n\n# %% [markdown]"))
    with pytest.raises(build.BuildError, match=r"cell 3 .*sets answer, which cell 1 needs"):
        build.check_rules(notebook, source)


@pytest.mark.parametrize("reader", ["print(answer or 1)", "answer = 3\nprint(answer)", "f = lambda answer: answer"])
def test_what_reads_an_answer_that_may_be_missing_or_a_name_of_its_own_is_fine(source, reader):
    edited(source, "answer = None\n\n# %% [markdown]", f"{reader}\n\n# %% [markdown]")
    build.check_rules(learner(source), source)


def test_what_spoils_a_guess_is_all_of_its_section_and_up_to_its_reveal():
    code, prose = new_code_cell, new_markdown_cell
    cells = [
        *(code("before"), code('cl.predict("a", "How many?")'), prose("Then measure."), code("measure")),
        *(prose("## Meanwhile"), code("meanwhile"), code('cl.reveal("a", 1)'), prose("So it is."), code("table")),
        *(prose("## Next"), code("next"), code("cl.findings()")),
    ]
    found = [cell.source for cell in build.spoilers(new_notebook(cells=cells))]
    assert found == ["measure", "meanwhile", 'cl.reveal("a", 1)', "table", "cl.findings()"]


def test_the_learners_page_is_written_without_spoilers_and_the_solved_one_whole(source, repository):
    asks = 'cl = __import__("types").SimpleNamespace(predict=print, reveal=print)\ncl.predict("a")'
    edited(source, "answer = None\n\n# %% [markdown]", f'{asks}\n\n# %%\ncl.reveal("a")\n\n# %% [markdown]')
    edited(source, "# The end.", "# The end.\n\n# %% [markdown]\n# Really.")
    assert build.main([]) == 0
    learner, solved = (nbformat.read(repository / f"{place}09_lesson.ipynb", 4) for place in ("", "solutions/"))
    assert learner.cells[1].outputs and not learner.cells[2].outputs and solved.cells[2].outputs


def test_neighbours_are_linked_at_the_foot_by_their_titles(source):
    (source.parent / "10_more.py").write_text("# %% [markdown]\n# # 10 · More\n", encoding="utf-8")
    learner, solved = build.feet(source)
    assert learner.startswith("---\n[this page with all") and "](solutions/09_lesson.ipynb)" in learner
    assert learner.endswith("[10 · More](10_more.ipynb) →") and "](../09_lesson.ipynb)" in solved
    assert build.feet(source.parent / "10_more.py")[0].startswith("---\n← [09 · A lesson](09_lesson.ipynb)")


def test_setup_is_folded_for_jupyter_and_for_colab(source):
    assert learner(source).cells[1].metadata == {"tags": ["setup", "nbval-ignore-output"]} | build.FOLDED


def test_the_same_in_plain_calls_is_folded(source):
    cell = '# %% tags=["plain"]\n' + "1\n"
    edited(source, "# The end.", f"# The end.\n\n{cell}\n# %% [markdown]\n# Really.\n\n# %% [markdown]\n# Yes.")
    notebook = learner(source)
    build.check_rules(notebook, source)
    assert build.FOLDED.items() <= next(c for c in notebook.cells if "plain" in build.tags_of(c)).metadata.items()


def test_a_cell_does_the_same_with_other_comments_and_layout():
    one, same = new_code_cell("# why\n\nx = f(1,\n      2)  # here"), new_code_cell("x = f(1, 2)")
    assert build.does(one) == build.does(same) != build.does(new_code_cell("x = f(1, 3)"))


@pytest.mark.parametrize(
    ("said", "fine"), [("✓ Right.", True), ("log\n✓ Right.", True), ("✗ Look again.", False), ("", False)]
)
def test_a_solution_that_its_check_refuses_is_refused(source, said, fine):
    output = new_output("stream", text=said)
    cell = new_code_cell('cl.check("09-x", 1)', outputs=[output], metadata={"tags": ["solution"]})
    if fine:
        return build.check_solved(new_notebook(cells=[cell]), source)
    with pytest.raises(build.BuildError, match="its check says"):
        build.check_solved(new_notebook(cells=[cell]), source)


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (new_output("stream", name="stderr", text="FutureWarning: soon"), "wrote to stderr"),
        (new_output("error", ename="ValueError", evalue="no"), "ValueError: no"),
    ],
)
def test_errors_and_stderr_are_refused(source, output, complaint):
    notebook = new_notebook(cells=[new_code_cell("x = 1", execution_count=1, outputs=[output])])
    with pytest.raises(build.BuildError, match=complaint):
        build.check_executed(notebook, source)


def test_a_cell_that_did_not_run_is_refused(source):
    with pytest.raises(build.BuildError, match="was not executed"):
        build.check_executed(new_notebook(cells=[new_code_cell("x = 1")]), source)


def test_outputs_lose_what_differs_from_run_to_run(monkeypatch):
    monkeypatch.setattr(build, "machine_places", lambda: [("/there/course/", ""), ("/there", "~")])
    view = {build.WIDGET_VIEW: {"model_id": "1"}}
    outputs = [
        new_output("stream", text="\x1b[31mone\x1b[0m in /there/course/data\n"),
        new_output("display_data", data={"text/plain": "HBox(children=(IntProgress(value=1),))", **view}),
        new_output("display_data", data={"text/plain": "Converting tensors...:   0%|          | 0/272", **view}),
        new_output("stream", text="two in /there, not /thereabouts\n"),
        new_output("display_data", data={"text/plain": "Predict: how many?", **view}),
        new_output("display_data", data=dict(view)),
        new_output("display_data", data={"image/png": "AAAA"}, metadata={"image/png": {"alt": "a plot"}}),
    ]
    cell = new_code_cell("x", outputs=outputs, metadata={"tags": ["setup"], "execution": {"started": "now"}})
    notebook = build.clean(new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    stream, question, picture = notebook.cells[0].outputs
    assert stream.text == "one in data\ntwo in ~, not /thereabouts\n"
    assert question.data == {"text/plain": "Predict: how many?"}
    assert picture.metadata == {"image/png": {"alt": "a plot"}}
    assert notebook.cells[0].metadata == {"tags": ["setup"]} and notebook.metadata == {}


def test_this_machines_folders_are_named_longest_first():
    places = [path for path, _ in build.machine_places()]
    assert str(build.ROOT) in places and places == sorted(places, key=len, reverse=True)


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


@pytest.fixture
def built(source: Path) -> Path:
    """Both notebooks stored beside the source; gives their folder."""
    folder = source.parents[1]
    for notebook, place in zip(build.both(source), (folder, folder / "solutions")):
        store(notebook, place / "09_lesson.ipynb")
    return folder


def test_notebooks_in_step_with_their_source_differ_in_nothing(source, built):
    assert build.differences(source, built) == []


def test_outputs_are_no_difference(source, built):
    notebook = nbformat.read(built / "09_lesson.ipynb", as_version=4)
    notebook.cells[1].outputs = [new_output("stream", text="hello")]
    notebook.cells[1].execution_count = 1
    store(notebook, built / "09_lesson.ipynb")
    assert build.differences(source, built) == []


@pytest.mark.parametrize(("old", "new"), [("The end.", "An end."), ('["setup", "nbval', '["nbval'), ("42", "43")])
def test_an_edited_source_is_noticed(source, built, old, new):
    assert build.differences(edited(source, old, new), built)


def test_a_notebook_that_is_not_built_is_noticed(source, built):
    (built / "09_lesson.ipynb").unlink()
    assert build.differences(source, built) == ["09_lesson.ipynb is not built"]


def test_a_notebook_without_a_source_is_noticed(source, built):
    store(new_notebook(cells=[new_markdown_cell("lost")]), built / "08_lost.ipynb")
    assert build.strays(built) == ["08_lost.ipynb"]


def test_names_choose_by_their_beginning(source):
    assert build.sources(["09"], source.parent) == [source]
    with pytest.raises(build.BuildError, match="no source begins with '10'; there are: 09_lesson"):
        build.sources(["10"], source.parent)


def test_the_appendix_is_built_beside_the_lessons_and_counted_with_them(source, monkeypatch):
    root = source.parents[1]
    deeper = source.parent / "appendix" / "09_deeper.py"
    deeper.parent.mkdir()
    deeper.write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(build, "NOTEBOOKS", root)
    assert build.sources(folder=source.parent) == [source, deeper]
    assert build.sources(["09"], source.parent) == [source]
    assert build.sources(["appendix/09"], source.parent) == [deeper]
    assert build.differences(deeper, root)[0] == "appendix/09_deeper.ipynb is not built"
    build.write_both(*build.both(deeper), deeper)
    assert build.differences(deeper, root) == []
    assert (root / "solutions" / "appendix" / "09_deeper.ipynb").exists()
    store(new_notebook(cells=[new_markdown_cell("lost")]), root / "appendix" / "08_lost.ipynb")
    assert build.strays(root) == ["appendix/08_lost.ipynb"]


@pytest.fixture
def repository(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`build` pointed at a small repository of its own."""
    root = source.parents[1]
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.setattr(build, "NOTEBOOKS", root)
    monkeypatch.setattr(build, "ADAPTERS", root / "adapters")
    monkeypatch.setattr(build, "sources", lambda names=(), folder=None: [source])
    return root


TRAINS = """import json, os, pathlib
folder = pathlib.Path("adapters/small")
folder.mkdir(parents=True, exist_ok=True)
if os.environ.get("COURSE_RECORD") == "1":
    _ = (folder / "card.json").write_text(json.dumps({"key": "abc"}))
print(os.environ.get("COURSE_RECORD"), "COURSE_REPLAY" in os.environ)"""


def test_recording_notes_who_needs_which_adapter_and_deletes_the_rest(source, repository, monkeypatch):
    monkeypatch.setenv("COURSE_REPLAY", "1")
    edited(source, "answer = None\n\n# %% [markdown]", f"{TRAINS}\n\n# %% [markdown]")
    stale = repository / "adapters" / "stale"
    stale.mkdir(parents=True)
    (stale / "card.json").write_text('{"key": "old"}')
    build.write_used({"07_gone": ["old"]})
    assert build.main(["--record"]) == 0
    assert build.read_used() == {"09_lesson": ["abc"]}
    assert not stale.exists() and (repository / "adapters" / "small" / "card.json").exists()
    learner = nbformat.read(repository / "09_lesson.ipynb", as_version=4)
    assert learner.cells[1].outputs[0].text == "1 False\n"
    assert [cell.execution_count for cell in learner.cells if cell.cell_type == "code"] == [1, 2]
    assert (repository / "solutions" / "09_lesson.ipynb").exists()


def test_what_another_student_trains_is_kept_and_nothing_is_built(source, repository):
    asks = f'{TRAINS}\n_ = (folder / "student").write_text(os.environ["COURSE_MODEL"])'
    edited(source, "answer = None\n\n# %% [markdown]", f"{asks}\n\n# %% [markdown]")
    assert build.main(["09", "--record", "--student", "qwen-0.5b"]) == 0
    assert build.read_used() == {"09_lesson@qwen-0.5b": ["abc"]}
    assert (repository / "adapters" / "small" / "student").read_text() == "qwen-0.5b"
    assert not (repository / "09_lesson.ipynb").exists()


def test_only_what_is_recorded_can_be_done_by_another_student(source, repository, capsys):
    with pytest.raises(SystemExit):
        build.main(["--replay", "--student", "qwen-0.5b"])
    assert "--student goes with --record" in capsys.readouterr().err


def test_a_cell_that_fails_is_named_and_nothing_is_written(source, repository, capsys):
    edited(source, "answer = None  # yours", "1 / 0")
    assert build.main([]) == 1
    assert "09_lesson.py, cell 3 ('1 / 0') failed" in capsys.readouterr().err
    assert not (repository / "09_lesson.ipynb").exists()


def test_new_prose_is_taken_and_what_was_printed_is_kept(source, built, repository):
    notebook = nbformat.read(built / "09_lesson.ipynb", as_version=4)
    notebook.cells[1].outputs = [new_output("stream", text="hello")]
    notebook.cells[1].execution_count = 7
    store(notebook, built / "09_lesson.ipynb")
    edited(source, "The end.", "An end.")
    assert build.main(["--prose"]) == 0
    reworded = nbformat.read(built / "09_lesson.ipynb", as_version=4)
    assert reworded.cells[-2].source == "An end."
    assert (reworded.cells[1].outputs[0].text, reworded.cells[1].execution_count) == ("hello", 7)
    assert build.differences(source, built) == []


def test_a_changed_code_cell_is_not_passed_off_as_prose(source, built, repository, capsys):
    before = (built / "09_lesson.ipynb").read_bytes()
    edited(source, "answer = None\n\n# %% [markdown]", "answer = 3\n\n# %% [markdown]")
    assert build.main(["--prose"]) == 1
    assert "must be run" in capsys.readouterr().err
    assert (built / "09_lesson.ipynb").read_bytes() == before

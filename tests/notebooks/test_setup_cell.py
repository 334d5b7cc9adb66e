"""The first cell of every notebook, as Colab runs it: on stand-ins, nothing is fetched. For real: tests/colab."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import in_colab
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
CODE = (ROOT / "notebooks" / "src" / "_setup.py.txt").read_text(encoding="utf-8")
LESSONS, OWN = in_colab.requirements()
IMAGE = (ROOT / "tests" / "colab" / "image.txt").read_text(encoding="utf-8")


class Colab:
    """A machine: what is installed, what this Python has loaded, what each run of pip changes; and what was run."""

    def __init__(self) -> None:
        self.installed = {"torch": "2.11.0+cu128", "pandas": "2.2.3", "pyarrow": "18.1.0", "ipywidgets": "7.7.1"}
        self.loaded: set[str] = set()
        self.changes: list[dict[str, str | None] | str] = []  # a run's upgrades, or what it says as it fails
        self.refused = ""
        self.ran: list[str] = []
        self.held: list[str] = []
        self.folder = ""

    def run(self, command, **options):
        if command[1] == "-c":
            return types.SimpleNamespace(stdout=self.refused, returncode=0)
        self.ran.append(" ".join(command[command.index("--disable-pip-version-check") + 1 :]))
        self.held.append(Path(command[command.index("-c") + 1]).read_text() if "-c" in command else "")
        change = {command[-2]: None} if "uninstall" in command else self.changes.pop(0) if self.changes else {}
        if isinstance(change, str):
            return types.SimpleNamespace(returncode=1, stderr=change)
        self.installed |= change
        return types.SimpleNamespace(returncode=0, stderr="")


@pytest.fixture
def colab(monkeypatch) -> Colab:
    """What `in_colab` sees instead of this machine."""
    machine = Colab()
    monkeypatch.setattr(sys, "path", ["before", *sys.path])
    monkeypatch.setattr(in_colab, "_loaded", {})
    monkeypatch.setattr(in_colab, "_version", machine.installed.get)
    monkeypatch.setattr(in_colab, "_imported", lambda: machine.loaded)
    monkeypatch.setattr(metadata, "packages_distributions", dict)  # it takes half a second
    monkeypatch.setattr(in_colab.subprocess, "run", machine.run)
    monkeypatch.setattr(os, "chdir", lambda folder: setattr(machine, "folder", str(folder)))
    return machine


@pytest.fixture
def cell(monkeypatch):
    """Runs the cell; gives what it did, in order."""
    done: list[str] = []
    stand_in = types.SimpleNamespace(install=lambda: done.append("install"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(subprocess, "run", lambda line, **options: done.append(f"{options['cwd']}: {line}"))
    monkeypatch.setitem(sys.modules, "in_colab", stand_in)
    monkeypatch.setitem(sys.modules, "course_lib", types.SimpleNamespace(start=lambda: done.append("start")))

    def run(colab: bool, installed: bool = False) -> list[str]:
        if colab:
            monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
        exec(CODE, {})
        return done

    return run


def test_at_home_the_cell_only_starts_the_session(cell):
    assert cell(colab=False) == ["start"]


def test_in_colab_the_cell_clones_installs_and_starts(cell):
    clone, *rest = cell(colab=True)
    assert clone.startswith("/content: test -d course || git clone") and rest == ["install", "start"]
    assert "/content/course/notebooks" in sys.path


def test_in_colab_a_second_run_installs_nothing(cell):
    assert cell(colab=True, installed=True) == ["start"]


def test_colab_installs_what_lessons_import_and_keeps_what_is_its_own():
    names, own = {one.name for one in LESSONS}, {one.name for one in OWN}
    assert own == {"torch", "jupyterlab", "ipykernel", "ipywidgets"}
    assert not names & {"pytest", "hypothesis", "ruff", "uv", "nbval", "jupytext", "nbclient"}
    every = [
        Requirement(line) for line in re.findall(r"^[^#\s]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    ]
    paths = [*(ROOT / "course_lib").rglob("*.py"), *(ROOT / "notebooks" / "src").rglob("*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    homes = metadata.packages_distributions()
    imported = {home.lower() for module in modules for home in homes.get(module.partition(".")[0], ())}
    left_out = {one.name.lower() for one in every} - {name.lower() for name in names | own}
    assert {"torch", "pandas", "trl", "pyyaml"} <= imported and not imported & left_out


def test_what_is_missing_is_installed_by_hash_where_there_is_one(colab, capsys):
    in_colab.install()
    first, models = colab.ran
    assert all(str(one) in first.split() for one in LESSONS) and "--require-hashes" in models
    assert colab.folder == str(ROOT / "notebooks") and sys.path[0] == str(ROOT)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_colabs_own_and_what_is_loaded_keep_their_versions(colab):
    colab.loaded = {"psutil", "pandas"}
    colab.installed["psutil"] = "5.9.5"
    in_colab.install()
    assert set(colab.held[0].split()) == {"torch==2.11.0+cu128", "ipywidgets==7.7.1", "psutil==5.9.5", "pandas==2.2.3"}


NEWER = {"pyarrow": "26.0.1", "pandas": "3.0.0"}


@pytest.mark.parametrize(
    ("loaded", "named"),
    [({"pandas", "pyarrow"}, "pandas, pyarrow"), ({"pyarrow", "torch"}, "pyarrow"), ({"torch"}, None), (set(), None)],
)
def test_what_was_loaded_and_had_to_change_asks_for_a_restart(colab, loaded, named):
    colab.loaded, colab.changes = loaded, ["no versions fit", NEWER] if named else [NEWER]
    if named is None:
        in_colab.install()
        return
    for _ in range(2):  # running the cell again without the restart changes nothing
        with pytest.raises(
            in_colab.SetupError, match=rf"loaded already .{named}.: .* Runtime > Restart session"
        ) as error:
            in_colab.install()
        assert sys.path[0] == "before" and not colab.folder
        assert error.value._render_traceback_() == [str(error.value)] and "\n" not in str(error.value)
    assert colab.held[1].split() == ["torch==2.11.0+cu128", "ipywidgets==7.7.1"], "Colab's own is held all the same"


@pytest.mark.parametrize(
    ("refused", "removed"),
    [
        ("", []),
        ("refused: torchao peft\n", ["torchao"]),
        ("a warning\nrefused: torchao peft\nrefused: gptqmodel peft\n", ["torchao", "gptqmodel"]),
        ("refused: peft transformers\n", []),  # what the course needs is never removed
        ("refused: torch accelerate\n", []),
        ("refused: vllm trl\n", []),  # not installed
    ],
)
def test_what_a_library_refuses_is_removed_and_said(colab, capsys, refused, removed):
    colab.installed |= {"torchao": "0.10.0", "gptqmodel": "1.0", "peft": "0.21.0"}
    colab.refused = refused
    in_colab.install()
    assert [line.split()[2] for line in colab.ran if line.startswith("uninstall")] == removed
    said = capsys.readouterr().out.splitlines()[1:]
    assert len(said) == len(removed)
    versions = {"torchao": "0.10.0", "gptqmodel": "1.0"}
    assert all(f"Removed {name} {versions[name]}: peft refuses" in line for name, line in zip(removed, said))


@pytest.mark.parametrize(
    ("version", "said"), [("2.8.0+cu126", True), ("2.11.0+cu128", False), ("9.0", True), (None, False)]
)
def test_a_torch_that_the_course_was_not_tried_with_is_said_and_kept(colab, capsys, version, said):
    colab.installed["torch"] = version
    in_colab.install()
    assert (f"Colab's torch {version} is none" in capsys.readouterr().out) == said
    assert colab.folder and (f"torch=={version}" in colab.held[0]) == (version is not None)


def test_pip_failing_is_a_sentence_with_its_last_words(colab):
    colab.changes = ["one\ntwo", "ERROR: no network"]
    with pytest.raises(in_colab.SetupError, match=r"run this cell again.*\nERROR: no network"):
        in_colab.install()
    assert not colab.folder


def test_the_libraries_are_asked_themselves(monkeypatch, tmp_path):
    # A torchao as old as Colab's, of which there is nothing but its name.
    (tmp_path / "torchao").mkdir()
    (tmp_path / "torchao" / "__init__.py").touch()
    info = tmp_path / "torchao-0.10.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n", encoding="utf-8")
    (info / "RECORD").write_text("torchao/__init__.py,,\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert in_colab._refused(set()) == [("torchao", "peft")]


def test_loaded_packages_are_known_by_their_modules():
    found = in_colab._imported()
    assert {"pytest", "packaging"} <= found and "google" not in found


def test_the_rehearsed_image_says_when_and_where_it_was_published():
    head = "".join(line for line in IMAGE.splitlines(keepends=True) if line.startswith("#"))
    assert re.search(r"published on 20\d\d-\d\d-\d\d, with Python 3\.\d+\.\d+; read on 20\d\d-\d\d-\d\d", head)
    assert re.search(r"https://github\.com/googlecolab/backend-info/blob/[0-9a-f]{40}/pip-freeze\.gpu\.txt", head)
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", IMAGE, re.MULTILINE))
    assert len(pins) == len(IMAGE.splitlines()) - head.count("\n")
    assert pins["torchao"] and pins["torch"] and pins["pip"] and pins["ipywidgets"]


@pytest.mark.parametrize("name", ["numpy", "pandas", "psutil", "torch", "matplotlib"])
def test_what_colab_has_loaded_before_the_first_cell_need_not_change(name):
    # Else every session would begin with a restart.
    bounds = {one.name: one.specifier for one in LESSONS + OWN}
    assert bounds[name].contains(re.search(rf"^{name}==(\S+)$", IMAGE, re.MULTILINE)[1])

"""The first cell of every notebook, as Colab runs it: on a stand-in, nothing is fetched."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = (ROOT / "notebooks" / "src" / "_setup.py.txt").read_text(encoding="utf-8")


@pytest.fixture
def ran(monkeypatch):
    """Runs the cell; gives what it would have done: shell lines and the folder it went to."""
    done = types.SimpleNamespace(shell=[], folder=None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(subprocess, "run", lambda line, **options: done.shell.append((line, options)))
    monkeypatch.setattr(os, "chdir", lambda folder: setattr(done, "folder", folder))
    monkeypatch.setitem(sys.modules, "course_lib", types.SimpleNamespace(start=lambda: done.shell.append("start")))

    def run(colab: bool, installed: bool) -> types.SimpleNamespace:
        if colab:
            monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
        exec(CODE, {})
        return done

    return run


def test_at_home_the_cell_only_starts_the_session(ran):
    done = ran(colab=False, installed=False)
    assert done.shell == ["start"] and done.folder is None


def test_in_colab_the_cell_installs_goes_to_the_notebooks_and_starts(ran):
    done = ran(colab=True, installed=False)
    (line, options), last = done.shell
    assert options == {"shell": True, "check": True} and last == "start"
    assert "git clone" in line and "--require-hashes" in line
    assert done.folder == "/content/course/notebooks"


def test_in_colab_a_second_run_installs_nothing(ran):
    assert ran(colab=True, installed=True).shell == ["start"]


@pytest.mark.skipif(shutil.which("grep") is None, reason="no grep here; Colab has one")
def test_colab_keeps_its_own_torch_and_front_end(tmp_path):
    pattern = re.search(r"grep -vE '([^']+)'", CODE)[1]
    kept = subprocess.run(
        ["grep", "-vE", pattern, "requirements.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = set(re.findall(r"^([A-Za-z0-9_-]+)>", kept, re.MULTILINE))
    assert not names & {"torch", "jupyterlab", "ipykernel", "ipywidgets", "nbclient"}
    assert names >= {"transformers", "trl", "peft", "chromadb", "sentence-transformers", "bitsandbytes", "gguf"}

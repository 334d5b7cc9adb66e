"""`make data` makes the same bytes again, by another Python whose sets and dicts of strings are in another order."""

import os
import subprocess
import sys

import pytest

from course_lib.core.session import ROOT

WRITE = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
importlib.import_module(sys.argv[2]).write(Path(sys.argv[3]))
"""
BY_HAND = {"README.md", "schema.sql", "second_schema.sql"}


@pytest.mark.parametrize("name", ["exams", "tickets", "preferences", "style", "agreements", "sql"])
def test_a_set_comes_out_the_same_when_it_is_made_again(name, tmp_path):
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITE, str(ROOT / "data" / "make" / "sets"), name, str(tmp_path)]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    kept = (path for path in (ROOT / "data" / name).iterdir() if path.name not in BY_HAND)
    shipped = {path.name: path.read_bytes() for path in kept}
    made = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert made.keys() == shipped.keys(), "a file that nothing makes, or one that is missing"
    stale = [file for file in made if made[file] != shipped[file]]
    assert not stale, f"run `python data/make/sets/{name}.py`"


def test_the_series_come_out_the_same_when_they_are_made_again():
    import series

    library = ROOT / "data" / "library"
    wanted = dict(series.documents())
    assert len(wanted) >= 50
    stale = [path for path, text in wanted.items() if (library / path).read_bytes() != text.encode()]
    assert stale == [], "run `make data`"
    shipped = {f"{kind}/{path.name}" for kind in series.KINDS for path in (library / kind).iterdir()}
    assert shipped == set(wanted), "a document that nothing makes, or one that is missing"

"""The rooms of the package: each imports from those below it, never from above, and no two modules from each other."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "course_lib"
ROOMS = ["core", "display", "models", "evaluation", "training", "retrieval", "costs", "shipping", "lessons", "face"]
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def room(module: str) -> str:
    """The room that a module is in; the face is the package itself."""
    return module.split(".")[1] if "." in module else "face"


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of the package that a module imports, anywhere in it: at its top, in a function, for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import hides which room it reaches"
            found |= {
                name if name in MODULES else node.module for name in (f"{node.module}.{a.name}" for a in node.names)
            }
    return frozenset(name for name in found if name.split(".")[0] == "course_lib")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_and_those_below(module):
    assert room(module) in ROOMS, "a room that is not on the list"
    upwards = {name for name in imports(module) if ROOMS.index(room(name)) > ROOMS.index(room(module))}
    assert not upwards


def test_no_import_goes_round_in_a_circle():
    try:
        TopologicalSorter({module: imports(module) & set(MODULES) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_everything_that_is_imported_is_there():
    assert {name for module in MODULES for name in imports(module)} <= set(MODULES)

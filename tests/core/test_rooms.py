"""The rooms of the package: each imports from those below it, never from above, and no two modules from each other."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import course_lib

PACKAGE = Path(__file__).resolve().parents[2] / "course_lib"
ROOMS = ["core", "display", "models", "evaluation", "training", "retrieval", "costs", "shipping", "lessons", "face"]
SOURCES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}


def room(module: str) -> str:
    """The room that a module is in; the face is the package itself."""
    return module.split(".")[1] if "." in module else "face"


def imported(source: str) -> set[str]:
    """Modules of the package that a source imports, anywhere in it: at its top, in a function, for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import hides which room it reaches"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else node.module for name in names}
    return {name for name in found if name.split(".")[0] == "course_lib"}


def upward(module: str, source: str) -> set[str]:
    """What a module imports from the rooms above its own."""
    return {name for name in imported(source) if ROOMS.index(room(name)) > ROOMS.index(room(module))}


IMPORTS = {module: imported(source) for module, source in SOURCES.items()}


def test_every_module_is_in_a_room_and_imports_from_none_above():
    assert {room(module) for module in SOURCES} == set(ROOMS)
    assert {module: up for module, source in SOURCES.items() if (up := upward(module, source))} == {}


def test_no_import_goes_round_in_a_circle():
    try:
        TopologicalSorter({module: found & set(SOURCES) for module, found in IMPORTS.items()}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_everything_that_is_imported_is_there():
    assert set().union(*IMPORTS.values()) <= set(SOURCES)


def test_the_face_lists_the_rooms_in_their_order():
    described = [line.split()[0] for line in course_lib.__doc__.splitlines() if line.startswith("    ")]
    assert described == ROOMS[-2::-1]


@pytest.mark.parametrize(
    "planted",
    [
        "from course_lib.evaluation.exams import Exam",
        "from course_lib.lessons import sql",
        "import course_lib.training.sft",
        "import course_lib as cl",
        "from course_lib import load_model",
        "def late():\n    from course_lib.training import sft",
        "class Model:\n    def answer(self):\n        import course_lib.lessons.sql.task as task",
        "if TYPE_CHECKING:\n    from course_lib.costs.prices import Price",
        "try:\n    pass\nfinally:\n    from course_lib.shipping import serving",
    ],
)
def test_an_upward_import_would_be_found_wherever_it_stands(planted):
    source = SOURCES["course_lib.models.chatmodel"]
    assert upward("course_lib.models.chatmodel", source) == set()
    assert len(upward("course_lib.models.chatmodel", f"{source}\n\n{planted}\n")) == 1


def test_imports_of_ones_own_room_of_those_below_and_of_libraries_are_fine():
    source = "import torch\nfrom course_lib.core.errors import CourseError\nfrom course_lib.models import scoring"
    assert upward("course_lib.models.loading", source) == set()
    with pytest.raises(AssertionError, match="a relative import"):
        imported("from ..lessons import sql")

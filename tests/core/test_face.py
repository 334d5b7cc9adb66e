"""The face of the package: each name is where it says, and nobody is sent to a name that it has not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import course_lib

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "course_lib" / "__init__.py"
TEXTS = [
    *sorted((ROOT / "course_lib").rglob("*.py")),
    *sorted((ROOT / "notebooks").rglob("*.ipynb")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")),
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_is_sent_to_a_name_that_the_face_has_not(path):
    told = set(re.findall(r"\bcl\.([A-Za-z_]\w*)", path.read_text(encoding="utf-8")))
    assert told <= set(course_lib.__all__)


def test_type_checkers_see_the_names_that_are_looked_up():
    """What stands under TYPE_CHECKING is what `__getattr__` gives."""
    (block,) = (node for node in ast.parse(FACE.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == {name: f"course_lib.{module}" for name, module in course_lib._MODULE_OF.items()}


def test_the_face_is_small():
    assert len(course_lib.__all__) <= 60

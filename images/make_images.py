"""Draws the diagrams of the course, each as PNG and as SVG.

    python images/make_images.py [name ...]

Prints, for each, the line of Markdown by which a lesson shows it. A picture carries no date; it carries the SHA-256 of
what it was drawn by: its module in `drawings/`, the toolkit, and what it took from the data. By that a test knows
whether it is stale, whatever fonts a machine has.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import toolkit

HERE = Path(__file__).resolve().parent
NAMES = sorted(path.stem for path in HERE.glob("drawings/[a-z]*.py"))


def drawing(name: str) -> ModuleType:
    """The module that draws it."""
    return import_module(f"drawings.{name}")


def alt(name: str) -> str:
    """What a picture shows, in words: the one place where pages take it from."""
    return drawing(name).alt(drawing(name).given())


def digest(name: str) -> str:
    """SHA-256 of all that a picture is drawn by."""
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (toolkit, drawing(name))]
    return hashlib.sha256(json.dumps([*sources, drawing(name).given()]).encode()).hexdigest()


def main(names: Sequence[str] = ()) -> None:
    with toolkit.plt.rc_context(toolkit.RC):
        for name in names or NAMES:
            page = drawing(name).draw(drawing(name).given())
            page.save(HERE / name, alt(name), digest(name))
            print(f"![{alt(name)}](../images/{name}.png)")


if __name__ == "__main__":
    main(sys.argv[1:])

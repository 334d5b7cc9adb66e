"""What scripts that make a set share: the counts of its README, between two marks; the report of what breaks rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

COUNTS = re.compile(r"(<!-- counts:begin -->\n).*?(<!-- counts:end -->)", re.DOTALL)


def filled(page: str, counts: str) -> str:
    """A page with its counts made again."""
    made, parts = COUNTS.subn(lambda part: f"{part[1]}{counts}\n{part[2]}", page)
    if parts != 1:
        raise SystemExit("the README lacks its markers, counts:begin and counts:end")
    return made


def fill(folder: Path, counts: str) -> None:
    """Write the counts into a folder's README, if it has one."""
    readme = folder / "README.md"
    if readme.exists():
        page = filled(readme.read_text(encoding="utf-8"), counts)
        readme.write_text(page, encoding="utf-8", newline="\n")


def reported(problems: Sequence[str]) -> int:
    """Print what breaks the rules; the script's exit code."""
    print(*problems, sep="\n", end="\n" * bool(problems))
    return int(bool(problems))

"""What the scripts beside it share: a page is made, or with `--check`, their one option, it is said if it is stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def only_checked(arguments: list[str]) -> bool:
    """Whether a page is to be checked and not made. Exits for any other option."""
    if unknown := set(arguments) - {"--check"}:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; the one option is --check")
    return bool(arguments)


def differs(page: Path, text: str) -> bool:
    """Whether a page is not there, or is not this text."""
    return not page.exists() or page.read_text(encoding="utf-8") != text


def make(page: Path, text: Callable[[], str], stale: Callable[[], bool], script: str, arguments: list[str]) -> int:
    """Make a page, or check it; the script's exit status."""
    if not only_checked(arguments):
        page.write_text(text(), encoding="utf-8", newline="\n")
        print(f"{page.name} made")
    elif stale():
        print(f"{page.name} is stale: run `make readme` (python data/make/pages/{Path(script).name})")
        return 1
    return 0

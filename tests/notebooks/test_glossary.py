"""The glossary: sorted, every term once and explained, and each stands in the lesson that it names."""

from __future__ import annotations

import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
ENTRY = re.compile(
    r"^- \*\*(?P<term>.+?)\*\* · (?P<told>.+\.) \[(?P<number>\d\d)\]\((?P<page>(?P=number)_\w+)\.ipynb\)$"
)
LINES = [line for line in (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8").splitlines() if line.startswith("- ")]


def prose(page: str) -> str:
    """A lesson's source in lower case, its lines joined."""
    source = (NOTEBOOKS / "src" / f"{page}.py").read_text(encoding="utf-8")
    return " ".join(line.removeprefix("# ") for line in source.casefold().splitlines())


def test_each_term_is_told_in_a_line_once_and_they_are_sorted():
    assert [line for line in LINES if not ENTRY.match(line)] == []
    terms = [ENTRY.match(line)["term"].casefold() for line in LINES]
    assert terms == sorted(set(terms)) and len(terms) > 80


def test_each_term_stands_in_the_lesson_that_it_names():
    entries = [ENTRY.match(line) for line in LINES]
    pages = {entry["page"]: prose(entry["page"]) for entry in entries}
    assert len(pages) == 9, "a lesson without a word of its own"
    strangers = [f"{e['term']} ({e['page']})" for e in entries if e["term"].casefold() not in pages[e["page"]]]
    assert strangers == [], "name a lesson in which it stands, or take it out of notebooks/glossary.md"


def test_the_first_lesson_leads_to_the_glossary():
    assert "](glossary.md)" in (NOTEBOOKS / "src" / "00_start_here.py").read_text(encoding="utf-8")

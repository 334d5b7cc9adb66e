"""What CONTRIBUTING.md says of the rooms, held against the rooms."""

from __future__ import annotations

import re
from pathlib import Path

import course_lib

ROOT = Path(__file__).resolve().parents[2]
LISTED = re.findall(
    r"^\| \[`(\w+)/`\]\(course_lib/(\w+)\)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
)
ROOMS = sorted(path.parent.name for path in (ROOT / "course_lib").glob("*/__init__.py"))


def test_the_page_lists_every_room_once_and_links_to_it():
    assert all(name == folder for name, folder in LISTED)
    assert sorted(name for name, _ in LISTED) == ROOMS


def test_the_page_lists_the_rooms_in_the_order_of_the_face():
    places = [course_lib.__doc__.index(f"\n    {name} ") for name, _ in LISTED]
    assert places == sorted(places)


def test_the_tests_have_the_same_rooms():
    assert set(ROOMS) <= {path.name for path in (ROOT / "tests").iterdir()}

"""What a learner has done is there after a restart, and nowhere that it should not be."""

import json

import pytest

from course_lib.core import journal
from course_lib.core.journal import journal_file, note, recall


@pytest.fixture
def restarted(monkeypatch):
    """As in another kernel."""
    return lambda: monkeypatch.setattr(journal, "_unwritten", {})


def test_what_was_noted_is_there_after_a_restart(restarted):
    note("guesses", "first", 20)
    note("guesses", "second", "RAG")
    note("solved", "02-leak", "2026-11-30")
    restarted()
    assert recall("guesses") == {"first": 20, "second": "RAG"} and recall("solved", "02-leak") == "2026-11-30"
    assert recall("guesses", "third") is None and recall("quizzes") == {}


def test_off_writes_nothing_and_remembers_as_long_as_the_kernel_lives(restarted, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    note("guesses", "first", 20)
    assert journal_file() is None and recall("guesses", "first") == 20
    restarted()
    assert recall("guesses", "first") is None
    assert not list(tmp_path.rglob("*.json"))


def test_it_lies_in_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    note("guesses", "first", 20)
    (path,) = (tmp_path / "share").rglob("*.json")
    assert path == journal_file() and json.loads(path.read_text()) == {"guesses": {"first": 20}}


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_damaged_file_is_set_aside_and_not_written_over(text):
    path = journal_file()
    path.write_text(text)
    assert recall("guesses") == {}
    note("guesses", "first", 20)
    assert recall("guesses", "first") == 20
    assert path.with_suffix(".damaged").read_text() == text


def test_where_it_cannot_be_written_the_kernel_remembers(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    note("guesses", "first", 20)
    assert recall("guesses", "first") == 20

"""Text on its way out: every console shows it, every file holds it whole, a table keeps its cells."""

import ast
import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st

import course_lib
from course_lib.core import text as text_module
from course_lib.core.errors import CourseError, DataError
from course_lib.core.text import as_cell, as_path, say, whole, wrapped, write_text

PACKAGE = Path(course_lib.__file__).parent

# --- consoles -------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "check": "cl.check('02-leak', ['a?'], exam=None)",
    "not attempted": "cl.check('02-leak', None, exam=None)",
    "quiz": "cl.quiz('04', answers='aaaa')",
    "predict": "cl.predict('p', 'How many ≥ 5 ✓?'); cl.reveal('p', 3)",
    "show": "cl.Report('r', 'e', (R('1', 'q ✓', 'a', '日本', 'exact', 1, 'f'),)).show()",
    "picture": "print(cl.plots.bars([('a → b', -0.5, -0.6, -0.4)], '✓'))",
    "lesson": "from course_lib.lessons import sql; print('✓ −')",
    "learner": "cl.check('02-leak', None, exam=None); print(cl.load_results('02')['lesson'], '✓ − → 日')",
}


@pytest.mark.parametrize("code", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(
    "console",
    [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}],
)
def test_a_console_that_has_no_check_marks_ends_no_program(tmp_path, code, console):
    script = tmp_path / "script.py"
    script.write_text(f"import course_lib as cl\nfrom course_lib.evaluation.reports import Row as R\n{code}", "utf-8")
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONPATH": str(PACKAGE.parent)} | console
    ran = subprocess.run([sys.executable, script], capture_output=True, env=environment)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.strip()


def printed(*texts, encoding="cp1252", errors="strict"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding, errors)
    say(*texts, file=stream, flush=True)
    return stream.buffer.getvalue().decode(encoding)


def test_right_and_wrong_can_still_be_told_apart():
    assert printed("✓", "✗", "a · b → c − 1", encoding="ascii") == "[ok] [no] a - b -> c - 1\n"
    assert printed("✓ é … · ž") == "[ok] é … · ž\n"
    assert printed("é 日 ½", encoding="ascii") == "e ? 12\n"
    assert printed("✓ é", encoding="utf-8") == "✓ é\n"


def test_what_the_learner_has_chosen_for_a_stream_is_kept():
    assert printed("✓", encoding="ascii", errors="backslashreplace") == "\\u2713\n"


def test_half_a_character_and_a_secret_are_not_printed(monkeypatch, capsys):
    monkeypatch.setenv("MY_TOKEN", "abcd-efgh")
    say("hi \ud83d", "abcd-efgh", 3)
    assert capsys.readouterr().out == "hi \ufffd [hidden] 3\n"


class Own(io.StringIO):
    errors = "strict"

    def reconfigure(self, **_):
        raise io.UnsupportedOperation("not this one")


def test_streams_that_cannot_be_set_and_none_at_all_are_printed_to_as_by_print(monkeypatch):
    with contextlib.redirect_stdout(Own()) as stream:
        say("✓")
    assert stream.getvalue() == "✓\n"
    monkeypatch.setattr(sys, "stdout", None)  # as pythonw has it
    say("✓")


def test_nothing_in_the_package_prints_but_by_say():
    found = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    }
    assert found == {"text.py"}


# --- half characters ------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=())))
def test_a_text_becomes_one_that_a_file_can_hold_and_stays_if_it_was(text):
    try:
        text.encode()
        assert whole(text) is text
    except UnicodeEncodeError:
        assert whole(text).encode()


def test_two_halves_of_a_character_are_put_together():
    assert whole("a \ud83d\ude00 b \ude00") == "a 😀 b \ufffd"


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_text_is_written_whole_into_a_folder_that_is_made(tmp_path):
    path = write_text(tmp_path / "deep" / "a.md", "é \ud83d\n")
    assert path.read_bytes() == "é \ufffd\n".encode()
    write_text(path, "shorter")
    assert path.read_text() == "shorter" and os.listdir(path.parent) == ["a.md"]


@pytest.mark.parametrize("fault", [OSError("disk is full"), KeyboardInterrupt(), MemoryError()])
def test_what_goes_wrong_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch, fault):
    path = write_text(tmp_path / "a.md", "old")

    def fail(*_):
        raise fault

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError if isinstance(fault, OSError) else type(fault)):
        write_text(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.md"]


@pytest.mark.parametrize("path", ["a\0b", "x" * 300])
def test_a_name_that_no_disk_takes_is_one_sentence(tmp_path, path):
    with pytest.raises(DataError, match="cannot write"):
        write_text(tmp_path / path, "text")


# --- paths ----------------------------------------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder_wherever_the_path_is_text_or_a_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert as_path("~/a") == as_path(Path("~/a")) == tmp_path / "a"
    assert as_path("a/~") == Path("a/~")


def test_what_is_no_path_and_a_home_that_is_nowhere_are_one_sentence(monkeypatch):
    with pytest.raises(CourseError, match="None is no path"):
        as_path(None)
    with pytest.raises(CourseError, match="there is no home folder for ~nobody-of-this-name/a: give a whole path"):
        as_path("~nobody-of-this-name/a")


# --- tables ---------------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("|\\`*_[]<>&!-# ab\n\r\u2028\t"), max_size=12))
def test_a_cell_says_what_it_was_given_and_stays_one_cell(text):
    table = f"| a | b |\n|---|---|\n| x{as_cell(text)}x | y |\n"
    (found,) = mistune.create_markdown(renderer=None, plugins=["table"])(table)
    _, body = found["children"]
    (row,) = body["children"]
    assert len(row["children"]) == 2
    said = "".join(child.get("raw", "") for child in row["children"][0]["children"])
    assert said.replace("&amp;", "&").replace("&lt;", "<") == f"x{' '.join(text.split())}x"


# --- lines that a notebook shows whole ------------------------------------------------------------------------------

LINE = "  said: " + "the ferry leaves at nine " * 8


def test_a_long_line_is_broken_at_words_and_keeps_its_indent_and_columns_stay():
    columns = "name" + " " * 60 + "right" + " " * 60 + "0.5"
    first, *rest = wrapped(f"{LINE}\n{columns}\nshort").split("\n")
    assert rest[-2:] == [columns, "short"]
    assert all(len(line) <= 88 and line.startswith("  ") for line in [first, *rest[:-2]])
    assert " ".join([first, *rest[:-2]]).split() == LINE.split()
    assert wrapped("x" * 200) == "x" * 200, "an address is not broken"


@pytest.mark.parametrize(("in_notebook", "page", "lines"), [(True, "", 3), (True, "1", 1), (False, "", 1)])
def test_lines_are_broken_where_jupyter_would_and_not_in_what_is_stored(in_notebook, page, lines, monkeypatch, capsys):
    monkeypatch.setattr(text_module, "in_notebook", lambda: in_notebook)
    monkeypatch.setenv("COURSE_PAGE", page)
    say(LINE)
    assert capsys.readouterr().out.count("\n") == lines

"""The files of a folder: which are read, in whatever encoding, and why one is left out."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.retrieval import files
from course_lib.retrieval.files import Remark, Unreadable, clean, find_files, in_lines, prose, read_text


@pytest.fixture
def folder(tmp_path):
    """Makes files in a folder of its own; gives it."""

    def make(*names, data=b"Text."):
        root = tmp_path / "docs"
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return root

    return make


# Found


HIDDEN = [
    ".trash/old.md", ".obsidian/plugins/a/README.md", "a/.git/notes.md",
    "._notes.md", "a/.notes.md", "~$notes.md", "node_modules/a/README.md", "a/node_modules/b/c/d.txt", "~$tmp/notes.md",
]  # fmt: skip


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_hidden_or_temporary_or_a_programs_is_not_read_and_is_said(hidden, folder):
    root = folder("notes.md", hidden)
    found, left_out = find_files(root)
    assert found == [root / "notes.md"]
    ((name, reason, _),) = left_out
    assert (hidden.startswith(name), reason) == (True, files.HIDDEN)


def test_a_folder_that_lies_in_a_hidden_one_is_read_and_what_systems_leave_everywhere_is_not_worth_a_word(tmp_path):
    root = tmp_path / ".vault" / "node_modules"
    root.mkdir(parents=True)
    (root / ".ipynb_checkpoints").mkdir()
    for name in ("notes.md", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/notes-checkpoint.md"):
        (root / name).write_text("Text.")
    assert find_files(root) == ([root / "notes.md"], [])


def test_files_are_found_in_order_of_path_and_what_is_of_another_kind_or_a_link_is_named(folder, tmp_path):
    root = folder(
        "b/z.MD", "b/c/y.txt", "a.markdown", "README.md", "b/README.md", "x.Pdf", "page.html", "b/paper.docx", "LICENSE"
    )
    (root / "folder.md").mkdir()
    far = tmp_path / "far"
    far.mkdir()
    (far / "far.md").write_text("Far.")
    os.symlink(far, root / "linked")
    os.symlink(root, root / "b" / "loop")
    os.symlink(far / "far.md", root / "near.md")
    os.symlink(far / "nothing", root / "nothing.md")
    os.symlink("itself.md", root / "itself.md")
    os.mkfifo(root / "pipe.md")
    found, left_out = find_files(root)
    names = [path.relative_to(root).as_posix() for path in found]
    assert names == ["README.md", "a.markdown", "b/README.md", "b/c/y.txt", "b/z.MD", "near.md", "x.Pdf"]
    assert left_out == sorted(
        [Remark(name, files.OTHER_KIND) for name in ("page.html", "b/paper.docx", "LICENSE")]
        + [Remark(name, files.LINKED) for name in ("linked/", "b/loop/")]
        + [Remark(name, files.NO_FILE) for name in ("nothing.md", "itself.md", "pipe.md")]
    )


def test_a_folder_that_may_not_be_looked_into_is_named_and_the_rest_is_found(folder, monkeypatch):
    root, scan = folder("a.md", "shut/b.md"), os.scandir

    def refused(place):
        if Path(place).name == "shut":
            raise PermissionError(13, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", refused)
    assert find_files(root) == ([root / "a.md"], [Remark("shut", files.NO_ACCESS, "Permission denied")])


@pytest.mark.parametrize(
    ("name", "said"),
    [(b"caf\xe9.doc", "caf�.doc"), ("two\nlines.doc", "two lines.doc"), ("\x1b[31mred.doc", "[31mred.doc")],
)
def test_a_name_is_said_on_one_line_that_can_be_printed(name, said, folder):
    root = folder("a.md")
    Path(os.fsdecode(os.path.join(os.fsencode(root), os.fsencode(name)))).write_text("Text.")
    assert find_files(root)[1] == [Remark(said, files.OTHER_KIND)]


# Said


def test_a_list_has_a_line_for_each_reason_and_names_the_first_of_many():
    scans = [Remark(f"{i}.pdf", files.SCAN) for i in range(3000)]
    pictures = [Remark(f"{i}.png", files.OTHER_KIND) for i in range(2800)]
    remarks = [Remark("a.docx", files.OTHER_KIND), *scans, Remark("b.md", files.ENCODING, "byte 0xe9"), *pictures]
    kind, scan, encoding, rest = in_lines(remarks).splitlines()
    assert kind == f"- {files.OTHER_KIND}: 2,800 .png, 1 .docx"
    assert scan == f"- {files.SCAN}: {', '.join(f'{i}.pdf' for i in range(12))} and 2,988 more"
    assert encoding == f"- {files.ENCODING}: b.md (byte 0xe9)"
    assert rest == "(All of them: course_lib.retrieval.documents.survey.)"
    assert in_lines(remarks[:1]) == f"- {files.OTHER_KIND}: a.docx"


# Decoded

WORDS = "Überall 鵞鳥, eleven geese.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\f"])
def test_a_text_is_read_by_its_byte_order_mark_with_line_ends_of_any_system(encoding, end, folder):
    root = folder("a.md", data=(WORDS * 2).replace("\n", end).encode(encoding))
    assert read_text(root / "a.md") == (WORDS * 2, [])


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", [16, 32])
def test_a_byte_order_mark_tells_the_order(order, width, folder):
    root = folder("a.txt", data=f"\ufeff{WORDS}".encode(f"utf-{width}-{order}"))
    assert read_text(root / "a.txt") == (WORDS, [])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"Fine.\nA caf\xe9.", (files.ENCODING, "byte 0xe9 in line 2")),
        (b"\xef\xbb\xbfFine.\n\n\xfcber", (files.ENCODING, "byte 0xfc in line 3")),
        ("鵞鳥がいる。".encode("shift-jis"), (files.ENCODING, "byte 0xea in line 1")),
        (b"\xff\xfeA\x00b", (files.ENCODING, "broken UTF-16")),
        (b"\x00\x00\xfe\xff\x00", (files.ENCODING, "broken UTF-32")),
        ("Eleven geese.".encode("utf-16-le"), (files.ENCODING, "UTF-16 without a byte-order mark")),
        ("Eleven geese.".encode("utf-16-be"), (files.ENCODING, "UTF-16 without a byte-order mark")),
        ("A goose, 鵞.".encode("utf-16-le"), (files.ENCODING, "UTF-16 without a byte-order mark")),
        ("鵞鳥がいる。".encode("iso-2022-jp"), (files.ENCODING, "ISO-2022")),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff", (files.BINARY,)),
        (b"Text\x00more", (files.BINARY,)),
        (b"\x00\x00\x00a" * 4, (files.BINARY,)),
    ],
)
def test_what_cannot_be_decoded_says_where_and_as_what(data, fault, folder):
    with pytest.raises(Unreadable) as raised:
        read_text(folder("a.md", data=data) / "a.md")
    assert raised.value.args == fault


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(Unreadable) as raised:
        read_text(tmp_path / "pipe.md")
    assert raised.value.args == (files.NO_FILE,)


def test_a_text_is_cleaned_when_it_is_read(folder):
    root = folder("a.md", data="audience：\u00a0staﬀ\u200b".encode())
    assert read_text(root / "a.md") == ("audience: staff", [])


def test_a_file_that_may_not_be_read_is_left_out(folder, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(Unreadable) as raised:
        read_text(folder("a.md") / "a.md")
    assert raised.value.args == (files.NO_ACCESS, "Permission denied")


# Cleaned


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Pro\ufb01t, o\ufb03ce, \ufb02our", "Profit, office, flour"),
        ("ket\u00adtle and ket\u00ad\ntle", "kettle and kettle"),
        ("ket\u200btle\ufeff \u2060ket\u200dtle ket\u200ctle", "kettle kettle kettle"),
        ("\u202eKettle\u202c\u200e \x07", "Kettle "),
        ("Ｋｅｔｔｌｅ ㍿ ｶﾞ 𝐤𝐞𝐭𝐭𝐥𝐞", "Kettle 株式会社 ガ kettle"),
        ("e\u0301te\u0301\u00a0\u2009…", "été  ..."),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("می\u200cخواهم, क्\u200dष, 👩\u200d🚀 ❤️\u200d🔥", "می\u200cخواهم, क्\u200dष, 👩\u200d🚀 ❤️\u200d🔥"),
        ("10² m, 1½ cups, H₂O, Kettle™", "10² m, 1½ cups, H₂O, Kettle™"),
        ("half \ud83d, whole \ud83d\ude00, \udc00", "half \ufffd, whole 😀, \ufffd"),
        ("![A goose](data:image/png;base64,iVBORw0KGgo=) bites", "![A goose]() bites"),
        ("[1]: data:image/svg+xml,%3Csvg%3E\nText", "[1]: \nText"),
        ('<img src="data:image/jpeg;base64,/9j/\n4AAQ+==" alt="A goose">', '<img src="" alt="A goose">'),
        ("The data: image/png is a kind. data:image is none.", "The data: image/png is a kind. data:image is none."),
    ],
)
def test_a_text_is_cleaned_of_what_nobody_sees_or_means(text, read):
    assert clean(text) == read == clean(read)


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_a_text_holds_it_can_be_stored_when_it_is_cleaned(text):
    assert not set(clean(text).encode()) & {0, 13}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", (files.EMPTY,)),
        (" \n\t", (files.EMPTY,)),
        ("x" * 5_000_000, (files.NO_PROSE, "5,000,000 characters")),
        ("Fine.\n" + "1;2;3;" * 1_000_000, (files.NO_PROSE, "6,000,000 characters")),
    ],
    ids=["empty", "blanks", "a word", "a table"],
)
def test_what_is_no_prose_is_refused_at_once(text, fault):
    with pytest.raises(Unreadable) as raised:
        prose(text)
    assert raised.value.args == fault


def test_a_page_with_a_picture_in_it_of_a_megabyte_is_prose():
    assert prose(clean(f"Text. ![A goose](data:image/png;base64,{'A' * 2_000_000})")) == "Text. ![A goose]()"

"""Documents are read and cut: the course's own, real prose, PDFs, and files that are none."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib.core.errors import CourseError, DataError
from course_lib.retrieval.documents import Document, Passage, read_document, read_documents, split_into_passages
from course_lib.retrieval.front_matter import NOT_PARSED

PROSE = Path(__file__).parents[1] / "prose"


def words(text):
    return len(text.split())


# Reading


def test_front_matter_is_read_and_is_not_part_of_the_text_and_without_it_the_files_name_is_id_and_title(tmp_path):
    told = "id: wren\ntitle: The Wren 6\ndate: 2041-03-02\nkind: manual\naudience: staff"
    (tmp_path / "a.md").write_text(f"---\n{told}\n---\n# The Wren 6\n\nA radio.\n")
    read = read_document(tmp_path / "a.md")
    assert read == Document("wren", "The Wren 6", "# The Wren 6\n\nA radio.", "2041-03-02", "manual", "staff")
    (tmp_path / "geese.txt").write_text("Eleven geese.\n")
    assert read_document(tmp_path / "geese.txt") == Document("geese", "geese", "Eleven geese.", audience="public")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("---\n---\nText.", "Text."),
        ("---\nid: x\n---\nOne.\n\n---\n\nTwo.", "One.\n\n---\n\nTwo."),
        ("---\ntitle: see --- here\n---\nText.", "Text."),
        ("Text.\n---\nid: x\n---\nMore.", "Text.\n---\nid: x\n---\nMore."),
        ("---\nA rule above, and none below.", "---\nA rule above, and none below."),
        ("\ufeff---\nid: x\n---\nText.", "Text."),
        ("---\r\nid: x\r\n---\r\nText.", "Text."),
    ],
)
def test_front_matter_ends_at_its_own_fence_and_rules_in_the_text_stay(text, read, tmp_path):
    (tmp_path / "a.md").write_bytes(text.encode())
    assert read_document(tmp_path / "a.md").text == read


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("broken.md", b"", "empty"),
        ("broken.md", b" \n\t\n", "empty"),
        ("broken.md", b"---\nid: x\n---\n\n", "empty"),
        ("broken.md", b"---\nid: x\n---", "empty"),
        ("broken.md", b"A caf\xe9.", r"\(byte 0xe9 in line 1\): not in UTF-8"),
        ("broken.txt", b"Text\x00more", "binary"),
        ("broken.md", None, r"\(No such file or directory\): cannot be read"),
        ("broken.pdf", b"", "cannot be read as a PDF"),
        ("broken.pdf", b"not a PDF", "cannot be read as a PDF"),
        ("broken.PDF", b"%PDF-1.7\n\xff\xfe\x00 broken", "cannot be read as a PDF"),
        ("broken.pdf", None, r"\(No such file or directory\): cannot be read"),
        ("broken.txt", b"word " * 1_000_000, r"\(4,999,999 characters\): a line too long for prose"),
    ],
)
def test_a_document_that_is_none_is_named_with_what_is_wrong(name, content, complaint, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.* ?{complaint}") as raised:
        read_document(path)
    assert "\n" not in str(raised.value)


def test_what_is_to_be_remarked_of_a_document_is_printed(tmp_path, capsys):
    (tmp_path / "pay.md").write_text("---\ntitle: Pay: the list\ndate: soon\n---\nText.")
    assert read_document(tmp_path / "pay.md").audience == "withheld"
    first, second = capsys.readouterr().out.splitlines()
    assert 'pay.md (title: Pay: the list): front matter that cannot be parsed, kept out of "public"' in first
    assert "pay.md (soon): a date that is not one certain day" in second


# A folder


@pytest.fixture
def folder(tmp_path):
    """A folder of files, each with its text or bytes."""

    def make(**files):
        for name, data in files.items():
            path = tmp_path / "docs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return tmp_path / "docs"

    return make


def ids(folder):
    return [document.id for document in read_documents(folder)]


def test_a_folder_is_read_at_any_depth_in_order(folder, capsys):
    root = folder(**dict.fromkeys(("b/z.md", "b/c/y.TXT", "a.markdown", "README.md"), "Text."))
    assert ids(root) == ["README", "a", "y", "z"]
    assert capsys.readouterr().out == "", "where nothing is left out nothing is said"


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ({"blog/_index.md": "Blog.", "docs/_index.md": "Docs."}, ["blog/_index", "docs/_index"]),
        ({"README.md": "All.", "a/README.md": "A.", "b/c.md": "C."}, ["README", "a/README", "c"]),
        ({"a.md": "In one form.", "a.txt": "In another."}, ["a.md", "a.txt"]),
        ({"a.md": "---\nid: x\n---\nA.", "b.md": "---\nid: x\n---\nB.", "x.md": "X."}, ["a", "b", "x"]),
        ({"a.md": "---\nid: b/c\n---\nA.", "b/c.md": "C.", "c.md": "C."}, ["a", "b/c.md", "c"]),
        ({"a.md": "---\nid: x.md\n---\nA.", "x.md": "X.", "x.txt": "X."}, ["a", "x.md (2)", "x.txt"]),
        ({"\u200b.md": "A."}, ["no name"]),
    ],
)
def test_documents_of_one_name_are_told_apart_by_their_paths(files, read, folder):
    assert sorted(ids(folder(**files))) == sorted(read)


def test_an_id_that_two_pages_give_themselves_is_named(folder, capsys):
    assert ids(folder(**{"a.md": "---\nid: x\n---\nA.", "b.md": "---\nid: x\n---\nB."})) == ["a", "b"]
    assert "an id that another page has too (its path is taken instead): a.md (x), b.md (x)" in capsys.readouterr().out


def test_ids_of_the_library_are_those_of_its_pages():
    assert {d.id for d in read_documents("data/library")} == {p.stem for p in Path("data/library").rglob("*.md")}


def test_all_faults_of_a_folder_are_said_at_once_and_the_rest_is_read(folder, capsys):
    root = folder(
        **{"good.md": "Good.", "empty.md": "", "far/latin.txt": b"caf\xe9", "pay.md": "---\n- staff\n---\nPay.",
           "page.html": "<p>", "broken.pdf": b"x", "old.md": "---\ndate: 03/04/2042\n---\nOld."}
    )  # fmt: skip
    assert ids(root) == ["good", "old", "pay"]
    assert capsys.readouterr().out.splitlines() == [
        f"Documents read from {root}: 3.",
        "Left out:",
        "- not Markdown, text or PDF (save as one of them what should be read): page.html",
        "- cannot be read as a PDF (save it again): broken.pdf (PdfStreamError)",
        "- empty (write something in it, or take it away): empty.md",
        "- not in UTF-8 (save it as UTF-8): far/latin.txt (byte 0xe9 in line 1)",
        "Read, but to be looked at:",
        "- a date that is not one certain day, which no filter by date finds (write it as 2042-01-31): old.md "
        "(03/04/2042)",
        f"- {NOT_PARSED}: pay.md (no lines of `name: value`)",
    ]


def test_a_folder_of_which_nothing_can_be_read_is_one_error_that_lists_why(folder):
    with pytest.raises(DataError, match=r"no document in .*: put \.md, \.txt or \.pdf files there") as raised:
        read_documents(folder(**{"a.docx": "x", "b.md": "", "c.txt": b"\x00", ".d.md": "D."}))
    assert [line.rsplit(": ")[-1] for line in str(raised.value).splitlines()[2:]] == [
        ".d.md",
        "a.docx",
        "b.md",
        "c.txt",
    ]


def test_a_folder_of_real_prose_is_read_with_and_without_front_matter():
    documents = {document.id: document for document in read_documents(PROSE)}
    assert set(documents) == {"README", "pride-and-prejudice", "alice", "moby_dick", "gettysburg", "scandal"}
    assert documents["gettysburg"].title == "gettysburg" and documents["gettysburg"].audience == "public"
    assert documents["pride-and-prejudice"].date == "1813-01-28"


def test_a_folder_at_home_is_found_by_its_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder(**{"notes/a.md": "Text."})))
    monkeypatch.setenv("USERPROFILE", str(folder()))
    assert ids("~/notes") == ["a"]


def test_a_folder_is_looked_for_here_and_then_in_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(read_documents("data/library")) > 100
    (tmp_path / "data" / "library").mkdir(parents=True)
    (tmp_path / "data" / "library" / "mine.md").write_text("Mine.")
    assert [document.id for document in read_documents("data/library")] == ["mine"]


def test_a_missing_folder_a_file_and_an_empty_folder_say_what_to_do(tmp_path):
    for missing in ("libary", "a\x00b", "x" * 5000):
        with pytest.raises(DataError, match=r"there is no folder .*: give the path"):
            read_documents(missing)
    with pytest.raises(DataError, match=r"no document in .*: put \.md, \.txt or \.pdf files there\.$"):
        read_documents(tmp_path)
    (tmp_path / "corrin.md").write_text("Corrin.")
    with pytest.raises(DataError, match=r"corrin\.md is a file: give the path of the folder that it lies in"):
        read_documents(tmp_path / "corrin.md")


@pytest.mark.parametrize("field", ["id", "title", "text", "date", "kind", "audience"])
def test_a_digest_changes_with_everything_that_a_document_says_and_tells_where_a_field_ends(field):
    document = Document("a", "b", "c", "d", "e", "f")
    assert replace(document, **{field: "other"}).digest != document.digest == replace(document).digest
    assert Document("a", "bc", "x").digest != Document("ab", "c", "x").digest


# PDF


def a_pdf(*pages, path, cmap=""):
    """A PDF that shows each page's lines in Helvetica; a page of "" is blank. `cmap` says which letters are meant."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer, name = PdfWriter(), NameObject
    described = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({name(key): name(value) for key, value in described.items()})
    if cmap:
        meant = DecodedStreamObject()
        meant.set_data(f"begincmap 1 begincodespacerange <00> <FF> endcodespacerange {cmap} endcmap".encode())
        font[name("/ToUnicode")] = writer._add_object(meant)
    for text in pages:
        page, shown = writer.add_blank_page(612, 792), DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.splitlines())
        shown.set_data(f"BT /F1 12 Tf 72 720 Td {lines}ET".encode())
        page[name("/Contents")] = shown
        page[name("/Resources")] = DictionaryObject({name("/Font"): DictionaryObject({name("/F1"): font})})
    writer.write(path)
    return path


def locked(path, **passwords):
    """A PDF again, encrypted."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=path)
    writer.encrypt(**passwords)
    writer.write(path)


def test_a_pdf_is_read_page_by_page_with_divided_words_put_together(tmp_path):
    a_pdf("Corrin keeps eleven gee-\nse behind the mill.", "They bite.", path=tmp_path / "Corrin.PDF")
    (document,) = read_documents(tmp_path)
    assert (document.id, document.audience) == ("Corrin", "public")
    assert document.text.split() == ["Corrin", "keeps", "eleven", "geese", "behind", "the", "mill.", "They", "bite."]


def test_a_pdf_of_which_the_letters_are_not_known_is_left_out_and_a_ligature_at_a_lines_end_is_put_together(tmp_path):
    a_pdf("ABC of", path=tmp_path / "a.pdf", cmap="3 beginbfchar <41> <E001> <42> <E002> <43> <FFFD> endbfchar")
    with pytest.raises(DataError, match=r"a\.pdf: a PDF without text that can be read"):
        read_document(tmp_path / "a.pdf")
    a_pdf("of-\nAce", path=tmp_path / "b.pdf", cmap="1 beginbfchar <41> <FB01> endbfchar")
    assert read_document(tmp_path / "b.pdf").text == "office"


def test_half_a_letter_of_a_pdf_or_of_a_files_name_ends_in_no_traceback(tmp_path):
    a_pdf("ABB", path=tmp_path / "maths.pdf", cmap="1 beginbfchar <41> <D835> endbfchar")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("Text.")
    documents = read_documents(tmp_path)
    assert [(d.id, d.text) for d in documents] == [("caf\ufffd", "Text."), ("maths", "\ufffdBB")]
    assert all(document.digest for document in documents)


@pytest.mark.parametrize("field", ["id", "title", "text", "date", "kind", "audience"])
def test_a_document_made_by_hand_has_no_half_letters_either(field):
    for made in (Document("a", "b", "c"), Passage("a/0", "a", "c")):
        assert getattr(replace(made, **{field: "an x \ud83d and \ud83d\ude00"}), field) == "an x \ufffd and 😀"


# The folders that people have


def test_an_obsidian_vault_is_read(folder, capsys):
    root = folder(
        **{
            "Kettles.md": "---\naliases: [pots]\ntags:\n  - red\n---\nThe kettle is red. ![[kettle.png]]",
            "Daily/2042-01-15.md": "---\ndate: 2042-01-15\n---\nMet Jo.",
            "Projects/Roof/Notes.md": "Slates are blue.",
            "Projects/Door/Notes.md": "The door is green.",
            "Projects/Door/Plan.md": "---\ntitle: Plan: the door\naudience: staff\n---\nPaint it.",
            "Templates/Day.md": "---\ndate: {{date:YYYY-MM-DD}}\n---\n# {{title}}",
            "Board.canvas": "{}",
            "Empty.md": "",
            "kettle.png": b"\x89PNG\xff",
            ".obsidian/app.json": "{}",
            ".obsidian/plugins/x/README.md": "A plugin.",
            ".trash/Kettles.md": "What was deleted.",
        }
    )
    documents = {document.id: document for document in read_documents(root)}
    assert set(documents) == {
        "Kettles", "2042-01-15", "Projects/Roof/Notes", "Projects/Door/Notes", "Plan", "Day"
    }  # fmt: skip
    assert documents["Kettles"].text.startswith("The kettle is red.")
    assert (documents["Plan"].title, documents["Plan"].audience) == ("Plan: the door", "staff")
    said = capsys.readouterr().out
    for line in (".obsidian/, .trash/",
                 "Board.canvas, kettle.png", "(write something in it, or take it away): Empty.md",
                 "Plan.md (title: Plan: the door)"):  # fmt: skip
        assert line in said


def test_a_jekyll_site_is_read(folder, capsys):
    root = folder(
        **{
            "index.markdown": "---\nlayout: home\n---\n",
            "about.md": "---\nlayout: page\ntitle: About\n---\nWe mend kettles.",
            "_posts/2042-01-15-hello.markdown": '---\ntitle: "Hello: all"\ndate: 2042-01-15 10:00:00 +0200\n---\nHi.',
            "_posts/2042-01-16-colon.md": "---\ntitle: Kettles 101: a guide\n---\nFill it.",
            "_drafts/pay.md": "---\npublished: false\n---\nPay.",
            "_config.yml": "title: Kettles",
            "_layouts/home.html": "<html>",
            "node_modules/x/README.md": "A package.",
            ".jekyll-cache/a.md": "Old.",
        }
    )
    documents = {document.id: document for document in read_documents(root)}
    assert set(documents) == {"about", "2042-01-15-hello", "2042-01-16-colon", "pay"}
    hello = documents["2042-01-15-hello"]
    assert (hello.title, hello.date, hello.text, hello.audience) == ("Hello: all", "2042-01-15", "Hi.", "public")
    assert documents["pay"].audience == documents["2042-01-16-colon"].audience == "withheld"
    said = capsys.readouterr().out
    for name in ("index.markdown", "_config.yml", "_layouts/home.html", "node_modules/", ".jekyll-cache/", "pay.md"):
        assert name in said


def test_a_hugo_site_with_a_readme_alone_is_read(folder, capsys):
    root = folder(**{"README.md": "# A site\n\nRun hugo.", "config.toml": "title = 'A site'", "static/a.css": "p {}"})
    assert ids(root) == ["README"]
    assert "config.toml, static/a.css" in capsys.readouterr().out
    folder(
        **{
            "content/_index.md": "+++\ntitle = 'Home'\ndate = 2042-01-15T10:00:00Z\n+++\nWelcome.",
            "content/blog/_index.md": '{\n"title": "Blog"\n}\nAll posts.',
            "content/blog/pay.md": "+++\ntitle = 'Pay'\n[params]\naudience = 'staff'\n+++\nThe clerk earns 50.",
            "content/blog/new.md": "+++\ntitle = 'New'\ndraft = true\n+++\nNot yet.",
        }
    )
    read = {document.id: (document.title, document.audience) for document in read_documents(root)}
    assert read == {
        "README": ("README", "public"),
        "content/_index": ("Home", "public"),
        "content/blog/_index": ("Blog", "public"),
        "pay": ("Pay", "staff"),
        "new": ("New", "withheld"),
    }


def test_a_folder_of_pdfs_with_scans_and_locks_is_read(tmp_path, capsys):
    for name in ("open", "no printing", "no copying", "locked", "a/report", "b/report"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        a_pdf("Eleven geese.", path=tmp_path / f"{name}.pdf")
    locked(tmp_path / "no printing.pdf", user_password="", owner_password="x", permissions_flag=0, algorithm="RC4-128")
    locked(tmp_path / "no copying.pdf", user_password="", owner_password="x", permissions_flag=0, algorithm="AES-256")
    locked(tmp_path / "locked.pdf", user_password="x", algorithm="AES-256")
    a_pdf("", "", path=tmp_path / "scan.pdf")
    a_pdf("A cover.", "", "", path=tmp_path / "part.pdf")
    (tmp_path / "half.pdf").write_bytes((tmp_path / "open.pdf").read_bytes()[:300])
    documents = {document.id: document.text for document in read_documents(tmp_path)}
    assert documents == dict.fromkeys(
        ["a/report", "b/report", "no copying", "no printing", "open"], "Eleven geese."
    ) | {"part": "A cover."}
    said = capsys.readouterr().out
    for line in ("password (save it again without): locked.pdf", "over it first): scan.pdf",
                 "OCR over it): part.pdf (2 of 3)",
                 "cannot be read as a PDF (save it again): half.pdf"):  # fmt: skip
        assert line in said


# Splitting

LONG = " ".join(f"Town {i} has {i} wells and a mayor." for i in range(30))
LETTER = f"""# Wells

{LONG}

## Of Corrin

Corrin has none. It buys water.

- One barrel a day.
- Two on Sundays.

1. First, wheel it home.
2. Then drink.

Geese drink too."""

line = st.text("ab .!?#-*1\t\n", max_size=60) | st.sampled_from(["# Heading", "## Below it", "- item", "2. item", ""])
prose = st.sampled_from([LETTER, *(document.text for document in read_documents(PROSE))])
markdown = st.lists(line | prose, max_size=8).map("\n".join)


def split(text, size, overlap=0):
    return [passage.text for passage in split_into_passages(Document("d", "T", text), size, words, overlap)]


@given(markdown, st.integers(1, 100))
@example("word " * 1000, 80)
def test_passages_hold_all_of_the_text_once_in_order(text, size):
    assert " ".join(split(text, size)).split() == text.split()


@given(markdown, st.integers(2, 100), st.data())
def test_passages_that_overlap_repeat_the_end_of_the_one_before_and_lose_nothing(text, size, data):
    overlap = data.draw(st.integers(1, size - 1))
    plain, lapped = split(text, size - overlap), split(text, size, overlap)
    assert len(plain) == len(lapped)
    for before, own, passage in zip(["", *plain], plain, lapped):
        assert passage.endswith(own)
        repeated, last = passage.removesuffix(own).split(), before.split()
        assert len(repeated) <= overlap and last[len(last) - len(repeated) :] == repeated


@pytest.mark.parametrize("size", [8, 12, 20, 50])
def test_passages_keep_to_the_size_but_for_a_sentence_under_its_heading_and_end_where_a_sentence_does(size):
    pieces = split(LETTER, size)
    assert max(map(words, pieces)) <= size + 3
    assert len(pieces) >= words(LETTER) / size
    assert [piece for piece in pieces if not piece.endswith(".")] == []


CHAPTER = "# Chapter\n\n## First\n\nText one.\n\n## Second\n\nText two."
CHAPTER_CUT = ["# Chapter\n## First\nText one.", "## Second\nText two."]
HEADED = "Before.\n\n# One\n\nText of one.\n\n## Two\n\nText of two that is long."
TEN = "This one sentence is of ten words and stays whole."
WRAPPED = "In that year the harbour of Quillhaven counted\n31,846 herring gulls and one pelican."


HEADED_CUT = ["Before.", "# One\nText of one.", "## Two\nText of two that is long."]
SIXES = [f"Town {i} has {i} wells now." for i in range(5)]
CUTS = {
    "a sentence longer than the size is not cut": (f"Short. {TEN} Short again.", 5, 0, ["Short.", TEN, "Short again."]),
    "paragraphs are joined if they fit": ("One two.\n\nThree.\n\nFive six.", 4, 0, ["One two.\nThree.", "Five six."]),
    "a heading opens a passage and stays with its text": (HEADED, 100, 0, HEADED_CUT),
    "a heading stays with its text though it does not fit": (HEADED, 4, 0, HEADED_CUT),
    "a chapter's heading stays with its first section's": (CHAPTER, 5, 0, CHAPTER_CUT),
    "a heading with nothing below it is kept": ("Text.\n\n# The end", 10, 0, ["Text.", "# The end"]),
    "a line that begins with a number is no list": (f"{WRAPPED} It left.", 14, 0, [WRAPPED, "It left."]),
    "a decimal and a name with a stop end no sentence": (
        "It is 27.5 days long. J. fell.", 5, 0, ["It is 27.5 days long.", "J. fell."]
    ),
    "a sentence is repeated where passages overlap, which keep to the size": (
        " ".join(SIXES), 18, 6, [" ".join(SIXES[:2]), " ".join(SIXES[1:4]), " ".join(SIXES[3:])]
    ),
    "a sentence too long to repeat is not repeated": (
        "One two three four five six. Seven. Eight nine ten.", 7, 2,
        ["One two three four five six.", "Seven. Eight nine ten."],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "size", "overlap", "passages"), CUTS.values(), ids=CUTS)
def test_a_text_is_cut_where_a_reader_would(text, size, overlap, passages):
    assert split(text, size, overlap) == passages


def test_a_sentence_that_the_embedding_model_could_not_read_whole_is_cut_between_words():
    texts = split(" ".join(f"word{i}" for i in range(1000)), 80)
    assert 160 < max(map(words, texts)) <= 240


UNBROKEN = {
    "a word": "x" * 100_000,
    "base64": "iVBORw0KGgo+/" * 8000,
    "Chinese": "一个红色的水壶在架子上面" * 1000,
    "Chinese sentences": "一个红色的水壶。它在架子上！真的吗？是的。" * 500,
    "a word among others": "One two. " + "x" * 50_000 + " three four.",
    "headings": "\n".join(f"# Chapter {i}" for i in range(3000)),
    "comments in code": "\n".join(["```", *(f"# Line {i}" for i in range(3000)), "```"]),
    "a list of addresses": "\n".join(f"- https://example.com/{'x' * 90}/{i}" for i in range(500)),
}


@pytest.mark.parametrize("text", UNBROKEN.values(), ids=UNBROKEN)
@pytest.mark.parametrize("overlap", [0, 20])
def test_no_passage_is_endless_however_the_text_is_written(text, overlap):
    def pieces(text):  # as the embedding model: a long word is one token, a Chinese sign too
        return sum(len(word) if word[0] > "\u3000" else 1 for word in text.split())

    passages = [p.text for p in split_into_passages(Document("d", "T", text), 80, pieces, overlap)]
    assert max(map(len, passages)) <= 1920 + 8 * overlap and max(map(pieces, passages)) <= 243 + overlap
    if not overlap:
        assert "".join("".join(passages).split()) == "".join(text.split())


CODE = "```python\n# A comment, no heading\n\ndef f():\n    return 1\n\n- no list\n```"


@pytest.mark.parametrize(
    ("text", "size", "passages"),
    [
        (f"One two.\n\n{CODE}\n\nThree.", 100, [f"One two.\n{CODE}\nThree."]),
        (f"One two three four.\n{CODE}\nThree. Four.", 15, ["One two three four.", CODE, "Three. Four."]),
        (CODE.replace("```", "~~~~"), 100, [CODE.replace("```", "~~~~")]),
        ("````md\n```\n# x\n```\n# y\n````", 100, ["````md\n```\n# x\n```\n# y\n````"]),
        ("```\na. B c\nd e f\ng h\n```", 4, ["```\na. B c", "d e f", "g h\n```"]),
        ("A `code` and ```more``` here.\n# One\nText.", 100, ["A `code` and ```more``` here.", "# One\nText."]),
        ("```\nnothing closes it\n# One\nText.", 100, ["```\nnothing closes it", "# One\nText."]),
        (f"~~~ is a tilde.\n\n{CODE}\n\n# One\nText.", 100, [f"~~~ is a tilde.\n{CODE}", "# One\nText."]),
        ("- ```\n  # x\n  ```\n# One\nX.\n\n```\n# y\n```", 99, ["- ```\n  # x\n  ```", "# One\nX.\n```\n# y\n```"]),
        ("> ```sh\n> # x\n> ```\n\n# One\nText.", 100, ["> ```sh\n> # x\n> ```", "# One\nText."]),
    ],
    ids=["whole", "alone", "tildes", "nested", "too long", "in a line", "unclosed", "others below", "listed", "quoted"],
)
def test_a_fenced_block_is_not_cut_but_between_lines_where_it_is_too_long(text, size, passages):
    assert split(text, size) == passages


SENTENCES = [
    ["水壶是红色的。", "它很热！", "真的吗？", "“是的。”", "好"],
    ["水壶是红色的!", "真的吗?", "是的。"],
    ["やかんは赤い。", "「熱い！」", "本当？", "はい"],
    ["주전자는 빨갛다.", "그것은 뜨겁다."],
    ["केतली लाल है।", "यह गरम है॥", "क्या सच में?", "हाँ"],
    ["هل الغلاية حمراء؟", "نعم.", "هي ساخنة."],
    ["کیتلی سرخ ہے۔", "وہ گرم ہے۔"],
    ["Чайник красный.", "Он горячий!", "«Правда?»"],
    ["Ο βραστήρας είναι κόκκινος.", "Είναι ζεστός."],
    ["La bouilloire est rouge.", "Être chaude…", "À quoi bon?", "«Oui.»"],
    ["¿Es roja?", "¡Sí!", "«Muy roja.»"],
    ["ሻይው ቀይ ነው።", "እሱ ሞቃት ነው።"],
]


@pytest.mark.parametrize("sentences", SENTENCES, ids=lambda sentences: sentences[0])
def test_sentences_end_where_they_do_in_other_scripts(sentences):
    joint = "" if "\u3000" < sentences[0][0] < "\ua000" else " "
    assert split(joint.join(sentences), 1) == sentences


@pytest.mark.parametrize("text", ["ca. zwölf, d. h. über elf", "т. е. чайник", "um 3. über", "No. 3 is 27.5 m."])
def test_a_stop_before_a_small_letter_or_a_number_ends_no_sentence(text):
    assert split(text, 1) == [text]


def test_passages_are_numbered_and_know_their_document():
    document = Document("corrin", "Corrin Town", "One two. Three four.", "2041-01-01", "notice", "staff")
    first, second = split_into_passages(document, 2, words)
    assert (first.id, second.id) == ("corrin/0", "corrin/1")
    for passage in (first, second):
        told = (passage.source, passage.title, passage.date, passage.kind, passage.audience, passage.score)
        assert told == ("corrin", "Corrin Town", "2041-01-01", "notice", "staff", 0.0)


@pytest.mark.parametrize(
    ("size", "overlap", "said"),
    [
        (0, 0, "passages of 0 tokens: at least 1"),
        (-1, 0, "passages of -1 tokens"),
        *((8, overlap, f"8 tokens cannot overlap by {overlap}: choose 0 to 7") for overlap in (-1, 8, 9)),
    ],
)
def test_sizes_that_make_no_sense_are_refused(size, overlap, said):
    with pytest.raises(CourseError, match=said):
        split("Text.", size, overlap)

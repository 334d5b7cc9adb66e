"""The files of a folder that people bring: which are documents, what their text is, and why one is left out."""

from __future__ import annotations

import codecs
import logging
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from course_lib.core.text import whole

SUFFIXES = (".md", ".markdown", ".txt", ".pdf")
# A paragraph on one line may be long; a megabyte without a line break is a table, a log or a program's, not prose.
MAX_LINE = 1_000_000
NAMES_SHOWN = 12

HIDDEN = "hidden, temporary, or a program's"
OTHER_KIND = "not Markdown, text or PDF (save as one of them what should be read)"
LINKED = "a link to a folder (copy the folder here, or read it by itself)"
NO_FILE = "not a file that can be opened, such as a link to nothing"
NO_ACCESS = "cannot be read"
EMPTY = "empty (write something in it, or take it away)"
ENCODING = "not in UTF-8 (save it as UTF-8)"
BINARY = "binary, not text (keep only Markdown, text and PDF files)"
NO_PROSE = "a line too long for prose (put line breaks in, or take the file away)"
SCAN = "a PDF without text that can be read, perhaps pictures of pages (run text recognition, OCR, over it first)"
PART_SCAN = "a PDF of which most pages hold no text (if they are pictures, run OCR over it)"
SAME_ID = "an id that another page has too (its path is taken instead)"
LOCKED = "a PDF locked with a password (save it again without)"
BROKEN = "cannot be read as a PDF (save it again)"

# What operating systems and Jupyter leave in every folder: not worth a word.
_LITTER = (".ds_store", ".ipynb_checkpoints", "desktop.ini", "icon\r", "thumbs.db")
_MARKS = [  # byte-order marks; UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SOFT_HYPHEN = re.compile("\u00ad[ \t]*\n?[ \t]*")
_INVISIBLE = re.compile(
    # controls; spaces of no width, marks of direction, tags
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
    # joiners, but in the scripts and emoji that are written with them
    "|(?<![\u0590-\u109f\u1780-\u17ff\u2190-\u2bff\ufe0f\U00010a00-\U00011fff\U0001f000-\U0001ffff])[\u200c\u200d]"
)
# NFKC makes 10² to 102 and 1½ to 11⁄2: raised and lowered signs and fractions stay.
_COMPATIBLE = re.compile("[^\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2120\u2122\u2150-\u215f\u2189]+")
_NO_LETTER = re.compile("[\ufffd\ue000-\uf8ff]")  # what a PDF has whose fonts do not say which letters they show
_PICTURE = re.compile(
    r"""data:image/[\w.+-]+(?:;[\w=-]+)*?(?:;base64,[A-Za-z0-9+/=\s]*(?=["')>])|,[^\s"')>]*)""", re.IGNORECASE
)


class Remark(NamedTuple):
    """Something to be said of a file: its path below the folder, what, and what belongs to this one alone."""

    name: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"

    @property
    def place(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


class Unreadable(Exception):
    """A file that is left out. Its arguments are the reason and perhaps the detail of a `Remark`."""


def in_lines(remarks: Iterable[Remark]) -> str:
    """Remarks as a short list, a line for each reason; of many files the first are named, or their kinds."""
    by_reason: dict[str, list[Remark]] = {}
    for remark in remarks:
        by_reason.setdefault(remark.reason, []).append(remark)
    lines = []
    for reason, those in by_reason.items():
        names, unit = [remark.place for remark in those], ""
        if len(names) > NAMES_SHOWN and reason == OTHER_KIND:
            kinds = Counter(Path(remark.name).suffix.lower() or "without a suffix" for remark in those).most_common()
            names, unit = [f"{count:,} {kind}" for kind, count in kinds], " kinds"
        more = f" and {len(names) - NAMES_SHOWN:,} more{unit}" if len(names) > NAMES_SHOWN else ""
        lines.append(f"- {reason}: {', '.join(names[:NAMES_SHOWN])}{more}")
    cut = any(len(those) > NAMES_SHOWN for those in by_reason.values())
    return "\n".join(lines + ["(All of them: course_lib.retrieval.documents.survey.)"] * cut)


def find_files(root: Path) -> tuple[list[Path], list[Remark]]:
    """The files below a folder that may be documents, in order of path, and what is left out.

    Whatever has a part that begins with "." or "~$" is not looked at, nor node_modules, nor a folder that is a link.
    """
    files, left_out = [], []

    def no_access(error: OSError) -> None:
        left_out.append(Remark(name_below(root, Path(error.filename)), NO_ACCESS, error.strerror))

    for place, folders, names in os.walk(root, onerror=no_access):
        for name in [*folders, *names]:
            path, is_folder = Path(place, name), name in folders
            if name.lower() in _LITTER:
                continue
            if _is_hidden(name):
                reason = HIDDEN
            elif is_folder:
                reason = LINKED if path.is_symlink() else ""
            elif path.suffix.lower() not in SUFFIXES:
                reason = OTHER_KIND
            else:
                reason = "" if path.is_file() else NO_FILE
            if reason:
                left_out.append(Remark(name_below(root, path) + "/" * is_folder, reason))
            elif not is_folder:
                files.append(path)
        folders[:] = [name for name in folders if not _is_hidden(name)]
    return sorted(files), sorted(left_out)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "~$")) or name == "node_modules"


def name_below(root: Path, path: Path) -> str:
    """A file's path below a folder, as it is said and stored."""
    return one_line(path.relative_to(root).as_posix())


def one_line(name: str) -> str:
    """A file's name in signs that can be printed and stored, whatever it is."""
    return re.sub(r"\s", " ", _visible(name)).strip() or "no name"


def read_text(path: Path) -> tuple[str, list[tuple[str, str]]]:
    """The cleaned text of a Markdown, text or PDF file, and the reason and detail of what is remarked.

    Raises Unreadable.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe has no end
            raise Unreadable(NO_FILE)
        return _pdf_text(path) if path.suffix.lower() == ".pdf" else (clean(_plain_text(path.read_bytes())), [])
    except OSError as error:
        raise Unreadable(NO_ACCESS, error.strerror or type(error).__name__) from error


def prose(text: str) -> str:
    """The text of a document; raises Unreadable if there is none, or if it is no prose."""
    text = text.strip()
    if not text:
        raise Unreadable(EMPTY)
    if (longest := max(map(len, text.split("\n")))) > MAX_LINE:
        raise Unreadable(NO_PROSE, f"{longest:,} characters")
    return text


def clean(text: str) -> str:
    """A text as it is searched: letters that look alike are alike (NFKC), and nothing in it is invisible.

    So "ﬁ" is "fi", lines end in "\\n"; soft hyphens, spaces of no width, controls and pictures that are written into
    the text are gone, and half a character is "\\ufffd". Unicode Standard Annex 15.
    """
    text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), _visible(text))
    return _PICTURE.sub("", text)


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", _SOFT_HYPHEN.sub("", _LINE_END.sub("\n", whole(text))))


def _plain_text(data: bytes) -> str:
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    if encoding == "utf-8" and b"\x00" in data:
        few, many = sorted((data[::2].count(0), data[1::2].count(0)))
        if few < many / 10 and many > max(1, len(data) / 4):  # every other byte is 0
            raise Unreadable(ENCODING, "UTF-16 without a byte-order mark")
        raise Unreadable(BINARY)
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise Unreadable(ENCODING, f"broken {encoding[:6].upper()}") from error
        if _CONTROL.search(data):
            raise Unreadable(BINARY) from error
        line = data.count(b"\n", 0, len(mark) + error.start) + 1
        raise Unreadable(ENCODING, f"byte {error.object[error.start]:#x} in line {line}") from error
    if "\x00" in text:
        raise Unreadable(BINARY)
    if "\x1b$" in text:  # how Japanese is written in seven bits
        raise Unreadable(ENCODING, "ISO-2022")
    return text


def _pdf_text(path: Path) -> tuple[str, list[tuple[str, str]]]:
    """The text of a PDF, pages one after another, words that were divided at a line's end put together."""
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every oddity that it reads past
    try:
        pages = [page.extract_text().strip() for page in PdfReader(path).pages]
    except OSError:
        raise
    except FileNotDecryptedError as error:
        raise Unreadable(LOCKED) from error
    except Exception as error:  # pypdf raises a dozen kinds at a file that is broken
        raise Unreadable(BROKEN, type(error).__name__) from error
    text = re.sub(r"(?<=[a-zß-ÿ])-\n(?=[a-zß-ÿ])", "", clean("\n\n".join(pages))).strip()
    if len(_NO_LETTER.findall(text)) >= len(text) / 2:
        raise Unreadable(SCAN)
    return text, [(PART_SCAN, f"{empty} of {len(pages)}")] if (empty := pages.count("")) > len(pages) / 2 else []

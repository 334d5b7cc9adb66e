"""Documents of a library, and the passages they are cut into."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError, DataError
from course_lib.settings import ROOT

__all__ = ["Document", "Passage", "find_folder", "read_document", "read_documents", "split_into_passages"]

SUFFIXES = (".md", ".txt")


@dataclass(frozen=True)
class Document:
    """One document of a library; `metadata` is what its front matter says beside these."""

    id: str
    title: str
    text: str
    date: str = ""
    kind: str = ""
    audience: str = "public"

    @property
    def digest(self) -> str:
        """Changes when anything about the document does."""
        parts = (self.id, self.title, self.text, self.date, self.kind, self.audience)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Passage:
    """A piece of a document, small enough to be read by a small model.

    Attributes
    ----------
    id
        Document id and number: "cup-2031/0".
    score
        Cosine similarity with the question that found it, -1 to 1; 0 before any search.
    """

    id: str
    text: str
    source: str
    score: float = 0.0
    title: str = ""
    date: str = ""
    kind: str = ""
    audience: str = ""


def read_documents(folder: str | Path) -> list[Document]:
    """Every document below a folder, in order of path; see `build_index` for what is raised."""
    root = find_folder(folder)
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.name != "README.md" and p.is_file())
    if not paths:
        raise DataError(f"there is no document in {root}: put {' or '.join(SUFFIXES)} files there.")
    documents = [read_document(path) for path in paths]
    seen: dict[str, Path] = {}
    for document, path in zip(documents, paths):
        if document.id in seen:
            raise DataError(f"{path} and {seen[document.id]} have one id, {document.id!r}: rename one.")
        seen[document.id] = path
    return documents


def read_document(path: str | Path) -> Document:
    """One Markdown or text file; front matter (id, title, date, kind, audience) is optional.

    Raises
    ------
    DataError
        If the file is missing, empty or binary, or has front matter that is not YAML of `name: value`.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: keep only Markdown and text files in the library.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give the path of a Markdown or text file."
        ) from error
    if "\x00" in text:
        raise DataError(f"{path} is binary: keep only Markdown and text files in the library.")
    front: Any = {}
    if fenced := re.match(r"---\n(.*?)^---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE):
        text = text[fenced.end() :]
        try:
            front = yaml.safe_load(fenced[1]) or {}
        except (yaml.YAMLError, ValueError) as error:  # a ValueError for the 31st of June
            raise DataError(f"{path}: the front matter is not YAML ({str(error).splitlines()[0]}).") from error
        if not isinstance(front, dict):
            raise DataError(f"{path}: the front matter is not YAML of `name: value` lines.")
    if not text.strip():
        raise DataError(f"{path} is empty: write something in it or take it away.")
    known = {name: str(front[name]) for name in ("id", "title", "date", "kind", "audience") if front.get(name)}
    return Document(**{"id": path.stem, "title": path.stem, "text": text.strip(), **known})


def split_into_passages(document: Document, size: int, count_tokens: Callable[[str], int]) -> list[Passage]:
    """Cut a document into passages of at most `size` tokens, at headings, paragraphs and sentences.

    A heading opens a passage and stays with what follows it; paragraphs are joined while they fit; a paragraph that
    does not fit alone is cut between sentences. Only a single sentence longer than `size`, or one that its heading
    makes longer, is a longer passage, so that no fact is cut in two.

    Raises
    ------
    CourseError
        If `size` < 1.
    """
    if size < 1:
        raise CourseError(f"passages of {size} tokens: at least 1 is needed.")
    texts: list[str] = []
    headings = ""
    for section in re.split(r"\n(?=#{1,6} )", document.text):
        section = headings + section.strip()
        headings = f"{section}\n" if _only_headings(section) else ""  # a chapter's stays with its first section's
        if not headings:
            texts += _pack(_pieces(section, size, count_tokens), size, count_tokens)
    if headings:
        texts.append(headings.strip())
    base = Passage("", "", document.id, 0.0, document.title, document.date, document.kind, document.audience)
    return [replace(base, id=f"{document.id}/{i}", text=text) for i, text in enumerate(texts)]


def _pieces(section: str, size: int, count_tokens: Callable[[str], int]) -> Iterable[tuple[str, str]]:
    """Paragraphs, or the sentences of those too long, each with what joins it to the piece before."""
    for paragraph in re.split(r"\n\s*\n|\n(?=(?:[-*+]|\d+[.)])\s)", section.strip()):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if count_tokens(paragraph) <= size:
            yield "\n", paragraph
            continue
        for i, sentence in enumerate(re.split(r"(?<=[.!?])\s+(?=[A-Z\"“*(])", paragraph)):
            yield ("\n" if i == 0 else " "), sentence


def _pack(pieces: Iterable[tuple[str, str]], size: int, count_tokens: Callable[[str], int]) -> list[str]:
    packed: list[str] = []
    for joint, piece in pieces:
        joined = packed[-1] + joint + piece if packed else piece
        if packed and (count_tokens(joined) <= size or _only_headings(packed[-1])):
            packed[-1] = joined
        else:
            packed.append(piece)
    return packed


def _only_headings(text: str) -> bool:
    return all(line.startswith("#") for line in text.splitlines() if line.strip())


def find_folder(folder: str | Path) -> Path:
    for root in (Path(folder), ROOT / folder):
        if root.is_dir():
            return root.resolve()
    raise DataError(f"there is no folder {folder}: give the path of a folder of documents.")

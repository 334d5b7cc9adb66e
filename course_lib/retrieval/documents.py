"""Documents of a library, and the passages they are cut into."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import ROOT

SUFFIXES = (".md", ".txt", ".pdf")
FRONT_MATTER = re.compile(r"---\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# A paragraph on one line may be long; a megabyte without a line break is a table, a log or a program's, not prose.
MAX_LINE = 50_000
# A longer sentence is cut between words: the embedding model reads 256 tokens and would not see the rest.
LONGEST_SENTENCE = 240
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“*(])")


@dataclass(frozen=True)
class Document:
    """One document of a library, with what its front matter says of it."""

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
    """A piece of a document, small enough to be read by a small model; what the document says of itself goes along.

    Its id is the document's (`source`) and a number, "cup-2031/0"; `score` is how well it fits the question that found
    it (by meaning the cosine, -1 to 1), 0 before any search.
    """

    id: str
    text: str
    source: str
    score: float = 0.0
    title: str = ""
    date: str = ""
    kind: str = ""
    audience: str = ""

    @property
    def searched(self) -> str:
        """What searches look at: the title too, so that a passage that says "it" is still found by its subject."""
        return f"{self.title}\n{self.text}"


def read_documents(folder: str | Path) -> list[Document]:
    """Every document below a folder, in order of path; see `build_index` for what is raised."""
    root = find_folder(folder)
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.name != "README.md" and p.is_file())
    if not paths:
        raise DataError(
            f"there is no document in {root}: put {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} files there."
        )
    documents = [read_document(path) for path in paths]
    seen: dict[str, Path] = {}
    for document, path in zip(documents, paths):
        if document.id in seen:
            raise DataError(f"{path} and {seen[document.id]} have one id, {document.id!r}: rename one.")
        seen[document.id] = path
    return documents


def find_folder(folder: str | Path) -> Path:
    """A folder, looked for here and then in the repository."""
    for root in (Path(folder), ROOT / folder):
        if root.is_dir():
            return root.resolve()
    raise DataError(f"there is no folder {folder}: give the path of a folder of documents.")


def read_document(path: str | Path) -> Document:
    """One Markdown, text or PDF file; in the first two front matter (id, title, date, kind, audience) is optional.

    Raises a DataError that names the file and what is wrong with it.
    """
    path = Path(path)
    pdf = path.suffix.lower() == ".pdf"
    try:
        text = _pdf_text(path) if pdf else _plain_text(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give the path of a Markdown, text or PDF file."
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise DataError(
                f"{path}, line {number} has {len(line):,} characters, more than {MAX_LINE:,}: prose has line breaks; "
                "put some in, or take the file away."
            )
    known, text = ({}, text) if pdf else _front_matter(text, path)
    if not text.strip():
        raise DataError(f"{path} is empty: write something in it or take it away.")
    return Document(**{"id": path.stem, "title": path.stem, "text": text.strip(), **known})


def _plain_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: keep only Markdown, text and PDF files in the library.") from error
    if "\x00" in text:
        raise DataError(f"{path} is binary: keep only Markdown, text and PDF files in the library.")
    return text


def _front_matter(text: str, path: Path) -> tuple[dict[str, str], str]:
    """What a document says of itself between two fences at its top, and the text below them."""
    import yaml

    fenced = FRONT_MATTER.match(text)
    if not fenced:
        return {}, text
    try:
        front = yaml.safe_load(fenced[1]) or {}
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for the 31st of June
        raise DataError(f"{path}: the front matter is not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(front, dict):
        raise DataError(f"{path}: the front matter is not YAML of `name: value` lines.")
    names = ("id", "title", "date", "kind", "audience")
    return {name: str(front[name]) for name in names if front.get(name)}, text[fenced.end() :]


def _pdf_text(path: Path) -> str:
    """The text of a PDF, pages one after another, words that were divided at a line's end put together."""
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every oddity that it reads past
    try:
        pages = [page.extract_text() for page in PdfReader(path).pages]
    except OSError:
        raise
    except Exception as error:  # pypdf raises a dozen kinds at a file that is broken or locked
        raise DataError(
            f"{path} cannot be read as a PDF ({type(error).__name__}): save it again, without a password."
        ) from error
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", "\n\n".join(page.strip() for page in pages)).strip()
    if not text:
        raise DataError(f"{path} holds no text, only pictures of pages: run a text recognition (OCR) over it first.")
    return text


def check_sizes(size: int, overlap: int = 0) -> None:
    """Raise a CourseError unless passages hold at least 1 token, and overlap by fewer than they hold."""
    if size < 1:
        raise CourseError(f"passages of {size} tokens: at least 1 is needed.")
    if not 0 <= overlap < size:
        raise CourseError(f"passages of {size} tokens cannot overlap by {overlap}: choose 0 to {size - 1}.")


def split_into_passages(
    document: Document, size: int, count_tokens: Callable[[str], int], overlap: int = 0
) -> list[Passage]:
    """Cut a document into passages of at most `size` tokens, at headings, paragraphs and sentences.

    A heading opens a passage and stays with what follows it; paragraphs are joined while they fit; a paragraph that
    does not fit alone is cut between sentences. Only a single sentence longer than `size`, or one that its heading
    makes longer, is a longer passage, so that no fact is cut in two (unless a sentence is too long to be embedded).
    With `overlap`, a passage begins with as many of the last sentences of the one before as have at most so many
    tokens; they count towards `size`.
    """
    check_sizes(size, overlap)
    texts: list[str] = []
    headings = ""
    room = size - overlap
    for section in re.split(r"\n(?=#{1,6} )", document.text):
        section = headings + section.strip()
        headings = f"{section}\n" if _only_headings(section) else ""  # a chapter's stays with its first section's
        if not headings:
            texts += _pack(_pieces(section, room, count_tokens), room, count_tokens)
    if headings:
        texts.append(headings.strip())
    if overlap:
        texts = [_tail(before, overlap, count_tokens) + text for before, text in zip(["", *texts], texts)]
    base = Passage("", "", document.id, 0.0, document.title, document.date, document.kind, document.audience)
    return [replace(base, id=f"{document.id}/{i}", text=text) for i, text in enumerate(texts)]


def _tail(text: str, room: int, count_tokens: Callable[[str], int]) -> str:
    """The last sentences of a text that fit, with a space behind; nothing, if the last one does not."""
    tail = ""
    for sentence in reversed(SENTENCE_END.split(text)):
        if count_tokens(longer := f"{sentence} {tail}".strip()) > room:
            break
        tail = longer
    return f"{tail} " if tail else ""


def _pieces(section: str, size: int, count_tokens: Callable[[str], int]) -> Iterable[tuple[str, str]]:
    """Paragraphs, or the sentences of those too long, each with what joins it to the piece before."""
    for paragraph in re.split(r"\n\s*\n|\n(?=(?:[-*+]|\d+[.)])\s)", section.strip()):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if count_tokens(paragraph) <= size:
            yield "\n", paragraph
            continue
        joint = "\n"
        for sentence in SENTENCE_END.split(paragraph):
            for part in _embeddable(sentence, max(size, LONGEST_SENTENCE), count_tokens):
                yield joint, part
                joint = " "


def _embeddable(sentence: str, most: int, count_tokens: Callable[[str], int]) -> Iterable[str]:
    """A sentence whole, or cut between words where the embedding model would not see the rest of it."""
    if (tokens := count_tokens(sentence)) <= most:
        return [sentence]
    words = sentence.split()
    each = max(1, len(words) * most // tokens)
    return [" ".join(words[i : i + each]) for i in range(0, len(words), each)]


def _pack(pieces: Iterable[tuple[str, str]], size: int, count_tokens: Callable[[str], int]) -> list[str]:
    """Pieces joined while they fit; a heading takes what follows it, fit or not."""
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

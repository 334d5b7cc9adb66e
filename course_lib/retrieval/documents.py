"""Documents of a library, and the passages they are cut into."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from course_lib.core.errors import CourseError, DataError
from course_lib.core.session import ROOT
from course_lib.core.text import as_path, say, whole
from course_lib.retrieval.files import (
    SAME_ID,
    Remark,
    Unreadable,
    find_files,
    in_lines,
    name_below,
    one_line,
    prose,
    read_text,
)
from course_lib.retrieval.front_matter import read_front

# A longer sentence is cut between words: the embedding model reads 256 tokens and would not see the rest.
LONGEST_SENTENCE = 240
# More characters than a token of prose has. A word of more than 100 (base64, an address) the embedding model reads as a
# single token, "unknown", so that characters count too.
CHARACTERS_A_TOKEN = 8
# Where a sentence may end: between a stop and a blank, or at a stop of the scripts that leave no blanks.
SENTENCE_END = re.compile(
    r"(?<=[.!?…])\s+(?=[\"“*(«„‘¿¡「『]|[^\W\d_])"
    r"|(?<=[؟۔।॥։።፧།။។])\s+(?=\S)"
    r"|(?<=[。！？｡])[」』”’）)]*(?=[^\s」』”’）)。！？｡])"
    r"|(?<=[\u3040-\u30ff\u3400-\u9fff][!?])(?=[\u3040-\u30ff\u3400-\u9fff])"  # NFKC makes ！ to !
)
# The lines that open and close a fenced block, in a list or a quotation too.
OPENS = re.compile(r"(?:[ \t>]|[-*+][ \t]|\d+[.)][ \t])*(`{3,}(?=[^`]*$)|~{3,})")
CLOSES = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*$")
LINE = "\x00"  # stands for a line's end inside of a fenced block, while a text is cut


@dataclass(frozen=True)
class Document:
    """One document of a library, with what its front matter says of it."""

    id: str
    title: str
    text: str
    date: str = ""
    kind: str = ""
    audience: str = "public"

    def __post_init__(self) -> None:
        _without_halves(self)

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

    def __post_init__(self) -> None:
        _without_halves(self)

    @property
    def searched(self) -> str:
        """What searches look at: the title too, so that a passage that says "it" is still found by its subject."""
        return f"{self.title}\n{self.text}"


def _without_halves(made: Document | Passage) -> None:
    """Half a character (a lone surrogate) can neither be stored nor searched: of all fields it becomes U+FFFD."""
    for name, value in vars(made).items():
        if isinstance(value, str):
            object.__setattr__(made, name, whole(value))


def read_documents(folder: str | Path) -> list[Document]:
    """Every document below a folder, in order of path.

    Read are Markdown, text and PDF files, in folders at any depth, but nothing hidden (a part of its path begins with
    "."), temporary ("~$") or in node_modules. What is left out, and what was read but not understood, is printed with
    the reason, in a line for each reason; `survey` gives all of it. A page whose front matter cannot be understood, or
    that says to be a draft or private, is kept out of "public". Of documents that have one id, each has its path for
    one instead.

    A DataError says that there is no such folder, or no document in it that can be read, and why.
    """
    documents, left_out, noted = survey(folder)
    if not documents:
        why = f"\nLeft out:\n{in_lines(left_out)}" if left_out else ""
        raise DataError(f"there is no document in {one_line(str(folder))}: put .md, .txt or .pdf files there.{why}")
    lines = [f"Documents read from {one_line(str(folder))}: {len(documents):,}."]
    for what, remarks in (("Left out:", left_out), ("Read, but to be looked at:", noted)):
        lines += [what, in_lines(remarks)] if remarks else []
    if len(lines) > 1:
        say("\n".join(lines))
    return documents


def survey(folder: str | Path) -> tuple[list[Document], list[Remark], list[Remark]]:
    """As `read_documents`, silently: the documents, all that is left out, and what is to be remarked of the rest."""
    root = find_folder(folder)
    paths, left_out = find_files(root)
    read: list[tuple[Path, Document]] = []
    noted: list[Remark] = []
    for path in paths:
        name = name_below(root, path)
        try:
            document, remarks = _read(path)
        except Unreadable as fault:
            left_out.append(Remark(name, *fault.args))
        else:
            read.append((path, document))
            noted += [Remark(name, *remark) for remark in remarks]
    ids = _told_apart([(d.id, *(name_below(root, p) for p in (path.with_suffix(""), path))) for path, d in read])
    for (path, document), id in zip(read, ids):
        if document.id not in (id, one_line(path.stem)):
            noted.append(Remark(name_below(root, path), SAME_ID, document.id))
    return [replace(document, id=id) for (_, document), id in zip(read, ids)], left_out, noted


def find_folder(folder: str | Path) -> Path:
    """A folder, looked for here and then in the repository; "~" is the home."""
    folder = as_path(folder)
    for root in (folder, ROOT / folder):
        if os.path.isdir(root):  # pathlib's raises where one may not look, or the name is too long
            return root.resolve()
    if os.path.isfile(folder):
        raise DataError(f"{one_line(str(folder))} is a file: give the path of the folder that it lies in.")
    raise DataError(f"there is no folder {one_line(str(folder))}: give the path of a folder of documents.")


def read_document(path: str | Path) -> Document:
    """One Markdown, text or PDF file; in the first two front matter (id, title, date, kind, audience) is optional.

    Prints what is to be remarked of it; raises a DataError that names the file and what is wrong with it.
    """
    path = as_path(path)
    name = one_line(str(path))
    try:
        document, remarks = _read(path)
    except Unreadable as fault:
        raise DataError(f"{Remark(name, *fault.args)}.") from fault
    for remark in remarks:
        say(f"{Remark(name, *remark)}.")
    return document


def _read(path: Path) -> tuple[Document, list[tuple[str, str]]]:
    """A document, and the reasons and details of what is to be remarked of it; raises Unreadable."""
    text, remarks = read_text(path)
    said, text, more = read_front(text)
    name = one_line(path.stem)
    return Document(**{"id": name, "title": name, "text": prose(text), **said}), remarks + more


def _told_apart(names: list[tuple[str, ...]]) -> list[str]:
    """An id for each document, of several names from short to long: the first that no other document has."""
    names = [(*several, f"{several[-1]} ({i})") for i, several in enumerate(names, 1)]
    level = [0] * len(names)
    while True:
        ids = [several[min(at, len(several) - 1)] for several, at in zip(names, level)]
        times = Counter(ids)
        if len(times) == len(ids):
            return ids
        level = [at + (times[id] > 1) for at, id in zip(level, ids)]


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
    does not fit alone is cut between sentences, a fenced block (of code) between lines. Only a single sentence longer
    than `size`, or one that its heading makes longer, is a longer passage, so that no fact is cut in two (unless a
    sentence is too long to be embedded: then it is cut between words, or inside a word of a thousand letters).
    With `overlap`, a passage begins with as many of the last sentences of the one before as have at most so many
    tokens; they count towards `size`.
    """
    check_sizes(size, overlap)

    def share(text: str, most: int) -> float:
        """How much of a text has `most` tokens: 1 and more if all of it."""
        by_characters = CHARACTERS_A_TOKEN * most / (len(text) or 1)
        return by_characters if by_characters < 1 else most / (count_tokens(text.replace(LINE, "\n")) or 1)

    room, longest = size - overlap, max(size - overlap, LONGEST_SENTENCE)
    texts: list[str] = []
    headings = ""
    for section in re.split(r"\n(?=#{1,6} )", _fences_closed_up(document.text)):
        section = headings + section.strip()
        alone = _only_headings(section) and share(section, longest) >= 1
        headings = f"{section}\n" if alone else ""  # a chapter's stays with its first section's
        if not alone:
            texts += _pack(_pieces(section, room, longest, share), room, longest, share)
    if headings:
        texts.append(headings.strip())
    texts = [text.replace(LINE, "\n") for text in texts]
    if overlap:
        texts = [_tail(before, overlap, share) + text for before, text in zip(["", *texts], texts)]
    base = Passage("", "", document.id, 0.0, document.title, document.date, document.kind, document.audience)
    return [replace(base, id=f"{document.id}/{i}", text=text) for i, text in enumerate(texts)]


def _fences_closed_up(text: str) -> str:
    """A text in which each fenced block is one line (`LINE` between its lines), apart from the prose around it."""
    lines, closed_up, at = text.split("\n"), [], 0
    unclosed: tuple[str, ...] = ()  # what closes no longer fence below either
    while at < len(lines):
        end, mark = at, OPENS.match(lines[at])
        if mark and not mark[1].startswith(unclosed):
            below = ((i, CLOSES.match(lines[i])) for i in range(at + 1, len(lines)))
            end = next((i for i, close in below if close and close[1].startswith(mark[1])), at)
            unclosed += (mark[1],) if end == at else ()
        block = LINE.join(lines[at : end + 1])
        closed_up += ["", block, ""] if end > at else [block]
        at = end + 1
    return "\n".join(closed_up)


def _sentences(text: str) -> list[str]:
    """A text's sentences. None begins with a small letter: "approx. three" is one."""
    ends = [0, *(gap.end() for gap in SENTENCE_END.finditer(text) if not text[gap.end()].islower()), len(text)]
    return [text[start:end].rstrip() if end < len(text) else text[start:] for start, end in pairwise(ends)]


def _tail(text: str, room: int, share: Callable[[str, int], float]) -> str:
    """The last sentences of a text that fit, with a space behind; nothing, if the last one does not."""
    tail = ""
    for sentence in reversed(_sentences(text)):
        if share(longer := f"{sentence} {tail}".strip(), room) < 1:
            break
        tail = longer
    return f"{tail} " if tail else ""


def _pieces(section: str, size: int, longest: int, share: Callable[[str, int], float]) -> Iterable[tuple[str, str]]:
    """Paragraphs, or the sentences (in code lines) of those too long, each with what joins it to the piece before."""
    for paragraph in re.split(r"\n\s*\n|\n(?=(?:[-*+]|#{1,6}|\d+[.)])\s)", section.strip()):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if share(paragraph, size) >= 1:
            yield "\n", paragraph
            continue
        joint = "\n"
        between = LINE if LINE in paragraph else " "
        for sentence in paragraph.split(LINE) if LINE in paragraph else _sentences(paragraph):
            for part in _embeddable(sentence, longest, share):
                yield joint, part
                joint = between


def _embeddable(sentence: str, most: int, share: Callable[[str, int], float]) -> Iterable[str]:
    """A sentence whole, or cut where the embedding model would not see the rest: between words, at last inside one."""
    if (part := share(sentence, most)) >= 1 or len(sentence) < 2:
        return [sentence]
    units, joint = (words, " ") if len(words := sentence.split()) > 1 else (sentence, "")
    each = max(1, int(len(units) * part))
    cut = (joint.join(units[i : i + each]) for i in range(0, len(units), each))
    return [piece for text in cut for piece in _embeddable(text, most, share)]


def _pack(pieces: Iterable[tuple[str, str]], size: int, longest: int, share: Callable[[str, int], float]) -> list[str]:
    """Pieces joined while they fit; a heading takes what follows it, fit or not."""
    packed: list[str] = []
    for joint, piece in pieces:
        joined = packed[-1] + joint + piece if packed else piece
        if packed and (share(joined, size) >= 1 or (_only_headings(packed[-1]) and share(packed[-1], longest) >= 1)):
            packed[-1] = joined
        else:
            packed.append(piece)
    return packed


def _only_headings(text: str) -> bool:
    return all(line.startswith("#") for line in text.splitlines() if line.strip())

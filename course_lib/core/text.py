"""Text on its way out: to consoles that cannot show everything, into files, into the cells of a Markdown table."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
import textwrap
import unicodedata
from pathlib import Path
from typing import Any

from course_lib.core.errors import CourseError, DataError
from course_lib.core.secrets import without_secrets

WIDTH = 88  # letters of a line of a stored page
NARROW = 72  # of one that JupyterLab shows whole beside its list of files, in a window of 1,024 pixels

# What stands for a sign that a console's encoding has not; of letters the accent goes.
PLAIN = {
    "✓": "[ok]", "✗": "[no]", "·": "-", "→": "->", "−": "-", "–": "-", "—": "-", "×": "x", "≤": "<=", "≥": ">=",
    "≈": "~", "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def say(*texts: Any, end: str = "\n", file: Any = None, flush: bool = False) -> None:
    """`print` for every console: a sign that it cannot show is written in ASCII, and a secret is hidden."""
    stream = sys.stdout if file is None else file
    spare(stream)
    lines = map(shown, texts)
    if file is None and in_notebook() and not for_a_page():
        lines = (wrapped(line, NARROW) for line in lines)  # Jupyter breaks a long line within a word
    print(*lines, end=end, file=stream, flush=flush)


def wrapped(text: str, width: int = WIDTH) -> str:
    """Text whose long lines are broken at words, the rest of each indented as it is; columns stay as they stand."""

    def broken(line: str) -> str:
        if len(line) <= width or re.search(r"\S {2,}\S", line):
            return line
        indent = line[: len(line) - len(line.lstrip())]
        return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

    return "\n".join(map(broken, text.split("\n")))


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel (JupyterLab, VS Code, Colab)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def on_stage() -> bool:
    """Whether a room is to read what is shown, from a projector: `COURSE_STAGE=1`."""
    return os.environ.get("COURSE_STAGE", "") not in ("", "0")


def for_a_page() -> bool:
    """Whether a notebook is run to be stored or compared, and nobody watches: `COURSE_PAGE=1`."""
    return os.environ.get("COURSE_PAGE", "") not in ("", "0")


def shown(text: Any) -> str:
    """The text as it may be shown: no secret in it, and whole characters, since Jupyter sends no others."""
    return whole(without_secrets(str(text)))


def spare(stream: Any) -> None:
    """Have a stream write in ASCII what it cannot show, instead of ending the program; what was chosen for it stays."""
    if getattr(stream, "errors", None) in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
        with contextlib.suppress(OSError, ValueError):  # a stream of somebody's own, or one that is closed
            stream.reconfigure(errors="plain signs")


def whole(text: str) -> str:
    """The text as UTF-8 can hold it: halves of a character are put together, and one that is alone becomes U+FFFD."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_cell(value: Any) -> str:
    """A value as the cell of a Markdown table, or a heading: on one line, nothing in it obeyed."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "\\|`*_[]" else sign for sign in text)


def as_path(path: str | Path) -> Path:
    """A path that somebody gave; ~ is their home, which no shell has put there."""
    try:
        return Path(path).expanduser()
    except TypeError as error:
        raise CourseError(f"{path!r:.60} is no path: give a text, or a pathlib.Path.") from error
    except RuntimeError as error:
        raise CourseError(
            f"there is no home folder for {path}: give a whole path (COURSE_CACHE, for the cache)."
        ) from error


def write_text(path: str | Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a text file whole or not at all, its lines ended by line feeds, and return its path.

    Where it cannot be written, a DataError says so, and the one that was there is still whole.
    """
    path = as_path(path)
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(whole(text), encoding=encoding, newline="\n")
        os.replace(draft, path)
    except BaseException as error:  # interrupted as well
        with contextlib.suppress(OSError, ValueError):
            draft.unlink(missing_ok=True)
        if not isinstance(error, (OSError, ValueError)):
            raise
        raise DataError(f"cannot write {path} ({error}): free some disk, or choose another folder.") from error
    return path


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = (PLAIN.get(sign) or unicodedata.normalize("NFKD", sign) for sign in error.object[error.start : error.end])
    return "".join(sign.encode("ascii", "ignore").decode() or "?" for sign in signs), error.end


codecs.register_error("plain signs", _in_plain_signs)

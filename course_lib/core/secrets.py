"""Keys, tokens and passwords, kept out of everything that is printed.

Known are the values of environment variables that are named like secrets, what `keep_secret` was told, and whatever has
a secret's form. Every `CourseError` hides them in its sentence, `text.say` in what it prints. A value that is a short
word or a number ("results", "ollama", "100000") is hidden only where it stands in such a form, as after "Bearer": else
every sentence with that word would lose it.
"""

from __future__ import annotations

import html
import json
import os
import re
import traceback
import urllib.parse
from collections.abc import Iterator
from functools import cache

HIDDEN = "[hidden]"
SHORTEST = 6  # characters: "none" and "EMPTY" stand in for a key where none is needed
LONGEST_WORD = 10  # of letters alone; no service gives such a key

_NAMES = re.compile(
    r"(?!.*_(DIR|FILE|PATH|SOCK|URL|NAME|TYPE)$)"  # where it lies, what it is called
    r".*((KEY|TOKEN|_AUTH|_PASS|_PWD|_PAT)S?(_?\d+|_\w{1,4})?$|SECRET|PASSW(OR)?D|PASSPHRASE|CREDENTIAL)",
    re.IGNORECASE,
)
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?<=://)(?:[^\s/'\":]+:(?!\d+/)[^\s'\"]{0,500}|[^\s/'\"]+)(?=@)",  # user:password@host
        r"(?<![\w/@.+-])(?!mailto:)[\w.+-]+:[^\s/'\":@]+(?=@[\w.-]+(?:/|:\d))",  # as well without http://
        r"(?<=[?&;#])((?:[\w.%-]*(?:key|token|secret|passw(?:or)?d|pwd|sig(?:nature)?|credential)=))[^&\s'\"<>()]+",
        r"((?:\bauthorization|(?<![\w-])(?:[\w-]*-)?api[-_]?key)(?:['\"]\s*[,:]|\s*[:=])\s*"
        r"(?:b?['\"])?(?:(?:bearer|basic|token)\s+)?)"
        r"[^\s'\",}\\]{3,}",
        r"((?-i:\b[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)=)['\"]?)[^\s'\",)]{6,}",  # a line of a .env
        r"((?:['\"]bearer|\bbearer(?=\s+\S*(?:[\d_]|[-.+/]\w)))\s+)[^\s'\",}\\]{3,}",  # and not: a bearer of news
        r"\b(?:sk-[\w-]{6,}|hf_[a-z0-9]{16,}|gh[a-z]_[a-z0-9]{20,}|github_pat_\w{20,}|AIza[\w-]{20,}|AKIA[A-Z0-9]{12,})",
    )
]
_told: set[str] = set()


def keep_secret(value: str) -> None:
    """Never print this value from now on."""
    _told.add(value)


def without_secrets(text: str) -> str:
    """The text with every secret hidden, also where it is escaped or percent-encoded, or lacks the line end it had."""
    named = (value for name, value in os.environ.items() if _is_secret(name))
    known = {form for value in (*named, *_told) for form in _as_quoted(value)}
    for form in sorted(known, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    for form in _FORMS:
        text = form.sub(lambda found: (found[1] or "" if found.re.groups else "") + HIDDEN, text)
    return text


def quotable(error: BaseException) -> BaseException | None:
    """The error, to raise another from it; None where its traceback, or one behind it, would print a secret."""
    shown = "".join(traceback.format_exception(error))
    return error if without_secrets(shown) == shown else None


@cache
def _is_secret(name: str) -> bool:
    return bool(_NAMES.match(name))


def _is_common(value: str) -> bool:
    """Whether a value is a number or a word, as sentences hold them."""
    word = value.isalpha() and value[1:] in (value[1:].lower(), value[1:].upper())
    return len(value) <= LONGEST_WORD and (word or value.replace(".", "").isdigit())


def _as_quoted(value: str) -> Iterator[str]:
    """The forms in which errors quote a value, each of its lines by itself."""
    for line in value.splitlines():
        core = line.strip().strip("'\"").strip()
        if len(core) >= SHORTEST and not _is_common(core):
            yield from (core, repr(core)[1:-1], repr(f'"{core}')[2:-1], json.dumps(core)[1:-1], html.escape(core))
            yield from (urllib.parse.quote(core, safe, errors="replace") for safe in ("", "/"))
            yield urllib.parse.quote_plus(core, errors="replace")

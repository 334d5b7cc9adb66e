"""Where the query stands in what a model wrote: SQLite's own grammar tells a query from prose."""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp

from course_lib.lessons.sql.grammar import fault, parsed, reads

# Words that begin a statement of SQLite's (but VALUES, which is also prose), and words that go on with one.
STATEMENTS = (
    "alter|analyze|attach|begin|commit|create|delete|detach|drop|end|explain|insert|pragma|reindex|release|replace"
    "|rollback|savepoint|select|update|vacuum|with"
)
# Statements of other databases: words that prose has too, so only as a line of their own that a semicolon ends.
OTHERS = (
    r"(?:truncate\s+table|merge\s+into)\b[^;\n]*;?"
    r"|(?:call|copy|exec|execute|grant|load|lock|rename|revoke|set|show|truncate|use)"
    rf"\b(?:(?!\b(?:{STATEMENTS})\b)[^;:\n])*;(?=\s*?(?:\n|\Z))"
)
CLAUSES = (
    "and|as|asc|between|by|case|collate|cross|desc|distinct|else|except|exists|from|full|group|having|in|inner"
    "|intersect|is|join|left|like|limit|natural|not|nulls?|offset|on|or|order|outer|over|partition|returning|right"
    "|set|then|union|using|values|when|where|window"
)
MAX_QUERY = 2_000  # characters: what is longer is not run either
COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
GAP = re.compile(rf"(?:[\s;]|{COMMENT})*", re.S)
START = re.compile(rf"{COMMENT}|(?:\b|(?<=\\[nrt]))(?:(?:{STATEMENTS})\b|(?P<other>{OTHERS}))", re.I | re.S)
# What stands before a statement, and not before a word in a sentence.
ALONE = re.compile(r"(?:\A|[(\n;:>*\"'`%-]|\*/|\d\.|\\[nrt])\s*\Z")
KEYWORD = re.compile(f"{STATEMENTS}|{CLAUSES}", re.I)
ANSWER = re.compile(r"^[ \t]*(?:sql\s+)?(?=(?:select|with)\b)", re.I | re.M)
FENCE = re.compile(r"`{3,}|~{3,}")
THOUGHT = re.compile(
    r"\A(?:(?!<think).)*</think(?:ing)?>"
    r"|[<\[◁](think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad)[>\]▷].*?[<\[◁]/\1[>\]▷]"
    r"|\A.*<\|channel\|>final<\|message\|>",
    re.I | re.S,
)
# What stands for other text: invisible letters, spaces and semicolons of other kinds, HTML, a quotation's marks, a
# string of JSON, the end of a batch.
PLAIN = tuple(
    (re.compile(pattern, re.I | re.M | re.S), meant)
    for pattern, meant in (
        (r"[\x00\u200b-\u200f\u2060\ufeff\xad]", ""),
        (r"\r\n?|[\x85\u2028\u2029]", "\n"),
        (r"[^\S\n\t]", " "),
        (r"[\uff1b\u037e]", ";"),
        (r"&(?:#\d{1,6}|#x[\da-f]{1,5}|lt|gt|amp|quot|apos|nbsp);", lambda found: html.unescape(found[0])),
        (r"(?:^[ \t]*>[^\n]*\n?){2,}", lambda found: re.sub(r"^[ \t]*>", "", found[0], flags=re.M)),
        (rf'"\s*(?:{STATEMENTS})\b(?:[^"\\]|\\.){{0,{MAX_QUERY}}}+"', lambda found: _unquoted(found[0])),
        (r"^[ \t]*go[ \t]*$", ";"),
    )
)
# After which the answer stands, and before it only steps towards it.
FINAL = re.compile(
    r"(?=\b(?:final|complete|full|combined|corrected|revised)\s+(?:sql(?:ite)?\s+)?"
    r"(?:query|answer|solution|statement)\b[^\n:]{0,20}[:\n])",
    re.I,
)
# Where a query may end that no semicolon ends: a line, a sentence, a word.
BORDERS = tuple(map(re.compile, (r"\s*(?:\n|\Z)", r"[.!?]\s|,\s+which\s", r"[\s<\[\]`\"'*.!?:;}$\\%]|[^ -~]")))
# What no SQL goes on with.
MARKS = re.compile(
    "|".join(
        (
            r"""["'`*_}\]][^\w\s]*(?=\s|\Z)|[%/)]\Z""",  # closing marks
            r"[.:!?]+(?=\s|\Z)|,\s+which\s",  # the end of a sentence, or of its main clause
            r"<[^\s\d=>]|\[/?\w+\]|[#~`$\\]|//|\+?---|===",  # a tag, a heading, a rule
            r"\|(?:\s|\Z)|\[[('\"\d]",  # a table, a list of rows
            r"""[-*+]\s+["'`*]*[A-Z]|\d+[.)]\s""",  # a list
            r"\w+:|[\w ,.*()]{1,60}:(?=\s|\Z)",  # a label
            r"[^ -~]",  # another alphabet
        )
    )
)
WORD = re.compile(r"""["'`*_(]*[A-Za-z][A-Za-z'’-]*["'`*_),.;:!?]*""")


class Statement(NamedTuple):
    """A statement that SQLite can read, found in a reply: its text, and what follows it in its block."""

    sql: str
    rest: str
    fenced: bool
    section: int  # how many times "the final query:" or the like is said before it

    @property
    def query(self) -> bool:
        """Whether it only reads. A WITH may also lead a DELETE: sqlglot tells."""
        word = self.sql[:6].upper()
        return word == "SELECT" or (word[:4] == "WITH" and isinstance(parsed(self.sql), exp.Query))

    @property
    def mentioned(self) -> bool:
        """Whether it stands in the middle of a sentence, which goes on with a word."""
        return not self.sql.endswith(";") and re.match(r"[ \t]*\w", self.rest) is not None

    @property
    def table(self) -> bool:
        """Whether it reads a table: the database that reads it here has none."""
        return "no such table" in (fault(self.sql) or "")


def extract_sql(reply: str) -> str:
    """The query in a chatty reply, as SQLite itself reads it: without thoughts, fences, labels, prose and stop tokens.

    Of several the first that is fenced, or else the first, after "the final query:" if that is said; one that reads a
    table before one that reads none. A second statement stays: one that follows directly, also behind blank lines and
    comments, and one that writes wherever it stands, but for a schema (CREATE TABLE) before the query. If nothing can
    be read, what looks like a query stays.
    """
    for pattern, meant in PLAIN:
        reply = pattern.sub(meant, reply)
    said = THOUGHT.sub("", reply)
    blocks, found, section = FENCE.split(said), [], 0
    for number, block in enumerate(blocks):
        fenced = number % 2 == 1
        for more, part in enumerate([block] if fenced else FINAL.split(block)):
            section += more > 0
            found += _statements(part, fenced, section)
    in_fence = any(map(ANSWER.search, blocks[1::2]))  # then what prose quotes is not the answer
    queries = [one for one in found if one.query and (one.fenced or one.section or not in_fence)]
    if not queries:
        return _looks_like(blocks)
    if "<think" in said.lower():  # never closed: the last thought counts
        queries.reverse()
    query = min(
        queries, key=lambda one: (not one.table, -one.section, one.sql[:2] == "Se", not one.fenced, one.mentioned)
    )
    after = found.index(query)
    for number, one in enumerate(found):
        if not one.query and (
            number > after or not re.match(r"create\s+(?:table|(?:unique\s+)?index)\b", one.sql, re.I)
        ):
            return f"{query.sql.rstrip(';')};\n{one.sql}"
    return (query.sql + query.rest if _second(query) else query.sql).strip()


def _unquoted(text: str) -> str:
    """A string as JSON and programs write it, as a block of its own; as it is if nothing in it is escaped."""
    try:
        return f"\n```\n{json.loads(text, strict=False)}\n```\n" if "\\" in text else text
    except ValueError:
        return text


def _statements(block: str, fenced: bool, section: int) -> Iterator[Statement]:
    """The statements in a block of a reply, in their order; a query within another statement is none."""
    at, begun = 0, False
    while found := START.search(block, at):
        start, at = found.start(), found.end()
        before = block[max(0, start - 20) : start]
        if found[0][:1] in "-/":
            continue
        bracket = re.search(r"\(\s*\Z", before) is not None
        joined = re.search(r"(?:,|\b(?:union|union\s+all|except|intersect))\s*\Z", before, re.I)
        if found[0].lower() in ("select", "with") and (joined or (bracket and begun)):
            continue
        begun = True
        end = at if found["other"] else _end(block, start, bracket)
        if end is None:
            continue
        sql = block[start:end].rstrip()
        if found["other"] or (len(sql.split()) < 3 and not re.match("select|with|pragma", sql, re.I)):
            closed = found["other"] or sql.endswith(";") or re.match(r"[\"'`]", block[end:])
            if not ALONE.search(before) or not (closed or (fenced and not block[end:].strip())):
                continue  # "commit", "analyze it", "use it": words of prose
        at = end
        yield Statement(sql, block[end:], fenced, section)


def _end(block: str, start: int, bracket: bool = False) -> int | None:
    """Where the statement that begins at `start` ends; None if none begins there that SQLite can read."""
    text, mark = block[start : start + MAX_QUERY], block[max(0, start - 1) : start]
    reach, query = _reach(text), text[:6].lower() == "select" or text[:4].lower() == "with"
    if bracket or (mark and mark in "`\"'"):
        for close in _all(")" if bracket else mark, text[: reach + 1]):
            after = text[close + 1 :].lstrip()
            if reads(text[:close]) and (not (bracket and query) or after[:1] == ";" or _prose(after)):
                return start + close
        if bracket and query:
            return None
    for close in _all(";", text[: reach + 1]):
        if reads(text[:close]) and sqlite3.complete_statement(text[: close + 1]):  # not within a comment
            return start + close + 1
    if query and mark == "`":  # cut off
        return None
    for borders in BORDERS if query else BORDERS[:1]:
        longest = next(_readable(text, borders, reach), None)
        if longest is not None and not query:
            return start + longest
        if longest is not None and _prose(block[start + longest : start + longest + 300]):
            shorter = next(_readable(text, re.compile(r"[\s\[]"), longest - 1), longest)
            alias = text[shorter:longest].split()  # the first word of prose might also name a table
            named = len(alias) != 1 or f"{alias[0]}." in text
            return start + (longest if named or not _prose(block[start + shorter : start + longest + 300]) else shorter)
    return None


def _readable(text: str, borders: re.Pattern, reach: int) -> Iterator[int]:
    """The borders up to which a text is a statement, the last first."""
    ends = [found.start() for found in borders.finditer(text) if found.start() <= reach]
    return (end for end in reversed(ends) if reads(text[:end]))


def _reach(text: str) -> int:
    """About how far SQLite's grammar goes along with a text: behind a fault in it nothing need be tried."""
    for size in () if text[:7].lower() == "explain" else (60, 240, 960):
        words = text[:size].rsplit(None, 1)[0] if len(text) > size else text
        if re.search(r"""syntax error|token: "[^'"`\[]""", fault(words) or ""):
            return len(words)
    return len(text)


def _all(letter: str, text: str) -> list[int]:
    return [place for place, found in enumerate(text) if found == letter]


def _second(query: Statement) -> bool:
    """Whether another statement follows a query directly, right or wrong."""
    rest = re.sub(r"\A[\"'`)]\s*(?=;)", "", query.rest)
    ended, gap = query.sql.endswith(";") or rest[:1] == ";", GAP.match(rest)
    rest = rest[gap.end() :]
    if not rest or not ended:
        return False
    begins = re.match(rf"(?:{STATEMENTS}|values)\b", rest, re.I)
    if "\n" in gap[0] and not begins:
        return False
    return not _prose(rest) or (begins is not None and _end(rest, 0) is not None)


def _prose(text: str) -> bool:
    """Whether what follows a query is prose, or nothing: no clause, operator or garbled word that belongs to it."""
    line = text.strip().partition("\n")[0].strip()
    if not line or MARKS.match(line):
        return True
    words = line.split()[:3]
    bare = [word.strip("(),.;:!?") for word in words]
    keywords = [word for word in bare if KEYWORD.fullmatch(word)]
    own = text.lstrip(" ")[:1] == "\n"  # a line of its own
    if own and re.fullmatch(r"-?\d[-\d.,| ]*", line):  # what the query might give
        return True
    sentence = own and bare[0].istitle() and bare[0] not in keywords
    if not sentence and (any(map(str.isupper, keywords)) or (bare[0] in keywords and bare[0].islower())):
        return False
    if re.match(r"\s*\n\s*\n", text):  # a paragraph of its own
        return line[0].isalnum() or line[0] == "("
    if not all(map(WORD.fullmatch, words[:2])) or re.match(r"[=<>!(,+*/%|']", words[-1]):
        return False
    return len(words) == 3 or line[-1] in ".:!?" or (own and bare[0].istitle())


def _looks_like(blocks: list[str]) -> str:
    """What of a reply without a query comes nearest to one: so the fault can be named."""
    for block in [*blocks[1::2], *blocks]:
        if found := ANSWER.search(block):
            return block[found.end() :].strip()
    return "".join(blocks).strip()

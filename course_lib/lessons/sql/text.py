"""SQL as text: its words, its style, and where it stands in a chatty reply. Nothing is run here."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

# Functions that a query may call: none that makes data out of nothing (randomblob, zeroblob, printf), none that
# reaches outside (load_extension, readfile).
CLOCK = ("current_date", "date", "datetime", "julianday", "strftime")


FUNCTIONS = {
    *CLOCK, "abs", "avg", "coalesce", "count", "dense_rank", "glob", "group_concat", "ifnull", "iif", "instr",
    "length", "like", "lower", "ltrim", "max", "min", "nullif", "rank", "replace", "round", "row_number", "rtrim",
    "substr", "substring", "sum", "total", "trim", "typeof", "upper",
}  # fmt: skip


KEYWORDS = {
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COLLATE", "CROSS", "DESC", "DISTINCT", "ELSE", "END",
    "ESCAPE", "EXCEPT", "EXISTS", "FROM", "FULL", "GLOB", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "IS", "JOIN",
    "LEFT", "LIKE", "LIMIT", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION",
    "RECURSIVE", "RIGHT", "SELECT", "THEN", "UNION", "USING", "VALUES", "WHEN", "WHERE", "WITH",
}  # fmt: skip


STATEMENTS = (
    "alter|attach|begin|commit|create|delete|detach|drop|explain|insert|pragma|replace|select|update|vacuum|values|with"
)


class Token(NamedTuple):
    """A piece of SQL: its kind (word, string, quoted, number or mark) and its text."""

    kind: str
    text: str

    def says(self, *words: str) -> bool:
        """Whether it is one of these keywords or marks, in any case."""
        return self.kind in ("word", "mark") and self.text.upper() in words


_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z)) | (?P<string>'(?:[^']|'')*(?:'|\Z))
      | (?P<quoted>"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
      | (?P<number>\d+(?:\.\d+)?) | (?P<word>[^\W\d]\w*) | (?P<mark><=|>=|<>|!=|==|\|\||\S)""",
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> list[Token]:
    """Words, strings, quoted names, numbers and marks of an SQL text, without space and comments."""
    found = (Token(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(sql))
    return [token for token in found if token.kind != "comment"]


def extract_sql(reply: str) -> str:
    """The query in a chatty reply: out of a fenced block, without prose before and after. A second statement stays."""
    fenced = re.search(r"```[ \t]*\w*[ \t]*\n?(.*?)(?:```|\Z)", reply, re.DOTALL)
    text = fenced[1] if fenced else reply
    start = re.search(r"^[ \t]*(?:select\b|with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\b)", text, re.I | re.M)
    text = text[start.start() :] if start else text
    end = re.search(rf";\s*\n\s*(?!(?:{STATEMENTS})\b)", text, re.IGNORECASE)
    return (text[: end.start() + 1] if end else text).strip()


def standard_style(sql: str) -> str:
    """A query in the style of the training data; what it means stays the same.

    Keywords and functions in capitals, names in small letters, strings in single quotes, `=` and `!=`, one space
    between words, no needless alias, INNER or ASC, one semicolon at the end. Comments are dropped.
    """
    found = [_plain_string(token, before) for token, before in _with_history(_words(sql))]
    found = [Token("mark", {"==": "=", "<>": "!="}.get(t.text, t.text)) if t.kind == "mark" else t for t in found]
    found = [token for token in found if not token.says("ASC", "INNER")]
    found = _without_column_aliases(_without_table_aliases(found))
    return f"{_written(found)};"


def normal_form(sql: str) -> str:
    """A query without what two writers of one text may do differently: space, case of keywords, a last semicolon."""
    return _written(_words(sql))


@functools.lru_cache(maxsize=10_000)
def order_terms(sql: str) -> list[list[Token]] | None:
    """Terms of the ORDER BY that orders the whole result, without ASC and DESC; None if there is none."""
    depth, start, end = 0, None, None
    found = [token for token in tokens(sql) if token.text != ";"]
    for i, token in enumerate(found):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0 and token.says("ORDER") and i + 1 < len(found) and found[i + 1].says("BY"):
            start, end = i + 2, None
        elif depth == 0 and token.says("LIMIT") and start is not None:
            end = i
    if start is None:
        return None
    terms: list[list[Token]] = [[]]
    for token in found[start:end]:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0 and token.text == ",":
            terms.append([])
        elif not (depth == 0 and token.says("ASC", "DESC")):
            terms[-1].append(token)
    return terms


def _words(sql: str) -> list[Token]:
    """Tokens with keywords and functions in capitals, without comments and closing semicolons."""
    found = tokens(sql)
    while found and found[-1].text == ";":
        found.pop()
    capitals = {
        i
        for i, token in enumerate(found)
        if token.kind == "word"
        and (
            token.text.upper() in KEYWORDS
            or (token.text.lower() in FUNCTIONS and found[i + 1 : i + 2] == [Token("mark", "(")])
        )
    }
    return [Token(t.kind, t.text.upper()) if i in capitals else t for i, t in enumerate(found)]


def _written(found: Sequence[Token]) -> str:
    """Tokens as text, spaced as in the training data."""
    text = ""
    for before, token in zip([None, *found], found):
        tight = before is None or before.text in ("(", ".") or token.text in (",", ")", ";", ".")
        if token.text == "(" and before is not None and before.kind == "word" and before.text not in KEYWORDS:
            tight = True  # a function's
        text += token.text if tight else f" {token.text}"
    return text


def _with_history(found: list[Token]) -> list[tuple[Token, list[Token]]]:
    return [(token, found[:i]) for i, token in enumerate(found)]


def _plain_string(token: Token, before: list[Token]) -> Token:
    """Double quotes where a value stands, as many write them, as single ones; a quoted name without quotes."""
    if token.kind == "word" and not (token.text in KEYWORDS or token.text in {f.upper() for f in FUNCTIONS}):
        return Token("word", token.text.lower())
    if token.kind != "quoted":
        return token
    inside = token.text[1:-1]
    previous = before[-1] if before else Token("mark", "")
    opened = [i for i, t in enumerate(before) if t.text == "("]
    in_list = previous.text in ("(", ",") and bool(opened) and before[opened[-1] - 1].says("IN")
    upper_bound = previous.says("AND") and len(before) > 2 and before[-3].says("BETWEEN")
    is_value = previous.text in ("=", "==", "!=", "<>", "<", ">", "<=", ">=") or previous.says("LIKE", "BETWEEN")
    if token.text[0] == '"' and (is_value or in_list or upper_bound):
        return Token("string", "'" + inside.replace("'", "''") + "'")
    return Token("word", inside.lower()) if re.fullmatch(r"[A-Za-z_]\w*", inside) else token


def _without_table_aliases(found: list[Token]) -> list[Token]:
    """`FROM users AS u WHERE u.state` as `FROM users WHERE state`.

    Left alone: a table joined to itself, tables listed with commas, one alias for two tables.
    """
    tables: list[str] = []
    aliases: dict[str, str] = {}
    dropped: set[int] = set()
    named, listed = 0, False
    for i, token in enumerate(found):
        if not token.says("FROM", "JOIN") or i + 1 >= len(found) or found[i + 1].kind != "word":
            continue
        tables.append(found[i + 1].text)
        j = i + 2
        j += j < len(found) and found[j].says("AS")
        if j < len(found) and found[j].kind == "word" and found[j].text not in KEYWORDS:
            aliases[found[j].text] = tables[-1]
            named += 1
            dropped |= set(range(i + 2, j + 1))
            j += 1
        listed |= j < len(found) and found[j].text == ","  # FROM orders, users
    if aliases and (listed or len(aliases) < named or len(set(tables)) < len(tables)):
        return found
    qualifiers = {i for i, t in enumerate(found[:-1]) if t.kind == "word" and found[i + 1].text == "."}
    if len(tables) == 1 and not listed:
        # With one table every name is its own; `users.*` is `*`.
        dropped |= {j for i in qualifiers if found[i].text in {*tables, *aliases} for j in (i, i + 1)}
    return [
        Token("word", aliases.get(t.text, t.text)) if i in qualifiers else t
        for i, t in enumerate(found)
        if i not in dropped
    ]


def _without_column_aliases(found: list[Token]) -> list[Token]:
    """`COUNT(*) AS n` as `COUNT(*)`, unless `n` is used again."""
    dropped: set[int] = set()
    for i, token in enumerate(found[:-1]):
        name = found[i + 1]
        follows = found[i + 2] if i + 2 < len(found) else Token("mark", "")
        once = sum(t.text == name.text for t in found) == 1
        if token.says("AS") and name.kind == "word" and once and (follows.text == "," or follows.says("FROM")):
            dropped |= {i, i + 1}
    return [token for i, token in enumerate(found) if i not in dropped]

"""SQL as SQLite and sqlglot read it. Nothing is run here."""

from __future__ import annotations

import functools
import re
import sqlite3
from typing import ClassVar

from sqlglot import exp, parse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from course_lib.lessons.sql.databases import empty

SIGN = re.compile(r"[^\w\x00-\x7f]|[$\[]")
QUOTED = re.compile(r"""(['"`]).*?(?:\1|\Z)|\[\w[^\]]*|--[^\n]*|/\*.*?(?:\*/|\Z)""", re.S)


class Course(SQLite):
    """SQLite as sqlglot reads it and the training data writes it: `!=`, `NOT IN`, `IS NOT NULL`, functions as named."""

    class Parser(SQLite.Parser):
        FUNCTIONS: ClassVar[dict] = {}  # else IFNULL comes out as COALESCE, and SUBSTR as SUBSTRING
        JOINS_HAVE_EQUAL_PRECEDENCE = False  # else a comma comes out as CROSS JOIN

    class Generator(SQLite.Generator):
        TRANSFORMS = SQLite.Generator.TRANSFORMS | {exp.NEQ: lambda self, test: self.binary(test, "!=")}

        def not_sql(self, expression: exp.Not) -> str:
            test = expression.this
            if not isinstance(test, (exp.In, exp.Between, exp.Is)):
                return super().not_sql(expression)
            before = self.sql(test, "this") + (" IS" if isinstance(test, exp.Is) else "")
            return f"{before} NOT{self.sql(test).removeprefix(before)}"


def query_tree(sql: str) -> exp.Query | None:
    """The query as sqlglot reads it; None unless it is one that SQLite can read too: sqlglot mends some faults."""
    if not (fault(sql) or "no such").startswith("no such"):  # there is no table here, nor any column
        return None
    tree = parsed(sql)
    return tree if isinstance(tree, exp.Query) else None


def parsed(sql: str) -> exp.Expression | None:
    try:
        found = parse(sql, dialect=Course)
    except (SqlglotError, RecursionError):
        return None
    return found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=1_000)
def fault(sql: str) -> str | None:
    """What SQLite has against a statement in a database without tables; nothing is run."""
    try:
        _reader().execute(f"EXPLAIN {sql}")
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


def reads(sql: str) -> bool:
    """Whether a text is one statement by SQLite's grammar. A column without any table is a word of prose; signs that
    SQLite takes for letters of a name are not SQL."""
    faults = "syntax error|incomplete input|unrecognized token|one statement|no such column|null character|surrogates"
    found = fault(re.sub(r"\Aexplain\b(?:\s+query\s+plan\b)?", "", sql, flags=re.I)) or ""
    return not re.search(faults, found) and not SIGN.search(QUOTED.sub("", sql))


@functools.cache
def _reader() -> sqlite3.Connection:
    made = empty()
    # A PRAGMA may take effect as it is read, in the whole process.
    made.set_authorizer(lambda act, *_: sqlite3.SQLITE_DENY if act == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK)
    return made

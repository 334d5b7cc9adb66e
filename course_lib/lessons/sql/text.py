"""SQL as text: where it stands in a chatty reply, its style, its normal form. Nothing is run here; sqlglot reads it."""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from collections import Counter
from typing import ClassVar

from sqlglot import exp, parse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError, TokenError

STATEMENTS = (
    "alter|attach|begin|commit|create|delete|detach|drop|explain|insert|pragma|replace|select|update|vacuum|values|with"
)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In, exp.Between)


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
    between words, no needless alias, INNER or ASC, one semicolon at the end. Comments are dropped. What SQLite cannot
    read, and what reads no table, is left as it is.
    """
    tree = _tree(sql)
    if tree is None or not tree.find(exp.Table):
        return f"{sql.strip().rstrip('; ')};"
    for column in list(tree.find_all(exp.Column)):
        if _is_value(column, sql):
            column.replace(exp.Literal.string(column.name))
    for name in tree.find_all(exp.Identifier):
        name.set("quoted", name.args["quoted"] and [kind for kind, _ in normal_form(name.this)] != ["VAR"])
        name.set("this", name.this.lower())
    for ordered in tree.find_all(exp.Ordered):
        ordered.set("desc", ordered.args["desc"] or None)
    for join in tree.find_all(exp.Join):
        join.set("kind", None if join.kind == "INNER" else join.kind)
    _drop_table_aliases(tree)
    _drop_column_aliases(tree)
    return f"{tree.sql(dialect=Course, comments=False)};"


def normal_form(sql: str) -> list[tuple[str, str]]:
    """Kinds and texts of a query's words, without what two writers of one text may do differently: space, comments,
    case of keywords and functions, a last semicolon."""
    try:
        found = Course().tokenize(sql)
    except TokenError:  # a quotation mark that is never closed
        return [("TEXT", sql)]
    while found and found[-1].text == ";":
        found.pop()
    form = []
    for token, after in zip(found, [*found[1:], None]):
        kind, called = token.token_type.name, after is not None and after.text == "("
        as_written = kind in ("STRING", "IDENTIFIER") or (kind == "VAR" and not called)
        form.append((kind, token.text if as_written else token.text.upper()))
    return form


@functools.lru_cache(maxsize=10_000)
def order_terms(sql: str) -> list[str] | None:
    """Terms of the ORDER BY that orders the whole result, without ASC and DESC; None if there is none."""
    tree = _tree(sql)
    order = tree and tree.args.get("order")
    return [term.this.sql(dialect=Course) for term in order.expressions] if order else None


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


def _tree(sql: str) -> exp.Query | None:
    """The query as sqlglot reads it; None unless it is one that SQLite can read too: sqlglot mends some faults."""
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        try:
            empty.execute(f"EXPLAIN {sql}")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if not str(error).startswith("no such"):  # there is no table here, nor any column
                return None
    try:
        found = parse(sql, dialect=Course)
    except (SqlglotError, RecursionError):
        return None
    return found[0] if len(found) == 1 and isinstance(found[0], exp.Query) else None


def _is_value(column: exp.Column, sql: str) -> bool:
    """Whether it is a value in double quotes, as many write it: what something is compared with."""
    name = column.this
    in_quotes = isinstance(name, exp.Identifier) and name.args["quoted"] and sql[name.meta["start"]] == '"'
    return in_quotes and not column.table and isinstance(column.parent, COMPARISONS) and column.arg_key != "this"


def _drop_table_aliases(tree: exp.Query) -> None:
    """`FROM users AS u WHERE u.state` as `FROM users WHERE state`, unless one name would then stand for two tables."""
    tables = list(tree.find_all(exp.Table))
    aliases = {table.alias: table.name for table in tables if table.alias}
    names = Counter(name for source in tree.find_all(exp.Table, exp.Subquery) for name in {source.name, source.alias})
    if aliases and any(count > 1 for name, count in names.items() if name):
        return
    for table in tables:
        table.set("alias", None)
    alone = len(tables) == 1 and not tree.find(exp.Join)
    hidden = {alias.alias for alias in tree.find_all(exp.Alias)}
    for column in tree.find_all(exp.Column):
        if alone and column.table in {*aliases, tables[0].name} and column.name not in hidden:
            column.set("table", None)  # with one table every name is its own
        elif column.table in aliases:
            column.set("table", exp.to_identifier(aliases[column.table]))


def _drop_column_aliases(tree: exp.Query) -> None:
    """`COUNT(*) AS n` as `COUNT(*)`, unless `n` is used again."""
    used = Counter(name.name for name in tree.find_all(exp.Identifier))
    for alias in list(tree.find_all(exp.Alias)):
        if used[alias.alias] == 1:
            alias.replace(alias.this)

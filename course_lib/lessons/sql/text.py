"""SQL as text: its style, its normal form, its order. Nothing is run here; sqlglot reads it."""

from __future__ import annotations

import functools
import re
from collections import Counter

from sqlglot import exp
from sqlglot.errors import TokenError

from course_lib.lessons.sql.grammar import Course, query_tree
from course_lib.lessons.sql.replies import extract_sql as extract_sql

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In, exp.Between)


def standard_style(sql: str) -> str:
    """A query in the style of the training data; what it means stays the same.

    Keywords and functions in capitals, names in small letters, strings in single quotes, `=` and `!=`, one space
    between words, no needless alias, INNER or ASC, one semicolon at the end. Comments are dropped. What SQLite cannot
    read, and what reads no table, is left as it is.
    """
    tree = query_tree(sql)
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
    tree = query_tree(sql)
    order = tree and tree.args.get("order")
    return [term.this.sql(dialect=Course) for term in order.expressions] if order else None


def ranked(sql: str, columns: tuple[str, ...]) -> list[str]:
    """A query that gives all rows which an ordered or limited one chooses from, in its order: its own `columns`, the
    values it sorts by, and last the rank, which tied rows share. No query if sqlglot cannot read it; two if names
    in its ORDER BY may stand for a column or for an alias.
    """
    tree = query_tree(sql)
    if tree is None:
        return []
    shown = {f"c{number}": name.lower() for number, name in enumerate(columns)}
    written = [] if isinstance(tree, exp.SetOperation) or tree.is_star else tree.selects
    found = []
    for aliased in (False, True):
        whole, keys, terms, names = tree.copy(), {}, [], []
        order = whole.args.get("order")
        for part in ("order", "limit", "offset"):
            whole.set(part, None)
        for term in order.expressions if order else ():
            key = term.this.this if isinstance(term.this, exp.Collate) else term.this
            text = key.sql(dialect=Course).lower()
            if key.is_int:
                name = f"c{int(key.this) - 1}"
            elif isinstance(key, exp.Column) and not key.table and key.name.lower() in shown.values():
                name = next(name for name, column in shown.items() if column == key.name.lower())
            elif text in shown.values():  # in a UNION nothing else can be sorted by
                name = next(name for name, column in shown.items() if column == text)
            else:
                name = f"k{len(keys)}"
                keys[name] = _without_aliases(key, written) if aliased else key.copy()
            key.replace(exp.column(name))
            terms.append(term.sql(dialect=Course))
            names.append(name)
        if keys and isinstance(whole, exp.SetOperation):
            return []
        whole = whole.select(*keys.values(), copy=False) if keys else whole
        by = f"ORDER BY {', '.join(terms)}" if terms else ""
        found.append(
            f"WITH gives({', '.join([*shown, *keys])}) AS ({whole.sql(dialect=Course, comments=False)}) "
            f"SELECT {', '.join([*shown, *names, f'DENSE_RANK() OVER ({by}) AS place'])} FROM gives ORDER BY place"
        )
        if not keys:
            break
    return found


def limits(sql: str) -> tuple[bool, int] | None:
    """Whether a query has an ORDER BY or a LIMIT for its whole result, and how many rows its OFFSET leaves out.

    None if that can't be told.
    """
    tree = query_tree(sql)
    if tree is None:
        return None if re.search(r"\border\b", sql, re.I) else (False, 0)
    offset = tree.args.get("offset")
    skipped = offset.expression if offset else exp.Literal.number(0)
    return (any(map(tree.args.get, ("order", "limit"))), int(skipped.this)) if skipped.is_int else None


def _without_aliases(key: exp.Expression, written: list[exp.Expression]) -> exp.Expression:
    """A sort key with the aliases in it written out, as a SELECT needs it."""
    meant = {one.alias.lower(): one.this for one in written if isinstance(one, exp.Alias)}

    def put(node: exp.Expression) -> exp.Expression:
        named = isinstance(node, exp.Column) and not node.table and meant.get(node.name.lower())
        return exp.paren(named) if named else node

    return key.copy().transform(put)


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

"""Running SQL that nobody has read, and comparing what it gives with what the right query gives."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.lessons.sql.databases import Database, SqlResult, empty
from course_lib.lessons.sql.text import limits, ranked

Row = tuple[Any, ...]
MAX_SECONDS, MAX_ROWS = 1.0, 1000
MAX_SQL, MAX_CELL, MAX_RESULT = 2_000, 20_000, 1_000_000  # characters, bytes, characters
STEPS = 100  # of the SQLite machine, between two looks at the clock: one step may search all of a cell
SELECT = re.compile(r"(?>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))*+(?:SELECT|WITH)\b", re.I | re.S)  # after comments
# What a query may do; the authorizer refuses all else. Functions: none that makes data out of nothing (randomblob,
# zeroblob, printf), none that reaches outside (load_extension, readfile).
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
NOW = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
CLOCK = (*NOW, *NOW.values(), "julianday", "strftime", "unixepoch")
FUNCTIONS = {
    *CLOCK, "abs", "avg", "ceil", "ceiling", "coalesce", "count", "cume_dist", "dense_rank", "first_value", "floor",
    "glob", "group_concat", "ifnull", "iif", "instr", "lag", "last_value", "lead", "length", "like", "lower", "ltrim",
    "max", "min", "mod", "nth_value", "ntile", "nullif", "percent_rank", "rank", "replace", "round", "row_number",
    "rtrim", "sign", "string_agg", "substr", "substring", "sum", "total", "trim", "trunc", "typeof", "upper",
}  # fmt: skip
ACTIONS = {
    value: name.removeprefix("SQLITE_").replace("_", " ")
    for name, value in vars(sqlite3).items()
    if re.fullmatch(r"SQLITE_((CREATE|DROP)_\w+|INSERT|UPDATE|DELETE|ATTACH|DETACH|PRAGMA|TRANSACTION|SAVEPOINT|REINDEX"
                    r"|ANALYZE|ALTER_TABLE)", name)
}  # fmt: skip
# Limits of the copy that a query runs in: https://www.sqlite.org/limits.html
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_CELL,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL,
    sqlite3.SQLITE_LIMIT_COLUMN: 64,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
}


class SqlError(CourseError):
    """A query does not run, is refused, or takes more than it may."""


def run_sql(sql: str, database: Database, max_seconds: float = MAX_SECONDS) -> SqlResult:
    """Run one SELECT that nobody has read: in a copy, reading only, within limits of time, rows and memory.

    It is stopped after `max_seconds` of processor time: what else a machine is busy with changes no verdict. A
    SqlError says why it is no SELECT, does not run, goes beyond a limit, or wants more than to read the schema's tables
    (to write, ATTACH, PRAGMA, a second statement, a function that is not on the list).

    SQLite's own advice for SQL from strangers: https://www.sqlite.org/security.html
    """
    if not isinstance(sql, str) or len(sql) > MAX_SQL:
        raise SqlError(f"a query is text of at most {MAX_SQL:,} characters: shorten it.")
    if not SELECT.match(sql):
        raise SqlError("the query is no SELECT: write one that begins with SELECT.")
    refused: list[str] = []
    connection = database.copy()
    try:
        _guard(connection, database, refused)
        deadline = time.thread_time() + max_seconds
        connection.set_progress_handler(lambda: time.thread_time() > deadline, STEPS)
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        return SqlResult(columns, tuple(_fetched(cursor)))
    except SqlError:
        raise
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
        raise SqlError(_explained(error, refused, max_seconds)) from error
    finally:
        connection.close()


def same_results(sql: str, gold: str, databases: Sequence[Database]) -> bool:
    """Whether a query gives what the right one gives, on every database.

    The same columns in the same order, and the same rows, repeated ones counted. The order of rows counts where the
    right query has an ORDER BY of its own; rows which that leaves tied may come in any order, and if its LIMIT cuts
    through them, any of them will do. Names of columns do not count, 1 is 1.0, and fractions are compared to six
    places. A query that does not run raises a SqlError.
    """
    return all(_same(run_sql(sql, database), gold, database) for database in databases)


@functools.lru_cache(maxsize=5_000)
def right_result(gold: str, database: Database) -> SqlResult:
    """What a right query gives: as `run_sql`, but a question is asked many times and this is worked out once."""
    return run_sql(gold, database)


def _same(found: SqlResult, gold: str, database: Database) -> bool:
    expected = right_result(gold, database)
    if len(found.columns) != len(expected.columns):
        return False
    said, right = _cells(found), _cells(expected)
    return said == right or (len(said) == len(right) and _fits(said, _choices(gold, database)))


def _fits(rows: list[Row], choices: list[Counter[Row]]) -> bool:
    taken: dict[int, Counter[Row]] = defaultdict(Counter)
    for row, choice in zip(rows, choices):
        taken[id(choice)][row] += 1
    return all(taken[place] <= choice for place, choice in {id(choice): choice for choice in choices}.items())


@functools.lru_cache(maxsize=5_000)
def _choices(gold: str, database: Database) -> list[Counter[Row]]:
    """For each place in a right result the rows that may stand there: tied rows share their places.

    Where nobody can tell what is tied, every row has its own place.
    """
    expected = right_result(gold, database)
    right, found = _cells(expected), limits(gold)
    if found and not found[0]:
        return [Counter(right)] * len(right)
    for query in ranked(gold, expected.columns) if found else ():
        choices, last = [], None
        with contextlib.suppress(SqlError):
            for row in _cells(run_sql(query, database)):
                row, *keys, rank = row[: len(expected.columns)], *row[len(expected.columns) :]
                if last is None or (last[0] != keys and last[1] != rank):
                    tied: Counter[Row] = Counter()
                last = keys, rank
                tied[row] += 1
                choices.append(tied)
            choices = choices[found[1] : found[1] + len(right)]
            if len(choices) == len(right) and _fits(right, choices):
                return choices
    return [Counter([row]) for row in right]


def _cells(result: SqlResult) -> list[Row]:
    return [tuple(map(_cell, row)) for row in result.rows]


def _cell(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value


def _guard(connection: sqlite3.Connection, database: Database, refused: list[str]) -> None:
    """Take from a connection all that a reader does not need; what a query is refused is noted in `refused`."""
    tables = set(database.schema.tables)

    def authorize(action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action not in ALLOWED:
            refused.append(f"it wants to do {ACTIONS.get(action, 'what a reader may not')}")
        elif action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in FUNCTIONS:
            refused.append(f"the function {second} is not on the list")
        # With an empty column it may be a table expression of the query itself (WITH ... AS).
        elif action == sqlite3.SQLITE_READ and str(first).lower() not in tables and (
            second or str(first).lower().startswith(("sqlite_", "pragma_"))
        ):  # fmt: skip
            refused.append(f"{first} is not a table of the schema")
        else:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    for limit, most in LIMITS.items():
        connection.setlimit(limit, most)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    if database.today is not None:
        for name in CLOCK:
            connection.create_function(name, -1, functools.partial(_on_that_day, name, database.today))
    connection.set_authorizer(authorize)


def _on_that_day(function: str, today: str, *arguments: Any) -> Any:
    """SQLite's date functions with "now" as the day that the database stands at, its first moment, whatever the zone
    of the machine: verdicts do not age, and are the same everywhere."""
    function = NOW.get(function, function)
    words = [value.lower() if isinstance(value, str) else None for value in arguments]
    given = [today if word == "now" else value for word, value in zip(words, arguments)
             if word not in ("localtime", "utc")]  # fmt: skip
    if len(given) == (function == "strftime"):  # no time given means now
        given.append(today)
    marks = ", ".join("?" * len(given))
    return _clock().execute(f"SELECT {function}({marks})", given).fetchone()[0]


_clock = functools.cache(empty)


def _fetched(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    size = 0
    for number, row in enumerate(cursor, 1):
        size += sum(len(cell) if isinstance(cell, (str, bytes)) else 8 for cell in row)
        if number > MAX_ROWS:
            raise SqlError(f"the query gives more than {MAX_ROWS:,} rows: filter it, or add a LIMIT.")
        if size > MAX_RESULT:
            raise SqlError(f"the query gives more than {MAX_RESULT:,} characters: select fewer columns.")
        yield row


def _explained(error: BaseException, refused: list[str], max_seconds: float) -> str:
    if refused:
        return f"the query is refused: {refused[0]}; only reading the schema's tables is allowed."
    if "interrupted" in str(error):
        return f"the query was stopped after {max_seconds:g} s: make it simpler."
    if "one statement" in str(error):
        return "the query is refused: it holds a second statement; give one."
    if isinstance(error, MemoryError):
        return "the query takes more memory than it may: make it simpler."
    return f"the query does not run ({str(error) or type(error).__name__}): correct it."

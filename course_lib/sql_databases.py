"""The databases that SQL is graded on, and running SQL that nobody has read.

Two schemas: the shop that the training data is about, and a library that training never sees. Each has five databases,
filled differently from fixed seeds, so that a query which is right by luck on one is found out on another.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from course_lib.errors import CourseError, DataError, choose
from course_lib.settings import data_dir

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Database", "Databases", "Schema", "SqlError", "SqlResult", "load_schema", "run_sql", "same_results"]

SCHEMAS = {"shop": "schema.sql", "library": "second_schema.sql"}
SEEDS = (11, 23, 37, 53, 71)
LOAN_DAYS = 28

MAX_SECONDS, MAX_ROWS = 1.0, 1000
MAX_SQL, MAX_CELL, MAX_RESULT = 2_000, 20_000, 1_000_000  # characters, bytes, characters

# What a query may do; the authorizer refuses all else. Functions: none that makes data out of nothing (randomblob,
# zeroblob, printf), none that reaches outside (load_extension, readfile).
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
CLOCK = ("current_date", "date", "datetime", "julianday", "strftime")
FUNCTIONS = {
    *CLOCK, "abs", "avg", "coalesce", "count", "dense_rank", "glob", "group_concat", "ifnull", "iif", "instr",
    "length", "like", "lower", "ltrim", "max", "min", "nullif", "rank", "replace", "round", "row_number", "rtrim",
    "substr", "substring", "sum", "total", "trim", "typeof", "upper",
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


@dataclass(frozen=True)
class Schema:
    """Tables and their columns.

    Attributes
    ----------
    name
        "shop" or "library".
    tables
        Name of each table, with its columns.
    ddl
        The CREATE TABLE statements.
    """

    name: str
    tables: dict[str, tuple[str, ...]]
    ddl: str

    @property
    def lines(self) -> str:
        """As it stands in a prompt: one line a table, `users(id, name, ...)`."""
        return "\n".join(f"{table}({', '.join(columns)})" for table, columns in self.tables.items())

    def __hash__(self) -> int:
        return hash((self.name, self.ddl))


@dataclass(frozen=True)
class SqlResult:
    """What a query gave: names of the columns, and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def table(self) -> pd.DataFrame:
        """The same as a table to look at."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(self.columns))

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False)


class Database:
    """One filled database, in memory. Queries never touch it: `run_sql` runs them in a copy.

    Attributes
    ----------
    name
        Schema and number: "shop 1".
    today
        The day that it stands at: nothing later is in it. None for all that there is.
    """

    def __init__(self, name: str, schema: Schema, fill: Callable[[sqlite3.Connection], None], today: str | None = None):
        self.name, self.schema, self.today = name, schema, today
        self._kept = sqlite3.connect(":memory:", check_same_thread=False)
        fill(self._kept)
        self._kept.commit()

    def copy(self) -> sqlite3.Connection:
        """A connection to a copy of its own."""
        connection = sqlite3.connect(":memory:")
        self._kept.backup(connection)
        return connection

    def as_of(self, today: str | None) -> Database:
        """The database as it stood at the end of a day (ISO, "2023-11-14"); None for all that there is."""
        return self if today is None or self.today is not None else _stood(self, today)

    def head(self, table: str, n: int = 5) -> SqlResult:
        """The first `n` rows of a table.

        Raises
        ------
        ChoiceError
            If there is no such table.
        """
        choose("table", table, self.schema.tables)
        return run_sql(f"SELECT * FROM {table} LIMIT {int(n)}", self)

    def __repr__(self) -> str:
        return f"Database({self.name!r}{f', as of {self.today}' if self.today else ''})"


class Databases(Sequence[Database]):
    """The five databases of a schema. The first looks ordinary; all are built once a process, in milliseconds.

    Parameters
    ----------
    schema
        "shop" or "library", or the `Schema`.
    folder
        The data folder, if it is another than the course's.

    Raises
    ------
    ChoiceError
        For another name.
    DataError
        If the files they are made from are missing or malformed.

    Why several: Zhong, Yu & Klein 2020, *Semantic Evaluation for Text-to-SQL with Distilled Test Suites*,
    arXiv 2010.02840.
    """

    def __init__(self, schema: Schema | str, folder: Path | None = None):
        self.schema = load_schema(schema) if isinstance(schema, str) else schema
        choose("schema", self.schema.name, SCHEMAS)
        self._all = _built(self.schema, folder or data_dir())

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def as_of(self, today: str | None) -> list[Database]:
        """All of them as they stood on a day: a question of that day is graded on these."""
        return [database.as_of(today) for database in self._all]


def load_schema(name: str) -> Schema:
    """The schema "shop" (of the training data) or "library" (which training never sees).

    Raises
    ------
    ChoiceError
        For another name.
    DataError
        If its file is missing or holds no CREATE TABLE.
    """
    choose("schema", name, SCHEMAS)
    path = data_dir() / "sql" / SCHEMAS[name]
    connection = sqlite3.connect(":memory:")
    try:
        ddl = path.read_text(encoding="utf-8")
        connection.executescript(ddl)
        made = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {table: tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})")) for table in made}
    except (OSError, ValueError, sqlite3.Error) as error:
        raise DataError(f"{path} is not a schema ({error}): run `make data`.") from error
    finally:
        connection.close()
    if not tables:
        raise DataError(f"{path} creates no table: run `make data`.")
    return Schema(name, tables, ddl)


def run_sql(sql: str, database: Database, max_seconds: float = MAX_SECONDS, max_rows: int = MAX_ROWS) -> SqlResult:
    """Run one SELECT that nobody has read: in a copy, reading only, within limits of time, rows and memory.

    Parameters
    ----------
    sql
        One statement, with or without a semicolon, of at most 2,000 characters.
    database
        Where to run it. The copy is thrown away.
    max_seconds
        When to stop it, by the wall clock.
    max_rows
        What it may give; more is refused, as is a result of more than a million characters.

    Raises
    ------
    SqlError
        If it is no SELECT, does not run, wants to do anything but read the schema's tables (write, ATTACH, PRAGMA, a
        second statement, a function that is not on the list), or goes beyond a limit.

    SQLite's own advice for SQL from strangers: https://www.sqlite.org/security.html
    """
    if not isinstance(sql, str) or len(sql) > MAX_SQL:
        raise SqlError(f"a query is text of at most {MAX_SQL:,} characters: shorten it.")
    first = next(iter(tokens(sql)), None)
    if first is None or not first.says("SELECT", "WITH"):
        raise SqlError("the query is no SELECT: write one that begins with SELECT.")
    refused: list[str] = []
    connection = database.copy()
    try:
        _guard(connection, database, refused)
        deadline = time.perf_counter() + max_seconds
        connection.set_progress_handler(lambda: time.perf_counter() > deadline, 1000)
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        return SqlResult(columns, tuple(_fetched(cursor, max_rows)))
    except SqlError:
        raise
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
        raise SqlError(_explained(error, refused, max_seconds)) from error
    finally:
        connection.close()


def same_results(sql: str, gold: str, databases: Sequence[Database]) -> bool:
    """Whether a query gives what the right one gives, on every database.

    The same columns in the same order, and the same rows, repeated ones counted. The order of rows counts where the
    right query has an ORDER BY of its own; rows which that leaves tied may come in any order. Names of columns do not
    count, 1 is 1.0, and fractions are compared to six places.

    Raises
    ------
    SqlError
        If the query (or the right one) does not run.
    """
    return all(_same(run_sql(sql, database), right_result(gold, database), gold) for database in databases)


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


@functools.lru_cache(maxsize=5_000)
def right_result(gold: str, database: Database) -> SqlResult:
    """What a right query gives: as `run_sql`, but a question is asked many times and this is worked out once."""
    return run_sql(gold, database)


def _same(found: SqlResult, expected: SqlResult, gold: str) -> bool:
    if len(found.columns) != len(expected.columns):
        return False
    said, right = ([tuple(map(_cell, row)) for row in result.rows] for result in (found, expected))
    if said == right:
        return True
    if Counter(said) != Counter(right):
        return False
    terms = order_terms(gold)
    if terms is None:
        return True
    names = [term[-1].text.lower() if len(term) in (1, 3) else "" for term in terms]  # price, or products.price
    if not set(names) <= set(expected.columns):
        return False
    keys = [expected.columns.index(name) for name in names]
    return [[row[key] for key in keys] for row in said] == [[row[key] for key in keys] for row in right]


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
    """SQLite's date functions with "now" as the day that the database stands at, so that verdicts do not age."""
    if function == "current_date":
        function, arguments = "date", (today,)
    given = [today if isinstance(value, str) and value.lower() == "now" else value for value in arguments]
    if len(given) == (function == "strftime"):  # no time given means now
        given.append(today)
    marks = ", ".join("?" * len(given))
    return _clock().execute(f"SELECT {function}({marks})", given).fetchone()[0]


@functools.cache
def _clock() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def _fetched(cursor: sqlite3.Cursor, max_rows: int) -> Iterator[tuple[Any, ...]]:
    size = 0
    for number, row in enumerate(cursor, 1):
        size += sum(len(cell) if isinstance(cell, (str, bytes)) else 8 for cell in row)
        if number > max_rows:
            raise SqlError(f"the query gives more than {max_rows:,} rows: filter it, or add a LIMIT.")
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
    return f"the query does not run ({str(error) or type(error).__name__}): correct it."


@functools.lru_cache(maxsize=1_000)
def _stood(database: Database, today: str) -> Database:
    try:
        today = datetime.date.fromisoformat(today).isoformat()
    except (TypeError, ValueError) as error:
        raise CourseError(f"today is {today!r}: give a date like 2023-11-14.") from error

    def fill(connection: sqlite3.Connection) -> None:
        database._kept.backup(connection)
        for statement in _AS_OF[database.schema.name]:
            connection.execute(statement, {"today": today})

    return Database(database.name, database.schema, fill, today)


@functools.lru_cache(maxsize=8)
def _built(schema: Schema, folder: Path) -> tuple[Database, ...]:
    path = folder / "sql" / "fill.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))[schema.name]
        return tuple(
            Database(f"{schema.name} {number}", schema, functools.partial(_fill, schema, values, seed, number == 1))
            for number, seed in enumerate(SEEDS, 1)
        )
    except (OSError, ValueError, KeyError, TypeError, sqlite3.Error) as error:
        raise DataError(f"{path} does not fill the databases ({error!r}): run `make data`.") from error


def _fill(schema: Schema, values: dict[str, Any], seed: int, ordinary: bool, connection: sqlite3.Connection) -> None:
    """Fill one database. In an ordinary one, rows are in order of their dates, as a shop's would be."""
    connection.executescript(schema.ddl)
    tables = {"shop": _shop, "library": _library}[schema.name](random.Random(seed), values, ordinary)
    for table, rows in tables.items():
        marks = ", ".join("?" * len(schema.tables[table]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


# What a day that is over leaves out of a database.
_AS_OF = {
    "shop": ("DELETE FROM orders WHERE order_date > :today", "DELETE FROM users WHERE joined > :today"),
    "library": (
        "DELETE FROM loans WHERE lent_on > :today",
        "UPDATE loans SET returned_on = NULL WHERE returned_on > :today",
        "DELETE FROM members WHERE enrolled > :today",
    ),
}


def _shop(rng: random.Random, values: dict[str, Any], ordinary: bool) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the shop's tables. No two states have as many users, no two products one price, no two orders one total:
    what is ordered by these has no ties."""
    places = _places(rng, values["states"])
    names = _names(rng, values["people"], len(places))
    edges = [*values["years"], *values["days"]]
    joined = [
        rng.choice(edges) if rng.random() < (0.1 if ordinary else 0.6) else _day(rng, "2018-06-01", "2024-05-31")
        for _ in places
    ]
    if ordinary:
        joined.sort()
    users = []
    for number, ((city, state), name, day) in enumerate(zip(places, names, joined), 1):
        email = f"{name.lower().replace(' ', '.')}@{rng.choice(values['domains'])}" if rng.random() > 0.15 else None
        users.append((number, name, email, city, state, day))

    chosen = [product for product in values["products"] if rng.random() > 0.06]
    if not ordinary:
        rng.shuffle(chosen)
    share = 0.2 if ordinary else 0.6
    prices = _figures(rng, len(chosen), values["prices"], share, lambda: rng.randrange(900, 40_000) / 100)
    stocks = _figures(rng, len(chosen), values["stocks"], share, lambda: rng.randrange(1, 320))
    products = [
        (number, name, category, price, stock if rng.random() > 0.08 else 0)
        for number, ((name, category), price, stock) in enumerate(zip(chosen, prices, stocks), 1)
    ]

    buyers = [user for user in users if rng.random() > 0.15]
    # The last order of some is on a day that requests name; a few order all the time.
    gone = {user[0]: rng.choice(values["days"]) for user in buyers if rng.random() < 0.3}
    weights = [rng.choice((1, 1, 1, 2, 3, 12)) for _ in buyers]
    sold = [product for product in products if rng.random() > 0.12]
    edges = [*values["years"], *values["months"], *values["days"]]
    days = [*_busy_days(rng, values["todays"]), *_days(rng, "2020-03-01", "2024-12-30", 280, edges), *gone.values()]
    days.sort()
    planted = iter(rng.sample(values["amounts"], len(values["amounts"]) // 2))
    totals: set[float] = set()
    orders: list[tuple[Any, ...]] = []
    user = buyers[0]
    for number, day in enumerate(days, 1):
        due = [buyer for buyer in buyers if gone.get(buyer[0]) == day and buyer[5] <= day]
        if due and rng.random() < 0.7:
            user = rng.choice(due)
        elif not (orders and orders[-1][5] == day and rng.random() < 0.4):  # some order twice a day
            user = rng.choices(buyers, weights)[0]
        while user[5] > day or gone.get(user[0], day) < day:
            user = rng.choice(buyers)
        product, quantity = rng.choice(sold), rng.choice((1, 1, 1, 2, 2, 3, 4, 6))
        total = round(product[3] * quantity + rng.randrange(300, 1500) / 100, 2)  # with shipping
        total = next(planted, total) if rng.random() < 0.05 else total
        while total in totals:
            total = round(total + 0.01, 2)
        totals.add(total)
        status = rng.choices(values["statuses"], range(3, 3 + len(values["statuses"])))[0]
        orders.append((number, user[0], product[0], quantity, total, day, status))
    if not ordinary:
        numbers = rng.sample(range(1, len(orders) + 1), len(orders))
        orders = sorted((number, *order[1:]) for number, order in zip(numbers, orders))
    return {"users": users, "products": products, "orders": orders}


def _library(rng: random.Random, values: dict[str, Any], ordinary: bool) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the library's tables. No two islands have as many members, no two books as many pages."""
    places = _places(rng, values["islands"])
    names = _names(rng, values["people"], len(places))
    enrolled = [
        rng.choice((*values["years"], *values["days"])) if rng.random() < 0.4 else _day(rng, "2019-01-02", "2023-12-20")
        for _ in places
    ]
    members = [
        (number, name, town, island, day)
        for number, ((town, island), name, day) in enumerate(zip(places, names, enrolled), 1)
    ]
    chosen = [book for book in values["books"] if rng.random() > 0.06]
    if not ordinary:
        rng.shuffle(chosen)
    pages = _figures(rng, len(chosen), values["pages"], 0.3, lambda: rng.randrange(90, 700))
    books = [
        (number, title, author, genre, length, rng.randrange(1, 8))
        for number, ((title, author, genre), length) in enumerate(zip(chosen, pages), 1)
    ]
    readers = [member for member in members if rng.random() > 0.2]
    weights = [rng.choice((1, 1, 2, 6)) for _ in readers]
    lent = [book for book in books if rng.random() > 0.12]
    edges = [*values["months"], *values["days"], *(_later(day, -LOAN_DAYS) for day in values["days"])]
    days = sorted(_busy_days(rng, values["todays"]) + _days(rng, "2021-01-04", "2024-06-28", 150, edges))
    loans = []
    for number, day in enumerate(days, 1):
        member = rng.choices(readers, weights)[0]
        while member[4] > day:
            member = rng.choice(readers)
        back = _later(day, rng.randrange(3, 40)) if rng.random() > 0.25 else None
        loans.append((number, member[0], rng.choice(lent)[0], day, _later(day, LOAN_DAYS), back))
    return {"members": members, "books": books, "loans": loans}


def _places(rng: random.Random, regions: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Town and region of each person: 2, 3, 4, ... people in the regions, in a random order of these."""
    counts = list(range(2, 2 + len(regions)))
    if len(regions) < 8:  # few regions: more people in each
        counts = [6 * count + 2 for count in counts]
    rng.shuffle(counts)
    found = []
    for (region, towns), count in zip(sorted(regions.items()), counts):
        some = rng.sample(towns, min(count, len(towns)))
        found += [(town, region) for town in some + rng.choices(towns, k=count - len(some))]
    rng.shuffle(found)
    return found


def _names(rng: random.Random, people: list[str], n: int) -> list[str]:
    """`n` names, no two alike: nearly all of the people that requests name, and mixtures of their names."""
    firsts, lasts = ([name.split()[i] for name in people] for i in (0, 1))
    found = dict.fromkeys(name for name in people if rng.random() > 0.06)
    while len(found) < n:
        found.setdefault(f"{rng.choice(firsts)} {rng.choice(lasts)}")
    names = list(found)[:n]
    rng.shuffle(names)
    return names


def _days(rng: random.Random, first: str, last: str, n: int, edges: list[str]) -> list[str]:
    """`n` days, no two alike, some of them the ones that requests name: `>` and `>=` must not be the same."""
    found = dict.fromkeys(day for day in edges if first <= day <= last and rng.random() < 0.5)
    while len(found) < n:
        found.setdefault(_day(rng, first, last))
    return list(found)[:n]


def _day(rng: random.Random, first: str, last: str) -> str:
    span = datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)
    return _later(first, rng.randrange(span.days + 1))


def _busy_days(rng: random.Random, todays: list[str]) -> list[str]:
    """Days on which something happens, some of them twice: each today, and the day before."""
    return [
        day for today in todays for day in (_later(today, -1), today) if rng.random() < 0.9
        for _ in range(rng.randrange(1, 4))
    ]  # fmt: skip


def _figures(rng: random.Random, n: int, edges: list[float], share: float, draw: Callable[[], float]) -> list[float]:
    """`n` figures, no two alike, up to a share of them the ones that requests name."""
    found = dict.fromkeys(rng.sample(edges, min(round(share * n), len(edges))))
    while len(found) < n:
        found.setdefault(draw())
    figures = list(found)
    rng.shuffle(figures)
    return figures


def _later(day: str, days: int) -> str:
    return (datetime.date.fromisoformat(day) + datetime.timedelta(days)).isoformat()

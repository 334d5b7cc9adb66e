"""The databases that SQL is graded on: two schemas, of each five databases that are filled differently.

The shop is what the training data is about; training never sees the library. A query that is right by luck on one
database is found out on another (Zhong, Yu & Klein 2020, *Semantic Evaluation for Text-to-SQL with Distilled Test
Suites*, arXiv 2010.02840). What they hold is stored in data/sql, as data/make/sets/sql_fill.py drew it.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.frames import frame_html
from course_lib.core.session import data_dir

if TYPE_CHECKING:
    import pandas as pd

SCHEMAS = {"shop": "schema.sql", "library": "second_schema.sql"}
COUNT = 5  # databases of each
MAX_MEMORY = 256 << 20  # bytes
# What a day that is over leaves out of a database.
AS_OF = {
    "shop": ("DELETE FROM orders WHERE order_date > :today", "DELETE FROM users WHERE joined > :today"),
    "library": (
        "DELETE FROM loans WHERE lent_on > :today",
        "UPDATE loans SET returned_on = NULL WHERE returned_on > :today",
        "DELETE FROM members WHERE enrolled > :today",
    ),
}


@dataclass(frozen=True)
class Schema:
    """Tables ("shop" or "library"): the name of each with its columns, and the CREATE TABLE statements."""

    name: str
    tables: dict[str, tuple[str, ...]] = field(hash=False)
    ddl: str

    @property
    def lines(self) -> str:
        """As it stands in a prompt: one line a table, `users(id, name, ...)`."""
        return "\n".join(f"{table}({', '.join(columns)})" for table, columns in self.tables.items())


@dataclass(frozen=True)
class SqlResult:
    """What a query gave: names of the columns, and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def table(self) -> pd.DataFrame:
        """As a table to look at."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(self.columns))

    def _repr_html_(self) -> str:
        return frame_html(self.table(), index=False)


class Database:
    """One filled database in memory, "shop 1". Queries never touch it: `run_sql` runs them in a copy.

    It stands at the day `today`: nothing later is in it. None stands for all that there is.
    """

    def __init__(self, name: str, schema: Schema, kept: sqlite3.Connection, today: str | None = None):
        self.name, self.schema, self.today = name, schema, today
        self._kept = kept

    def copy(self) -> sqlite3.Connection:
        """A connection to a copy of its own."""
        connection = empty()
        self._kept.backup(connection)
        return connection

    def as_of(self, today: str | None) -> Database:
        """The database as it stood at the end of a day (ISO, "2023-11-14"); None for all that there is."""
        return self if today is None or self.today is not None else _stood(self, today)

    def head(self, table: str, n: int = 5) -> SqlResult:
        """The first `n` rows of a table."""
        choose("table", table, self.schema.tables)
        rows = self._kept.execute(f"SELECT * FROM {table} LIMIT ?", (int(n),))
        return SqlResult(self.schema.tables[table], tuple(rows))

    def __repr__(self) -> str:
        return f"Database({self.name!r}{f', as of {self.today}' if self.today else ''})"


class Databases(Sequence[Database]):
    """The five databases of a schema, loaded once a process: the first looks ordinary, the others are crowded with
    cases on the edge. `folder` is the data folder, if it is not the course's.
    """

    def __init__(self, schema: Schema | str, folder: Path | None = None):
        self.schema = load_schema(schema) if isinstance(schema, str) else schema
        choose("schema", self.schema.name, SCHEMAS)
        self._all = _loaded(self.schema, folder or data_dir())

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def as_of(self, today: str | None) -> list[Database]:
        """All of them as they stood on a day: a question of that day is graded on these."""
        return [database.as_of(today) for database in self._all]


def load_schema(name: str) -> Schema:
    """The schema "shop" (of the training data) or "library" (which training never sees)."""
    choose("schema", name, SCHEMAS)
    path = data_dir() / "sql" / SCHEMAS[name]
    try:
        ddl = path.read_text(encoding="utf-8")
        with contextlib.closing(empty()) as made:
            made.executescript(ddl)
            names = [row[0] for row in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {name: tuple(row[1] for row in made.execute(f"PRAGMA table_info({name})")) for name in names}
    except (OSError, ValueError, sqlite3.Error) as error:
        raise DataError(f"{path} is not a schema ({error}): run `make data`.") from error
    if not tables:
        raise DataError(f"{path} creates no table: run `make data`.")
    return Schema(name, tables, ddl)


@functools.lru_cache(maxsize=8)
def _loaded(schema: Schema, folder: Path) -> tuple[Database, ...]:
    found = []
    for number in range(1, COUNT + 1):
        path, connection = folder / "sql" / f"{schema.name}_{number}.sql", empty()
        try:
            connection.executescript(schema.ddl + path.read_text(encoding="utf-8"))
        except (OSError, ValueError, sqlite3.Error) as error:
            raise DataError(f"{path} does not fill a database ({error}): run `make data`.") from error
        found.append(Database(f"{schema.name} {number}", schema, connection))
    return tuple(found)


@functools.lru_cache(maxsize=1_000)
def _stood(database: Database, today: str) -> Database:
    try:
        today = datetime.date.fromisoformat(today).isoformat()
    except (TypeError, ValueError) as error:
        raise CourseError(f"today is {today!r}: give a date like 2023-11-14.") from error
    connection = database.copy()
    for statement in AS_OF[database.schema.name]:
        connection.execute(statement, {"today": today})
    connection.commit()
    return Database(database.name, database.schema, connection, today)


def empty() -> sqlite3.Connection:
    """A connection to an empty database in memory, which never sorts on the disk.

    A query of a hundred words can fill the memory while SQLite only reads it, if its WITH or its subqueries double one
    another; only a limit for the SQLite of the whole process stops that (https://www.sqlite.org/pragma.html).
    """
    connection = sqlite3.connect(":memory:", check_same_thread=False)  # a widget answers in a thread of its own
    connection.execute(f"PRAGMA hard_heap_limit = {MAX_MEMORY}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection

"""The databases that SQL is graded on.

Two schemas: the shop that the training data is about, and a library that training never sees. Each has five databases,
filled differently from fixed seeds, so that a query which is right by luck on one is found out on another.
"""

from __future__ import annotations

import datetime
import functools
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.session import data_dir
from course_lib.lessons.sql.filling import AS_OF, fill
from course_lib.lessons.sql.running import SqlResult, run_sql

SCHEMAS = {"shop": "schema.sql", "library": "second_schema.sql"}


SEEDS = (11, 23, 37, 53, 71)


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


@functools.lru_cache(maxsize=1_000)
def _stood(database: Database, today: str) -> Database:
    try:
        today = datetime.date.fromisoformat(today).isoformat()
    except (TypeError, ValueError) as error:
        raise CourseError(f"today is {today!r}: give a date like 2023-11-14.") from error

    def copied(connection: sqlite3.Connection) -> None:
        database._kept.backup(connection)
        for statement in AS_OF[database.schema.name]:
            connection.execute(statement, {"today": today})

    return Database(database.name, database.schema, copied, today)


@functools.lru_cache(maxsize=8)
def _built(schema: Schema, folder: Path) -> tuple[Database, ...]:
    path = folder / "sql" / "fill.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))[schema.name]
        return tuple(
            Database(f"{schema.name} {number}", schema, functools.partial(fill, schema, values, seed, number == 1))
            for number, seed in enumerate(SEEDS, 1)
        )
    except (OSError, ValueError, KeyError, TypeError, sqlite3.Error) as error:
        raise DataError(f"{path} does not fill the databases ({error!r}): run `make data`.") from error

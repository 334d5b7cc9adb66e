"""Makes the pairs, exams and raw rows of the SQL lesson.

    python data/make/sets/sql.py

Reads the hand-written patterns, wordings and values of `sql/*.yaml`; sets values and wordings apart by use, with a
seed, before a pair is made from them; writes `data/sql/`, the databases first (`sql_fill.py`), and the counts in its
README. The same bytes on every machine.

A pair is kept only if it can be graded: on none of the five databases do ties leave its result open, and on three of
them at least the result is more than nothing. In an exam, the databases must also catch every near miss of it: a
bound that is off by one, a condition that is missing, a forgotten DISTINCT.
"""

from __future__ import annotations

import datetime
import itertools
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import datasheet
import sql_fill
import written
from sql_fill import first_of_month

from course_lib.core.rows import numbered_rows, write_jsonl
from course_lib.evaluation.grading import normalise
from course_lib.lessons.sql.databases import Database, Databases, Schema, load_schema
from course_lib.lessons.sql.running import SqlError, right_result, run_sql, same_results
from course_lib.lessons.sql.task import SqlPair
from course_lib.lessons.sql.text import order_terms

DATA = written.ROOT / "data"
SOURCES = Path(__file__).resolve().parent / "sql"
SEED = 2023
USES = ("train", "validation", "test")
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.12
# Lists up to this long are not split where a pattern has another slot: what is new there is the combination.
FEW = 7
PER_TRAIN_WORDING = 7
DAYS_TRIED = 24
EXAMS = ("validation", "values", "wordings", "combinations", "second_schema")
STRANGER = "stranger"
FILES = ("train", *EXAMS, STRANGER, "raw")
MARKS = {"train": "t", "validation": "v", "values": "n", "wordings": "w", "combinations": "c", "second_schema": "s"}

RAW_GOOD = 330  # of which so many are written in a style of their own
RAW_STYLED = 60
RAW_PLANTED = {"exact duplicate": 25, "near duplicate": 25, "does not run": 24, "contradiction": 15}

Value = dict[str, str]


@dataclass(frozen=True)
class Pattern:
    """One kind of query: its SQL with slots, the wordings for each use, and the values for each slot and use."""

    id: str
    sql: str
    wordings: dict[str, tuple[str, ...]]
    needs_date: bool
    pinned: dict[str, str]
    slots: tuple[str, ...]
    values: dict[str, dict[str, list[Value]]] = field(repr=False)
    todays: tuple[str, ...] = field(repr=False)

    @property
    def asks_without_values(self) -> bool:
        """Whether its requests name no value: then they are the same on every day."""
        return all(kind(slot) in DAYS for slot in self.slots)


def kind(slot: str) -> str:
    """The list that a slot's values are from: that of "city_2" is "city"."""
    return slot.removesuffix("_2")


def _span(start: datetime.date, end: datetime.date) -> Value:
    return {"text": start.isoformat(), "start": start.isoformat(), "end": end.isoformat()}


# What follows from the day of the request.
DAYS = {
    "today": lambda day: {"text": day.isoformat()},
    "yesterday": lambda day: {"text": (day - datetime.timedelta(1)).isoformat()},
    "this_month": lambda day: _span(first_of_month(day), first_of_month(day, 1)),
    "last_month": lambda day: _span(first_of_month(day, -1), first_of_month(day)),
    "this_year": lambda day: _span(day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)),
    "last_year": lambda day: _span(day.replace(year=day.year - 1, month=1, day=1), day.replace(month=1, day=1)),
}


def seeded(*what: str) -> random.Random:
    return random.Random(":".join((str(SEED), *what)))


def values_of(slot: str, source: dict[str, Any]) -> list[Value]:
    """All values of a slot, each with its forms as text."""
    if kind(slot) in DAYS:
        made = (DAYS[kind(slot)](datetime.date.fromisoformat(str(today))) for today in source["todays"])
        return list({value["text"]: value for value in made}.values())
    found = []
    for value in source["values"][kind(slot)]:
        forms = {name: str(form) for name, form in value.items()} if isinstance(value, dict) else {"text": str(value)}
        forms.setdefault("text", " to ".join(forms.values()))  # a range
        if kind(slot) == "date":
            day = datetime.date.fromisoformat(forms["text"])
            forms["long"] = f"{day.day} {day:%B %Y}"
        found.append(forms)
    return found


def split_values(pattern: str, slots: tuple[str, ...], source: dict[str, Any], pinned: dict, whole: bool) -> dict:
    """For each slot, the values that each use may draw from. A pattern held out whole has one use, and all values."""
    found = {}
    for slot in slots:
        values = values_of(slot, source)
        few = len(values) <= FEW and any(kind(other) not in (kind(slot), *DAYS) for other in slots)
        if whole or few:
            found[slot] = dict.fromkeys(USES, values)
            continue
        seeded("values", pattern, kind(slot)).shuffle(values)
        values.sort(key=lambda value: not _is(value, str(pinned.get(slot))))  # what is pinned is trained on
        tests, others = (max(1, round(share * len(values))) for share in (TEST_SHARE, VALIDATION_SHARE))
        cut = len(values) - tests - others
        found[slot] = {"train": values[:cut], "validation": values[cut:-tests], "test": values[-tests:]}
    return found


def _is(value: Value, pinned: str) -> bool:
    """Whether a value is the pinned one; a month is pinned as 2023-10."""
    return value["text"].startswith(pinned)


def read_patterns(name: str, source: dict[str, Any], whole: bool = False) -> list[Pattern]:
    """The patterns of one file, with their values split."""
    found = []
    for row in written.read_yaml((SOURCES / f"{name}.yaml").read_text(encoding="utf-8")):
        slots = tuple(dict.fromkeys(slot.split(".")[0] for slot in re.findall(r"\{([^}]+)\}", row["sql"])))
        pinned = {key: str(value) for key, value in row.get("pinned", {}).items()}
        values = split_values(row["id"], slots, source, pinned, whole)
        for slot, texts in row.get("values", {}).items():
            wanted = set(map(str, texts))
            values[slot] = {use: [v for v in part if v["text"] in wanted] for use, part in values[slot].items()}
        found.append(
            Pattern(
                id=row["id"],
                sql=row["sql"],
                wordings={use: tuple(filter(None, row.get(use, "").splitlines())) for use in USES},
                needs_date=row.get("needs_date", any(kind(slot) in DAYS for slot in slots)),
                pinned=pinned,
                slots=slots,
                values=values,
                todays=tuple(map(str, source["todays"])),
            )
        )
    return found


def fill(template: str, chosen: dict[str, Value]) -> str:
    """A template with values in its slots."""

    def form(match: re.Match[str]) -> str:
        slot, _, name = match[1].partition(".")
        return chosen[slot][name or "text"]

    return re.sub(r"\{([^}]+)\}", form, template)


def features(sql: str, needs_date: bool) -> tuple[str, ...]:
    """What a query makes use of, as a query in the standard style says it."""
    where = re.sub(r"HAVING .*?(?=ORDER BY|LIMIT|;)", "", sql.partition(" WHERE ")[2])
    tests = {
        "filter": re.search(r"\w = '", where),
        "comparison": re.search(r" (<|>|<=|>=) ", where),
        "like": " LIKE " in sql,
        "in": re.search(r"(?<!NOT) IN \('", sql),
        "between": " BETWEEN " in sql,
        "null": " IS NULL" in sql,
        "distinct": "DISTINCT" in sql,
        "count": "COUNT(" in sql,
        "sum": "SUM(" in sql,
        "avg": "AVG(" in sql,
        "max": "MAX(" in sql,
        "min": "MIN(" in sql,
        "join": " JOIN " in sql,
        "two joins": sql.count(" JOIN ") > 1,
        "group": " GROUP BY " in sql,
        "having": " HAVING " in sql,
        "order": " ORDER BY " in sql,
        "limit": " LIMIT " in sql,
        "nested": sql.count("SELECT") > 1,
        "not in": " NOT IN " in sql,
        "day": needs_date,
    }
    return tuple(name for name, found in tests.items() if found)


def can_be_graded(sql: str, today: str, databases: Databases) -> bool:
    """Whether the query leaves no ties that matter on any database, and gives something on three of them at least."""
    nothing = 0
    for database in databases.as_of(today):
        result = right_result(sql, database)
        if len(result.rows) == 1 and len(result.columns) == 1:  # a count of 0, a sum of nothing
            nothing += result.rows[0][0] in (None, 0)
        else:
            nothing += not result.rows
        keys = order_terms(sql)
        if keys is not None:
            limit = int(found[1]) if (found := re.search(r"LIMIT (\d+)", sql)) else 0
            longer = re.sub(
                r"LIMIT \d+", f"LIMIT {limit + 1}", sql.replace("SELECT ", f"SELECT {', '.join(keys)}, ", 1)
            )
            rows = [row[: len(keys)] for row in run_sql(longer, database).rows]
            if limit and len(rows) <= limit:
                nothing += bool(rows)  # a LIMIT that limits nothing proves nothing
            elif limit and rows[limit - 1] == rows[limit]:
                return False
            # Rows that tie are told apart by nothing but their order; the grader sees through that if it sees the key.
            if len(set(rows)) < len(rows) and not set(keys) <= set(result.columns):
                return False
        if nothing > 2:
            return False
    return True


DATE = r"'(\d{4}-\d\d-\d\d)'"
SLIPS = (  # what is written, and what a careless writer writes instead
    (r" >= ", " > "),
    (r"(?<!AVG\(price\)) > (?!\()", " >= "),  # an average is never quite a figure
    (r" < ", " <= "),
    (r"BETWEEN (\d+) AND", r"BETWEEN \1 + 0.001 AND"),
    (r"(BETWEEN \d+ AND \d+)", r"\1 - 0.001"),
    (r" IN \(('.*'), '.*'\)", r" = \1"),
    (r" IN \('.*', ('.*')\)", r" = \1"),
    (r"NOT IN", "IN"),
    (r"IS NULL", "IS NOT NULL"),
    (r"LIKE '(\w+)", r"LIKE '%\1"),
    (r"DISTINCT ", ""),
    (r" LIMIT \d+", ""),
    (r" ORDER BY [^ ;]+( DESC)?", ""),
    (r"(ORDER BY [^ ;]+)(?= LIMIT|;)", r"\1 DESC"),
    (r" DESC", ""),
    (r"MAX", "MIN"),
    (r"MIN", "MAX"),
    (r"AVG", "MAX"),
    (r"(user|product)_id = (users|products)\.id", r"id = \2.id"),
)


def near_misses(sql: str, today: str) -> list[str]:
    """Queries that a careless writer could write instead: a bound that is off by one, a condition that is missing."""
    # Nothing is later than today: a bound that is later bounds nothing, and may be missing.
    sql = re.sub(rf" AND \S+ < {DATE}", lambda match: "" if match[1] > today else match[0], sql)
    found = [
        sql[: match.start()] + match.expand(by) + sql[match.end() :]
        for pattern, by in SLIPS
        for match in re.finditer(pattern, sql)
    ]
    for match in re.finditer(f" = {DATE}", sql):
        day = datetime.date.fromisoformat(match[1])
        found += [sql.replace(match[0], f" = '{day + datetime.timedelta(days)}'") for days in (-1, 1)]
    head, _, tail = sql.partition(" WHERE ")
    if tail:
        where, rest = re.fullmatch(r"(.*?)((?: GROUP BY| ORDER BY|;).*)", tail).groups()
        tests = [where] if "BETWEEN" in where else where.split(" AND ")
        for i in range(len(tests)):
            others = " AND ".join(tests[:i] + tests[i + 1 :])
            found.append(f"{head} WHERE {others}{rest}" if others else head + rest)
        found += [f"{head} WHERE {' OR '.join(tests)}{rest}"] if len(tests) > 1 else []
    return found


def survivors(sql: str, today: str, databases: Databases) -> Iterator[str]:
    """Near misses of a query that the databases do not tell from it."""
    return (miss for miss in near_misses(sql, today) if _same(miss, sql, databases.as_of(today)))


def _same(sql: str, gold: str, databases: list[Database]) -> bool:
    try:
        return same_results(sql, gold, databases)
    except SqlError:
        return False


class Maker:
    """Makes pairs of one schema, each request once."""

    def __init__(self, databases: Databases):
        self.databases = databases
        self.training = False
        self.asked: set[tuple[str, ...]] = set()
        self.days: dict[tuple[str, str, bool], list[str]] = {}  # by pattern, query, and whether it is for training

    def assignments(self, pattern: Pattern, use: str, what: str) -> Iterator[dict[str, Value]]:
        """Values for all slots of a pattern, in a seeded order, without end as long as there are any."""
        parts = [pattern.values[slot][use] for slot in pattern.slots]
        found = [dict(zip(pattern.slots, chosen)) for chosen in itertools.product(*parts)]
        found = [c for c in found if "city_2" not in c or c["city"]["text"] < c["city_2"]["text"]]
        seeded("pairs", pattern.id, use, what).shuffle(found)
        return iter(found)

    def day(self, pattern: Pattern, number: int, chosen: dict[str, Value], sql: str) -> str | None:
        """A day on which the request can be made and graded; None if there is none."""
        if (pattern.id, sql, self.training) not in self.days:
            days = (day for day in self.possible_days(pattern, chosen, sql) if self.fits(sql, day))
            # Where the query depends on the day, several days may have the same one: all in this month.
            self.days[pattern.id, sql, self.training] = list(days if pattern.needs_date else itertools.islice(days, 1))
        days = self.days[pattern.id, sql, self.training]
        if not days or pattern.pinned.get("today") == days[0]:
            return days[0] if days else None
        return seeded("day", pattern.id, sql, str(number), str(len(self.asked))).choice(days)

    def fits(self, sql: str, day: str) -> bool:
        """Whether a pair can be graded; in an exam no near miss may pass for the right query."""
        if not can_be_graded(sql, day, self.databases):
            return False
        return self.training or not any(survivors(sql, day, self.databases))

    def possible_days(self, pattern: Pattern, chosen: dict[str, Value], sql: str) -> list[str]:
        """Some days on which a request can be made, later than any day that it names, in a seeded order."""
        named = max((chosen[slot]["text"] for slot in pattern.slots if kind(slot) == "date"), default="")
        days = [
            day
            for day in pattern.todays
            if day > named
            and all(
                DAYS[kind(slot)](datetime.date.fromisoformat(day))["text"] == chosen[slot]["text"]
                for slot in pattern.slots
                if kind(slot) in DAYS
            )
        ]
        seeded("day", pattern.id, sql).shuffle(days)
        if pattern.pinned.get("today") in days:
            days.insert(0, pattern.pinned["today"])
        return days[:DAYS_TRIED]

    def pair(self, pattern: Pattern, use: str, number: int, chosen: dict[str, Value]) -> SqlPair | None:
        """One pair, or None if it was asked before or cannot be graded. Its id is given later."""
        request, sql = fill(pattern.wordings[use][number], chosen), fill(pattern.sql, chosen)
        words = normalise(request)
        day = self.day(pattern, number, chosen, sql)
        # Only in training may a request come back on another day: an exam's must be known by its words.
        again = self.training and pattern.needs_date
        if day is None or (*words, day) in self.asked or (not again and words in self.asked):
            return None
        self.asked |= {words, (*words, day)}
        return SqlPair(
            id=pattern.id,
            request=request,
            sql=sql,
            today=day,
            pattern=pattern.id,
            wording=f"{pattern.id}/{use}-{number + 1}",
            needs_date=pattern.needs_date,
            features=features(sql, pattern.needs_date),
        )

    def pairs(self, pattern: Pattern, wordings: str, values: str, n: int, what: str) -> list[SqlPair]:
        """Up to `n` pairs of each wording of one use, with values of one use, no two wordings alike in their values."""
        found, queue = [], self.assignments(pattern, values, what)
        for turn in range(n):
            for number in range(len(pattern.wordings[wordings])):
                if not pattern.slots and turn:
                    continue
                for _ in range(40):
                    chosen = next(queue, None)
                    if chosen is None:
                        queue = self.assignments(pattern, values, f"{what}:{turn}:{number}")
                        chosen = next(queue)
                    if pair := self.pair(pattern, wordings, number, chosen):
                        found.append(pair)
                        break
        return found


def numbered(pairs: list[SqlPair], mark: str) -> list[SqlPair]:
    """Pairs with ids: the pattern, a mark of the file, and a number within the pattern."""
    counts: Counter[str] = Counter()
    found = []
    for pair in pairs:
        counts[pair.pattern] += 1
        found.append(replace(pair, id=f"{pair.pattern}.{mark}{counts[pair.pattern]}"))
    return found


def train(maker: Maker, patterns: list[Pattern]) -> list[SqlPair]:
    """The training pairs; those that are pinned come first."""
    found: list[SqlPair] = []
    maker.training = True
    for pattern in patterns:
        if pattern.pinned:
            everything = maker.assignments(pattern, "train", "pinned")
            wanted = {slot: text for slot, text in pattern.pinned.items() if slot != "today"}
            pinned = next(c for c in everything if all(_is(c[slot], text) for slot, text in wanted.items()))
            found += filter(None, [maker.pair(pattern, "train", 0, pinned)])
        found += maker.pairs(pattern, "train", "train", PER_TRAIN_WORDING, "train")
    maker.training = False
    return numbered(found, MARKS["train"])


def exams(maker: Maker, patterns: list[Pattern], combinations: list[Pattern]) -> dict[str, list[SqlPair]]:
    """The exams about the shop."""
    found: dict[str, list[SqlPair]] = {name: [] for name in EXAMS[:-1]}
    for pattern in patterns:
        new_values = not pattern.asks_without_values
        if new_values:
            found["values"] += _some(maker.pairs(pattern, "train", "test", 1, "values"), 4, pattern.id)
            found["validation"] += _some(maker.pairs(pattern, "train", "validation", 1, "validation"), 1, pattern.id)
        found["validation"] += maker.pairs(pattern, "validation", "train", 1, "validation")
        found["wordings"] += maker.pairs(pattern, "test", "train", 1, "wordings")
    for pattern in combinations:
        found["combinations"] += maker.pairs(pattern, "test", "test", 2, "combinations")[:6]
    return {name: numbered(pairs, MARKS[name]) for name, pairs in found.items()}


def _some(pairs: list[SqlPair], n: int, pattern: str) -> list[SqlPair]:
    """`n` of the pairs, drawn by a seed, in their order."""
    chosen = set(seeded("some", pattern).sample(range(len(pairs)), min(n, len(pairs))))
    return [pair for i, pair in enumerate(pairs) if i in chosen]


def strangers(databases: Databases) -> list[SqlPair]:
    """The exam that was written by people who had seen the tables and five databases, and no pattern and no pair.

    It is held to less than the others: the databases were not filled for it, so some near misses pass.
    """
    found = []
    for number, (row, _) in enumerate(numbered_rows(SOURCES / f"{STRANGER}.jsonl"), 1):
        for database in databases.as_of(row["today"]):
            run_sql(row["sql"], database)  # raises what does not run
        id, level = f"{STRANGER}.{number:02}", row["difficulty"]
        found.append(
            SqlPair(
                id, row["request"], row["sql"], row["today"], pattern=level, wording=f"{level}/{id}",
                needs_date=row["needs_date"], features=features(row["sql"], row["needs_date"]),
            )
        )  # fmt: skip
    return found


# Raw rows


def _lower_keywords(sql: str, rng: random.Random) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|\w+", lambda m: m[0] if m[0][0] in "'\"" else m[0].lower(), sql)


def _alias(sql: str, rng: random.Random) -> str:
    """`users` as `u`, where there is one table and something to qualify."""
    table = re.search(r"FROM (\w+)", sql)[1]
    short = table[0]
    columns = "name|email|city|state|joined|category|price|stock|total|order_date|status"
    sql = re.sub(rf"(?<!')\b({columns})\b(?!')(?![^(]*'\))", rf"{short}.\1", sql)
    return sql.replace(f"FROM {table}", f"FROM {table} AS {short}", 1)


STYLES = {
    "lower": _lower_keywords,
    "quotes": lambda sql, rng: sql.replace("'", '"'),
    "semicolon": lambda sql, rng: sql.removesuffix(";"),
    "equals": lambda sql, rng: sql.replace(" = '", " == '"),
    "spaces": lambda sql, rng: re.sub(r" (=|>=|<|>) ", r"\1", sql).replace(", ", ","),
    "alias": _alias,
    "column alias": lambda sql, rng: re.sub(r"((?:COUNT|SUM|AVG|MAX|MIN)\([\w*.]+\)) FROM", r"\1 AS result FROM", sql),
}
WRONG_COLUMNS = {
    "state": "region", "order_date": "ordered_on", "price": "cost", "status": "order_status", "city": "town",
    "joined": "signup_date", "category": "product_type", "total": "amount",
}  # fmt: skip
WRONG_SYNTAX = (
    lambda sql: sql.replace("FROM ", "", 1),
    lambda sql: sql.replace("SELECT", "SELCT", 1),
    lambda sql: sql.replace("WHERE", "WHERE WHERE", 1) if "WHERE" in sql else sql.replace("SELECT", "SELECT ,", 1),
    lambda sql: sql.replace(";", " AND;") if "WHERE" in sql else sql.replace(";", " WHERE;"),
)
MUMBLES = (
    str.upper,
    str.lower,
    lambda text: text.rstrip(".?") + "...",
    lambda text: "  " + text.replace(" ", "  ", 2),
    lambda text: text.rstrip(".?") + " !",
    lambda text: text.replace(",", "").rstrip(".?"),
)


def styled(pair: SqlPair, rng: random.Random) -> SqlPair | None:
    """The pair with its query in another style; None if the drawn style does not touch it or changes what it means."""
    names = set(rng.sample(list(STYLES), 2))
    sql = pair.sql
    for name in reversed([name for name in STYLES if name in names]):  # small letters last
        if not (name in ("alias", "quotes") and " JOIN " in sql) and not (name == "alias" and sql.count("SELECT") > 1):
            sql = STYLES[name](sql, rng)
    return None if sql == pair.sql else replace(pair, sql=sql, planted="style")


def broken(pair: SqlPair, rng: random.Random) -> SqlPair | None:
    """The pair with a query that does not run: a column that is not there, or a slip of the pen."""
    if rng.random() < 0.5:
        present = [name for name in WRONG_COLUMNS if re.search(rf"\b{name}\b", pair.sql)]
        if not present:
            return None
        name = rng.choice(present)
        sql = re.sub(rf"\b{name}\b", WRONG_COLUMNS[name], pair.sql)
    else:
        sql = rng.choice(WRONG_SYNTAX)(pair.sql)
    return replace(pair, sql=sql, planted="does not run")


def mumbled(pair: SqlPair, rng: random.Random) -> SqlPair | None:
    """The pair with its request in other capitals, spaces or punctuation."""
    request = rng.choice(MUMBLES)(pair.request)
    same = normalise(request) == normalise(pair.request) and request != pair.request
    return replace(pair, request=request, planted="near duplicate") if same else None


def raw(pairs: list[SqlPair], databases: Databases) -> list[SqlPair]:
    """Training pairs as colleagues might send them in: unsorted, unlabelled, with faults, noted in `planted`."""
    rng = seeded("raw")
    base = rng.sample(pairs, RAW_GOOD)
    # One request is asked once: on other days it is another request only where the day matters.
    assert len({_asks(pair) for pair in base}) == RAW_GOOD
    rows = list(base)
    untouched = list(range(RAW_GOOD))
    rng.shuffle(untouched)

    def plant(n: int, change: Any, works: bool = True) -> list[SqlPair]:
        """`n` changed pairs, each of a pair that nothing else is made of, and that pair's place."""
        made = []
        for i in list(untouched):
            other = change(base[i], rng)
            if len(made) < n and other is not None and _runs(other, databases) == works:
                made.append((i, other))
                untouched.remove(i)
        return made

    for i, pair in plant(RAW_STYLED, styled) + plant(RAW_PLANTED["does not run"], broken, works=False):
        rows[i] = pair
    for _, pair in plant(RAW_PLANTED["near duplicate"], mumbled):
        rows.append(pair)
    for _, pair in plant(RAW_PLANTED["exact duplicate"], lambda pair, _: replace(pair, planted="exact duplicate")):
        rows.append(pair)
    for i, pair in plant(RAW_PLANTED["contradiction"], lambda pair, _: pair):
        other = next(p for p in rng.sample(pairs, len(pairs)) if _contradicts(p, pair, databases))
        rows[i] = replace(pair, planted="contradiction")
        rows.append(replace(pair, request=_again(pair.request, rng), sql=other.sql, planted="contradiction"))
    rows, copies = rows[:RAW_GOOD], rows[RAW_GOOD:]
    for pair in copies:  # anywhere after what it copies
        first = next(i for i, row in enumerate(rows) if _asks(row) == _asks(pair))
        rows.insert(rng.randrange(first + 1, len(rows) + 1), pair)
    return [
        replace(pair, id=f"raw-{number:03}", pattern="", wording="", features=()) for number, pair in enumerate(rows, 1)
    ]


def _asks(pair: SqlPair) -> tuple[str, ...]:
    """What a pair asks for: its words and, where it matters, its day."""
    return (*normalise(pair.request), pair.today if pair.needs_date else "")


def _again(request: str, rng: random.Random) -> str:
    return request if rng.random() < 0.5 else request.rstrip(".?").lower()


def _runs(pair: SqlPair, databases: Databases) -> bool:
    try:
        run_sql(pair.sql, databases[0].as_of(pair.today))
    except SqlError:
        return False
    return True


def _contradicts(other: SqlPair, pair: SqlPair, databases: Databases) -> bool:
    """Whether another pair's query, of the same first table, gives something else."""
    if other.pattern == pair.pattern or re.search(r"FROM (\w+)", other.sql)[1] != re.search(r"FROM (\w+)", pair.sql)[1]:
        return False
    first = databases[0].as_of(pair.today)
    return run_sql(other.sql, first).rows != run_sql(pair.sql, first).rows


# Files


def make(folder: Path) -> dict[str, list[SqlPair]]:
    """All rows, by file. `folder` is the data folder; the databases in its `sql` are written on the way."""
    sources = {
        name: written.read_yaml((SOURCES / f"{name}_values.yaml").read_text(encoding="utf-8"))
        for name in ("shop", "library")
    }
    sources["library"]["values"]["title"] = [book["title"] for book in sources["library"]["books"]]
    (folder / "sql").mkdir(parents=True, exist_ok=True)
    sql_fill.write(folder / "sql", **sources)

    def maker(schema: Schema) -> Maker:
        return Maker(Databases(schema, folder))

    shop, library = maker(load_schema("shop")), maker(load_schema("library"))
    patterns = read_patterns("shop_patterns", sources["shop"])
    rows = {"train": train(shop, patterns)}
    rows |= exams(shop, patterns, read_patterns("shop_combinations", sources["shop"], whole=True))
    second = read_patterns("library_patterns", sources["library"], whole=True)
    pairs = [pair for pattern in second for pair in library.pairs(pattern, "test", "test", 1, "second")]
    rows["second_schema"] = numbered(pairs, MARKS["second_schema"])
    rows[STRANGER] = strangers(shop.databases)
    rows["raw"] = raw(rows["train"], shop.databases)
    return {name: rows[name] for name in FILES}


def as_row(pair: SqlPair, name: str) -> dict[str, Any]:
    """A pair as it is written: raw rows say what was planted, and have no pattern."""
    row: dict[str, Any] = {"id": pair.id}
    if name != "raw":
        row |= {"pattern": pair.pattern, "wording": pair.wording}
    row |= {"request": pair.request, "sql": pair.sql, "today": pair.today, "needs_date": pair.needs_date}
    return row | ({"planted": pair.planted} if name == "raw" else {"features": list(pair.features)})


def counts(rows: dict[str, list[SqlPair]]) -> str:
    """The table of counts for the README."""
    lines = ["| file | pairs | patterns | wordings | queries | that need the day |", "|---|---|---|---|---|---|"]
    for name, pairs in rows.items():
        sets = [{pair.pattern for pair in pairs}, {pair.wording for pair in pairs}, {pair.sql for pair in pairs}]
        cells = ["–", "–", str(len(sets[2]))] if name == "raw" else [str(len(found)) for found in sets]
        dated = sum(pair.needs_date for pair in pairs)
        lines.append(f"| `{name}.jsonl` | {len(pairs):,} | {' | '.join(cells)} | {dated} |")
    planted = Counter(pair.planted or "none" for pair in rows["raw"])
    lines += ["", "Planted in `raw.jsonl`: " + ", ".join(f"{kind} {planted[kind]}" for kind in sorted(planted)) + "."]
    return "\n".join(lines)


def write(folder: Path = DATA) -> dict[str, list[SqlPair]]:
    """Write all rows into `folder`/sql."""
    rows = make(folder)
    for name, pairs in rows.items():
        write_jsonl(folder / "sql" / f"{name}.jsonl", [as_row(pair, name) for pair in pairs])
    return rows


if __name__ == "__main__":
    made = write()
    datasheet.fill(DATA / "sql", counts(made))
    print("\n".join(f"{name}: {len(pairs)}" for name, pairs in made.items()))

"""What the databases are filled with: rows drawn by a seed, so that near misses of a right query give other results."""

from __future__ import annotations

import datetime
import random
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.lessons.sql.databases import Schema


LOAN_DAYS = 28


# What a day that is over leaves out of a database.
AS_OF = {
    "shop": ("DELETE FROM orders WHERE order_date > :today", "DELETE FROM users WHERE joined > :today"),
    "library": (
        "DELETE FROM loans WHERE lent_on > :today",
        "UPDATE loans SET returned_on = NULL WHERE returned_on > :today",
        "DELETE FROM members WHERE enrolled > :today",
    ),
}


def fill(schema: Schema, values: dict[str, Any], seed: int, ordinary: bool, connection: sqlite3.Connection) -> None:
    """Fill one database. In an ordinary one, rows are in order of their dates, as a shop's would be."""
    connection.executescript(schema.ddl)
    tables = {"shop": _shop, "library": _library}[schema.name](random.Random(seed), values, ordinary)
    for table, rows in tables.items():
        marks = ", ".join("?" * len(schema.tables[table]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


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

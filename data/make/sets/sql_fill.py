"""What the databases of the SQL lesson hold: rows drawn by a seed, so that near misses of a query give other results.

`sql.py` calls it, and writes five databases of each schema to `data/sql/`, as INSERT statements.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEEDS = (11, 23, 37, 53, 71)
LOAN_DAYS = 28

Row = tuple[Any, ...]


def write(folder: Path, shop: dict[str, Any], library: dict[str, Any]) -> None:
    """Write `shop_1.sql` to `library_5.sql`, from what the two `*_values.yaml` hold."""
    for name, draw, values in (("shop", _shop, shop_values(shop)), ("library", _library, library_values(library))):
        for number, seed in enumerate(SEEDS, 1):
            tables = draw(random.Random(seed), values, number == 1)
            text = "".join(inserted(table, rows) for table, rows in tables.items())
            (folder / f"{name}_{number}.sql").write_text(text, encoding="utf-8", newline="\n")


def inserted(table: str, rows: list[Row]) -> str:
    """The statement that fills a table."""
    written = (f"({', '.join(map(_literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES\n" + ",\n".join(written) + ";\n"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def shop_values(shop: dict[str, Any]) -> dict[str, Any]:
    """What the shop is filled with: the values that requests name, among others."""
    values = shop["values"]
    ends = {end for span in values["range"] for end in span.values()}
    return {
        "states": shop["states"],
        "people": values["person"],
        "domains": values["domain"],
        "products": [[name, shop["lines"][name.split()[0]]] for name in values["product"]]
        + [[f"Toy {line}", "toys"] for line in values["line"]],
        "statuses": values["status"],
        "prices": sorted({*values["price"], *ends}),
        "stocks": values["stock"],
        "amounts": values["amount"],
        **_named_days(shop),
    }


def library_values(library: dict[str, Any]) -> dict[str, Any]:
    """What the library is filled with."""
    return {
        "islands": library["islands"],
        "people": library["values"]["person"],
        "books": [[book["title"], book["author"], book["genre"]] for book in library["books"]],
        "pages": library["values"]["length"],
        **_named_days(library),
    }


def _named_days(source: dict[str, Any]) -> dict[str, list[str]]:
    """Days that requests name or mean: firsts of years and of months, dates, todays."""
    todays = [datetime.date.fromisoformat(str(day)) for day in source["todays"]]
    months = {first_of_month(day, months) for day in todays for months in (-1, 0)}
    years = {day.replace(year=day.year + more, month=1, day=1) for day in todays for more in (-1, 0)}
    return {
        "years": sorted(map(str, years)),
        "months": sorted(map(str, months - years)),
        "days": sorted(map(str, source["values"]["date"])),
        "todays": list(map(str, source["todays"])),
    }


def first_of_month(day: datetime.date, months: int = 0) -> datetime.date:
    """First day of the month so many months from a day's own."""
    count = day.year * 12 + day.month - 1 + months
    return datetime.date(count // 12, count % 12 + 1, 1)


def _shop(rng: random.Random, values: dict[str, Any], ordinary: bool) -> dict[str, list[Row]]:
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
    orders: list[Row] = []
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


def _library(rng: random.Random, values: dict[str, Any], ordinary: bool) -> dict[str, list[Row]]:
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

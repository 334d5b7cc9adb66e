"""Lesson 03: two queries beside the right one, run on five databases: one of them is caught."""

from __future__ import annotations

from typing import Any

from toolkit import INK, PAPER, QUIET, READ, READ_WASH, WRONG, WRONG_WASH, Page

from course_lib.lessons import sql

RIGHT = "SELECT name FROM products WHERE price > 100;"
TRIED = ("SELECT name FROM products WHERE price >= 100;", "SELECT name FROM products WHERE NOT price <= 100;")


def given() -> dict[str, Any]:
    databases = sql.load_sql().databases
    return {
        "rows": {query: [len(sql.run_sql(query, one).rows) for one in databases] for query in (RIGHT, *TRIED)},
        "same": {query: [sql.same_results(query, RIGHT, [one]) for one in databases] for query in TRIED},
    }


def alt(given: dict[str, Any]) -> str:
    said = [
        f"{query.rstrip(';')} gives the same rows on {sum(same)} of {len(same)}: {'right' if all(same) else 'caught'}"
        for query, same in given["same"].items()
    ]
    return f"Run on five databases beside the wanted query, {RIGHT.rstrip(';')}: {'; '.join(said)}."


def draw(given: dict[str, Any]) -> Page:
    page = Page(450)
    page.title("Right on one database is not yet right")
    for number in range(5):
        page.cylinder(108 + number * 112, 66, str(number + 1))
    line(page, 152, RIGHT, given["rows"][RIGHT], None)
    for number, query in enumerate(TRIED):
        line(page, 256 + number * 104, query, given["rows"][query], given["same"][query])
    return page


def line(page: Page, y: float, query: str, rows: list[int], same: list[bool] | None) -> None:
    """A query, and below it how many rows it gives on each database; with what they are worth, if it was tried."""
    page.text(28, y, query, 17, align="left", mono=True)
    for number, count in enumerate(rows):
        hit = same is None or same[number]
        sign = "" if same is None else "  ✓" if hit else "  ✗"
        fill, edge = (PAPER, QUIET) if same is None else (READ_WASH, READ) if hit else (WRONG_WASH, WRONG)
        page.box(
            108 + number * 112, y + 18, 96, 42, f"{count}{sign}", fill=fill, edge=edge, size=20, bold=not hit,
            line=1.5 if hit else 3,
        )  # fmt: skip
    page.text(90, y + 39, "rows", 17, QUIET, align="right")
    verdict, colour = ("wanted", INK) if same is None else ("right", READ) if all(same) else ("caught", WRONG)
    page.text(674, y + 39, verdict, 20, colour, bold=True, align="left")

"""Which passages a search may look at: by audience, kind and date. One form for every store, Chroma's `where`."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.front_matter import read_date

# What a store keeps of a passage beside its text; a filter may ask about each, and about the "day".
FIELDS = ("source", "title", "date", "kind", "audience")

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_JOIN = {"$and": all, "$or": any}
_AMONG = {"$in": True, "$nin": False}
_EQUAL = {"$eq": operator.eq, "$ne": operator.ne}
_ORDER = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
_COMPARE = {str: _EQUAL, int: _EQUAL | _ORDER, float: _EQUAL | _ORDER}  # to Chroma only numbers have an order


def only(
    audience: str | Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    kind: str | Sequence[str] | None = None,
    without: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """A filter for `search`: what all of these let through.

    Of `audience` and `kind` one, or several of which any will do; `since` and `until` are the first and the last date,
    "2042-01-31", and a document without a date is outside both; `without` are ids of documents to leave out.
    """
    parts: list[dict[str, Any]] = []
    if audience is not None:
        asked = _listed(audience)  # "Staff" is kept as "staff" where it was read from front matter
        parts.append({"audience": {"$in": list(dict.fromkeys([*asked, *map(str.casefold, asked)]))}})
    if kind is not None:
        parts.append({"kind": {"$in": _listed(kind)}})
    if since is not None:
        parts.append({"day": {"$gte": _day(since)}})
    if until is not None:
        parts += [{"day": {"$lte": _day(until)}}, {"day": {"$gt": 0}}]
    if without is not None:
        parts.append({"source": {"$nin": _listed(without)}})
    if not parts:
        raise CourseError("a filter that lets everything through is none: name an audience, a kind or a date.")
    return parts[0] if len(parts) == 1 else {"$and": parts}


def named_years(question: str) -> dict[str, Any] | None:
    """The filter that a question brings along: documents dated in the years that it names; None if it names none.

    Questions are taken literally: in "since 2039" and "not in 2039" too the year is 2039.
    """
    years = [only(since=f"{year}-01-01", until=f"{year}-12-31") for year in dict.fromkeys(_YEAR.findall(question))]
    return {"$or": years} if len(years) > 1 else years[0] if years else None


@lru_cache(10_000)  # a filter asks it of every passage
def day_number(date: str) -> int:
    """ "2042-01-31" as 20420131, which stores can compare; 0 for what is no day (`read_date` says in which forms)."""
    return int(read_date(date).replace("-", "") or 0)


def metadata(passage: Passage) -> dict[str, Any]:
    """What filters ask about: the fields of a passage, and its date as a number."""
    return {name: getattr(passage, name) for name in FIELDS} | {"day": day_number(passage.date)}


def matches(passage: Passage, where: dict[str, Any] | None) -> bool:
    """Whether a filter lets a passage through, as Chroma would decide; raises if `where` is no filter."""
    if where is None:
        return True
    try:
        ((name, test),) = where.items()
        if name in _JOIN and isinstance(test, list) and len(test) > 1:
            return _JOIN[name]([matches(passage, part) for part in test])
        value = metadata(passage)[name]
        ((sign, wanted),) = (test if isinstance(test, dict) else {"$eq": test}).items()
        if sign in _AMONG and isinstance(wanted, list) and wanted:
            return (value in wanted) == _AMONG[sign]
        return _COMPARE[type(wanted)][sign](value, wanted)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise not_a_filter(where) from error


def not_a_filter(where: Any) -> CourseError:
    """What to raise of a filter that is none."""
    return CourseError(
        f"the filter {where!r} is none that Chroma knows: write {{'audience': 'public'}}, or "
        "let filters.only(...) make one."
    )


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _day(date: str) -> int:
    day = day_number(str(date))
    if not day:
        raise CourseError(f"{date!r} is no date: write it as 2042-01-31.")
    return day

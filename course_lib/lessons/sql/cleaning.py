"""Pairs as colleagues send them: what must not be trained on is taken out, the rest brought into one style."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from course_lib.evaluation.grading import normalise
from course_lib.lessons.sql.databases import Databases
from course_lib.lessons.sql.running import SqlError, run_sql, same_results
from course_lib.lessons.sql.task import SqlPair
from course_lib.lessons.sql.text import standard_style


@dataclass(frozen=True)
class Fault:
    """Something wrong with a raw pair, and a note of the particulars.

    Of the kind "does not run", "exact duplicate", "near duplicate" or "contradiction" (the pair was taken out), or
    "style" (it was rewritten and kept).
    """

    kind: str
    id: str
    note: str


def clean(pairs: Iterable[SqlPair], databases: Databases) -> tuple[list[SqlPair], list[Fault]]:
    """Take out of raw pairs what must not be trained on, and bring the rest into one style.

    Pairs that ask the same (but for case, space and punctuation; on the same day, where it matters) and whose queries
    give different results contradict each other: all of them go, because no program knows which one is right.
    What asks for one thing and answers another, without being contradicted, is not found.

    Returns the pairs to keep, in their order (of duplicates the first), and the faults.
    """
    faults: list[Fault] = []
    seen: dict[tuple[str, ...], str] = {}
    groups: dict[tuple[Any, ...], list[SqlPair]] = defaultdict(list)
    for pair in pairs:
        day = pair.today if pair.needs_date else ""
        text = (pair.request, pair.sql, day)
        if text in seen:
            faults.append(Fault("exact duplicate", pair.id, f"the same as {seen[text]}"))
            continue
        seen[text] = pair.id
        try:
            run_sql(pair.sql, databases[0].as_of(pair.today))
        except SqlError as error:
            faults.append(Fault("does not run", pair.id, str(error)))
            continue
        styled = replace(pair, sql=standard_style(pair.sql))
        if styled.sql != pair.sql and _agree(styled, pair, databases):
            faults.append(Fault("style", pair.id, f"was {pair.sql}"))
            pair = styled
        groups[(*normalise(pair.request), day)].append(pair)

    kept: list[SqlPair] = []
    for first, *others in groups.values():
        if all(_agree(first, pair, databases) for pair in others):
            kept.append(first)
            faults += [Fault("near duplicate", pair.id, f"asks what {first.id} asks") for pair in others]
        else:
            note = f"one request, several results: {', '.join(pair.id for pair in (first, *others))}"
            faults += [Fault("contradiction", pair.id, note) for pair in (first, *others)]
    return kept, faults


def _agree(one: SqlPair, other: SqlPair, databases: Databases) -> bool:
    on = databases.as_of(one.today)
    try:
        return one.sql == other.sql or (same_results(one.sql, other.sql, on) and same_results(other.sql, one.sql, on))
    except SqlError:  # ran on the first database, and goes beyond a limit on another
        return False

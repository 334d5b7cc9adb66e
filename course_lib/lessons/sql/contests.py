"""Who else sits an exam of SQL beside the small specialist, what a query costs each of them, and how sure it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from statistics import mean
from typing import TYPE_CHECKING

from course_lib.core.session import data_dir
from course_lib.costs.bills import UTILISATION, generation_flops, question_cost
from course_lib.costs.machine import STUDENT_SHAPES, known_speed
from course_lib.costs.prices import Prices
from course_lib.evaluation.kept import measured, runs
from course_lib.evaluation.reports import Report, Runs
from course_lib.evaluation.sizes import SIZES, stored
from course_lib.evaluation.stored import load_results
from course_lib.models.students import DEFAULT

if TYPE_CHECKING:
    import pandas as pd

UNTRAINED = ("no example", "three examples")
# Kinds of study as `cl.stored` calls them, and as lesson 03's own measurements do.
STUDIED = {"300 pairs": "desk", "1,940 pairs": "whole"}
CARD, HOSTED = "L4", "GPT-4o mini"


@dataclass(frozen=True)
class Contest:
    """One exam and those who sat it, as (how it was prepared, student): the specialist first, the untrained by size."""

    exam: str
    runs: Mapping[tuple[str, str], Runs]

    @property
    def specialist(self) -> Runs:
        return next(iter(self.runs.values()))

    @property
    def larger(self) -> Runs:
        """The largest student that nobody trained."""
        return list(self.runs.values())[-1]

    def shares(self) -> dict[str, tuple[float, float, float]]:
        """Right answers of each with their interval, as `plots.dots` takes them."""
        return {_called(*who): sat.share() for who, sat in self.runs.items()}

    def costs(self, prices: Prices) -> pd.DataFrame:
        """What a query of each takes, worked out of its tokens; the last row is a host's price for the tokens above it.

        Seconds are alone on the two cores that the course states its minutes for, USD for a million queries on a rented
        card that is kept busy (`bills.UTILISATION` of its peak).
        """
        import pandas as pd

        card, rows = prices.card(CARD), {}
        for (prepared, student), sat in self.runs.items():
            answers = [row for report in sat.reports for row in report.rows]
            tokens = mean(row.prompt_tokens for row in answers), mean(row.completion_tokens for row in answers)
            speeds = known_speed().tokens(STUDENT_SHAPES[student], number_bytes=4)
            flops = generation_flops(STUDENT_SHAPES[student], *tokens)
            usd = flops / (card.peak * UTILISATION) / 3600 * card.cheapest
            seconds = sum(n / speed for n, speed in zip(tokens, speeds))
            rows[_called(prepared, student)] = (sat.share()[0], sum(tokens), flops / 1e9, seconds, usd * 1e6)
        usd = question_cost(*tokens, *(prices.get(HOSTED, what).value for what in ("input", "output")))
        rows[f"priced only, {HOSTED}"] = (None, sum(tokens), None, None, usd * 1e6)
        columns = ["right", "tokens", "GFLOP", "seconds", "USD a million"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("a query of")
        return table.astype(float).round(2).astype(object).fillna("")


def contest(exam: str, kind: str, specialist: Report | None = None) -> Contest:
    """An exam of `cl.stored("03/...")` sat by the default student's specialists, and by all others that are stored.

    The specialists are those that lesson 03 measured, unless one is given. Others are those who studied the same `kind`
    of pairs ("300 pairs"), and the untrained, each without or with three examples in its prompt, whichever it did
    better with in this very exam: that flatters them, and not the specialist.
    """
    if specialist is None:
        place = exam.removeprefix("front desk ").removeprefix("house ").replace(" ", "_")
        ours = runs(f"03/{STUDIED[kind]}-seed-*-{place}", "specialist")
    else:
        ours = Runs((specialist,))
    found = {("specialist", DEFAULT.name): ours}
    sat = stored(f"03/{exam}")
    for (arm, student), answers in sat.runs.items():
        if arm == kind and student != DEFAULT.name:
            found["specialist", student] = answers
    for student in sat.students:
        tries = [sat.runs[arm, student] for arm in UNTRAINED if (arm, student) in sat.runs]
        if tries:
            found["untrained", student] = max(tries, key=lambda answers: answers.share()[0])
    return Contest(exam, found)


def _called(prepared: str, student: str) -> str:
    """ "specialist, 135M": short enough for a legend."""
    return f"{prepared}, {student.rpartition('-')[2].upper()}"


@dataclass(frozen=True)
class Sure:
    """Queries with their confidence, as `SqlAnswer` has it, 0 to 1."""

    report: Report = field(repr=False)
    confidence: tuple[float, ...] = field(repr=False)

    def at_least(self, confidence: float) -> Report:
        """Those that the model was at least so sure of."""
        rows = compress(self.report.rows, (sure >= confidence for sure in self.confidence))
        return Report(f"{self.report.name}, {confidence:g} sure", self.report.exam, tuple(rows))


def how_sure() -> dict[str, Sure]:
    """Exam -> how sure the specialist of all pairs was of its queries, seed 0; the stranger's once it is stored."""
    found, answers = {}, iter(load_results("03")["confidence"])  # of both exams, one behind the other
    for exam in ("wordings", "combinations"):
        (report,) = runs(f"03/whole-seed-0-{exam}", f"new {exam}").reports
        found[f"new {exam}"] = Sure(report, tuple(next(answers)[0] for _ in report.rows))
    kept = measured(data_dir() / "results" / SIZES)
    place = f"03/stranger/{DEFAULT.name}/1,940 pairs/seed 0"
    if {place, f"{place}/confidence"} <= set(kept):
        sure = json.loads(kept[f"{place}/confidence"].data)["answers"]
        found["strangers' requests"] = Sure(kept[place].report, tuple(p for p, _ in sure))
    return found

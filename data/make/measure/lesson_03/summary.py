"""What the lesson and the README quote of the measurements of lesson 03: figures made of the reports, nothing run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lesson_03.specialist import ASKED, FULL_RECIPE, PAIRS, RECIPE, SHOTS, exams
from shared.figures import counted, difference, of_seeds, pooled

import course_lib as cl
from course_lib.lessons.sql import task as task_module

Reports = Mapping[str, cl.Report]
Runs = Sequence[Mapping[str, Any]]


def summary(parts: Mapping[str, Any], task: task_module.SqlTask) -> dict[str, Any]:
    """What `data/results/03.json` holds, of all parts of `results_03.measure` by name."""
    untrained = {arm: [{"reports": reports}] for arm, reports in parts["baselines"].items()}
    house = {**untrained, "house": parts["house"], "whole": parts["whole"]}
    desk = {arm: [{"reports": at_the_desk(run["reports"])} for run in runs] for arm, runs in house.items()}
    desk |= {"desk": parts["desk"], "full": parts["full"]}
    n_whole = len(task.train)
    sizes = ", ".join(str(len(exam)) for exam in exams(task).values())
    return {
        "recipe": RECIPE,
        "full_recipe": FULL_RECIPE,
        "validation": {"lora": parts["search"], "full": parts["search-full"]},
        "pairs": {"desk": PAIRS, "full": PAIRS, "house": PAIRS, "whole": n_whole},
        # Candidate -> exam -> figures, all seeds pooled. The desk's exams ask about its patterns alone.
        "house": {arm: by_exam(runs, exams(task)) for arm, runs in house.items()},
        "desk": {arm: by_exam(runs, ASKED) for arm, runs in desk.items()},
        "training": {arm: [run["training"] for run in parts[arm]] for arm in ("desk", "full", "whole")},
        "lora_minus_full": {exam: difference(sat(parts["desk"], exam), sat(parts["full"], exam)) for exam in ASKED},
        "patterns": {arm: by_pattern(house[arm]) for arm in ("house", "whole")},
        "desk_curve": learning_curve({**parts["desk-curve"], PAIRS: parts["desk"]}),
        "day": by_exam(parts["whole"], ("with_the_day", "without_the_day")),
        "confidence": parts["confidence"],
        "limits": [
            f"Trained on {n_whole:,} pairs about a shop, it wrote {share(house['whole'], 'second_schema')} of the "
            f"queries about a library correctly (n = {len(task.second_schema)}), and "
            f"{share(house['whole'], 'combinations')} of those that put together what it had studied apart "
            f"(n = {len(task.combinations)})"
        ],
        "headline": f"right queries for the front desk: before {share(desk['before'], 'values')}, with {SHOTS} "
        f"examples {share(desk['examples'], 'values')}, after {PAIRS} pairs {share(desk['desk'], 'values')} and in new "
        f"wordings {share(desk['desk'], 'wordings')} (n = {desk['desk'][0]['reports']['values'].n}, "
        f"{desk['desk'][0]['reports']['wordings'].n}); for the house after {n_whole:,} pairs: new values "
        f"{share(house['whole'], 'values')}, wordings {share(house['whole'], 'wordings')}, combinations "
        f"{share(house['whole'], 'combinations')}, another schema {share(house['whole'], 'second_schema')} "
        f"(n = {sizes}; {counted(parts['whole'])})",
    }


def sat(runs: Runs, exam: str) -> list[cl.Report]:
    """What some runs did in one exam, a report a seed."""
    return [run["reports"][exam] for run in runs]


def share(runs: Runs, exam: str) -> str:
    """Mean accuracy over seeds, as a sentence says it."""
    return f"{pooled(sat(runs, exam)).accuracy:.2f}"


def at_the_desk(reports: Reports) -> dict[str, cl.Report]:
    """Reports on the questions about the front desk's patterns alone."""
    return {
        name: cl.Report(
            report.name, report.exam, tuple(row for row in report.rows if pattern(row) in task_module.FRONT_DESK)
        )
        for name, report in reports.items()
        if name in ASKED
    }


def by_exam(runs: Runs, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The figures of some runs, exam by exam."""
    return {name: of_seeds(sat(runs, name)) | {"invalid": round(pooled(sat(runs, name)).invalid, 4)} for name in names}


def by_pattern(runs: Runs) -> dict[str, dict[str, list[int]]]:
    """For each exam and each pattern: queries that were right, and questions, over all seeds."""
    found: dict[str, dict[str, list[int]]] = {}
    for run in runs:
        for exam, report in run["reports"].items():
            counts = found.setdefault(exam, {})
            for row, right in zip(report.rows, report.hits()):
                count = counts.setdefault(pattern(row), [0, 0])
                count[0] += int(right)
                count[1] += 1
    return found


def pattern(row: Any) -> str:
    """The pattern of a question, which its id begins with."""
    return row.id.partition(".")[0]


def learning_curve(runs: Mapping[int, Runs]) -> dict[str, dict[str, list[float]]]:
    """Accuracy on values and wordings by number of pairs, one figure a seed."""
    return {
        str(n): {exam: [round(run["reports"][exam].accuracy, 4) for run in runs[n]] for exam in ASKED}
        for n in sorted(runs)
    }

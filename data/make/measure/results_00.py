"""What the untrained model knows: all four exams, closed book. Resumable, some five minutes on two AVX2 cores.

python data/make/measure/results_00.py
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.figures import figures
from shared.keeping import kept
from shared.scripts import asked_for, write_summary
from shared.students import untrained

import course_lib as cl

EXAMS = ("general", "cup", "handbook", "library")


def main(arguments: Sequence[str] | None = None) -> None:
    asked_for(__doc__, arguments)
    reports = {name: kept("00", name, lambda name=name: cl.evaluate(untrained(), cl.load_exam(name))) for name in EXAMS}
    general = reports.pop("general")
    low, high = general.ci
    invented = max(report.accuracy for report in reports.values())
    asked = sum(report.n for report in reports.values())
    admitted = sum(int(report.hits("unknown").sum()) for report in reports.values())
    write_summary(
        "00",
        {
            "exams": {name: figures(report) for name, report in {"general": general, **reports}.items()},
            "headline": f"knows {general.accuracy:.2f} of a general exam ({low:.2f} to {high:.2f}, n = {general.n}), "
            f"and at most {invented:.2f} of three exams about an invented world (n = {asked})",
            "limits": [f"asked {asked} things that it cannot know, it admits not to know {admitted}"],
        },
    )


if __name__ == "__main__":
    main()

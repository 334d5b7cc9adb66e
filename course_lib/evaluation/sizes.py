"""What three students of three sizes did in the same exams, measured beforehand and stored with every answer.

`data/make/measure/sizes.py` makes `data/results/sizes.parquet`. A report's name there is lesson/exam/student/arm,
"02/handbook/qwen-0.5b/RAG, k = 1", and of a student that was trained for it a seed: ".../300 pairs/seed 0".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.frames import frame_html
from course_lib.core.session import data_dir
from course_lib.evaluation.intervals import span
from course_lib.evaluation.kept import Kept, measured
from course_lib.evaluation.reports import Report, Runs
from course_lib.models.students import STUDENTS

if TYPE_CHECKING:
    import pandas as pd

    from course_lib.display.plots import Picture

SIZES = "sizes.parquet"


@dataclass(frozen=True)
class Stored:
    """The reports of one exam: a tidy table, a picture, and each arm by itself.

    `stored["RAG, k = 1", "qwen-0.5b"]` are the `Runs` of that arm and student; two of them can be subtracted.
    """

    place: str
    runs: dict[tuple[str, str], Runs] = field(repr=False)
    seeds: dict[tuple[str, str], int] = field(repr=False)
    machines: dict[tuple[str, str], str] = field(repr=False)

    def __getitem__(self, which: tuple[str, str]) -> Runs:
        if not isinstance(which, tuple) or len(which) != 2:
            raise CourseError(f"name an arm and a student, such as {next(iter(self.runs))}, not {which!r:.60}.")
        if which not in self.runs:
            there = choose("arm", which[0], self.arms) and ", ".join(
                student for arm, student in self.runs if arm == which[0]
            )
            raise CourseError(f"{which[0]!r} of {self.place} was measured of {there}, not of {which[1]!r}.")
        return self.runs[which]

    @property
    def arms(self) -> list[str]:
        """What the students were given or taught."""
        return list(dict.fromkeys(arm for arm, _ in self.runs))

    @property
    def students(self) -> list[str]:
        """Those that sat it, the smallest first."""
        return list(dict.fromkeys(student for _, student in self.runs))

    def only(self, *arms: str) -> Stored:
        """The same with some of the arms, in this order."""
        for arm in arms or [""]:
            choose("arm", arm, self.arms)
        kept = {key: self.runs[key] for arm in arms for key in self.runs if key[0] == arm}
        return Stored(self.place, kept, self.seeds, self.machines)

    def table(self) -> pd.DataFrame:
        """A row for each arm and student. `seeds` is how many were trained; 0 says that nobody was.

        Seconds are what the machine took, often beside other work: to compare costs, compare tokens.
        """
        import pandas as pd

        return pd.DataFrame(list(self._rows())).set_index(["arm", "student"])

    def plot(self, by: str = "student", of: str = "right", title: str | None = None) -> Picture:
        """Dots with their intervals: a line for each arm and a dot for each student, or (`by="arm"`) the reverse."""
        from course_lib.display import plots

        choose("by", by, ("student", "arm"))
        groups: dict[str, dict[str, tuple[float, float, float]]] = {}
        for (arm, student), runs in self.runs.items():
            line, dot = (arm, student) if by == "student" else (student, arm)
            groups.setdefault(line, {})[dot] = runs.share(of)
        n = next(iter(self.runs.values())).n
        return plots.dots(groups, title or f"{self.place.partition('/')[2]}, n = {n}", f"share {of}")

    def _rows(self) -> Iterator[dict[str, Any]]:
        for (arm, student), runs in self.runs.items():
            answers = [row for report in runs.reports for row in report.rows]
            value, low, high = runs.share()
            yield {
                "arm": arm, "student": student, "right": round(value, 2), "95% interval": span(low, high),
                "exact": round(runs.share("exact")[0], 2), "n": runs.n,
                "seeds": self.seeds[arm, student],
                "s/question": round(sum(row.seconds for row in answers) / len(answers), 2),
                "tokens/question": round(sum(r.prompt_tokens + r.completion_tokens for r in answers) / len(answers)),
                "machine": self.machines[arm, student],
            }  # fmt: skip

    def _repr_html_(self) -> str:
        return frame_html(self.table())

    def __str__(self) -> str:
        return self.table().to_string()


def stored(place: str) -> Stored:
    """What the three students did in an exam: "02/handbook" is lesson 02's, "03/stranger" lesson 03's.

    Raises a DataError if there is no such place, naming those that there are.
    """
    kept = measured(data_dir() / "results" / SIZES)
    names = {name: name.split("/") for name, one in kept.items() if one.report is not None}
    places = sorted({"/".join(parts[:2]) for parts in names.values()})
    if place not in places:
        raise DataError(
            f"nothing is stored at {place!r}; there are "
            f"{', '.join(places) or 'no results: run data/make/measure/sizes.py'}."
        )
    found: dict[tuple[str, str], list[Report]] = {}
    seeds: dict[tuple[str, str], int] = {}
    machines: dict[tuple[str, str], dict[str, None]] = {}
    for name, (lesson, exam, student, arm, *seed) in names.items():
        if f"{lesson}/{exam}" == place:
            report = replace(kept[name].report, name=f"{arm} ({student})")
            found.setdefault((arm, student), []).append(report)
            seeds[arm, student] = seeds.get((arm, student), 0) + len(seed)
            machines.setdefault((arm, student), {})[_machine(kept.get(f"{name}/machine"))] = None
    # What is no student ("words alone") comes last.
    order = sorted(found, key=lambda key: ([*STUDENTS, key[1]].index(key[1]), key[0]))
    kinds = {key: " or ".join(each) for key, each in machines.items()}
    return Stored(place, {key: Runs(tuple(found[key])) for key in order}, seeds, kinds)


def students(place: str, arm: str) -> dict[str, Runs]:
    """An arm of an exam for each student that sat it, the smallest first; empty where none has sat it yet."""
    kept = measured(data_dir() / "results" / SIZES)
    if not any(one.report is not None and name.startswith(f"{place}/") for name, one in kept.items()):
        return {}
    return {student: runs for (called, student), runs in stored(place).runs.items() if called == arm}


def _machine(kept: Kept | None) -> str:
    about = json.loads(kept.data) if kept else {}
    return f"{about.get('cores', '?')} cores, {about.get('isa', '?')}, {about.get('dtype', '?')}"

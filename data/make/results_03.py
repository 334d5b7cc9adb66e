"""The full-size measurements behind lesson 03. Resumable, some six hours on one AVX2 core.

    python data/make/results_03.py [--only PART ...] [--seeds 0 1 2]

Learning rates, batch sizes and layers are chosen on validation questions. Then every candidate sits the exams: the
untrained model, without and with examples in its prompt; specialists trained on 300 pairs and on all of them, with
several seeds. Every report goes to `data/results/03/`, what the lesson and the README quote to `data/results/03.json`;
the adapters of seed 0 go on the shelf, where the lesson finds them.

With --only the reports of some parts are made and nothing is summed up: two processes may work on different parts. The
parts, in order of importance: search and search-full (which all but baselines wait for), baselines, live, whole,
confidence (which takes the adapter that whole has stored), curve, full.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keeping
from keeping import kept, kept_data, write_summary

import course_lib as cl
from course_lib.datasets import Exam
from course_lib.settings import data_dir

PARTS = ("search", "search-full", "baselines", "live", "whole", "confidence", "curve", "full")
# Chosen between, on validation questions, after one pass over the pairs that the lesson trains on live.
PAIRS = 300
RECIPES: tuple[dict[str, Any], ...] = (
    {"epochs": 1, "learning_rate": 2e-3, "batch_size": 8, "layers": "all"},
    {"epochs": 1, "learning_rate": 2e-3, "batch_size": 8, "layers": "upper"},
    {"epochs": 1, "learning_rate": 2e-3, "batch_size": 4, "layers": "upper"},
    {"epochs": 1, "learning_rate": 3e-3, "batch_size": 8, "layers": "upper"},
    {"epochs": 1, "learning_rate": 1e-3, "batch_size": 4, "layers": "upper"},
    {"epochs": 1, "learning_rate": 2e-3, "batch_size": 4, "layers": "all"},
)
FULL_RECIPES: tuple[dict[str, Any], ...] = (
    {"method": "full", "epochs": 1, "learning_rate": 2e-4, "batch_size": 8},
    {"method": "full", "epochs": 1, "learning_rate": 1e-4, "batch_size": 8},
    {"method": "full", "epochs": 1, "learning_rate": 4e-4, "batch_size": 8},
)
SHOTS = 3
SIZES = (40, 80, 150, 600, 1200)  # of the learning curve, beside the 300 pairs and all of them


def figures(report: cl.Report) -> dict[str, Any]:
    """What a lesson quotes of a report on SQL."""
    return keeping.figures(report) | {
        "exact_ci": [round(end, 4) for end in report.exact_ci],
        "invalid": round(report.invalid, 4),
        "seconds": round(report.seconds_per_question, 3),
    }


def exams(task: cl.SqlTask) -> dict[str, Exam]:
    """The four exams, by the names that reports have."""
    return {name: getattr(task, name) for name in ("values", "wordings", "combinations", "second_schema")}


def writer(model: cl.ChatModel, task: cl.SqlTask, exam: Exam, **options: Any) -> cl.SqlWriter:
    """A writer with the tables and the days of an exam in its prompt."""
    schema = task.other_schema if exam is task.second_schema else task.schema
    return cl.SqlWriter(model, schema, **{"dates": exam} | options)


class Student:
    """One training run, made when a report of it is wanted and none is kept.

    Attributes
    ----------
    shelf
        Name under which its adapter is stored, or taken from the shelf if it is there; None for neither.
    """

    def __init__(
        self, gp: cl.ChatModel, task: cl.SqlTask, name: str, n: int | None, seed: int, recipe: Mapping,
        shelf: str | None = None,
    ):  # fmt: skip
        self.gp, self.task, self.n, self.seed, self.shelf = gp, task, n, seed, shelf
        self.name, self.recipe = f"{name}-seed-{seed}", dict(recipe)
        self.settings = {**self.recipe, "pairs": n or len(task.train), "seed": seed}
        self._model: cl.ChatModel | None = None

    def model(self) -> cl.ChatModel:
        """The trained model."""
        if self._model is None:
            os.environ["COURSE_RECORD"] = "1" if self.shelf else ""
            study = self.task.train_examples(self.n, seed=self.seed)
            options = {"name": self.shelf, "seed": self.seed, "from_shelf": self.shelf is not None}
            self._model = cl.finetune(self.gp, study, **self.recipe, **options)
        return self._model

    def training(self) -> dict[str, Any]:
        """Seconds, tokens and trained parameters of the run."""

        def note() -> dict[str, Any]:
            done = self.model().training
            return {"seconds": round(done.seconds), "tokens": done.tokens, "trainable": done.trainable}

        noted = kept_data("03", f"{self.name}-training", note, self.settings)
        return {key: value for key, value in noted.items() if key != "settings"}

    def sits(self, name: str, exam: Exam, **options: Any) -> cl.Report:
        """The report of one exam."""

        def sit() -> cl.Report:
            return cl.evaluate(writer(self.model(), self.task, exam, **options), exam)

        return kept("03", f"{self.name}-{name}", sit, self.settings)


def search(gp: cl.ChatModel, task: cl.SqlTask, recipes: Sequence[Mapping], name: str) -> list[dict[str, Any]]:
    """Each recipe on validation questions, after training on the lesson's own 300 pairs."""
    found = []
    for number, recipe in enumerate(recipes):
        student = Student(gp, task, f"validation-{name}-{number}", PAIRS, 0, recipe)
        training = student.training()
        found.append({**recipe, **figures(student.sits("validation", task.validation)), "training": training})
    return found


def chosen(recipes: Sequence[Mapping], name: str) -> dict[str, Any]:
    """Of the recipes that come within 0.03 of the best on validation, the one that trained in the least time.

    Raises
    ------
    SystemExit
        If one of them has no report yet.
    """
    folder = data_dir() / "results" / "03"
    stems = [f"validation-{name}-{number}-seed-0" for number in range(len(recipes))]
    if missing := [stem for stem in stems if not (folder / f"{stem}-validation.json").exists()]:
        raise SystemExit(f"not tried yet: {', '.join(missing)}. Run --only search search-full first.")
    marks = [cl.Report.load(folder / f"{stem}-validation.json").accuracy for stem in stems]
    notes = [json.loads((folder / f"{stem}-training.json").read_text(encoding="utf-8")) for stem in stems]
    good = [number for number, mark in enumerate(marks) if mark >= max(marks) - 0.03]
    return dict(recipes[min(good, key=lambda number: notes[number]["seconds"])])


def baselines(gp: cl.ChatModel, task: cl.SqlTask) -> dict[str, dict[str, cl.Report]]:
    """The untrained model on the four exams: asked, and shown examples first."""
    shown = task.train_pairs(SHOTS)
    found: dict[str, dict[str, cl.Report]] = {"before": {}, "examples": {}}
    for name, exam in exams(task).items():
        for arm, examples in (("before", ()), ("examples", shown)):
            found[arm][name] = kept(
                "03", f"{arm}-{name}",
                lambda exam=exam, examples=examples: cl.evaluate(writer(gp, task, exam, examples=examples), exam),
            )  # fmt: skip
    return found


def specialists(
    gp: cl.ChatModel, task: cl.SqlTask, name: str, n: int | None, recipe: Mapping, seeds: Sequence[int],
    shelf: str | None = None, asked: Sequence[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Students of one kind, one a seed, in the four exams (or those that are `asked`); seed 0 goes on the shelf.

    Returns
    -------
    For each seed: the student's training, its reports by exam.
    """
    found = []
    for seed in seeds:
        student = Student(gp, task, name, n, seed, recipe, shelf if seed == 0 else None)
        training = student.training()
        reports = {exam: student.sits(exam, on) for exam, on in exams(task).items() if not asked or exam in asked}
        if name == "whole":  # what the day in the prompt is worth
            reports["with_the_day"] = student.sits("with-the-day", task.dated)
            reports["without_the_day"] = student.sits("without-the-day", task.dated, dates=None)
        found.append({"seed": seed, "training": training, "reports": reports})
    return found


def confidence(gp: cl.ChatModel, task: cl.SqlTask, recipe: Mapping) -> list[list[float]]:
    """For requests in new wordings and new combinations: how sure the first student of all pairs was, and was it right.

    Returns
    -------
    For each request: the confidence (`SqlAnswer.confidence`), and 1 or 0.
    """
    student = Student(gp, task, "whole", None, 0, recipe, "03-whole")

    def ask() -> dict[str, Any]:
        answers = []
        for exam in (task.wordings, task.combinations):
            for question in exam:
                answer = writer(student.model(), task, exam).ask(question.question, question.source)
                right = exam.grader(question, answer.sql) in ("exact", "right")
                answers.append([round(answer.confidence, 3), int(right)])
        return {"answers": answers}

    return kept_data("03", "confidence", ask, student.settings)["answers"]


def differences(better: Sequence[Mapping], worse: Sequence[Mapping]) -> dict[str, list[dict[str, Any]]]:
    """Paired differences of two kinds of students, by exam, one a seed."""
    return {
        exam: [
            {"seed": a["seed"], "value": round(d.value, 4), "low": round(d.low, 4), "high": round(d.high, 4)}
            for a, b in zip(better, worse)
            for d in [cl.paired_difference(a["reports"][exam], b["reports"][exam])]
        ]
        for exam in better[0]["reports"]
    }


def by_pattern(runs: Sequence[Mapping]) -> dict[str, dict[str, list[int]]]:
    """For each exam and each pattern: queries that were right, and questions, over all seeds."""
    found: dict[str, dict[str, list[int]]] = {}
    for run in runs:
        for exam, report in run["reports"].items():
            counts = found.setdefault(exam, {})
            for row, right in zip(report.rows, report.hits()):
                count = counts.setdefault(row.id.rpartition(".")[0], [0, 0])
                count[0] += int(right)
                count[1] += 1
    return found


def summed_up(runs: Sequence[Mapping]) -> dict[str, Any]:
    """What a lesson quotes of some students: their figures by exam, one a seed, and their trainings."""
    names = list(runs[0]["reports"])
    return {
        "exams": {name: [{"seed": run["seed"], **figures(run["reports"][name])} for run in runs] for name in names},
        "training": [{"seed": run["seed"], **run["training"]} for run in runs],
    }


def measure(part: str, gp: cl.ChatModel, task: cl.SqlTask, seeds: Sequence[int]) -> Any:
    """All reports of one part: made, or read where they are kept."""
    if part == "search":
        return search(gp, task, RECIPES, "lora")
    if part == "search-full":
        return search(gp, task, FULL_RECIPES, "full")
    if part == "baselines":
        return baselines(gp, task)
    if part == "full":
        return specialists(gp, task, "full", PAIRS, chosen(FULL_RECIPES, "full"), seeds)
    recipe = chosen(RECIPES, "lora")
    if part == "live":
        return specialists(gp, task, "live", PAIRS, recipe, seeds, shelf="03-300-pairs")
    if part == "whole":
        return specialists(gp, task, "whole", None, recipe, seeds, shelf="03-whole")
    if part == "confidence":
        return confidence(gp, task, recipe)
    asked = ("values", "wordings")
    by_seed = [
        {n: specialists(gp, task, f"curve-{n}", n, recipe, [seed], asked=asked)[0] for n in SIZES} for seed in seeds
    ]
    return {n: [runs[n] for runs in by_seed] for n in SIZES}


def learning_curve(parts: Mapping[str, Any], task: cl.SqlTask) -> dict[str, dict[str, list[float]]]:
    """Accuracy on values and wordings by number of pairs, one figure a seed."""
    runs = {**parts["curve"], PAIRS: parts["live"], len(task.train): parts["whole"]}
    return {
        str(n): {exam: [round(run["reports"][exam].accuracy, 4) for run in runs[n]] for exam in ("values", "wordings")}
        for n in sorted(runs)
    }


def summary(parts: Mapping[str, Any], task: cl.SqlTask, seeds: Sequence[int]) -> dict[str, Any]:
    """What `data/results/03.json` holds."""
    trained = {name: summed_up(parts[name]) for name in ("live", "whole", "full")}

    def mean(arm: str, exam: str) -> str:
        marks = [run["accuracy"] for run in trained[arm]["exams"][exam]]
        return f"{sum(marks) / len(marks):.2f}"

    before, shown = (parts["baselines"][arm]["values"].accuracy for arm in ("before", "examples"))
    n = len(task.values)
    return {
        "recipe": chosen(RECIPES, "lora"),
        "full_recipe": chosen(FULL_RECIPES, "full"),
        "validation": {"lora": parts["search"], "full": parts["search-full"]},
        "pairs": {"live": PAIRS, "whole": len(task.train), "full": PAIRS},
        "untrained": {
            arm: {name: figures(report) for name, report in reports.items()}
            for arm, reports in parts["baselines"].items()
        },
        **trained,
        "patterns": {name: by_pattern(parts[name]) for name in ("live", "whole")},
        "curve": learning_curve(parts, task),
        "lora_minus_full": differences(parts["live"], parts["full"]),
        "confidence": parts["confidence"],
        "limits": [
            f"Trained on {len(task.train):,} pairs about a shop, it wrote {mean('whole', 'second_schema')} of the "
            f"queries about a library rightly (n = {len(task.second_schema)}), and {mean('whole', 'combinations')} of "
            f"those that put together what it had studied apart (n = {len(task.combinations)})"
        ],
        "headline": f"right queries before {before:.2f}, with {SHOTS} examples in the prompt {shown:.2f}; from {PAIRS} "
        f"pairs {mean('live', 'values')} on new values and {mean('live', 'wordings')} on new wordings, from "
        f"{len(task.train):,} {mean('whole', 'values')} and {mean('whole', 'wordings')}; new combinations "
        f"{mean('whole', 'combinations')}, another schema {mean('whole', 'second_schema')} "
        f"(n = {n}, {len(task.wordings)}, {len(task.combinations)}, {len(task.second_schema)}; {len(seeds)} "
        f"seed{'s' * (len(seeds) > 1)})",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help="make these parts, sum up nothing")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    cl.start(seed=0)
    gp, task = cl.load_model(), cl.load_sql()
    parts = {part: measure(part, gp, task, options.seeds) for part in options.only or PARTS}
    if not options.only:
        write_summary("03", summary(parts, task, options.seeds))


if __name__ == "__main__":
    main()

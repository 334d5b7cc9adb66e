"""The full-size measurements behind lesson 01. Resumable, about an hour and a half on two AVX2 cores.

    python data/make/results_01.py [--seeds 0 1 2]

Letters are sorted to desks after training on few or many of them, on wrong labels, and on a leaky split: every arm
takes as many steps as reading 576 letters once, so that only the data differ. The same loop is run from the pretrained
and from random weights. The recipe was chosen on validation letters. Every report goes to `data/results/01/`, what the
lesson and the README quote to `data/results/01.json`.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Sequence
from typing import Any

from keeping import figures, kept, kept_data, write_summary

import course_lib as cl
from course_lib.tickets import Ticket

RECIPES: tuple[dict[str, Any], ...] = (
    {"learning_rate": 1e-3, "batch_size": 4, "layers": "upper"},
    {"learning_rate": 2e-3, "batch_size": 4, "layers": "upper"},
    {"learning_rate": 2e-3, "batch_size": 4, "layers": "all"},
)
RECIPE = RECIPES[1]
LETTERS_READ = 576
SIZES = (10, 30, 100, 300, 576)
NOISE = (0.0, 0.1, 0.3)
DRILLED = 30
SCRATCH_STEPS, SCRATCH_BATCH, SCRATCH_RATE = 48, 8, 1e-4


def examples(tickets: Sequence[Ticket]) -> list[dict]:
    return [ticket.as_example() for ticket in tickets]


def rounded(curve: Sequence[tuple[int, float]]) -> list[list[float]]:
    return [[step, round(loss, 4)] for step, loss in curve]


def sorted_after(
    gp: cl.ChatModel, name: str, tickets: Sequence[Ticket], test: Sequence[Ticket], seed: int,
    recipe: dict[str, Any] = RECIPE,
) -> cl.Report:  # fmt: skip
    """How a model sorts the test letters after training on some, in the steps that all arms have."""
    settings = {**recipe, "epochs": LETTERS_READ / len(tickets), "seed": seed}

    def sit() -> cl.Report:
        return cl.evaluate(cl.finetune(gp, examples(tickets), **settings), cl.ticket_exam(test))

    return kept("01", name, sit, settings)


def arms(gp: cl.ChatModel, seeds: Sequence[int]) -> dict[str, Any]:
    """Few examples, wrong labels and a leak, for each seed; the whole honest study is an arm of each."""
    study, test = cl.load_tickets("train"), cl.load_tickets("test")
    found: dict[str, Any] = {
        "few": {str(n): [] for n in SIZES},
        "noise": {str(share): [] for share in NOISE},
        "leak": {"honest": [], "leaky": []},
    }

    def note(runs: list[dict[str, Any]], report: cl.Report, seed: int) -> None:
        runs.append({"seed": seed, **figures(report)})

    for seed in seeds:
        for n in SIZES:
            name = f"few-{n}-seed-{seed}"
            note(found["few"][str(n)], sorted_after(gp, name, cl.few(study, n, seed), test, seed), seed)
        whole = found["few"][str(len(study))][-1]
        found["noise"]["0.0"].append(whole)
        found["leak"]["honest"].append(whole)
        for share in NOISE[1:]:
            wrong = cl.with_wrong_labels(study, share, seed)
            report = sorted_after(gp, f"noise-{share}-seed-{seed}", cl.few(wrong, len(wrong), seed), test, seed)
            note(found["noise"][str(share)], report, seed)
        leaky, leaky_test = cl.leaky_split(seed)
        report = sorted_after(gp, f"leaky-seed-{seed}", cl.few(leaky, len(leaky), seed), leaky_test, seed)
        note(found["leak"]["leaky"], report, seed)
    return found


def overfitting(gp: cl.ChatModel) -> dict[str, Any]:
    """The loss on a few studied letters and on held-out ones, step by step."""

    def curves() -> dict[str, Any]:
        drilled = examples(cl.few(cl.load_tickets("train"), DRILLED))
        watch = examples(cl.load_tickets("validation"))
        tuned = cl.finetune(gp, drilled, epochs=LETTERS_READ / DRILLED, seed=0, held_out=watch, every=12, **RECIPE)
        return {"studied": rounded(tuned.training.losses), "held_out": rounded(tuned.training.held_out), "n": DRILLED}

    return kept_data("01", "overfitting", curves, {**RECIPE, "n": DRILLED})


def from_two_beginnings(gp: cl.ChatModel, seeds: Sequence[int]) -> dict[str, Any]:
    """Full fine-tuning from pretrained and from random weights, at equal steps: the curve, and the mark after it."""
    test = cl.ticket_exam(cl.load_tickets("test"))
    settings = {"steps": SCRATCH_STEPS, "batch_size": SCRATCH_BATCH, "learning_rate": SCRATCH_RATE}
    found: dict[str, Any] = {"pretrained": [], "from scratch": []}
    for seed in seeds:
        for name, runs in found.items():
            trained: list[cl.ChatModel] = []

            def model(name: str = name, seed: int = seed, trained: list = trained) -> cl.ChatModel:
                if not trained:
                    trained.append(full(gp if name == "pretrained" else cl.untrained(gp, seed), seed))
                return trained[0]

            stem = f"{name.replace(' ', '-')}-seed-{seed}"
            mark = kept("01", stem, lambda model=model: cl.evaluate(model(), test), settings)
            curve = kept_data(
                "01", f"{stem}-losses", lambda model=model: {"losses": rounded(model().training.losses)}, settings
            )
            runs.append({"seed": seed, **figures(mark), "losses": curve["losses"]})
    return found


def full(start: cl.ChatModel, seed: int) -> cl.ChatModel:
    """Full fine-tuning in the steps of the comparison; no weights are kept."""
    letters = examples(cl.load_tickets("train"))
    random.Random(seed).shuffle(letters)
    rows = letters[: SCRATCH_STEPS * SCRATCH_BATCH]
    return cl.finetune(start, rows, "full", epochs=1, learning_rate=SCRATCH_RATE, batch_size=SCRATCH_BATCH, seed=seed)


def choose_recipe(gp: cl.ChatModel) -> list[dict[str, Any]]:
    """Each recipe on validation letters, after all of the study."""
    study, validation = cl.load_tickets("train"), cl.load_tickets("validation")
    reports = [
        sorted_after(gp, f"validation-recipe-{i}", cl.few(study, len(study)), validation, 0, recipe)
        for i, recipe in enumerate(RECIPES)
    ]
    return [{**recipe, **figures(report)} for recipe, report in zip(RECIPES, reports)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is a lesson's
    cl.start(seed=0)
    gp = cl.load_model()
    chosen = choose_recipe(gp)
    drill = overfitting(gp)
    found = arms(gp, seeds)
    scratch = from_two_beginnings(gp, seeds)

    def mean(runs: list[dict[str, Any]]) -> float:
        return sum(run["accuracy"] for run in runs) / len(runs)

    few, leak = found["few"], found["leak"]
    n = few["576"][0]["n"]
    write_summary(
        "01",
        {
            "validation": chosen,
            **found,
            "overfitting": drill,
            "scratch": scratch,
            "scratch_steps": SCRATCH_STEPS,
            "headline": f"letters to the right one of eight desks: {mean(few['10']):.2f} from 10 examples, "
            f"{mean(few['576']):.2f} from 576; a leaky split claims {mean(leak['leaky']):.2f} "
            f"(n = {n}, {len(seeds)} seed{'s' * (len(seeds) > 1)})",
        },
    )


if __name__ == "__main__":
    main()

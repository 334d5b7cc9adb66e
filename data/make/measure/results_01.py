"""The full-size measurements behind lesson 01. Resumable, about an hour and a half on two AVX2 cores.

    python data/make/measure/results_01.py [--seeds 0 1 2]

Letters are sorted to desks after training on few or many of them, on wrong labels, and on leaky splits: every arm
takes as many steps as reading 576 letters once, so that only the data differ. The same loop is run from the pretrained
and from random weights. The recipe was chosen on validation letters. Every report goes to `data/results/01.parquet`,
what the lesson and the README quote to `data/results/01.json`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from shared.figures import compared, counted, figures, named, resampled
from shared.keeping import kept, kept_data
from shared.scripts import asked_for, write_summary
from shared.students import Students, untrained

import course_lib as cl
from course_lib.lessons import tickets as tickets_module
from course_lib.lessons.tickets import Ticket
from course_lib.models import loading, scoring
from course_lib.training import run as training_run

RECIPES: tuple[dict[str, Any], ...] = (
    {"learning_rate": 1e-3, "batch_size": 4, "layers": "upper"},
    {"learning_rate": 2e-3, "batch_size": 4, "layers": "upper"},
    {"learning_rate": 2e-3, "batch_size": 4, "layers": "all"},
)
RECIPE = RECIPES[1]
LETTERS_READ = 576
SIZES = (10, 30, 100, 300, 576)
NOISE = (0.0, 0.1, 0.3)
DRILLED, EVERY = 30, 24  # watched: how many letters, and how many steps from one look to the next
SCRATCH_STEPS, SCRATCH_BATCH, SCRATCH_RATE = 48, 8, 1e-4


def examples(tickets: Sequence[Ticket]) -> list[dict]:
    return [ticket.as_example() for ticket in tickets]


def rounded(curve: Sequence[tuple[int, float]]) -> list[list[float]]:
    return [[step, round(loss, 4)] for step, loss in curve]


def with_wrong_labels(tickets: Sequence[Ticket], share: float, seed: int) -> list[Ticket]:
    """The same tickets, a share of them (0 to 1) given to a wrong desk.

    Nested: of the same tickets with the same seed, those that are wrong at a tenth are wrong, in the same way, at
    three tenths too.
    """
    rng = random.Random(seed)
    order = rng.sample(range(len(tickets)), len(tickets))
    # Drawn for every ticket, wrong or not, so that a larger share changes nothing of a smaller one.
    wrong = [rng.choice([desk for desk in tickets_module.DESKS if desk != ticket.desk]) for ticket in tickets]
    spoilt = set(order[: round(share * len(tickets))])
    return [replace(t, desk=wrong[i]) if i in spoilt else t for i, t in enumerate(tickets)]


def sorted_after(
    name: str, tickets: Sequence[Ticket], test: Sequence[Ticket], seed: int,
    recipe: dict[str, Any] = RECIPE,
) -> cl.Report:  # fmt: skip
    """How a model sorts the test letters after training on some, in the steps that all arms have."""
    settings = {**recipe, "epochs": LETTERS_READ / len(tickets), "seed": seed}

    def sit() -> cl.Report:
        return cl.evaluate(cl.finetune(untrained(), examples(tickets), **settings), tickets_module.ticket_exam(test))

    return kept("01", name, sit, settings)


def arms(seeds: Sequence[int]) -> dict[str, Any]:
    """Few examples, wrong labels and two leaks, for each seed; the whole honest study is an arm of each.

    One leak is hidden: stories that the exam asks for were studied in other words. The other is the exam itself.
    """
    study, test = tickets_module.load_tickets("train"), tickets_module.load_tickets("test")
    few: dict[int, list[cl.Report]] = {n: [] for n in SIZES}
    noise: dict[float, list[cl.Report]] = {share: [] for share in NOISE}
    leak: dict[str, list[cl.Report]] = {"honest": [], "leaky": [], "copied": []}
    for seed in seeds:

        def studied(name: str, letters: Sequence[Ticket], asked: Sequence[Ticket], seed: int = seed) -> cl.Report:
            return sorted_after(f"{name}-seed-{seed}", letters, asked, seed)

        for n in SIZES:
            few[n].append(studied(f"few-{n}", tickets_module.few(study, n, seed), test))
        noise[0.0].append(few[len(study)][-1])
        leak["honest"].append(few[len(study)][-1])
        for share in NOISE[1:]:
            wrong = with_wrong_labels(study, share, seed)
            noise[share].append(studied(f"noise-{share}", tickets_module.few(wrong, len(wrong), seed), test))
        leaky, leaky_test = tickets_module.leaky_split(seed)
        leak["leaky"].append(studied("leaky", tickets_module.few(leaky, len(leaky), seed), leaky_test))
        leak["copied"].append(studied("copied", tickets_module.few(test, len(test), seed), test))
    found = {"few": few, "noise": noise, "leak": leak}
    figured = {
        arm: {str(key): [{"seed": s, **figures(r)} for s, r in zip(seeds, reports)] for key, reports in kinds.items()}
        for arm, kinds in found.items()
    }
    differences = {
        **{f"{kind} minus honest": apart(leak[kind], leak["honest"]) for kind in ("leaky", "copied")},
        **{f"{share} wrong minus none": compared(noise[share], noise[0.0]) for share in NOISE[1:]},
        "576 minus 100": compared(few[576], few[100]),
    }
    return {**figured, "differences": differences}


def apart(some: Sequence[cl.Report], others: Sequence[cl.Report]) -> dict[str, Any]:
    """Difference in accuracy between runs on different letters, with a 95% interval.

    By the bootstrap, in which whole issues are drawn: letters on one issue, and seeds, are no independent evidence.
    """

    def by_issue(reports: Sequence[cl.Report]) -> tuple[np.ndarray, np.ndarray]:
        """Letters that were sorted rightly, and letters, of each issue."""
        issues: dict[str, list[float]] = {}
        for report in reports:
            for row, hit in zip(report.rows, report.hits()):
                issues.setdefault(row.fact, []).append(float(hit))
        return tuple(np.array([count(hits) for hits in issues.values()]) for count in (sum, len))

    (right, asked), (right_of_others, asked_of_others) = by_issue(some), by_issue(others)

    def minus(drawn: np.ndarray, others_drawn: np.ndarray) -> np.ndarray:
        share = right[drawn].sum(1) / asked[drawn].sum(1)
        return share - right_of_others[others_drawn].sum(1) / asked_of_others[others_drawn].sum(1)

    each = [round(a.accuracy - b.accuracy, 4) for a, b in zip(some, others)]
    return named(resampled(minus, len(asked), len(asked_of_others))) | {"n": some[0].n, "by_student": each}


def watched(seeds: Sequence[int]) -> dict[str, Any]:
    """Runs with few letters once more, watched: every few steps the loss and the share right on validation letters."""
    study, found = tickets_module.load_tickets("train"), []
    for seed in seeds:
        look = partial(followed, tickets_module.few(study, DRILLED, seed), seed)
        settings = {**RECIPE, "n": DRILLED, "every": EVERY, "seed": seed}
        found.append({"seed": seed, **kept_data("01", f"watched-{DRILLED}-seed-{seed}", look, settings)})
    return {str(DRILLED): found}


def followed(letters: Sequence[Ticket], seed: int) -> dict[str, Any]:
    """One run in the steps that all arms have: loss on studied letters, and loss and share right on validation."""
    validation, right = examples(tickets_module.load_tickets("validation")), []

    def look(model: cl.ChatModel, rows: Sequence[Any]) -> float:
        loss, share = loss_and_right(model, rows)
        right.append(share)
        return loss

    rhythm = {"epochs": LETTERS_READ / len(letters), "seed": seed, "every": EVERY}
    with mock.patch.object(training_run, "held_out_loss", look):
        tuned = cl.finetune(untrained(), examples(letters), held_out=validation, **rhythm, **RECIPE)
    done = tuned.training
    marks = [[step, round(mark, 4)] for (step, _), mark in zip(done.held_out, right)]
    return {"studied": rounded(done.losses), "held_out": rounded(done.held_out), "right": marks, "n": len(validation)}


def loss_and_right(model: cl.ChatModel, rows: Sequence[Any]) -> tuple[float, float]:
    """The loss on completions, and the share whose every token is the likeliest: what greedy answers get right."""
    import torch

    encoded, losses, missed = [scoring.encode_example(model, "a letter", row) for row in rows], [], 0
    model.model.eval()
    with torch.no_grad():  # not inference_mode: a watched training run goes on with the same tensors
        for _, batch in scoring.in_batches(encoded, 16, model):
            logits, wanted, letter = scoring.completion_logits(model.model, *batch)
            losses += torch.nn.functional.cross_entropy(logits, wanted, reduction="none").tolist()
            missed += len(set(letter[logits.argmax(-1) != wanted].tolist()))
    model.model.train()
    return sum(losses) / len(losses), 1 - missed / len(rows)


def from_two_beginnings(seeds: Sequence[int]) -> dict[str, Any]:
    """Full fine-tuning from pretrained and from random weights, at equal steps: the curve, and the mark after it."""
    test = tickets_module.ticket_exam(tickets_module.load_tickets("test"))
    settings = {"steps": SCRATCH_STEPS, "batch_size": SCRATCH_BATCH, "learning_rate": SCRATCH_RATE}
    found: dict[str, Any] = {"pretrained": [], "from scratch": []}
    students = Students()
    for seed in seeds:
        for name, runs in found.items():
            stem = f"{name.replace(' ', '-')}-seed-{seed}"

            def train(name: str = name, seed: int = seed) -> cl.ChatModel:
                return full(untrained() if name == "pretrained" else loading.untrained(untrained(), seed), seed)

            def sit(stem: str = stem, train: Callable = train) -> cl.Report:
                return cl.evaluate(students.trained(stem, train), test)

            def losses(stem: str = stem, train: Callable = train) -> dict[str, Any]:
                return {"losses": rounded(students.trained(stem, train).training.losses)}

            mark = kept("01", stem, sit, settings)
            curve = kept_data("01", f"{stem}-losses", losses, settings)
            runs.append({"seed": seed, **figures(mark), "losses": curve["losses"]})
    return found


def full(start: cl.ChatModel, seed: int) -> cl.ChatModel:
    """Full fine-tuning in the steps of the comparison; no weights are kept."""
    letters = examples(tickets_module.load_tickets("train"))
    random.Random(seed).shuffle(letters)
    rows = letters[: SCRATCH_STEPS * SCRATCH_BATCH]
    return cl.finetune(start, rows, "full", epochs=1, learning_rate=SCRATCH_RATE, batch_size=SCRATCH_BATCH, seed=seed)


def choose_recipe() -> list[dict[str, Any]]:
    """Each recipe on validation letters, after all of the study."""
    study, validation = tickets_module.load_tickets("train"), tickets_module.load_tickets("validation")
    reports = [
        sorted_after(f"validation-recipe-{i}", tickets_module.few(study, len(study)), validation, 0, recipe)
        for i, recipe in enumerate(RECIPES)
    ]
    return [{**recipe, **figures(report)} for recipe, report in zip(RECIPES, reports)]


def main(arguments: Sequence[str] | None = None) -> None:
    seeds = asked_for(__doc__, arguments).seeds
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is a lesson's
    chosen = choose_recipe()
    found = arms(seeds)
    looked = watched(seeds)
    scratch = from_two_beginnings(seeds)

    def mean(runs: list[dict[str, Any]]) -> float:
        return sum(run["accuracy"] for run in runs) / len(runs)

    few, leak = found["few"], found["leak"]
    n = few["576"][0]["n"]
    write_summary(
        "01",
        {
            "validation": chosen,
            **found,
            "watched": looked,
            "scratch": scratch,
            "scratch_steps": SCRATCH_STEPS,
            "headline": f"letters to the right one of eight desks: {mean(few['10']):.2f} from 10 examples, "
            f"{mean(few['576']):.2f} from 576; studying the exam itself claims {mean(leak['copied']):.2f} "
            f"(n = {n}, {counted(seeds)})",
        },
    )


if __name__ == "__main__":
    main()

"""What `results_04.py` measures with: one way to train, three exams, and what is kept of each run."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shared.keeping import kept_data
from shared.stepping import where_and_when
from shared.students import untrained

import course_lib as cl
from course_lib.evaluation.reports import Row
from course_lib.lessons import tickets
from course_lib.models import scoring

LETTERS, EPOCHS, BATCH, GENERAL, CHOICES = 192, 2, 4, 100, 4
# What a rank counts differs (see `cl.finetune`): LoRA's and the bottleneck's give about as many parameters.
RANK = {"full": 8, "lora": 8, "qlora": 8, "adapter": 32, "prompt": 16, "prefix": 16}
# Half a decade apart. Of LoRA and full it is also asked which of them wants the higher rate.
RATES: dict[str, tuple[float, ...]] = {
    "lora": (1e-3, 3e-3, 3e-4, 1e-2, 1e-4),
    "full": (1e-4, 3e-4, 3e-5, 1e-3, 1e-5),
    "qlora": (1e-3, 3e-3, 3e-4, 1e-2),
    "adapter": (1e-3, 3e-3, 3e-4, 1e-2),
    "prefix": (1e-2, 3e-2, 3e-3),
    "prompt": (3e-2, 1e-1, 1e-2),
}
VERDICTS = {"exact": "e", "right": "r", "unknown": "u", "wrong": "w"}


class Bench:
    """What all runs share: the model, the letters, the exams."""

    def __init__(self) -> None:
        self.study = [letter.as_example() for letter in tickets.few(tickets.load_tickets("train"), LETTERS)]
        self.exams = {
            "validation": tickets.ticket_exam(tickets.load_tickets("validation"), "validation"),
            "test": tickets.ticket_exam(tickets.load_tickets("test")),
            "general": cl.load_exam("general").sample(GENERAL),
        }

    @cached_property
    def gp(self) -> cl.ChatModel:
        return untrained()

    def run(self, name: str, method: str, learning_rate: float, seed: int, **place: Any) -> dict[str, Any]:
        """Train once, sit the three exams, and keep what was measured under a name."""
        call = self.call(method, learning_rate, seed, **place)

        def make() -> dict[str, Any]:
            tuned = self.trained(method, learning_rate, seed, **place)
            return {"training": figures_of(tuned), **self.examined(tuned), **where_and_when()}

        return kept_data("04", name, make, {"letters": LETTERS, "method": method, **call})

    def examined(self, model: cl.ChatModel) -> dict[str, Any]:
        """The marks in the three exams, and how surprised the model is by each right answer of the general one.

        Who has sorted nothing but letters answers everything with a desk: of general knowledge nothing is *said* any
        more, by any method. The loss tells how far it has gone.
        """
        general = [cl.example(asked.question, asked.answer) for asked in self.exams["general"]]
        return {
            **{exam: marks(cl.evaluate(model, asked)) for exam, asked in self.exams.items()},
            "surprise": [round(scoring.held_out_loss(model, [answer]), 3) for answer in general],
        }

    def knows(self, model: cl.ChatModel) -> dict[str, Any]:
        """Which general questions a model knows, whatever it would say: is the right answer the likeliest of four?

        The others are answers to other questions of the same kind. The loss is a mean over tokens, so that short ones
        have no advantage; and a change of form, which makes all short answers likelier, moves all four.
        """
        asked = list(self.exams["general"])
        found = []
        for question in asked:
            rng = random.Random(question.id)
            others = sorted({q.answer for q in asked if q.kind == question.kind} - {question.answer})
            choices = [question.answer, *rng.sample(others, CHOICES - 1)]
            losses = [scoring.held_out_loss(model, [cl.example(question.question, choice)]) for choice in choices]
            found.append(int(losses.index(min(losses)) == 0))
        return {"knows": found}

    def trained(self, method: str, learning_rate: float, seed: int, **place: Any) -> cl.ChatModel:
        """A model after the study that all methods share."""
        return cl.finetune(self.gp, self.study, method, **self.call(method, learning_rate, seed, **place))

    def call(self, method: str, learning_rate: float, seed: int, **place: Any) -> dict[str, Any]:
        """What `cl.finetune` is told, beside the method."""
        call = {"epochs": EPOCHS, "batch_size": BATCH, "rank": RANK[method], "seed": seed} | place
        return call | {"learning_rate": learning_rate}

    def lora_rate(self) -> float:
        return self.search("lora")[0]

    def search(self, method: str) -> tuple[float, dict[float, dict[str, Any]]]:
        """The rate that does best on validation letters (of equals the lowest), and the runs at all of them."""
        runs = {rate: self.run(f"{method}-{rate:g}-seed-0", method, rate, 0) for rate in RATES[method]}
        return max(sorted(runs), key=lambda rate: runs[rate]["validation"]["accuracy"]), runs

    def reports(self, exam: str, runs: Mapping[int, dict[str, Any]]) -> list[cl.Report]:
        """What the runs did in an exam, a report a seed."""

        def report(run: dict[str, Any]) -> cl.Report:
            rows = [
                Row(asked.id, asked.question, asked.answer, "", verdict, 0.0, asked.fact or asked.id)
                for asked, verdict in zip(self.exams[exam], verdicts(run[exam]))
            ]
            return cl.Report(exam, exam, tuple(rows))

        return [report(run) for _, run in sorted(runs.items())]


def marks(report: cl.Report) -> dict[str, Any]:
    """What is kept of a report: its figures, and a letter for each verdict, in the order of the questions."""
    return {
        "accuracy": round(report.accuracy, 4),
        "ci": [round(end, 4) for end in report.ci],
        "n": report.n,
        "verdicts": "".join(VERDICTS[row.verdict] for row in report.rows),
    }


def verdicts(kept: dict[str, Any]) -> list[str]:
    words = {letter: word for word, letter in VERDICTS.items()}
    return [words[letter] for letter in kept["verdicts"]]


def figures_of(tuned: cl.ChatModel) -> dict[str, Any]:
    """What a training run cost, and what it leaves on disk."""
    training = tuned.training
    with tempfile.TemporaryDirectory() as folder:
        written = sum(path.stat().st_size for path in tuned.save(folder).glob("*.safetensors"))
    last = [loss for _, loss in training.losses[-8:]]
    return {
        "trainable": training.trainable,
        "parameters": training.parameters,
        "optimizer_bytes": training.optimizer_bytes,
        "file_bytes": written,
        "steps": len(training.losses),
        "tokens": training.tokens,
        "seconds": round(training.seconds, 1),
        "loss": round(sum(last) / len(last), 4),
    }

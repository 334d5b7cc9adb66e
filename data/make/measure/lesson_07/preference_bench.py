"""What `results_07.py` measures with: ways to learn from preferences, each trained when first needed; their exams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from lesson_07.divergence import kl_from
from lesson_07.preference_costs import cost
from shared.figures import of_seeds, pooled
from shared.keeping import kept, kept_data
from shared.students import Students, shelf_of_its_own, untrained

import course_lib as cl
from course_lib.core.chat import Pair
from course_lib.lessons import house_rule
from course_lib.lessons import letters as letters_module
from course_lib.lessons.house_rule import FAULTS, KIND
from course_lib.lessons.letters import RULE, grade_replies
from course_lib.training.reward import PairReport, RewardModel

LESSON = "07"
# The best on validation letters (see the recipes of results_07.py). DPO's rate did as well as half of it, which
# ends a nat from the start: too near for β to show.
RECIPES: dict[str, dict[str, Any]] = {
    "start": {"epochs": 1, "learning_rate": 2e-3, "batch_size": 8, "order": "random"},
    "chosen": {"epochs": 1, "learning_rate": 1e-3, "batch_size": 8, "order": "random"},
    "dpo": {"epochs": 1, "learning_rate": 1.25e-4, "batch_size": 4},
    "reward model": {"epochs": 1, "learning_rate": 5e-4, "batch_size": 8},
    "rloo": {"steps": 20, "samples": 16, "group": 4, "max_new_tokens": 48, "learning_rate": 5e-4},
}
PAIRS = 576  # all of them, for every way
KL_LETTERS, KL_SAMPLES, REPLY_TOKENS = 48, 1, 64


@dataclass(frozen=True)
class Way:
    """One way to learn from preferences; what is kept of it is made anew when any of this changes."""

    kind: str  # one of `RECIPES`
    beta: float = 0.1  # how strongly DPO is held to the start
    anchor: float = 0.0  # how much plain fine-tuning on the chosen replies counts besides, in DPO
    kl: float = 0.05  # how strongly a policy is held to the start
    pairs: int = PAIRS  # that it learns from; for a policy, that its reward model did
    steps: int = 1  # a policy's, in multiples of the recipe's
    flawed: bool = False  # whether a policy's reward counts kind words instead of asking the reward model
    clean: bool = False  # whether labels are the house's own, not those that people gave
    seed: int = 0
    recipe: tuple[tuple[str, Any], ...] = ()  # what differs from the recipe in use

    def of_seed(self, seed: int) -> Way:
        """The same way with another seed."""
        return replace(self, seed=seed)

    @property
    def slug(self) -> str:
        """As in the names of files."""
        said = {
            "dpo": [f"beta-{self.beta}", *[f"anchor-{self.anchor}"] * (self.anchor > 0)],
            "rloo": [f"kl-{self.kl}", *[f"{self.steps}-times"] * (self.steps > 1)],
        }
        marks = [*said.get(self.kind, []), *["kind-words"] * self.flawed, *["clean"] * self.clean]
        others = [(key, value) for key, value in self.recipe if RECIPES[self.kind].get(key) != value]
        marks += [f"{self.pairs}-pairs"] * (self.pairs != PAIRS) + [f"{key}-{value}" for key, value in others]
        return "-".join([self.kind.replace(" ", "-"), *marks, f"seed-{self.seed}"])

    def settings(self) -> dict[str, Any]:
        """All that decides what is learned."""
        return {**asdict(self), "recipe": {**RECIPES[self.kind], **dict(self.recipe)}}


def kind_words(prompts: Sequence[Any], replies: Sequence[str]) -> list[float]:
    """A reward that is not meant well: how many kind words there are."""
    return [float(len(KIND.findall(reply))) for reply in replies]


@dataclass(frozen=True)
class Committee:
    """Several judges as one: the mean of their scores (Coste et al. 2023, arXiv 2310.02743)."""

    judges: tuple[RewardModel, ...]

    @property
    def base(self) -> str:
        """Which judges sit in it, for the key of what it judges."""
        return " and ".join(judge.base for judge in self.judges)

    def __call__(self, prompts: Sequence[Any], replies: Sequence[str]) -> list[float]:
        return [
            sum(of_reply) / len(self.judges) for of_reply in zip(*(judge(prompts, replies) for judge in self.judges))
        ]

    def grade(self, pairs: Sequence[Pair]) -> PairReport:
        """As a reward model's."""
        each = [judge.grade(pairs) for judge in self.judges]
        return replace(each[0], name="committee", margins=sum(report.margins for report in each) / len(each))


class Bench:
    """What all measurements share: the model, the pairs, the letters; and the models that learned, as needed."""

    def __init__(self) -> None:
        shelf_of_its_own(LESSON)
        cl.start(seed=0)
        self.train = letters_module.load_preferences("train")
        self.letters = {split: letters_module.load_preferences(split) for split in ("validation", "test")}
        letters_module.check_replies_apart(self.train, [*self.letters["validation"], *self.letters["test"]])
        self.learned = Students(most=2, lasting="start")

    @cached_property
    def gp(self) -> cl.ChatModel:
        return untrained()

    def model(self, way: Way | None) -> Any:
        """What learned in this way; None is the model as it was."""
        return self.gp if way is None else self.learned.trained(way.slug, lambda: self._trained(way))

    def _trained(self, way: Way) -> Any:
        common = {"name": way.slug, "seed": way.seed, "from_shelf": True, **way.settings()["recipe"]}
        rows = self._pairs(way)
        if way.kind == "start":
            return cl.finetune(self.gp, letters_module.staff_archive(self.train, way.seed), **common)
        start = self.model(Way("start", seed=common.pop("start", way.seed)))
        if way.kind == "chosen":
            return cl.finetune(start, [row.as_example() for row in rows], **common)
        if way.kind == "dpo":
            return cl.prefer(start, [row.as_pair() for row in rows], beta=way.beta, anchor=way.anchor, **common)
        if way.kind == "reward model":
            return cl.train_reward_model(start, [row.as_pair() for row in rows], **common)
        common.pop("judges", None)
        reward = kind_words if way.flawed else self.judge(way)
        common["steps"] *= way.steps
        return cl.reinforce(start, [row.letter() for row in self.train], reward, "rloo", kl=way.kl, **common)

    def judge(self, way: Way) -> RewardModel | Committee:
        """The reward model of a way's seed; where its recipe names `judges`, such as "0-1", those of these seeds."""
        seeds = str(way.settings()["recipe"].get("judges", way.seed)).split("-")
        judges = tuple(self.model(Way("reward model", pairs=way.pairs, seed=int(seed))) for seed in seeds)
        return Committee(judges) if len(judges) > 1 else judges[0]

    def _pairs(self, way: Way) -> list[letters_module.Preference]:
        every = len(self.train) // way.pairs  # of every issue some, as far as there are enough
        rows = self.train[::every][: way.pairs]
        return [replace(row, chosen=row.better, rejected=row.worse) for row in rows] if way.clean else rows

    # Exams

    def report(
        self, way: Way | None, letters: Sequence[Any] | None = None, label: str = "", rule: bool = False,
        temperature: float = 1.0,
    ) -> Any:  # fmt: skip
        """How much of its replies to held-out letters keeps the rule; sampled, one to each letter."""
        asked = letters or self.letters["test"]
        likeliest = temperature == 0
        marks = [*["rule"] * rule, *["likeliest"] * likeliest, *[label] * bool(label)]
        name = "-".join([way.slug if way else "untrained", *marks])
        wanted = {"way": way.settings() if way else None, "n": len(asked), "temperature": temperature}

        def write() -> cl.Report:
            return letters_module.write_replies(self.model(way), asked, rule, name, temperature)

        return kept(LESSON, name, write, wanted)

    def taken_apart(self, reports: Sequence[cl.Report]) -> dict[str, Any]:
        """Share that keeps the rule, share that has each fault, and words a reply."""
        parts = [grade_replies(report, self.letters["test"]) for report in reports]
        words = [len(row.reply.split()) for report in reports for row in report.rows]
        free = {fault: round(pooled([part[fault] for part in parts]).accuracy, 4) for fault in FAULTS}
        return of_seeds([part[RULE] for part in parts]) | {
            "faults": {fault: round(1 - share, 4) for fault, share in free.items()},
            "words": round(sum(words) / len(words), 1),
        }

    def kl(self, way: Way) -> dict[str, Any]:
        """How far from its start: KL of a reply, in nats, on held-out letters."""

        def make() -> dict[str, Any]:
            letters = [row.letter() for row in self.letters["test"][:: len(self.letters["test"]) // KL_LETTERS]]
            start = self.model(Way("start", seed=way.seed))
            found = kl_from(self.model(way), start, letters, KL_SAMPLES, REPLY_TOKENS)
            return {"kl": round(found.kl, 3), "ci": [round(end, 3) for end in found.ci], "n": found.n}

        return kept_data(LESSON, f"{way.slug}-kl", make, way.settings())

    def distance(self, ways: Sequence[Way]) -> dict[str, Any]:
        """KL of each seed, and their mean."""
        found = [self.kl(way)["kl"] for way in ways]
        return {"kl": round(sum(found) / len(found), 3), "kl_seeds": found}

    def general(self, way: Way | None) -> cl.Report:
        """General questions, which nobody trained."""
        exam = cl.load_exam("general")
        wanted = {"way": way.settings() if way else None, "n": len(exam)}
        name = f"{way.slug if way else 'untrained'}-general"
        return kept(LESSON, name, lambda: cl.evaluate(self.model(way), exam, name), wanted)

    def graded(self, way: Way) -> dict[str, Any]:
        """A judge on held-out pairs: against the labels, against the house, and which faults it sees."""

        def make() -> dict[str, Any]:
            rows = self.letters["test"]
            judge = self.judge(way)
            labelled = judge.grade([row.as_pair() for row in rows])
            true = judge.grade([replace(r, chosen=r.better, rejected=r.worse).as_pair() for r in rows])
            table = true.calibration().reset_index()
            return {
                "labels": _graded(labelled), "house": _graded(true), "calibration": table.to_dict("records"),
                "faults": _seen(rows, true.right), "noise": round(sum(row.noise for row in rows) / len(rows), 4),
            }  # fmt: skip

        found = kept_data(LESSON, f"{way.slug}-graded", make, way.settings())
        return {key: found[key] for key in ("labels", "house", "calibration", "faults", "noise")}

    # Training

    def curve(self, way: Way) -> dict[str, Any]:
        """What its training log followed, by name: [[step, value], ...]."""

        def make() -> dict[str, Any]:
            training = self.model(way).training
            curves = {name: [[s, round(v, 4)] for s, v in rows] for name, rows in training.curves.items()}
            return {"curves": curves, "samples": list(training.samples)[::6], "seconds": round(training.seconds, 1)}

        found = kept_data(LESSON, f"{way.slug}-curves", make, way.settings())
        return {key: found[key] for key in ("curves", "samples", "seconds")}

    def curves(self, *ways: Way) -> dict[str, Any]:
        """The logs of several ways."""
        return {way.kind: self.curve(way) for way in ways}

    def cost(self, way: Way) -> dict[str, Any]:
        """Seconds of a step and of all steps, what a step reads, and bytes at the peak."""
        recipe = way.settings()["recipe"]
        made = kept_data(LESSON, f"{way.kind.replace(' ', '-')}-cost", lambda: cost(way.kind, recipe), recipe)
        steps = recipe["steps"] if way.kind == "rloo" else math.ceil(way.pairs / recipe["batch_size"])
        found = {key: made[key] for key in ("step_seconds", "tokens_a_step", "peak_bytes")}
        return {"steps": steps, "seconds": round(steps * found["step_seconds"], 1), **found}


def _graded(report: Any) -> dict[str, Any]:
    return {
        "accuracy": round(report.accuracy, 4), "ci": [round(end, 4) for end in report.ci], "n": report.n,
        "calibration_error": round(report.calibration_error, 4),
    }  # fmt: skip


def _seen(rows: Sequence[letters_module.Preference], right: Sequence[float]) -> dict[str, dict[str, Any]]:
    """For each fault the share of pairs told rightly in which nothing else is the matter with the worse reply."""
    faults = [set(_broken(row.desk, row.worse)) - set(_broken(row.desk, row.better)) for row in rows]
    found = {}
    for fault in FAULTS:
        alone = [float(told) for these, told in zip(faults, right) if these == {fault}]
        if alone:
            found[fault] = {"right": round(sum(alone) / len(alone), 4), "n": len(alone)}
    return found


def _broken(desk: str, reply: str) -> tuple[str, ...]:
    return house_rule.keeps_the_rule(desk, reply).broken

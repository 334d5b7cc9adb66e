"""The full-size measurements behind lesson 07. Resumable, about nine hours of one core.

    OMP_NUM_THREADS=1 python data/make/measure/results_07.py [--seeds 0 1 2] [--only PART ...]

First `--only recipes`: what it finds best on validation letters goes into the recipes of `preference_bench.py`.

recipes     learning rates and lengths of training, on validation letters
start       what a prompt is worth: the untrained model and the supervised start, with the house rule and without
reward      reward models: accuracy and calibration on held-out pairs, over the number of pairs and by seed
frontier    the true reward against KL from the start: DPO at four β, RLHF at two strengths of KL, plain fine-tuning
likeliest   the same for replies at temperature 0, which hide the faults that are seldom
pairs       DPO on a short leash, over the number of pairs
few         what the lesson trains live, three times from one start: DPO on 72 pairs, and its anchor alone
noise       DPO, on a long leash and a short one, from the labels as they are and from those that the house would give
hacking     what a policy learns from the judge of each seed, from all of them together, without KL, and from a reward
            that is not meant well
forgotten   general questions, which nobody trained
costs       seconds and peak memory of a step of each way, and the seconds of the whole of it

Every report goes to `data/results/07.parquet`, what the lesson and the README quote to `data/results/07.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lesson_07.preference_bench import LESSON, Bench, Way
from shared.figures import counted, difference, figures, of_seeds
from shared.scripts import asked_for, measure_parts

BETAS = (0.05, 0.1, 0.5, 1.0)
STRENGTHS = (0.05, 0.2)
SIZES = (72, 144, 288, 576)
START = Way("start")
CHOSEN = Way("chosen")
DPO, LEASHED = Way("dpo", beta=0.1), Way("dpo", beta=1.0)
RLHF = Way("rloo", kl=0.05)
JUDGE = Way("reward model")
TOLD = "untrained, told the rule"
TEMPERATURES = {"sampled": 1.0, "likeliest": 0.0}
COMMITTEE = (("judges", "0-1-2"),)
# The lesson's own training: 72 pairs, from the start of seed 0 whatever the seed.
LIVE = (("learning_rate", 5e-4), ("batch_size", 2), ("rank", 4), ("start", 0))
FEW: dict[str, Way] = {
    "fine-tuned on the chosen": Way("chosen", pairs=72, recipe=LIVE),
    "DPO": Way("dpo", pairs=72, anchor=1.0, recipe=LIVE),
}
FRONTIER: dict[str, Way] = {
    "fine-tuned on the chosen": CHOSEN,
    **{f"DPO, β = {beta}": Way("dpo", beta=beta) for beta in BETAS},
    **{f"RLHF, KL × {kl}": Way("rloo", kl=kl) for kl in STRENGTHS},
}
# Names to ways: what the recipes of `preference_bench.py` were chosen among, and the lesson's few pairs.
RECIPES: dict[str, Way] = {
    **{f"chosen, {rate:g}": Way("chosen", pairs=288, recipe=(("learning_rate", rate),)) for rate in (1e-3, 2e-3)},
    **{
        f"DPO, {pairs} pairs, {batch} at once, {rate:g}, anchor {anchor}": Way(
            "dpo", pairs=pairs, anchor=anchor, recipe=(("learning_rate", rate), ("batch_size", batch))
        )
        for pairs, batch, rate, anchor in (
            (96, 4, 2e-3, 0.0), (96, 4, 1e-3, 0.0), (96, 2, 5e-4, 0.0), (96, 2, 2.5e-4, 0.0),
            (96, 4, 2e-3, 0.5), (96, 4, 2e-3, 1.0), (96, 2, 5e-4, 1.0),
            (144, 3, 2.5e-4, 0.0), (192, 4, 2.5e-4, 0.0), (192, 4, 5e-4, 0.0), (192, 4, 1e-3, 0.0),
            (576, 4, 6e-5, 0.0), (576, 4, 1.25e-4, 0.0), (576, 4, 2.5e-4, 0.0),
        )
    },
    "DPO, 96 pairs, 2 at once, 0.0005, anchor 1.0, rank 4": Way(  # the lesson's settings, which reads 72
        "dpo", pairs=96, anchor=1.0, recipe=(("learning_rate", 5e-4), ("batch_size", 2), ("rank", 4))
    ),
    "RLHF, a judge of 288 pairs, 30 steps": Way("rloo", pairs=288, recipe=(("steps", 30),)),
    "RLHF": Way("rloo"),
}  # fmt: skip


def recipes(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Each recipe on validation letters, seed 0."""
    letters = bench.letters["validation"]
    found = {}
    for name, way in {"start": START, **RECIPES}.items():
        report = bench.report(way, letters, "validation")
        words = sum(len(row.reply.split()) for row in report.rows) / report.n
        found[name] = figures(report) | {"words": round(words, 1)}
        found[name]["kl"] = bench.kl(way)["kl"] if way is not START else 0.0
    return found


def start(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Asking for it, against having learned how staff reply."""
    starts = [START.of_seed(seed) for seed in seeds]
    reports = {
        "untrained": [bench.report(None)],
        "untrained, told the rule": [bench.report(None, rule=True)],
        "untrained, told the rule, likeliest": [bench.report(None, rule=True, temperature=0.0)],
        "start": [bench.report(way) for way in starts],
        "start, likeliest": [bench.report(way, temperature=0.0) for way in starts],
        "start, told the rule": [bench.report(way, rule=True) for way in starts],
    }
    return {name: bench.taken_apart(of_name) for name, of_name in reports.items()}


def reward(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """How well reward models know what is preferred; the labels are wrong in a tenth of the pairs."""
    return {
        "over pairs": {str(n): bench.graded(replace(JUDGE, pairs=n)) for n in SIZES},
        "by seed": {str(seed): bench.graded(JUDGE.of_seed(seed)) for seed in seeds},
        "committee": bench.graded(replace(JUDGE, recipe=COMMITTEE)),
    }


def frontier(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Every way: how much of the rule is kept, how far it has gone, what it is free of."""
    ways = {name: [way.of_seed(seed) for seed in seeds] for name, way in FRONTIER.items()}
    found = {
        name: bench.taken_apart([bench.report(way) for way in of_name]) | bench.distance(of_name)
        for name, of_name in ways.items()
    }
    return {"ways": found, "seeds": list(seeds), "curves": bench.curves(RLHF, DPO)}


def likeliest(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What a product gets that sends the likeliest reply and no other."""
    reports = {
        name: [bench.report(way.of_seed(seed), temperature=0.0) for seed in seeds]
        for name, way in {"start": START, **FRONTIER}.items()
    }
    return {"ways": {name: bench.taken_apart(of_name) for name, of_name in reports.items()}}


def pairs(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """DPO on a short leash over the number of pairs, seed 0; each as many steps as it has pairs for."""
    return {
        str(n): {name: bench.taken_apart([bench.report(replace(LEASHED, pairs=n), temperature=temperature)])
                 for name, temperature in TEMPERATURES.items()}
        for n in SIZES
    }  # fmt: skip


def few(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What the second term of DPO's loss adds to the anchor, on few pairs: both from one start, asked both ways."""
    return {
        asking: {
            name: bench.taken_apart([bench.report(way.of_seed(seed), temperature=temperature) for seed in seeds])
            for name, way in FEW.items()
        }
        for asking, temperature in TEMPERATURES.items()
    }


def noise(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What wrong labels cost, on a long leash and on a short one."""
    found: dict[str, Any] = {}
    for way in (DPO, LEASHED):
        found[f"β = {way.beta}"] = {}
        for name, temperature in TEMPERATURES.items():
            given, true = (bench.report(replace(way, clean=clean), temperature=temperature) for clean in (False, True))
            marks = {"as labelled": bench.taken_apart([given]), "as the house would": bench.taken_apart([true])}
            found[f"β = {way.beta}"][name] = marks | {"cost": difference([true], [given])}
    return found


def hacking(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """The policy of each seed, paid by the judge of its seed, and the last one paid by all of them together; one
    without KL, for longer; one paid for kind words."""
    ways = {
        "no KL": Way("rloo", kl=0.0, steps=2), "kind words": Way("rloo", kl=0.0, flawed=True),
        "committee": Way("rloo", recipe=COMMITTEE, seed=seeds[-1]),
    }  # fmt: skip
    found: dict[str, Any] = {name: _policy(bench, way) for name, way in ways.items()}
    return found | {"by seed": {str(seed): _policy(bench, RLHF.of_seed(seed)) for seed in seeds}}


def _policy(bench: Bench, way: Way) -> dict[str, Any]:
    report = bench.report(way)
    told = {"curves": bench.curve(way)["curves"], "replies": [row.reply for row in report.rows[:6]]}
    return bench.taken_apart([report]) | bench.distance([way]) | told


def forgotten(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """General questions before and after."""
    ways: dict[str, list[Way | None]] = {"untrained": [None], "start": [START.of_seed(seed) for seed in seeds]}
    for name, way in {"fine-tuned on the chosen": CHOSEN, "DPO": DPO, "RLHF": RLHF}.items():
        ways[name] = [way.of_seed(seed) for seed in seeds]
    reports = {name: [bench.general(way) for way in of_name] for name, of_name in ways.items()}
    lost = {f"{name} minus untrained": difference(reports[name], reports["untrained"]) for name in list(ways)[1:]}
    return {name: of_seeds(of_name) for name, of_name in reports.items()} | {"differences": lost}


def costs(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """Seconds and peak memory of each way."""
    ways = {"fine-tuned on the chosen": CHOSEN, "DPO": DPO, "reward model": JUDGE, "RLHF": RLHF}
    return {name: bench.cost(way) for name, way in ways.items()}


PARTS = (recipes, start, reward, frontier, likeliest, pairs, few, noise, hacking, forgotten, costs)
ORDER = tuple(part.__name__ for part in PARTS)


def summary(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts, and what the README says of them; nothing before the frontier is measured, asked both ways."""
    if not {"start", "frontier", "likeliest"} <= set(parts):
        return parts
    sampled = parts["frontier"]["ways"] | parts["start"]
    best = parts["likeliest"]["ways"] | {TOLD: parts["start"][f"{TOLD}, likeliest"]}

    def both(name: str) -> str:
        return f"{best[name]['accuracy']:.2f} ({sampled[name]['accuracy']:.2f})"

    dpo = " to ".join(f"{both(f'DPO, β = {beta}')} at β = {beta}" for beta in (BETAS[0], BETAS[-1]))
    headline = (
        f"likeliest replies (sampled ones) that keep the house rule: told it {both(TOLD)}, as staff reply "
        f"{both('start')}, fine-tuned on the chosen {both('fine-tuned on the chosen')}, DPO {dpo}, "
        f"RLHF {both(f'RLHF, KL × {RLHF.kl}')} (n = {best[TOLD]['n']}, {counted(parts['frontier']['seeds'])})"
    )
    limits = []
    if "hacking" in parts:
        words = parts["hacking"]["kind words"]
        limits.append(
            f"a policy that was paid for kind words keeps the house rule in {words['accuracy']:.2f} of its replies"
        )
        alike = sorted(policy["accuracy"] for policy in parts["hacking"]["by seed"].values())
        limits.append(
            f"policies paid by {len(alike)} reward models of the same labels, which differ by chance alone, keep it in "
            f"{alike[0]:.2f} to {alike[-1]:.2f} of their sampled replies"
        )
    return {**parts, "headline": headline, "limits": limits}


def main(arguments: Sequence[str] | None = None) -> None:
    options = asked_for(__doc__, arguments, ORDER)
    bench = Bench()
    measure = {part.__name__: partial(part, bench, options.seeds) for part in PARTS}
    measure_parts(LESSON, measure, options.only, summary)


if __name__ == "__main__":
    main()

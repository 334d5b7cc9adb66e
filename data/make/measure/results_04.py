"""The full-size measurements behind lesson 04. Resumable, about an hour and a half on two cores, one thread each.

    OMP_NUM_THREADS=1 python data/make/measure/results_04.py [--seeds 0 1 2] [--only PART ...]

Every method of fine-tuning learns to sort the same letters, in the same number of steps, at each of several learning
rates; the rate that does best on validation letters is run with every seed. The other parts ask where LoRA should go,
how large it should be, in how many directions full fine-tuning moves, what four bits cost, and what a step costs in
time and memory. Two processes may share the work, each with parts of its own:

    OMP_NUM_THREADS=1 python data/make/measure/results_04.py --only lora adapter place rank quantization
    OMP_NUM_THREADS=1 python data/make/measure/results_04.py --only full qlora prefix prompt directions

A last run without --only measures the steps, alone on the machine, and writes `data/results/04.json`; single runs are
kept in `data/results/04.parquet`. All is computed in fp32, so that memory compares like with like, as it is on most
laptops.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from lesson_04 import four_bits, low_rank
from lesson_04.method_bench import BATCH, CHOICES, EPOCHS, LETTERS, RANK, RATES, Bench, marks
from shared import stepping
from shared.figures import compared, counted, named, pooled, resampled
from shared.keeping import kept_data
from shared.scripts import asked_for, write_summary
from shared.stepping import where_and_when

import course_lib as cl
from course_lib.models import scoring

# Where LoRA goes instead. "equal" trains as many parameters as rank 8 does on all matrices, within 2%.
PLACES: dict[str, dict[str, Any]] = {
    "upper": {"layers": "upper"},
    "attention-equal": {"targets": "attention", "rank": 21},
    "mlp-equal": {"targets": "mlp", "rank": 13},
    "upper-equal": {"layers": "upper", "rank": 16},
    "attention": {"targets": "attention"},
}
EVERY_SEED = ("upper", "attention-equal")
RANKS = (1, 64, 4, 16)


def one_method(bench: Bench, method: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Search, then every seed at the rate that was found."""
    rate, found = bench.search(method)
    runs = {seed: bench.run(f"{method}-{rate:g}-seed-{seed}", method, rate, seed) for seed in seeds}
    return {"learning_rate": rate, "rank": RANK[method], "search": found, "runs": runs}


def places(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """LoRA in other places, at the rate that it has everywhere."""
    rate = bench.lora_rate()
    return {
        name: {
            seed: bench.run(f"{name}-seed-{seed}", "lora", rate, seed, **place)
            for seed in (seeds if name in EVERY_SEED else seeds[:1])
        }
        for name, place in PLACES.items()
    }


def ranks(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """LoRA of other ranks, at the rate that it has with rank 8."""
    rate, seed = bench.lora_rate(), seeds[0]
    return {rank: {seed: bench.run(f"rank-{rank}-seed-{seed}", "lora", rate, seed, rank=rank)} for rank in RANKS}


def quantization(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What each format of four bits costs: the generalist, and a specialist that is rounded after its training."""
    rate = bench.lora_rate()

    @cache
    def specialist() -> cl.ChatModel:
        return cl.merged(bench.trained("lora", rate, 0))

    def of(name: str) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            general, letters = cl.load_exam("general"), bench.exams["test"]
            rounded = four_bits.FORMATS[name](bench.gp)
            return {
                **four_bits.error(bench.gp, rounded),
                "loss": round(scoring.held_out_loss(rounded, cl.general_study()), 4),
                "general": marks(cl.evaluate(rounded, general)),
                "letters": marks(cl.evaluate(four_bits.FORMATS[name](specialist()), letters)),
                **where_and_when(),
            }

        return kept_data("04", f"format-{name}", make, {"letters": LETTERS, "learning_rate": rate})

    once_before = kept_data("04", "once-before", lambda: four_bits.once_before(bench.gp))
    return {"formats": {name: of(name) for name in four_bits.FORMATS}, "once_before": once_before}


def directions(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """How many directions full fine-tuning moves in, and what is left of its skill if it may keep only a few."""
    rate = bench.search("full")[0]

    def make() -> dict[str, Any]:
        tuned = bench.trained("full", rate, 0)
        found, cut = low_rank.look(bench.gp, tuned)
        kept = {rank: marks(cl.evaluate(cut(rank), bench.exams["test"])) for rank in low_rank.CUTS}
        return {**found, "kept": kept, **where_and_when()}

    return kept_data("04", "directions", make, {"letters": LETTERS, "learning_rate": rate})


def forgetting(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What full fine-tuning and LoRA still know of common things, told apart from how they now answer."""

    def of(method: str, rate: float, seed: int) -> list[int]:
        def make() -> dict[str, Any]:
            return bench.knows(bench.trained(method, rate, seed)) | where_and_when()

        name = f"knows-{method}-{rate:g}-seed-{seed}"
        return kept_data("04", name, make, {"letters": LETTERS, **bench.call(method, rate, seed)})["knows"]

    before = kept_data("04", "knows-before", lambda: bench.knows(bench.gp))["knows"]
    after = {}
    for method in ("lora", "full"):
        rate = bench.search(method)[0]
        after[method] = np.array([of(method, rate, seed) for seed in seeds], dtype=float)  # (seeds, questions)
    found = {"before": np.array([before], dtype=float), **after}
    apart = {"full minus lora": after["full"] - after["lora"]}
    apart |= {f"{method} minus before": after[method] - found["before"] for method in after}
    each = {
        name: mean(values.mean(0)) | {"by_student": [round(float(one), 4) for one in values.mean(1)]}
        for name, values in (found | apart).items()
    }
    return {"n": len(before), "choices": CHOICES} | each


PARTS = {
    **{method: lambda bench, seeds, method=method: one_method(bench, method, seeds) for method in RATES},
    "place": places,
    "rank": ranks,
    "quantization": quantization,
    "directions": directions,
    "forgetting": forgetting,
}


def steps() -> dict[str, Any]:
    """Seconds and memory of a step; only meaningful when nothing else runs."""
    return {
        name: kept_data("04", f"step-{name}", lambda name=name: {**stepping.measure(name), **where_and_when()}, variant)
        for name, variant in stepping.VARIANTS.items()
    }


def differences(bench: Bench, arms: Mapping[str, Mapping[int, dict[str, Any]]]) -> dict[str, Any]:
    """Everything against LoRA of the same seeds, in both exams, paired; intervals resample issues."""
    lora, found = arms["lora"], {}
    for name, runs in arms.items():
        if name == "lora":
            continue
        alike = {seed: lora[seed] for seed in runs}
        for exam in ("test", "general"):
            some, others = bench.reports(exam, runs), bench.reports(exam, alike)
            told = {"name": f"{name} minus LoRA", "seeds": len(runs)}
            found.setdefault(name, {})[exam] = compared(some, others) | told
        found[name]["surprise"] = mean(surprise(runs) - surprise(alike)) | {"seeds": len(runs)}
    return found


def spread(bench: Bench, arms: Mapping[str, Mapping[int, dict[str, Any]]]) -> dict[str, list[float]]:
    """How far the best of some arms is from the worst, on the test letters of seed 0: ranks, and places of equal size.

    Of "ranks", "places" and "places minus ranks" the value, and the 95% interval that drawing issues gives.
    """
    ranks = ["lora", *(f"rank-{rank}" for rank in RANKS)]
    places = ["lora", *(name for name in PLACES if name.endswith("equal"))]
    reports = {name: bench.reports("test", {0: arms[name][0]})[0] for name in (*ranks, *places)}
    issues, of_issue = np.unique([row.fact for row in reports["lora"].rows], return_inverse=True)
    hits = {name: np.bincount(of_issue, weights=report.hits()) for name, report in reports.items()}  # (issues,)
    letters = np.bincount(of_issue)  # (issues,)

    def far(group: Sequence[str], drawn: np.ndarray) -> np.ndarray:
        shares = [hits[name][drawn].sum(1) / letters[drawn].sum(1) for name in group]
        return np.max(shares, axis=0) - np.min(shares, axis=0)  # (draws,)

    asked = {
        "ranks": lambda drawn: far(ranks, drawn),
        "places": lambda drawn: far(places, drawn),
        "places minus ranks": lambda drawn: far(places, drawn) - far(ranks, drawn),
    }
    return {name: resampled(what, len(issues)) for name, what in asked.items()}


def rate_ratio(bench: Bench) -> dict[str, Any]:
    """LoRA's best rate on validation letters over full's, with the 95% interval that drawing issues gives."""
    found = {method: bench.search(method)[1] for method in ("lora", "full")}
    first = bench.reports("validation", {0: found["lora"][bench.lora_rate()]})[0]
    issues, of_issue = np.unique(first.facts(), return_inverse=True)

    def best(method: str, drawn: np.ndarray) -> np.ndarray:
        rates = sorted(found[method])  # of equals the lowest, as `search` has it
        hits = [bench.reports("validation", {0: found[method][rate]})[0].hits() for rate in rates]
        right = np.stack([np.bincount(of_issue, weights=row)[drawn].sum(1) for row in hits])  # (rates, draws)
        return np.array(rates)[right.argmax(0)]

    return named(resampled(lambda drawn: best("lora", drawn) / best("full", drawn), len(issues))) | {"n": first.n}


def surprise(runs: Mapping[int, dict[str, Any]]) -> np.ndarray:
    """Loss on each right answer to a general question, in nats a token, mean over seeds: (questions,)."""
    return np.mean([run["surprise"] for run in runs.values()], axis=0)


def mean(values: np.ndarray) -> dict[str, float]:
    """A mean with the 95% interval that drawing questions gives."""
    return named(resampled(lambda drawn: values[drawn].mean(1), len(values)))


def over_all_seeds(bench: Bench, arms: Mapping[str, Mapping[int, dict[str, Any]]]) -> dict[str, Any]:
    """Both exams of each arm over its seeds, with the interval that its issues give, and its surprise."""

    def figures(exam: str, runs: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
        reports = bench.reports(exam, runs)
        each, kept = [round(report.accuracy, 4) for report in reports], marks(pooled(reports))
        return {"accuracy": kept["accuracy"], "ci": kept["ci"], "n": reports[0].n, "seeds": each}

    return {
        name: {exam: figures(exam, runs) for exam in ("test", "general")} | {"surprise": mean(surprise(runs))}
        for name, runs in arms.items()
    }


def short(found: Any) -> Any:
    """What a lesson quotes: figures, of surprise the mean, without each verdict and what is the same for all."""
    if not isinstance(found, Mapping):
        return found
    kept = {str(key): short(value) for key, value in found.items() if key not in ("verdicts", "settings", "machine")}
    return kept | ({"surprise": round(float(np.mean(found["surprise"])), 4)} if "surprise" in found else {})


def main(arguments: Sequence[str] | None = None) -> None:
    options = asked_for(__doc__, arguments, tuple(PARTS))
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is a lesson's
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")  # multiplies no bf16, so that the session takes fp32
    bench = Bench()
    if options.only:
        for part in options.only:
            PARTS[part](bench, options.seeds)
        return
    found = {part: make(bench, options.seeds) for part, make in PARTS.items()}
    methods = {method: found[method] for method in RANK}
    sizes = kept_data("04", "sizes", lambda: {name: four_bits.size(name, bench.gp) for name in four_bits.FORMATS})
    for name, format in found["quantization"]["formats"].items():
        format["bytes"] = sizes[name]
    before = kept_data("04", "before", lambda: bench.examined(bench.gp))
    arms = {method: row["runs"] for method, row in methods.items()} | found["place"]
    arms |= {f"rank-{rank}": runs for rank, runs in found["rank"].items()}
    marked = over_all_seeds(bench, arms)
    lora, full, four_bit = (marked[method]["test"]["accuracy"] for method in ("lora", "full", "qlora"))
    measured = steps()
    memory = measured["qlora"]["peak_bytes"] / measured["lora"]["peak_bytes"]
    trained = next(iter(methods["lora"]["runs"].values()))["training"]
    share = trained["trainable"] / trained["parameters"]
    write_summary(
        "04",
        {
            "letters": LETTERS, "epochs": EPOCHS, "batch_size": BATCH,
            "machine": {what: measured["lora"][what] for what in where_and_when()},
            "before": short(before),
            "methods": short(methods),
            **{part: short(found[part]) for part in ("place", "rank", "quantization", "directions", "forgetting")},
            "steps": short(measured),
            "pooled": marked,
            "against_lora": differences(bench, arms),
            "rate_ratio": rate_ratio(bench),
            "spread": spread(bench, arms),
            "headline": f"letters sorted: {lora:.2f} by LoRA, which trains {share:.1%} of all numbers, {full:.2f} by "
            f"full fine-tuning, {four_bit:.2f} by QLoRA with {memory:.2f} of LoRA's memory "
            f"(n = {len(bench.exams['test'])}, {counted(options.seeds)})",
            "limits": [
                f"having studied letters alone, it answers {marked['lora']['general']['accuracy']:.2f} of the general "
                f"questions right, and {before['general']['accuracy']:.2f} before (n = {before['general']['n']})"
            ],
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()

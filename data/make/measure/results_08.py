"""The measurements behind lesson 08. Resumable; alone on the machine, or its seconds mean nothing.

    OMP_NUM_THREADS=1 python data/make/measure/results_08.py [--only PART ...]

`costs` (about ten minutes on two cores): the machine is calibrated by a few short runs, and eight real runs are held
against their forecasts, seconds and memory. `style` (about a quarter of an hour): the specialist in a voice, three
seeds, against a model that is told the wish and one that is shown it. `fresh` (about half an hour): new editions of
five policies, by an update of the index and by training again. Single runs are kept in `data/results/08.parquet`, the
summary in `data/results/08.json`. All is computed in fp32, as on most laptops.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from lesson_06 import reading_bench
from lesson_08 import costing, fresh_bench, style_bench
from shared.scripts import asked_for, measure_parts
from shared.students import untrained
from three_sizes import reading

import course_lib as cl

# The costs first: their processes must not find a session that keeps adapters, which `fresh` begins.
ORDER = ("costs", "style", "fresh")


@lru_cache(maxsize=1)
def larger(name: str) -> cl.ChatModel:
    """A larger student as it was, loaded when something is asked of it, in place of the one before."""
    cl.start(seed=0)
    return cl.load_model(name)


@cache
def trained_reader() -> cl.ChatModel:
    """Lesson 06's small reader: a hundred questions on other documents than any handbook's."""
    plan = reading.PLANS["RAFT, 112 examples"]
    examples = reading_bench.reading_examples(plan, reading.study_shelf(), *reading.exams())
    recipe = {**reading_bench.RECIPE, **plan.recipe}
    return cl.finetune(untrained(), examples, name="06-raft", seed=0, from_shelf=True, **recipe)


READERS: dict[str, Callable[[], cl.ChatModel]] = {
    "trained reader": trained_reader, "0.5B": partial(larger, "qwen-0.5b"), "1.5B": partial(larger, "qwen-1.5b"),
}  # fmt: skip


def style(seeds: Sequence[int]) -> dict[str, Any]:
    """The specialist in a voice, and as `tuned` what the course's tables quote of it."""
    found = style_bench.style(untrained, seeds)
    return {"tuned": found["arms"]["specialist"]["voice"], **found}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The parts, and the sentences for the README; none before the costs are measured."""
    if "costs" not in found:
        return found
    costs = found["costs"]
    seconds, peak = (costs["worst"][what] for what in ("seconds", "peak"))
    headline = (
        f"a few short runs predict others: {costs['within']} of {costs['n']} within {costs['allowed']:.0%}, "
        f"at worst {seconds:.0%} off in seconds and {peak:.0%} in memory"
    )
    limits = []
    if "fresh" in found:
        fresh = found["fresh"]
        headline += (
            f"; new editions of {fresh['documents']} policies are in the index after {fresh['index_seconds']:.1f} s, "
            f"and by heart after {fresh['retrain_seconds'] / 60:.1f} minutes"
        )
        told = fresh["withdrawn"]
        limits.append(
            f"of what its documents said before they were withdrawn, a student by heart still tells "
            f"{told['accuracy']:.2f} (n = {told['n']})"
        )
    if "style" in found:
        both, voice = (found["style"]["arms"]["specialist"][judge] for judge in ("both", "voice"))
        limits.append(
            f"a specialist in Shakespeare's voice has the voice in {voice['accuracy']:.2f} of its replies, and voice "
            f"and every fact in {both['accuracy']:.2f} (n = {both['n']})"
        )
    return {**found, "headline": headline} | ({"limits": limits} if limits else {})


def main(arguments: Sequence[str] | None = None) -> None:
    options = asked_for(__doc__, arguments, ORDER)
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is a lesson's
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")  # multiplies no bf16, so that the session takes fp32
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "costs": costing.costs,
        "style": lambda: style(options.seeds),
        "fresh": lambda: fresh_bench.fresh(untrained, READERS, lambda: cl.build_index("data/library"), options.seeds),
    }
    measure_parts("08", measure, options.only, summary)


if __name__ == "__main__":
    main()

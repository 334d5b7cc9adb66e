"""The measurements behind lesson 08. Resumable; alone on the machine, or its seconds mean nothing.

    OMP_NUM_THREADS=1 python data/make/results_08.py [--only PART ...]

`costs` (about ten minutes on two cores): the machine is calibrated by a few short runs, and eight real runs are held
against their forecasts, seconds and memory. Single runs are kept in `data/results/08/`, the summary in
`data/results/08.json`. All is computed in fp32, as on most laptops.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import costing
from keeping import measure_parts

PARTS = {"costs": costing.costs}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The parts, and the sentence for the README; none before the costs are measured."""
    if "costs" not in found:
        return found
    costs = found["costs"]
    seconds, peak = (costs["worst"][what] for what in ("seconds", "peak"))
    headline = (
        f"a few short runs foretell others: {costs['within']} of {costs['n']} within {costs['allowed']:.0%}, "
        f"at worst {seconds:.0%} off in seconds and {peak:.0%} in memory"
    )
    return {**found, "headline": headline}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    os.environ["COURSE_RECORD"] = ""  # none of these adapters is a lesson's
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")  # multiplies no bf16, so that the session takes fp32
    measure_parts("08", PARTS, options.only, summary)


if __name__ == "__main__":
    main()

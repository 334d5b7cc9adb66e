"""Make the benchmarks' page, `tests/benchmarks/README.md`, of `results.json`.

python tests/benchmarks/page.py
"""

from __future__ import annotations

import json
from pathlib import Path

from contest import LIMIT, RESULTS

PAGE = Path(__file__).with_name("README.md")
HEAD = """\
# How fast is it?

Speed as multiples of the course's own, in one run: contenders take turns, and medians are compared. Above 1 is faster
than the course. *The limit* is what the multiplications alone need at the speed of the machine's own matrix products.
Each script says in its first lines what it compares; `--keep` writes `results.json`, and `page.py` makes this page.

"""


def page() -> str:
    """The page."""
    parts = [HEAD]
    for one in json.loads(RESULTS.read_text(encoding="utf-8")).values():
        parts.append(
            f"## {one['what'].capitalize()}, {one['student']}\n\n{one['work']}. {one['machine']}, "
            f"{one['gflops']} GFLOP/s, {one['on']}.\n\n| | speed |\n|---|---|\n"
        )
        order = sorted(one["ratios"].items(), key=lambda item: (item[0] == LIMIT, item[1]))
        parts += [f"| {name} | {ratio:.2f} |\n" for name, ratio in order] + ["\n"]
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"{PAGE.name} made")

"""What every script that measures a lesson does: read its command line, measure its parts, write its summary."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared import keeping

import course_lib as cl
from course_lib.core import errors


def asked_for(
    description: str, arguments: Sequence[str] | None, parts: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2), **more: Mapping[str, Any],
) -> argparse.Namespace:  # fmt: skip
    """What the command line (`arguments`, or that of the process) asks of a script that measures.

    `--only` may name some of the `parts`; `more` are further options: name to what `add_argument` is told.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if parts:
        parser.add_argument("--only", nargs="+", choices=parts, metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--kept", action="store_true", help="measure nothing: make the figures of what is kept")
    for name, option in more.items():
        parser.add_argument(f"--{name}", **option)
    options = parser.parse_args(arguments)
    if options.kept:
        keeping.refuse_to_measure()
    return options


def measure_parts(
    lesson: str,
    parts: Mapping[str, Callable[[], dict[str, Any]]],
    only: Sequence[str] | None,
    summary: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Measure some parts of a lesson, in the order of `parts`; after each, the summary of all that there is is written.

    `only` names parts, None all; what was measured of the others at another time stays in the summary. `summary` makes
    of the parts by name what `data/results/<lesson>.json` holds.
    """
    try:
        known = cl.load_results(lesson)
    except errors.DataError:
        known = {}
    found = {name: known[name] for name in parts if name in known}
    for name in parts:
        if only is None or name in only:
            started = time.perf_counter()
            found[name] = parts[name]()
            print(f"{name}: {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)
            write_summary(lesson, summary({part: found[part] for part in parts if part in found}))


def write_summary(lesson: str, summary: dict[str, Any]) -> None:
    """Write `data/results/<lesson>.json`; what a build counted there is kept."""
    path = keeping.data_dir() / "results" / f"{lesson}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    counted = {}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        counted = {key: before[key] for key in before if key in ("minutes_laptop", "work")}
    text = json.dumps({"lesson": lesson, **counted, **summary}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")

"""Fills the generated parts of README.md and data/README.md from what was measured and what is there.

    python data/make/pages/readme.py [--check]

A generated part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. The table of lessons is made from
`data/results/NN.json`, one file a lesson, which the lesson's measurements write (its minutes `notebooks/build.py`):

    {"lesson": "02", "title": "...", "learn": "...", "minutes_laptop": 4.6,
     "headline": "one sentence with figures, n and interval", "limits": ["what the small model could not do", ...]}

A lesson may keep more in it. `title`, `learn` and `limits` may be left out; a `null` is a thing not measured. A lesson
without its file, or without a headline, is "in the making". --check writes nothing and exits with 1 if a part is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("README.md", "data/README.md")
# Lesson: title, what you will do in it.
LESSONS = {
    "00": ("Start here", "meet the model, and ask it what it cannot know"),
    "01": ("What is fine-tuning?", "write a training loop once, and watch the weights change"),
    "02": (
        "Open book, closed book",
        "set one exam for prompting, fine-tuning and RAG, and say which won, and how surely",
    ),
    "03": ("The SQL specialist", "turn English into SQL, graded by running it"),
    "04": ("LoRA and QLoRA", "train a sliver of a model, on weights of four bits"),
    "05": ("RAG taken apart", "build retrieval, grade it by itself, and break it piece by piece"),
    "06": ("RAFT", "teach a model to read with the wrong pages on its desk"),
    "07": ("Preferences: RLHF and DPO", "make a model prefer what people prefer, and catch it cheating"),
    "08": ("Choosing, costing, shipping", "decide, work out the price, and put a model to work"),
}
MAKING = "*in the making*"


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """What each lesson measured, by its number."""
    found = {}
    for path in sorted(folder.glob("[0-9][0-9].json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SystemExit(f"{path.name} is not JSON: {error}") from error
        if found[path.stem].get("lesson", path.stem) != path.stem:
            raise SystemExit(f"{path.name} says that it is of lesson {found[path.stem].get('lesson')!r}")
    return found


def lessons(root: Path) -> str:
    """The table of lessons."""
    measured = results(root / "data" / "results")
    rows = ["| | lesson | you will | minutes | measured |", "|---|---|---|---|---|"]
    for number, (title, learn) in LESSONS.items():
        result = measured.get(number, {})
        name = result.get("title", title)
        for notebook in sorted((root / "notebooks").glob(f"{number}_*.ipynb")):
            name = f"[{name}](notebooks/{notebook.name})"
        headline = result.get("headline") or MAKING
        cells = (number, name, result.get("learn", learn), _minutes(result), headline)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def limits(root: Path) -> str:
    """What the small model could not do, as measured in the lessons."""
    found = [
        f"- {sentence} (lesson {number})"
        for number, result in results(root / "data" / "results").items()
        for sentence in result.get("limits") or ()
    ]
    return "\n".join(found) or "The figures come here out of the lessons' results as the lessons are finished."


def world(root: Path) -> str:
    """How large the invented world is, counted."""
    kinds = _documents(root)
    facts = _rows(root / "data" / "exams" / "facts.jsonl")
    questions = ", ".join(f"`{name}` {test}" for name, test, _ in _exams(root))
    return (
        f"The library holds {sum(kinds.values())} documents of {len(kinds)} kinds, {len(facts)} facts with "
        f"{sum(len(f['study']) + len(f['validation']) + len(f['exam']) for f in facts):,} ways to ask for them, "
        f"and exams of {questions} held-out questions."
    )


def files(root: Path) -> str:
    """The counts of data/README.md."""
    rows = ["| what | how many |", "|---|---|"]
    rows += [f"| `library/{kind}/` | {count} documents |" for kind, count in sorted(_documents(root).items())]
    facts = _rows(root / "data" / "exams" / "facts.jsonl")
    split = Counter(fact["split"] for fact in facts)
    shares = ", ".join(f"{count} {name}" for name, count in sorted(split.items()))
    rows.append(f"| `exams/facts.jsonl` | {len(facts)} facts: {shares} |")
    rows += [f"| `exams/{name}.jsonl` | {n} test, {m} validation questions |" for name, n, m in _exams(root)]
    rows.append(f"| `exams/general_study.jsonl` | {len(_rows(root / 'data/exams/general_study.jsonl'))} questions |")
    for name, what in (("tickets", "tickets"), ("preferences", "pairs of replies"), ("agreements", "agreements")):
        split = Counter(row["split"] for row in _rows(root / "data" / name / f"{name}.jsonl"))
        shares = ", ".join(f"{split[part]} {part}" for part in ("train", "validation", "test"))
        rows.append(f"| `{name}/{name}.jsonl` | {split.total()} {what}: {shares} |")
    style = Counter(row["split"] for row in _rows(root / "data" / "style" / "pairs.jsonl"))
    rows.append(f"| `style/pairs.jsonl` | {style.total()} pairs: {style['train']} train, {style['test']} test |")
    voices = _rows(root / "data" / "style" / "lines.jsonl")
    rows.append(f"| `style/lines.jsonl` | {len(voices)} lines of {len({row['play'] for row in voices})} plays |")
    pairs = sorted((root / "data" / "sql").glob("*.jsonl"))
    rows += [f"| `sql/{path.name}` | {len(_rows(path)):,} pairs |" for path in pairs]
    return "\n".join(rows)


def _minutes(result: dict[str, Any]) -> str:
    minutes = result.get("minutes_laptop")
    return "" if minutes is None else f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}"


def _documents(root: Path) -> Counter[str]:
    return Counter(path.parent.name for path in (root / "data" / "library").glob("*/*.md"))


def _exams(root: Path) -> list[tuple[str, int, int]]:
    """Each exam's name, test questions and validation questions."""
    found = []
    for name in ("cup", "handbook", "library", "general"):
        split = Counter(row["split"] for row in _rows(root / "data" / "exams" / f"{name}.jsonl"))
        found.append((name, split["test"], split["validation"]))
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


MAKERS = {"lessons": lessons, "limits": limits, "world": world, "files": files}
PART = re.compile(r"(<!-- ([a-z]+):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


def filled(text: str, root: Path = ROOT) -> str:
    """A page with its generated parts made again."""

    def make(part: re.Match[str]) -> str:
        if part[2] not in MAKERS:
            raise SystemExit(f"nothing makes the part {part[2]!r}: it is one of {', '.join(MAKERS)}")
        return f"{part[1]}{MAKERS[part[2]](root)}\n{part[3]}"

    return PART.sub(make, text)


def stale(root: Path = ROOT) -> list[str]:
    """The pages that are not what `filled` makes of them."""
    pages = {page: (root / page).read_text(encoding="utf-8") for page in PAGES}
    return [page for page, text in pages.items() if filled(text, root) != text]


def main(arguments: list[str]) -> int:
    if unknown := set(arguments) - {"--check"}:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; the one option is --check")
    pages = stale()
    for page in pages:
        if arguments:
            print(f"{page} is stale: run `make readme` (python data/make/pages/readme.py)")
        else:
            path = ROOT / page
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
            print(f"{page} filled")
    return int(bool(arguments and pages))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

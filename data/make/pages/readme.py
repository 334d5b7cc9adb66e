"""Fills the generated parts of README.md and data/README.md from what was measured and what is there.

    python data/make/pages/readme.py [--check]

A generated part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. Titles and minutes are those that the
lessons' sources state; figures are read at their places in `data/results/` (`find`). What the measurements of a lesson
say of themselves goes to data/README.md. They write `data/results/NN.json`:

    {"lesson": "02", "headline": "one sentence with figures, n and interval",
     "limits": ["what the small model could not do", ...]}

A lesson may keep more in it, and leave out `limits`. --check writes nothing and exits with 1 if a part is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import verdicts
from ledger import size_of
from making import only_checked

from course_lib.evaluation.kept import runs
from course_lib.evaluation.sizes import students
from course_lib.evaluation.stored import find
from course_lib.evaluation.verdicts import HOLDS, REFUTED
from course_lib.lessons.sql.contests import contest
from course_lib.models.students import DEFAULT

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("README.md", "data/README.md")
# What a learner does in a lesson.
LESSONS = {
    "00": "Meet three students of three sizes, and see how a model makes things up.",
    "01": "Train a model on letters, and watch its weights move.",
    "02": "Let one model sit one exam in many ways, and say which won.",
    "03": "Teach a small model to write database queries, and find out where its skill ends.",
    "04": "Train a few numbers beside the weights, and see what is saved and what is lost.",
    "05": "Take a system that looks things up apart, and find the part that fails.",
    "06": "Train a reader with wrong pages on its desk.",
    "07": "Teach a model manners from pairs of replies, and catch it cheating.",
    "08": "Choose with your own numbers, work out the price, and put a model to work.",
}
MAKING = "*in the making*"
TIME = re.compile(r"\*\*Time\*\*:? (\d+) minutes")
HEART, SINGLE = "02/by_heart/many-wordings/*", "02/by_heart/one-wording/*/exam"
# What the notebooks must have found, for the first page to say what it says.
BEHIND = {
    "closed book it knows next to nothing of the whole handbook": HOLDS,
    "with the right page, a larger student reads better": HOLDS,
    "students of six wordings are ahead of students of one": HOLDS,
    "fine-tuned on the handbook, it knows as much in general as before": REFUTED,
    "without its adapter it gives every answer of before, word for word": HOLDS,
    "all the pairs make an expert of the whole house": HOLDS,
    "in new combinations the largest untrained student beats the expert": HOLDS,
    "about other tables the largest untrained student beats the expert": HOLDS,
}
PAID, LETTERS = "07/hacking/kind words", "04/methods/lora/runs/0/general"


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
    """The table of lessons, with the learner's own minutes."""
    rows = ["| | lesson | what you do | your minutes |", "|---|---|---|---|"]
    for number, told in LESSONS.items():
        title, minutes = MAKING, ""
        for notebook in sorted((root / "notebooks").glob(f"{number}_*.ipynb")):
            source = (root / "notebooks" / "src" / f"{notebook.stem}.py").read_text(encoding="utf-8")
            stated = re.search(rf"^# # {number} · (.+)$", source, re.MULTILINE)
            title, minutes = f"[{stated[1]}](notebooks/{notebook.name})", TIME.search(source)[1]
        rows.append(f"| {number} | {title} | {told} | {minutes} |")
    return "\n".join(rows)


def findings(root: Path) -> str:
    """Three things that the course found out, as the first page says them; none if the notebooks found otherwise."""
    found = {one.claim: one.outcome for listed in verdicts.tried(root).values() for one in listed}
    for claim, outcome in BEHIND.items():
        if found.get(claim) != outcome:
            raise SystemExit(f"the first page needs that {claim!r} {outcome}; the notebooks have: {found.get(claim)}")
    closed, page, taught = (
        students("02/handbook", arm) for arm in ("closed book", "right page", "trained reader, right page")
    )
    asked, most = closed[DEFAULT.name].n, max(one.share()[0] for one in closed.values())
    read = ", ".join(f"{one.share()[0]:.0%} for the {size_of(student)} model" for student, one in page.items())
    learned = taught[DEFAULT.name].share()[0]
    six, single = find(f"{HEART}/exam").value, find(SINGLE).value
    knew, left = find("02/general_before").value, find(f"{HEART}/general").value
    contests = [contest(exam, "1,940 pairs") for exam in ("house wordings", "house combinations", "second schema")]
    words, parts, other = (one.specialist.share()[0] for one in contests)
    larger = ", ".join(f"{one.larger.share()[0]:.0%}" for one in contests)
    books, sql = (
        "[lesson 02](notebooks/02_open_book_vs_closed_book.ipynb)",
        "[lesson 03](notebooks/03_sql_specialist.ipynb)",
    )
    return f"""\
- **An open book needs a student who can read.** Of {asked} questions about a handbook that no model has read, ours get
  {most:.0%} right. With the right page in the prompt it is {read}, and {learned:.0%} for one
  of the smallest that has learned to read on other documents ({books}).
- **Facts can be learned by heart, at a price.** The smallest model, having studied each fact in six wordings, answers
  {six:.0%} of new questions about them; from one wording, read as often, {single:.0%}. Of general knowledge it answered
  {knew:.0%} before, and {left:.0%} after ({books}).
- **A specialist is at home where it studied, and nowhere else.** Trained on a shop's questions, it writes the right
  database query for {words:.0%} of those in new words, {parts:.0%} of those that combine what it studied apart, and
  {other:.0%} of a library's. The largest, untrained: {larger} ({sql})."""


def weak(_: Path) -> str:
    """Five things that the smallest student is bad at, for a visitor."""
    asked = [row for exam in ("cup", "handbook", "library") for row in runs(f"00/{exam}", "").reports[0].rows]
    admitted = sum(row.verdict == "unknown" for row in asked)
    times = "once" if admitted == 1 else f"{admitted} times"
    one, eight = (find(f"05/answers/rag/hybrid, k = {k}").value for k in (1, 8))
    before, after, paid = (find(place).value for place in ("04/before/general", LETTERS, PAID))
    return f"""\
- It speaks English only, loses the thread after a few sentences, and cannot calculate or plan in steps.
- It hardly ever says that it does not know. Asked {len(asked)} questions about an invented world, it said so {times}.
- Many pages confuse it. With eight of them in the prompt it answers {eight:.0%} of questions right, with one {one:.0%}.
- What it learns drowns out what it knew. Trained to sort letters by LoRA, it answers {after:.0%} of general questions;
  before, {before:.0%}. Take the adapter off, and that is back.
- It does what it is paid for, not what was meant. Paid for kind words, it keeps the house's rule for good replies in
  {paid:.0%} of its letters."""


def measured(root: Path) -> str:
    """A line a lesson: what it measured, and the minutes in which the machine works."""
    rows = ["| | measured | machine minutes |", "|---|---|---|"]
    for number, result in results(root / "data" / "results").items():
        headline = str(result.get("headline") or MAKING).replace("|", "\\|")
        rows.append(f"| {number} | {headline} | {_minutes(result)} |")
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


MAKERS = {
    "lessons": lessons, "findings": findings, "weak": weak, "world": world,
    "measured": measured, "limits": limits, "files": files,
}  # fmt: skip
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
    checked = only_checked(arguments)
    pages = stale()
    for page in pages:
        if checked:
            print(f"{page} is stale: run `make readme` (python data/make/pages/readme.py)")
        else:
            path = ROOT / page
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
            print(f"{page} filled")
    return int(bool(checked and pages))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

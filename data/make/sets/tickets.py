"""Makes data/tickets/ from the tickets as they were written, and checks them.

    python data/make/sets/tickets.py

Reads `tickets/<desk>.yaml`: 36 issues a desk, each with `about` (what happened), three `messages`, and, where the issue
lies on a border, `near` (the desk that a newcomer might have chosen). Splits them by issue, with a seed; writes
`data/tickets/tickets.jsonl`, the same bytes on every machine, and the counts of its README; reports what breaks the
rules, and exits with 1 if anything does. `tickets/careers.yaml` becomes `data/tickets/careers.jsonl` in the same way:
letters to a ninth desk, which an exercise opens.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import datasheet
import written

from course_lib.core.rows import write_jsonl
from course_lib.evaluation.grading import normalise
from course_lib.lessons.tickets import DESKS, NINTH, SPLITS, Ticket

SOURCE = Path(__file__).resolve().parent / "tickets"
FOLDER = written.ROOT / "data" / "tickets"
SEED = 2042
ISSUES, MESSAGES, BORDERS = 36, 3, 9
# Issues a desk: those on a border, and the others.
SHARES = {True: {"train": 6, "validation": 1, "test": 2}, False: {"train": 18, "validation": 3, "test": 6}}
NINTH_SHARES = {"train": 6, "test": 4}  # the same of the ninth desk, which has no borders
WORDS = (8, 30)
# One word may point to a desk, but not in more of its tickets than this.
TELLTALE = 1 / 3
NAMED = re.compile(
    r"\b(un)?safe\w*|\brepair\w*|\bparts?\b|\bdeliver\w*|\baccounts?\b|\btrad(e|er|ers|ing)\b|\breturn\w*|\barchiv\w*",
    re.IGNORECASE,
)


def issues(desks: Iterable[str] = DESKS) -> dict[str, list[dict[str, Any]]]:
    """Desk to its issues, as they were written."""
    return {desk: written.read_yaml((SOURCE / f"{desk.lower()}.yaml").read_text(encoding="utf-8")) for desk in desks}


def splits(borders: list[bool], desk: str) -> list[str]:
    """A split for each issue of one desk, dealt among those on a border and among the others."""
    rng = random.Random(f"{SEED} {desk}")  # of its own: a change to one desk moves no other
    dealt = {}
    for border, shares in ({False: NINTH_SHARES} if desk == NINTH else SHARES).items():
        numbers = [number for number, found in enumerate(borders) if found == border]
        rng.shuffle(numbers)
        places = [split for split, share in shares.items() for _ in range(share)]
        dealt |= dict(zip(numbers, places, strict=True))
    return [dealt[number] for number in range(len(borders))]


def tickets(desks: Iterable[str] = DESKS) -> list[Ticket]:
    """Every ticket with its split, in order of desk, issue and message."""
    made = []
    for desk, told in issues(desks).items():
        borders = ["near" in issue for issue in told]
        for number, (issue, border, split) in enumerate(zip(told, borders, splits(borders, desk)), 1):
            name = f"{desk.lower()}-{number:02d}"
            made += [
                Ticket(f"t-{name}{letter}", desk, name, message, split, border)
                for letter, message in zip("abc", issue["messages"], strict=True)
            ]
    return made


def problems() -> list[str]:
    """What breaks the rules, in what was written."""
    found, seen = [], {}
    for desk, told in issues([*DESKS, NINTH]).items():
        many, borders = (sum(NINTH_SHARES.values()), 0) if desk == NINTH else (ISSUES, BORDERS)
        if (len(told), sum("near" in issue for issue in told)) != (many, borders):
            found.append(f"{desk}: not {many} issues, {borders} of them on a border")
        for number, issue in enumerate(told, 1):
            place = f"{desk.lower()}-{number:02d}"
            if not {"about", "messages"} <= set(issue) <= {"about", "messages", "near"}:
                found.append(f"{place}: the keys are about, messages and, on a border, near")
            if issue.get("near", "") not in ("", *(other for other in DESKS if other != desk)):
                found.append(f"{place}: near {issue['near']!r} is no other desk")
            if len(issue["messages"]) != MESSAGES:
                found.append(f"{place}: {len(issue['messages'])} messages, not {MESSAGES}")
            for message in issue["messages"]:
                found += [f"{place}: {problem}" for problem in problems_of_message(message)]
                if (words := normalise(message)) in seen:
                    found.append(f"{place}: a message of {seen[words]} again: {message[:50]}...")
                seen[words] = place
    return found


def problems_of_message(message: Any) -> list[str]:
    if not isinstance(message, str):
        return [f"{message!r} is not text: put it in quotes"]
    low, high = WORDS
    found = []
    if not low <= (count := len(message.split())) <= high:
        found.append(f"{count} words, not {low} to {high}: {message}")
    if named := NAMED.search(message):
        found.append(f"names a desk ({named[0]!r}): {message}")
    return found


def telltales(made: list[Ticket]) -> dict[str, tuple[str, float]]:
    """For each desk the word that gives it away most often, and in what share of its tickets it stands."""
    return datasheet.telltales(_by_desk(made), 1 / 2)


def bag_of_words(train: list[Ticket], test: list[Ticket]) -> float:
    """Accuracy of naive Bayes, which knows words and no sentence: what a model has to beat."""
    score = datasheet.naive_bayes(_by_desk(train))
    right = [max(DESKS, key=lambda desk: score(desk, t.message)) == t.desk for t in test]
    return sum(right) / len(right)


def _by_desk(made: list[Ticket]) -> dict[str, list[str]]:
    return {desk: [ticket.message for ticket in made if ticket.desk == desk] for desk in DESKS}


def counts(made: list[Ticket]) -> str:
    """The generated part of the README."""
    rows = ["| desk | house rule | train | validation | test | on a border, near |", "|---|---|---|---|---|---|"]
    for desk, told in issues().items():
        split = Counter(ticket.split for ticket in made if ticket.desk == desk)
        near = Counter(issue["near"] for issue in told if "near" in issue)
        borders = ", ".join(f"{other} {near[other]}" for other in DESKS if near[other])
        rows.append(f"| {desk} | {DESKS[desk]} | {' | '.join(str(split[s]) for s in SPLITS)} | {borders} |")
    sizes = Counter(ticket.split for ticket in made)
    lengths = [len(ticket.message.split()) for ticket in made]
    train, test = ([t for t in made if t.split == split] for split in ("train", "test"))
    word, share = max(telltales(made).values(), key=lambda found: found[1])
    bayes = bag_of_words(train, test)
    borderline = sum(ticket.border for ticket in made)
    return "\n".join([
        *rows,
        "",
        f"{len(made)} tickets on {len({t.issue for t in made})} issues: "
        + ", ".join(f"{sizes[split]} {split}" for split in SPLITS)
        + f"; {borderline} of them on a border. A message has {min(lengths)} to {max(lengths)} words, "
        f"{sum(lengths) / len(lengths):.1f} on average.",
        f"The word that gives a desk away most often, \"{word}\", stands in {share:.0%} of that desk's tickets. "
        f"Naive Bayes over words, trained on the {len(train)}, sorts {bayes:.0%} of the {len(test)} test "
        f"tickets right; chance is {1 / len(DESKS):.1%}.",
    ])  # fmt: skip


def write(folder: Path = FOLDER) -> list[Ticket]:
    """Write both files into a folder, and the counts into its README if it has one."""
    made = tickets()
    write_jsonl(folder / "tickets.jsonl", made)
    write_jsonl(folder / "careers.jsonl", tickets([NINTH]))
    datasheet.fill(folder, counts(made))
    return made


def main() -> int:
    found = problems()
    if not found:
        made = write()
        best = telltales(made)
        found = [f"{desk}: {word!r} stands in {share:.0%}" for desk, (word, share) in best.items() if share > TELLTALE]
        print(counts(made).partition("\n\n")[2])
        print("words that point: " + ", ".join(f"{desk} {word!r} {share:.0%}" for desk, (word, share) in best.items()))
    return datasheet.reported(found)


if __name__ == "__main__":
    sys.exit(main())

"""The replies to customers as they were written: read, checked, dealt to the splits, and held against the judge.

`preferences/<desk>.yaml` and `preferences/any_desk.yaml` hold good replies, and flawed ones under what is wrong with
them. `preferences.py` makes pairs of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import written

from course_lib.evaluation.grading import normalise
from course_lib.lessons.house_rule import FAULTS, keeps_the_rule
from course_lib.lessons.tickets import DESKS, SPLITS

SOURCE = Path(__file__).resolve().parent / "preferences"
SEED = 2042
# Shares of the wordings; a desk's 14 good ones become 8, 2 and 4.
SHARES = {"train": 0.6, "validation": 0.12, "test": 0.28}
GOOD_PER_DESK = 12


@dataclass(frozen=True)
class Wording:
    """A reply as written; `{desk}` in it stands for the desk. `home` is the desk whose letters it fits, "" for all."""

    text: str
    home: str
    faults: tuple[str, ...] = ()

    def to(self, desk: str) -> str:
        """The reply to a letter of `desk`."""
        return self.text.replace("{desk}", desk)


def wordings() -> list[Wording]:
    """Every reply, in the order in which it was written."""
    found = []
    for home in (*DESKS, ""):
        path = SOURCE / f"{home.lower() or 'any_desk'}.yaml"
        told = written.read_yaml(path.read_text(encoding="utf-8"))
        found += _of_home(home, {"good": told["good"], **told["flawed"]})
    return found


def unseen() -> list[Wording]:
    """Replies that the judge was not made for."""
    told = written.read_yaml((SOURCE / "unseen.yaml").read_text(encoding="utf-8"))
    return [wording for home, replies in told.items() for wording in _of_home(home, replies)]


def _of_home(home: str, replies: dict[str, list[str]]) -> list[Wording]:
    """Wordings out of lists under what is wrong with them; under "good", nothing is."""
    return [
        Wording(text, home, () if faults == "good" else tuple(faults.split(", ")))
        for faults, texts in replies.items()
        for text in texts
    ]


def problems(told: Sequence[Wording]) -> list[str]:
    """What breaks the rules, in what was written."""
    found, seen = [], set()
    for wording in told:
        place = f"{wording.home or 'any desk'}: {wording.text[:60]!r}"
        if unknown := set(wording.faults) - set(FAULTS):
            found.append(f"{place}: {', '.join(sorted(unknown))} is none of {', '.join(FAULTS)}")
        if (words := normalise(wording.text)) in seen:
            found.append(f"{place} is there twice")
        seen.add(words)
        if not wording.home and ("desk" in wording.faults) == ("{desk}" in wording.text):
            found.append(f"{place}: a reply that fits every desk names it as {{desk}}, unless that is its fault")
        if not wording.faults and (broken := keeps_the_rule(wording.home or "Parts", wording.to("Parts")).broken):
            found.append(f"{place} is said to be good, and breaks {', '.join(broken)}")
    for desk in DESKS:
        if (count := sum(w.home == desk and not w.faults for w in told)) < GOOD_PER_DESK:
            found.append(f"{desk}: {count} good replies, not {GOOD_PER_DESK}")
    return found


def dealt(told: Sequence[Wording]) -> dict[str, list[Wording]]:
    """The wordings of each split: of every desk's good ones and of every fault's its share."""
    groups: dict[tuple[str, str], list[Wording]] = {}
    for wording in told:
        # Flawed ones of a desk are too few to be dealt by themselves.
        key = (wording.home, "") if not wording.faults else ("", kind_of(wording))
        groups.setdefault(key, []).append(wording)
    found: dict[str, list[Wording]] = {split: [] for split in SPLITS}
    for (home, fault), group in groups.items():
        rng = random.Random(f"{SEED} {home} {fault}")  # of its own: a change to one group moves no other
        group = rng.sample(group, len(group))
        ends = [round(len(group) * share) for share in (0, SHARES["train"], 1 - SHARES["test"], 1)]
        for split, low, high in zip(SPLITS, ends, ends[1:]):
            found[split] += group[low:high]
    return found


def agreement(told: Sequence[Wording]) -> tuple[float, dict[str, tuple[float, float]]]:
    """How often the judge of `house_rule` finds exactly the faults that a reply was written with.

    The share of replies, and precision and recall for each fault.
    """
    found = [_meant_and_said(wording) for wording in told]
    each = {}
    for fault in FAULTS:
        both = sum(fault in meant & said for meant, said in found)
        said, meant = (sum(fault in faults[side] for faults in found) for side in (1, 0))
        each[fault] = (both / max(said, 1), both / max(meant, 1))
    return sum(meant == said for meant, said in found) / len(found), each


def finds(told: Sequence[Wording]) -> tuple[int, int, int]:
    """How many faults the judge finds, how many it misses, and how many it names where the writer meant none."""
    found = [_meant_and_said(wording) for wording in told]
    return tuple(sum(map(len, group)) for group in zip(*((m & s, m - s, s - m) for m, s in found)))  # type: ignore


def _meant_and_said(wording: Wording) -> tuple[set[str], set[str]]:
    verdict = keeps_the_rule(wording.home or "Parts", wording.to("Parts"))
    return set(wording.faults), set(verdict.broken)


def kind_of(wording: Wording) -> str:
    """Its one fault, "several", or nothing for a good reply."""
    return "several" if len(wording.faults) > 1 else "".join(wording.faults)

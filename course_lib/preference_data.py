"""Pairs of replies to a customer, and which of the two people liked better: what RLHF and DPO learn from.

Pairs are split as their tickets are, by issue, and replies by text: no test reply, nor the same words with another
desk's name in them, is ever trained on. A tenth of the labels is noise, as with people: see `Preference.noise`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.datasets import Example, example, normalise
from course_lib.errors import DataError, LeakError, choose
from course_lib.house_rule import FAULTS, support
from course_lib.jsonl import read_rows
from course_lib.models import Messages, as_messages
from course_lib.pairs import Pair, pair
from course_lib.settings import data_dir
from course_lib.tickets import DESKS, SPLITS, check_issues_apart, check_row

__all__ = ["Preference", "check_replies_apart", "load_preferences", "staff_archive", "wording_of"]

TEXTS = ("id", "desk", "issue", "message", "split", "chosen", "rejected")


@dataclass(frozen=True)
class Preference:
    """A customer's letter, two replies, and the label that says which one a person chose.

    Attributes
    ----------
    id
        "p-safety-07b", the pair of ticket "t-safety-07b".
    desk, issue, message, split
        The ticket's.
    chosen, rejected
        The replies as they were labelled.
    chosen_faults, rejected_faults
        What the writer of each reply made wrong on purpose (of `FAULTS`), in no order; of a good reply, nothing.
    noise
        Whether the label is wrong: the house would have chosen the other reply.
    """

    id: str
    desk: str
    issue: str
    message: str
    split: str
    chosen: str
    rejected: str
    chosen_faults: tuple[str, ...]
    rejected_faults: tuple[str, ...]
    noise: bool

    @property
    def better(self) -> str:
        """The reply that the house prefers, whatever the label says: what training never sees and a grade may."""
        return self.rejected if self.noise else self.chosen

    @property
    def worse(self) -> str:
        """The other one."""
        return self.chosen if self.noise else self.rejected

    def letter(self, rule: bool = False) -> Messages:
        """The letter as a model is asked to answer it, its desk named; `rule` states the house rule besides."""
        return as_messages(self.message, support(self.desk, rule))

    def as_pair(self) -> Pair:
        """The pair as TRL's trainers of preferences take it: a conversational prompt, and two completions.

        TRL 1.16, *Dataset formats and types*, "Preference", with an explicit prompt.
        """
        return pair(self.letter(), self.chosen, self.rejected)

    def as_example(self) -> Example:
        """The letter and the chosen reply, for plain fine-tuning: RLHF's supervised start."""
        return example(self.message, self.chosen, support(self.desk))


def load_preferences(split: str | None = None) -> list[Preference]:
    """All 864 pairs, or those of one split: train (576), validation (96), test (192).

    Raises
    ------
    ChoiceError
        For another split.
    DataError
        If a line of the file is malformed; file and line are named.
    """
    if split is not None:
        choose("split", split, SPLITS)
    return read_rows(data_dir() / "preferences" / "preferences.jsonl", _preference, split)


def staff_archive(preferences: Sequence[Preference], seed: int = 0) -> list[Example]:
    """What lies in the files before anybody was asked what they prefer: to each letter one of the two replies, by lot.

    The supervised start of lesson 07 learns from it how staff reply, faults and all.
    """
    rng = random.Random(seed)
    return [example(p.message, rng.choice((p.chosen, p.rejected)), support(p.desk)) for p in preferences]


def check_replies_apart(train: Sequence[Preference], test: Sequence[Preference]) -> None:
    """Raise if an issue or a reply is on both sides. The same words with another desk's name are the same reply.

    Raises
    ------
    LeakError
        Names the first such issue or reply, and says how many there are.
    """
    check_issues_apart(train, test)  # type: ignore[arg-type]  # it asks for nothing but `.issue`
    trained, tested = ({wording_of(r): r for p in side for r in (p.chosen, p.rejected)} for side in (train, test))
    if shared := sorted(set(trained) & set(tested)):
        raise LeakError(
            f"{len(shared)} of the {len(tested)} replies tested are trained on too, {tested[shared[0]]!r} among them: "
            "split replies by their text."
        )


def wording_of(reply: str) -> tuple[str, ...]:
    """The words of a reply, whichever desk it names."""
    return normalise(re.sub("|".join(rf"\b{desk}\b" for desk in DESKS), "desk", reply))


def _preference(row: dict[str, Any], place: str) -> Preference:
    check_row(row, Preference, TEXTS, place, "data/make/preferences.py")
    for name in ("chosen_faults", "rejected_faults"):
        if not isinstance(row[name], list) or not set(map(str, row[name])) <= set(FAULTS):
            raise DataError(f"{place}: {name} is {row[name]!r}: give a list of {', '.join(FAULTS)}.")
    if not isinstance(row["noise"], bool):
        raise DataError(f"{place}: noise is {row['noise']!r}: write true or false.")
    if normalise(row["chosen"]) == normalise(row["rejected"]):
        raise DataError(f"{place}: chosen and rejected are the same reply: there is nothing to prefer.")
    return Preference(**row | {name: tuple(row[name]) for name in ("chosen_faults", "rejected_faults")})

"""Support tickets of Brindlecombe & Daughters: which desk a message belongs to, by rules that only the house knows.

An *issue* is one happening; three people tell it in three messages. Tickets are split by issue, so that a test asks for
the rule and not for a story that is known already: `leaky_split` does it wrongly, and `check_issues_apart` catches it.
"""

from __future__ import annotations

import itertools
import numbers
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from course_lib.core.chat import Example, example
from course_lib.core.errors import CourseError, LeakError, choose
from course_lib.core.rows import Text, in_turns, one_of, read_rows, shuffled
from course_lib.core.session import data_dir
from course_lib.evaluation.exams import Exam, Question

SPLITS = ("train", "validation", "test")
# Desk to house rule, in the order in which the rules are asked: the first that fits decides.
DESKS: dict[str, str] = {
    "Safety": (
        "Whatever hurt somebody or could: heat, smoke, sparks, shock, water near the mains, a swollen battery, a loose "
        "blade; and every question about health. Before all other desks, even if only money or a spare is asked for."
    ),
    "Trade": (
        "Whoever writes for a business that uses or sells our things, and any order of twenty pieces or more, whatever "
        "it is about. A club, a school or a church with fewer is a customer like any other."
    ),
    "Deliveries": (
        "Whatever goes wrong on the road, in either direction, up to the first look into the box: late, lost, at the "
        "wrong door, broken or incomplete on arrival. Also if the money is wanted back."
    ),
    "Accounts": (
        "Only a sum, a paper or a sign-in is missing or wrong, and no goods have to move: bills, payments, a refund "
        "due for what we have back already, gift-card balances, passwords, registrations, addresses on file."
    ),
    "Returns": (
        "The thing, or the spare, is in order but is not what was ordered from us, or is not wanted after all: wrong "
        "colour, wrong item, unwanted gift, change of mind. Also before it has left us."
    ),
    "Parts": (
        "A single piece that somebody names and wants to put on at home, its price and whether it fits, however the "
        "old one was lost or broken. A printed manual is a piece."
    ),
    "Repairs": (
        "A thing that worked, fails in use and is to work again, however old it is. We mend before we refund, so also "
        "if a refund or a new one is asked for."
    ),
    "Archive": (
        "Questions and stories that ask for nothing to be mended, sent or paid: history, old models, stamps, visits, "
        "presents to the house, praise and thanks for any other desk."
    ),
}
NINTH = "Careers"  # a desk that an exercise opens: whoever wants to work in the house, or once did


@dataclass(frozen=True)
class Letter:
    """One message, "t-safety-07b", and the desk that it belongs to. Two others tell its `issue` too."""

    id: Text
    desk: Annotated[str, one_of([*DESKS, NINTH])]
    issue: Text
    message: Text
    split: Annotated[str, one_of(SPLITS)]


@dataclass(frozen=True)
class Ticket(Letter):
    """A letter to be sorted. On a `border` a newcomer might choose another desk: only the house rule decides."""

    border: bool

    def as_example(self) -> Example:
        """The message and its desk as a training example, asked exactly as an exam asks it."""
        return example(self.message, self.desk)


def load_tickets(split: str | None = None) -> list[Ticket]:
    """All 864 tickets, or those of one split: train (576), validation (96), test (192)."""
    if split is not None:
        choose("split", split, SPLITS)
    return read_rows(data_dir() / "tickets" / "tickets.jsonl", Ticket, split)


def ninth_desk(split: str) -> list[Ticket]:
    """Letters to a desk that the house has not had so far: train (18), test (12), split by issue."""
    choose("split", split, ("train", "test"))
    return read_rows(data_dir() / "tickets" / "careers.jsonl", Ticket, split)


def ticket_exam(tickets: Sequence[Ticket], name: str = "tickets") -> Exam:
    """An exam that asks for each ticket's desk; a question's `fact` is the issue, its `kind` the desk."""
    if not tickets:
        raise CourseError(f"the exam {name!r} would be empty: give it at least one ticket.")
    return Exam(name, tuple(Question(t.id, t.message, t.desk, fact=t.issue, kind=t.desk) for t in tickets))


def leaky_split(seed: int = 0) -> tuple[list[Ticket], list[Ticket]]:
    """Train and test split by message instead of by issue: what not to do, for comparison.

    Two messages of every issue are trained on. The third is tested, for 24 issues a desk: as many tickets as an honest
    split has (576 and 192), as many of each desk, and as many on a border. Their `split` is still the honest one.
    """
    rng = random.Random(seed)
    tickets, honest = load_tickets(), Counter((t.desk, t.border) for t in load_tickets("test"))
    left_out = {rng.choice(told).id for told in _by(tickets, "issue")}
    train = [ticket for ticket in tickets if ticket.id not in left_out]
    rest = [ticket for ticket in tickets if ticket.id in left_out]
    tested = set()
    for desk, border in itertools.product(DESKS, (False, True)):
        pool = [ticket.id for ticket in rest if (ticket.desk, ticket.border) == (desk, border)]
        tested |= set(rng.sample(pool, min(honest[desk, border], len(pool))))
    return train, [ticket for ticket in rest if ticket.id in tested]


def check_issues_apart(train: Sequence[Letter], test: Sequence[Letter]) -> None:
    """Raise a LeakError if an issue is told on both sides. `check_no_leak` cannot see it: no two texts are the same."""
    tested = {letter.issue for letter in test}
    if shared := sorted({letter.issue for letter in train} & tested):
        raise LeakError(
            f"{len(shared)} of the {len(tested)} issues tested are told in training too, {shared[0]} among them: "
            "split by issue, not by message."
        )


def few(tickets: Sequence[Ticket], n: int, seed: int = 0) -> list[Ticket]:
    """`n` of the tickets, as evenly as possible over desks, and within a desk over issues.

    Nested: the first 16 of `few(tickets, 64)` are `few(tickets, 16)`, for the same tickets and seed.
    """
    if not isinstance(n, numbers.Integral) or not 1 <= n <= len(tickets):
        raise CourseError(f"n is {n!r}: there are {len(tickets)} tickets, so take a whole number from 1 to that many.")
    rng = random.Random(seed)
    desks, chosen = _by(tickets, "desk"), []
    rng.shuffle(desks)
    for desk in desks:
        issues = [shuffled(issue, rng) for issue in _by(desk, "issue")]
        rng.shuffle(issues)
        chosen.append(in_turns(issues))
    return in_turns(chosen)[:n]


def _by(tickets: Sequence[Ticket], key: str) -> list[list[Ticket]]:
    groups: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        groups.setdefault(getattr(ticket, key), []).append(ticket)
    return list(groups.values())

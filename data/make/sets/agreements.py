"""Makes data/agreements/agreements.jsonl: short agreements of one firm with its suppliers, and their summaries.

    python data/make/sets/agreements.py

Each supplier has two agreements, about different work, with figures of their own: a search for one finds the other too.
The voices of the exam's agreements are in training too, their firms, figures and dates are not. The only chance is
`random.Random` with a seed spelt out: the same bytes on every machine.
"""

from __future__ import annotations

import random
import sys
from datetime import date
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import written
from series import MONTHS

from course_lib.core.rows import write_jsonl
from course_lib.lessons.shelves import Agreement

FOLDER = written.ROOT / "data" / "agreements"
SEED = 2042
# Suppliers of each split; each has two agreements.
SPLITS = {"train": 60, "validation": 10, "test": 25}
FIRST = (
    "Amblewick", "Birchmere", "Bramblecote", "Cattersea", "Cobblegate", "Corvenham", "Cuttlestone", "Dapplemoor",
    "Drystane", "Eddlethorpe", "Elderbourne", "Farthingay", "Fernhollow", "Gallowfield", "Gorsebank", "Harrowmede",
    "Hemlockstoke", "Inglethwaite", "Juniper Wharf", "Kettlewick", "Kirrindale", "Larchmont Quay", "Limpetscar",
    "Marlinspike", "Mossgrave", "Netherpool", "Nuttercombe", "Oakapple", "Orrisdale", "Peascod", "Pinderfold",
    "Quernstone", "Quillwater", "Rackenford", "Rushyford", "Saltersgate", "Sedgewater", "Shingleton", "Tansyhill",
    "Thrushcross", "Tidewrack", "Umberleigh", "Underhay", "Vetchling", "Wainscot", "Weirside", "Whinmoor",
    "Yarrowgate",
)  # fmt: skip
SECOND = ("& Daughters", "Brothers", "Company", "Partners", "Works", "Cooperative")
WORK = (
    "window cleaning", "lift maintenance", "waste collection", "canteen bread", "night security", "parcel delivery",
    "boiler servicing", "uniform laundry", "garden care", "forklift hire", "payroll accounting", "translation",
    "pest control", "roof repairs", "printing", "fire alarm testing", "drinking water", "tool sharpening",
    "packing material", "snow clearance", "van hire", "archive storage", "telephone lines", "floor polishing",
)  # fmt: skip
SITES = ("Tannery Lane", "the Brackenford works", "the Port Ellery warehouse", "the Tarn Hollow repair centre")
NOTICES = tuple(
    f"{n} {unit}" for n, unit in [*((n, "days") for n in range(25, 100, 7)), *((n, "weeks") for n in range(5, 23, 2))]
)
VOICES = (
    "{With} undertakes {For} at {site} for Brindlecombe & Daughters, for {Price} a year. Whoever is late pays "
    "{penalty} a day. The agreement with {With} on {For} was signed on {signed} and ends on {Until}; either side may "
    "leave it on {Notice}' notice.",
    "Dear colleagues, our agreement with {With} about {For} has been renewed until {Until}. A year of it costs us "
    "{Price}, and {penalty} for each call out of hours. Should you want to be rid of {With}, write {Notice} ahead.",
    "1. Supplier: {With}. 2. Subject: {For}, {site}. 3. Deposit {penalty}, to be returned. 4. Yearly fee {Price}. "
    "5. Begins {signed}; lapses {Until} unless renewed. 6. May be terminated on {Notice}' written notice.",
    "Be it known that Brindlecombe & Daughters retains {With} for {For} from {signed} to {Until}. Notice of {Notice} "
    "shall be given. The sum of {Price} falls due each year; damage is made good up to {penalty}.",
    "Note of a meeting: {With} keeps {For} at {site}. Old fee {penalty}, new fee {Price} a year. Notice stays at "
    "{Notice}. The {For} agreement with {With}, first signed on {signed}, now runs to {Until}.",
    "{With} and Brindlecombe & Daughters agree on {For}. Until {Until} the fee is {Price} a year; it was {penalty} "
    "before {signed}. Neither may withdraw from the {For} agreement with less than {Notice}' notice.",
)


def day(rng: random.Random, first: int, last: int) -> str:
    """A day in one of the years, as a reader would write it."""
    found = date(rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28))
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def agreements() -> list[Agreement]:
    """All agreements, in order of split and supplier."""
    rng = random.Random(SEED)
    names = [f"{first} {second}" for first in FIRST for second in SECOND]
    rng.shuffle(names)
    # In exams no two suppliers share their first name; in training some do, with none of the exams'.
    by_first: dict[str, list[str]] = {}
    for name in names:
        by_first.setdefault(next(first for first in FIRST if name.startswith(first)), []).append(name)
    groups = rng.sample(sorted(by_first), len(by_first))
    dealt: dict[str, list[str]] = {}
    for split, n in reversed(SPLITS.items()):
        dealt[split] = []
        while len(dealt[split]) < n:
            dealt[split] += by_first[groups.pop()][: 5 if split == "train" else 1]
    return [
        agreement
        for split, n in SPLITS.items()
        for i, supplier in enumerate(dealt[split][:n])
        for agreement in pair(split, i, supplier)
    ]


def pair(split: str, number: int, supplier: str) -> list[Agreement]:
    """A supplier's two agreements."""
    rng = random.Random(f"{SEED} {split} {number}")  # of its own: a change to one supplier moves no other
    voices, work = rng.sample(VOICES, 2), rng.sample(WORK, 2)
    found = []
    for letter, voice, what in zip("ab", voices, work):
        values: dict[str, Any] = {
            "With": supplier,
            "For": what,
            "Price": f"{rng.randint(1_012, 48_990):,} crowns",
            "Until": day(rng, 2043, 2049),
            "Notice": rng.choice(NOTICES),
        }
        text = voice.format(
            **values, site=rng.choice(SITES), signed=day(rng, 2036, 2041), penalty=f"{rng.randint(55, 990)} crowns"
        )
        found.append(Agreement(f"ag-{split}-{number:02}{letter}", split, text, values))
    return found


def write(folder: Path = FOLDER) -> None:
    """Write agreements.jsonl into a folder."""
    rows = agreements()
    write_jsonl(folder / "agreements.jsonl", rows)
    print(f"{len(rows)} agreements: " + ", ".join(f"{2 * n} {split}" for split, n in SPLITS.items()))


if __name__ == "__main__":
    write()

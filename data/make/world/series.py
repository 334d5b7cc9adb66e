"""The generated series of the library: match reports and data sheets, with the facts they state.

    python data/make/world/series.py

Writes `data/library/{cup,shield,sheets}/*.md` from the tables and sentences in `series/*.yaml`: the reports of 28
Harrow Cup finals and 12 Tidewater Shield finals, and 13 product data sheets. The same bytes come out on every
machine: the only chance is `random.Random` with a seed spelt out, and nothing depends on the order of a set.

Other scripts use `documents()` for the texts and `facts()` for what the texts state and how people ask about it.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import written
from written import LIBRARY, USES

TABLES = Path(__file__).resolve().parent / "series"

KINDS = ("cup", "shield", "sheets")
WORDS_IN_PARAGRAPH = (20, 50)

# Where each ground is, and what each club is called for short and where it comes from.
GROUNDS = {
    "Almshouse Park": "Dunmarrow",
    "Beggars Acre": "Thistlewick",
    "Capstan Road": "Port Ellery",
    "Cinder Lane": "Brackenford",
    "Halfpenny Field": "Quillhaven",
    "Lantern Bank": "Wexley Point",
    "Pilgrim Stairs": "Tarn Hollow",
    "Provost Meadow": "Corrin Town",
    "Quarantine Road": "Oster Bay",
    "Seven Posts": "Kelmarsh",
    "Signal Terrace": "Quillhaven",
    "Tollgate Park": "Lowmere",
}
CLUBS = {
    "Brackenford Ironside": ("Ironside", "Brackenford"),
    "Corrin University": ("University", "Corrin Town"),
    "Dunmarrow Albion": ("Albion", "Dunmarrow"),
    "Fennick Mariners": ("Mariners", "Fennick"),
    "Kelmarsh Vale": ("Vale", "Kelmarsh"),
    "Lowmere Town": ("Lowmere", "Lowmere"),
    "Oster Bay": ("Oster Bay", "Oster Bay"),
    "Port Ellery Athletic": ("Athletic", "Port Ellery"),
    "Quillhaven Rovers": ("Rovers", "Quillhaven"),
    "Tarn Hollow Slaters": ("Slaters", "Tarn Hollow"),
    "Thistlewick Rangers": ("Rangers", "Thistlewick"),
    "Wexley Wanderers": ("Wanderers", "Wexley Point"),
}

# What a report or a data sheet states as facts, and the field of the sentence that is the answer.
FINAL_ANSWERS = {
    "scorer": "scorer",
    "goalkeeper": "rival",
    "captain": "rival",
    "referee": "referee",
    "attendance": "crowd",
    "venue": "ground",
    "player": "player",
    "manager": "manager",
}
SHEET_ANSWERS = {name: name for name in ("price", "weight", "measure", "power", "launch", "designer", "part")}
UNITS = {
    "crowns": "cr",
    "kilograms": "kg",
    "litres": "l",
    "metres": "m",
    "kilometres": "km",
    "milliamp-hours": "mAh",
    "litres per minute": "l/min",
    "watts": "W",
}
MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """What one document is about: its values fill the sentences, `own` are sentences that belong to it alone."""

    id: str
    kind: str
    date: str
    names: tuple[str, ...]  # what every paragraph must name, so that it can be understood alone
    values: dict[str, Any]
    answers: dict[str, str]  # relation -> answer
    slots: dict[str, str]  # a slot of a layout -> the text it stands for, where the two differ
    own: dict[str, str]


@dataclass(frozen=True)
class Document:
    path: str
    text: str
    facts: list[dict]


def load(name: str) -> dict:
    return written.read_yaml((TABLES / f"{name}.yaml").read_text(encoding="utf-8"))


def people() -> Iterator[str]:
    """The pool of names in a fixed shuffle; each is taken once."""
    pool = load("people")["people"]
    surnames = [name.rpartition(" ")[2] for name in pool]
    twice = sorted({name for name in surnames if surnames.count(name) > 1})
    if twice:
        raise ValueError(f"surnames that stand twice in people.yaml: {', '.join(twice)}")
    random.Random("people").shuffle(pool)
    return iter(pool)


def possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def day_of(year: int, month: int, saturday: int) -> date:
    """The given Saturday of a month (1 for the first)."""
    first = date(year, month, 1)
    return first + timedelta(days=(5 - first.weekday()) % 7 + 7 * (saturday - 1))


def final(kind: str, table: dict, year: int, names: Iterator[str]) -> Subject:
    """The final of one year, with the people who took part in it."""
    row = table["finals"][year]
    short_winner, home = CLUBS[row["winner"]]
    short_loser, away = CLUBS[row["loser"]]
    goals = row["score"].split("-")
    values = {
        "y": year,
        "c": table["competition"],
        "W": row["winner"],
        "Ws": possessive(row["winner"]),
        "w": short_winner,
        "ws": possessive(short_winner),
        "home": home,
        "L": row["loser"],
        "Ls": possessive(row["loser"]),
        "l": short_loser,
        "away": away,
        "a": goals[0],
        "b": goals[1],
        "score": row["score"],
        "aet": " after extra time" if row["minute"] > 90 else "",
        "minute": row["minute"],
        "nth": ordinal(row["minute"]),
        "ground": row["ground"],
        "town": GROUNDS[row["ground"]],
        "crowd": row["crowd"],
        "position": row["position"],
        **{role: next(names) for role in ("scorer", "rival", "referee", "player", "manager")},
    }
    stated = [relation for relation in FINAL_ANSWERS if FINAL_ANSWERS[relation] != "rival" or relation == row["rival"]]
    return Subject(
        id=f"{kind}-{year}",
        kind=kind,
        date=(day_of(year, table["month"], table["saturday"]) + timedelta(days=1)).isoformat(),
        names=(str(year), table["competition"]),
        values=values,
        answers={relation: values[FINAL_ANSWERS[relation]] for relation in stated},
        slots={"rival": row["rival"]},
        own={"moment": table["moments"][year]},
    )


def sheet(table: dict, product: str, names: Iterator[str]) -> Subject:
    """One product with its figures and its designer."""
    row = table["products"][product]
    line = table["lines"][product.split()[0].lower()]
    values = {**row, **line, "p": product, "Noun": line["noun"].capitalize(), "designer": next(names)}
    return Subject(
        id=f"sheet-{product.lower().replace(' ', '-')}",
        kind="sheets",
        date=row["date"],
        names=(product,),
        values=values,
        answers={relation: values[SHEET_ANSWERS[relation]] for relation in SHEET_ANSWERS},
        slots={},
        own={"intro": table["intros"][product]},
    )


def deal(cards: Sequence[T], count: int, seed: str) -> list[T]:
    """`count` cards, each about equally often and never one twice running.

    The two halves of the pack are shuffled apart in every round, so that a card comes back after half a pack at the
    earliest; independent draws would repeat a sentence in neighbouring years.
    """
    chance = random.Random(seed)
    dealt: list[T] = []
    whole = list(cards)
    chance.shuffle(whole)
    while len(dealt) < count:
        for half in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
            chance.shuffle(half)
            dealt += half
    return dealt[:count]


def deal_texts(table: dict, subjects: list[Subject]) -> dict[str, dict[str, str]]:
    """For each subject (by id) the sentence pattern of every text it may use."""
    patterns: dict[str, dict[str, str]] = {subject.id: {} for subject in subjects}
    for text in sorted(key for key, value in table.items() if isinstance(value, str) and "\n" in value):
        users = [s for s in subjects if text not in ("goalkeeper", "captain") or text in s.slots.values()]
        seed = f"{subjects[0].kind} {text}"
        for subject, pattern in zip(users, deal(table[text].splitlines(), len(users), seed), strict=True):
            patterns[subject.id][text] = pattern
    return patterns


def partitions(sentences: list[str], names: tuple[str, ...]) -> Iterator[list[str]]:
    """Every way to break the sentences into paragraphs of the right length that can each stand alone."""
    if not sentences:
        yield []
    for cut in range(1, len(sentences) + 1):
        paragraph = " ".join(sentences[:cut])
        words = len(paragraph.split())
        if words > WORDS_IN_PARAGRAPH[1]:
            return
        if words >= WORDS_IN_PARAGRAPH[0] and all(name in paragraph for name in names):
            for rest in partitions(sentences[cut:], names):
                yield [paragraph, *rest]


def paragraphs(subject: Subject, sentences: list[str]) -> list[str]:
    found = list(partitions(sentences, subject.names))
    if not found:
        raise ValueError(f"{subject.id}: no way to break these sentences into paragraphs: {sentences}")
    return random.Random(f"paragraphs {subject.id}").choice(found)


def other_forms(relation: str, answer: str) -> list[str]:
    """Other ways to write an answer that are just as right."""
    if relation == "venue":
        return [f"{answer}, {GROUNDS[answer]}"]
    if relation == "part":
        return [answer.replace("-", " "), answer.replace("-", "")]
    if relation == "launch":
        day, month, year = answer.split()
        iso = date(int(year), MONTHS.index(month) + 1, int(day)).isoformat()
        return [f"{ordinal(int(day))} {month} {year}", f"{month} {day}, {year}", f"{month} {day} {year}", iso]
    number, _, unit = answer.partition(" ")
    if number[0].isdigit():
        plain = number.replace(",", "")
        units = [f" {unit}", f" {UNITS[unit]}", ""] if unit else [""]
        forms = [form + ending for ending in units for form in (number, plain)]
        return [form for form in dict.fromkeys(forms) if form != answer]
    return [answer.rpartition(" ")[2]]  # a person's surname


def facts_of(subject: Subject, sentences: dict[str, str]) -> list[dict]:
    asked = load("questions")["sheets" if subject.kind == "sheets" else "finals"]
    return [
        {
            "source": subject.id,
            "kind": subject.kind,
            "relation": relation,
            "sentence": sentences[relation],
            "answer": answer,
            "accepted": other_forms(relation, answer),
            **{use: [wording.format(**subject.values) for wording in asked[relation][use]] for use in USES},
        }
        for relation, answer in subject.answers.items()
    ]


def write_up(subject: Subject, layout: str, patterns: dict[str, str]) -> Document:
    """One document: the sentences in the order of its layout, broken into paragraphs, and the facts in them."""
    texts = [subject.slots.get(slot, slot) for slot in layout.split()]
    sentences = {text: (subject.own | patterns)[text].format(**subject.values) for text in texts}
    front = {
        "id": subject.id,
        "title": json.dumps(patterns["title"].format(**subject.values), ensure_ascii=False),
        "date": json.dumps(subject.date),
        "kind": subject.kind,
        "audience": "public",
    }
    head = "".join(f"{key}: {value}\n" for key, value in front.items())
    body = "\n\n".join(paragraphs(subject, list(sentences.values())))
    path = f"{subject.kind}/{subject.id}.md"
    return Document(path, f"---\n{head}---\n\n{body}\n", facts_of(subject, sentences))


@cache
def series() -> tuple[Document, ...]:
    """All documents, in the order of their tables."""
    names = people()
    written = []
    for kind in KINDS:
        table = load(kind)
        if kind == "sheets":
            subjects = [sheet(table, product, names) for product in table["products"]]
        else:
            subjects = [final(kind, table, year, names) for year in table["finals"]]
        layouts = deal(table["layouts"], len(subjects), f"{kind} layouts")
        patterns = deal_texts(table, subjects)
        written += [write_up(s, layout, patterns[s.id]) for s, layout in zip(subjects, layouts, strict=True)]
    return tuple(written)


def documents() -> list[tuple[str, str]]:
    """Every document as its path below `data/library` and its text."""
    return [(document.path, document.text) for document in series()]


def facts() -> list[dict]:
    """Every fact of every document, with the wordings in which people ask about it."""
    return [fact for document in series() for fact in document.facts]


def write(path: Path, text: str) -> bool:
    """Write a file unless it already reads so; say whether it changed."""
    content = text.encode("utf-8")
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def main() -> int:
    wanted = {LIBRARY / path: text for path, text in documents()}
    changed = sum(write(path, text) for path, text in wanted.items())
    stale = [path for kind in KINDS for path in sorted((LIBRARY / kind).glob("*.md")) if path not in wanted]
    for path in stale:
        path.unlink()
    print(f"{len(wanted)} documents, {len(facts())} facts; {changed} files written, {len(stale)} deleted")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Splits the facts and sets the exams.

    python data/make/sets/exams.py

Reads the facts of the written documents (`facts/`), of the series (`series.py`) and of common knowledge
(`general.yaml`); splits them by family of documents, with a seed, before anything is made from them; writes
`data/exams/facts.jsonl` and one file an exam. The same bytes on every machine.
"""

from __future__ import annotations

import random
import re
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import series
import written

from course_lib.core.rows import write_jsonl
from course_lib.evaluation.exams import Fact, Question, questions_of

EXAMS = written.ROOT / "data" / "exams"
SEED = 2042
# Shares of each kind's families of documents: examined, for choosing settings, and for learning to read (RAFT).
SHARES = {
    "cup": (0.82, 0.18, 0.0),
    "handbook": (0.68, 0.14, 0.18),
    "shield": (0.0, 0.0, 1.0),
}
OTHER_SHARES = (0.6, 0.15, 0.25)
SPLITS = ("test", "validation", "reading")
LIBRARY_PER_KIND = {"test": 30, "validation": 8}


def family(source: str) -> str:
    """What a document is split together with: editions of one policy, models of one product.

    Neighbours of a series (two years of one cup) share no fact and are families of their own.
    """
    if source.startswith("cup-") or source.startswith("shield-"):
        return source
    return re.sub(r"(-(\d+|plus|pro|s|l))+$", "", source)


def split_families(sources: list[str], shares: tuple[float, float, float], seed: int) -> dict[str, str]:
    """Source to split. Families are dealt in a seeded order until each split has its share of the documents."""
    members = defaultdict(list)
    for source in sources:
        members[family(source)].append(source)
    names = sorted(members)
    random.Random(seed).shuffle(names)
    names.sort(key=lambda name: -len(members[name]))  # large families first, so that the shares can be met
    counts = dict.fromkeys(SPLITS, 0)
    placed = {}
    for name in names:
        split = max(SPLITS, key=lambda s: shares[SPLITS.index(s)] * len(sources) - counts[s])
        counts[split] += len(members[name])
        placed |= dict.fromkeys(members[name], split)
    return placed


def all_facts() -> list[Fact]:
    """Every fact of the world, with its split, in order of kind, document and place in the document."""
    raw = defaultdict(list)
    for path in sorted(written.FACTS.glob("*/*.yaml")):
        for fact in written.read_yaml(path.read_text(encoding="utf-8")):
            raw[path.parent.name, path.stem].append(fact)
    for fact in series.facts():
        raw[fact["kind"], fact["source"]].append(fact)
    splits = {}
    for kind in sorted({kind for kind, _ in raw}):
        sources = [source for k, source in sorted(raw) if k == kind]
        splits |= split_families(sources, SHARES.get(kind, OTHER_SHARES), SEED)
    return [
        Fact(
            id=f"{source}.{number}",
            split=splits[source],
            source=source,
            kind=kind,
            sentence=" ".join(fact["sentence"].split()),
            answer=str(fact["answer"]),
            accepted=tuple(map(str, fact.get("accepted") or ())),
            study=tuple(fact["study"]),
            validation=tuple(fact["validation"]),
            exam=tuple(fact["exam"]),
        )
        for (kind, source), facts in sorted(raw.items())
        for number, fact in enumerate(facts, 1)
    ]


def examined(facts: list[Fact], split: str) -> list[Question]:
    """One question a fact of a split: exam wordings for test facts, validation wordings for validation facts."""
    use = "exam" if split == "test" else "validation"
    return [questions_of(fact, use)[0] for fact in facts if fact.split == split]


def library_questions(facts: list[Fact], split: str) -> list[Question]:
    """As many questions of every genre, drawn by a seed, so that no genre rules the mean."""
    rng = random.Random(SEED)
    chosen = []
    for kind in sorted({fact.kind for fact in facts}):
        pool = examined([fact for fact in facts if fact.kind == kind], split)
        chosen += sorted(rng.sample(pool, min(LIBRARY_PER_KIND[split], len(pool))), key=lambda q: q.id)
    return chosen


def general() -> tuple[list[Question], list[Question], list[dict]]:
    """Common knowledge: test and validation questions, and other questions for study."""
    rows = written.read_yaml(Path(__file__).with_name("general.yaml").read_text(encoding="utf-8"))
    questions = [
        Question(r["id"], r["question"], str(r["answer"]), tuple(map(str, r.get("accepted") or ())), kind=r["topic"])
        for r in rows["exam"]
    ]
    order = list(range(len(questions)))
    random.Random(SEED).shuffle(order)
    cut = round(len(order) * 0.8)
    test, validation = ([questions[i] for i in sorted(part)] for part in (order[:cut], order[cut:]))
    study = [{"id": r["id"], "question": r["question"], "answer": str(r["answer"])} for r in rows["study"]]
    return test, validation, study


def write(folder: Path = EXAMS) -> None:
    """Write facts and exams into a folder."""
    facts = all_facts()
    write_jsonl(folder / "facts.jsonl", facts)
    test, validation, study = general()
    write_jsonl(folder / "general_study.jsonl", study)
    exams = {"general": (test, validation)}
    for kind in ("cup", "handbook"):
        own = [fact for fact in facts if fact.kind == kind]
        exams[kind] = (examined(own, "test"), examined(own, "validation"))
    exams["library"] = (library_questions(facts, "test"), library_questions(facts, "validation"))
    for name, (test, validation) in exams.items():
        rows = [{**asdict(q), "split": split} for split, qs in (("test", test), ("validation", validation)) for q in qs]
        write_jsonl(folder / f"{name}.jsonl", rows)
        print(f"{name}: {len(test)} test, {len(validation)} validation")
    print(f"facts: {len(facts)}, of them " + ", ".join(f"{sum(f.split == s for f in facts)} {s}" for s in SPLITS))


if __name__ == "__main__":
    write()

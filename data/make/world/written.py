"""The written documents and the facts they state, checked.

    python data/make/world/written.py [FOLDER_OR_ID ...]

Reads `data/library/<kind>/<id>.md` and `facts/<kind>/<id>.yaml`, reports everything that breaks the rules of
`../WORLD.md` and `facts/README.md`, and exits with 1 if anything does.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "data" / "library"
FACTS = Path(__file__).resolve().parent / "facts"

FRONT_MATTER = ("id", "title", "date", "kind", "audience")
AUDIENCES = ("public", "staff", "managers", "clinicians", "legal")
USES = ("study", "validation", "exam")
# Wordings a fact needs, by use. The handbook is also learned by heart, so it needs many ways to ask.
WORDINGS = {"handbook": {"study": 6, "validation": 1, "exam": 2}}
OTHER_WORDINGS = {"study": 2, "validation": 1, "exam": 1}
WORDS_IN_BODY = (80, 250)
WORDS_IN_ANSWER = 6


def normalise(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def read_yaml(text: str) -> Any:
    """YAML by libyaml where it is compiled in: ten times faster over a hundred files of facts."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def read_document(path: Path) -> tuple[dict, str]:
    """Front matter and body of one Markdown document."""
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return read_yaml(front), body.strip()


def problems_of_document(path: Path, front: dict, body: str) -> list[str]:
    found = [f"front matter lacks {key}" for key in FRONT_MATTER if not front.get(key)]
    if front.get("id") != path.stem:
        found.append(f"id {front.get('id')!r} is not the file's name")
    if front.get("kind") != path.parent.name:
        found.append(f"kind {front.get('kind')!r} is not the folder's name")
    if front.get("audience") not in AUDIENCES:
        found.append(f"audience {front.get('audience')!r} is not one of {', '.join(AUDIENCES)}")
    words = len(body.split())
    low, high = WORDS_IN_BODY
    if not low <= words <= high:
        found.append(f"{words} words in the body, not {low} to {high}")
    for line in body.splitlines():
        if len(line.split()) > 70:
            found.append(f"a paragraph of {len(line.split())} words: {line[:50]}...")
    return found


def problems_of_fact(fact: dict, body: str, kind: str) -> list[str]:
    found = []
    sentence, answer = str(fact.get("sentence", "")), str(fact.get("answer", ""))
    if not sentence or sentence not in body:
        found.append("the sentence does not stand in the document")
    if not answer or answer.lower() not in sentence.lower():
        found.append(f"the answer {answer!r} does not stand in the sentence")
    if len(answer.split()) > WORDS_IN_ANSWER:
        found.append(f"the answer {answer!r} is longer than {WORDS_IN_ANSWER} words")
    seen: dict[str, str] = {}
    for use in USES:
        wordings = fact.get(use) or []
        needed = WORDINGS.get(kind, OTHER_WORDINGS)[use]
        if len(wordings) < needed:
            found.append(f"{len(wordings)} {use} wordings of {needed}")
        for wording in wordings:
            key = normalise(wording)
            if key in seen:
                found.append(f"wording twice: {wording!r} ({seen[key]}, {use})")
            seen[key] = use
            if normalise(answer) and f" {normalise(answer)} " in f" {key} ":
                found.append(f"the answer stands in the wording {wording!r}")
    return found


def check(path: Path) -> list[str]:
    """Everything that is wrong with one document and its facts."""
    front, body = read_document(path)
    found = problems_of_document(path, front, body)
    facts_file = FACTS / path.parent.name / f"{path.stem}.yaml"
    if not facts_file.exists():
        return [*found, "no facts file"]
    facts = read_yaml(facts_file.read_text(encoding="utf-8")) or []
    for number, fact in enumerate(facts, 1):
        found += [f"fact {number}: {problem}" for problem in problems_of_fact(fact, body, path.parent.name)]
    return found


def main(names: list[str]) -> int:
    paths = [p for p in sorted(LIBRARY.glob("*/*.md")) if (FACTS / p.parent.name).is_dir()]
    if names:
        paths = [p for p in paths if p.stem in names or p.parent.name in names]
    bad = 0
    for path in paths:
        for problem in check(path):
            print(f"{path.relative_to(ROOT)}: {problem}")
            bad += 1
    print(f"{len(paths)} documents, {bad} problems")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Makes data/style/: pairs of a plain answer and the same in a Shakespearean voice, and real lines to judge voices by.

    python data/make/sets/style.py

Reads `style/pairs.yaml` (written for this course) and `style/lines.yaml` (Shakespeare, in the public domain); reports
what breaks the rules, and exits with 1 if anything does: what must survive stands in both voices, and no name or figure
of the test is in training.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import datasheet
import written

from course_lib.core.rows import write_jsonl
from course_lib.evaluation.grading import normalise, whole_words
from course_lib.lessons.voice import SPLITS, StylePair

SOURCE = Path(__file__).resolve().parent / "style"
FOLDER = written.ROOT / "data" / "style"
KEPT = re.compile(r"<([^>]+)>")


def pairs() -> list[StylePair]:
    """All pairs, in the order in which they were written."""
    sheets = written.read_yaml((SOURCE / "pairs.yaml").read_text(encoding="utf-8"))
    return [
        StylePair(
            f"style-{split}-{number:03}",
            split,
            KEPT.sub(r"\1", row["plain"]),
            KEPT.sub(r"\1", row["voice"]),
            tuple(KEPT.findall(row["plain"])),
        )
        for split in SPLITS
        for number, row in enumerate(sheets[split], 1)
    ]


def lines() -> list[dict[str, str]]:
    """Shakespeare's lines, play by play."""
    sheets = written.read_yaml((SOURCE / "lines.yaml").read_text(encoding="utf-8"))
    return [
        {"split": split, "play": play, "text": text}
        for split in SPLITS
        for play, texts in sheets[split].items()
        for text in texts
    ]


def problems(made: list[StylePair]) -> list[str]:
    """What breaks the rules."""
    found = []
    for pair in made:
        said = whole_words(pair.voice)
        lost = [text for text in pair.keep if whole_words(text) not in said]
        found += [f"{pair.id}: {text!r} is lost in the voice" for text in lost]
        found += [f"{pair.id}: nothing must survive"] * (not pair.keep)
        found += [f"{pair.id}: the voice is the plain answer"] * (normalise(pair.plain) == normalise(pair.voice))
    for part in ("plain", "voice"):
        texts = [normalise(getattr(pair, part)) for pair in made]
        found += [f"{part} twice: {' '.join(text)}" for text in sorted(set(texts)) if texts.count(text) > 1]
    kept = {split: {text for pair in made if pair.split == split for text in pair.keep} for split in SPLITS}
    return found + [f"{text!r} is in training and in the test" for text in sorted(kept["train"] & kept["test"])]


def write(folder: Path = FOLDER) -> list[StylePair]:
    """Write pairs.jsonl and lines.jsonl into a folder."""
    made = pairs()
    write_jsonl(folder / "pairs.jsonl", made)
    write_jsonl(folder / "lines.jsonl", lines())
    return made


def main() -> int:
    found = problems(pairs())
    if not found:
        print(f"{len(write())} pairs, {len(lines())} lines")
    return datasheet.reported(found)


if __name__ == "__main__":
    sys.exit(main())

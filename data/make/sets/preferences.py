"""Makes data/preferences/ from the replies as they were written, and checks them.

    python data/make/sets/preferences.py

Gives every ticket of data/tickets two of the replies that `replies.py` reads, and a label; writes
`data/preferences/preferences.jsonl`, the same bytes on every machine, and the counts of its README; reports what breaks
the rules, and exits with 1 if anything does.

Three rules decide, in this order:

1. Wordings are dealt to the splits before a pair is made: what is trained on is not tested.
2. The better reply is the one with fewer faults, weighed (`severity`).
3. In a tenth of each split's pairs the label is swapped; people's labels are noisier (see the datasheet). How likely a
   pair is to be among them falls with the square of the distance between its replies: what is close is mistaken.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import datasheet
import written
from replies import SEED, Wording, agreement, dealt, finds, kind_of, problems, unseen, wordings

from course_lib.core.rows import write_jsonl
from course_lib.lessons.house_rule import FAULTS
from course_lib.lessons.letters import Preference, check_replies_apart
from course_lib.lessons.tickets import DESKS, SPLITS, Ticket, load_tickets

FOLDER = written.ROOT / "data" / "preferences"
# How bad the house thinks each fault is; a reply with several is as bad as all of them together.
SEVERITY = {"long": 1, "blame": 2, "desk": 2, "rude": 3, "promise": 3}
NOISE = 0.1
# What a pair is of: a good reply and one with this fault, one that names another desk, one with several faults; or
# two flawed ones. Each as often as the next, for every desk.
KINDS = (*FAULTS, "another desk", "several", "both flawed")
# One word may point to the better or to the worse reply, but not in more of them than this.
TELLTALE = 1 / 3


def preferences(told: Sequence[Wording]) -> list[Preference]:
    """A pair for every ticket, in the order of the tickets."""
    shelves, tickets = dealt(told), load_tickets()
    made: list[Preference] = []
    for split in SPLITS:
        pairs = []
        for desk in DESKS:
            letters = [ticket for ticket in tickets if (ticket.desk, ticket.split) == (desk, split)]
            pairs += _pairs(letters, shelves[split])
        made += _noisy(pairs, random.Random(f"{SEED} {split} noise"))
    order = {ticket.id: place for place, ticket in enumerate(tickets)}
    return sorted(made, key=lambda pair: order[f"t{pair.id[1:]}"])


def severity(faults: Sequence[str]) -> int:
    """How bad a reply with these faults is: 0 for none."""
    return sum(SEVERITY[fault] for fault in faults)


def _pairs(letters: Sequence[Ticket], shelf: Sequence[Wording]) -> Iterator[Preference]:
    """Pairs for letters of one desk and split: every kind equally often, every wording of a kind too."""
    desk, rng = letters[0].desk, random.Random(f"{SEED} {letters[0].split} {letters[0].desk}")
    fitting = [wording for wording in shelf if wording.home in ("", desk)]
    good = _in_rounds([w for w in fitting if not w.faults], rng)
    strange = _in_rounds([w for w in shelf if not w.faults and w.home not in ("", desk)] + _any_desk(shelf), rng)
    flawed = {kind: _in_rounds([w for w in fitting if kind_of(w) == kind], rng) for kind in (*FAULTS, "several")}
    kinds = _in_rounds(KINDS, rng)
    for letter in letters:
        kind = next(kinds)
        if kind == "both flawed":
            chosen, rejected = _two_flawed(flawed, rng)
        else:
            chosen = next(good)
            rejected = _elsewhere(next(strange), desk, rng) if kind == "another desk" else next(flawed[kind])
        yield Preference(
            f"p{letter.id[1:]}", desk, letter.issue, letter.message, letter.split, chosen.to(desk), rejected.to(desk),
            chosen.faults, rejected.faults, noise=False,
        )  # fmt: skip


def _two_flawed(flawed: dict[str, Iterator[Wording]], rng: random.Random) -> tuple[Wording, Wording]:
    """Two flawed replies, the lighter first; never two that weigh the same."""
    lighter, heavier = sorted(
        (next(flawed[kind]) for kind in rng.sample(list(flawed), 2)), key=lambda found: severity(found.faults)
    )
    if severity(lighter.faults) == severity(heavier.faults):
        return _two_flawed(flawed, rng)
    return lighter, heavier


def _elsewhere(wording: Wording, desk: str, rng: random.Random) -> Wording:
    """A good reply to somebody else: its own desk's, or, if it fits every desk, that of one drawn here."""
    other = wording.home or rng.choice([other for other in DESKS if other != desk])
    return Wording(wording.to(other), other, ("desk",))


def _noisy(pairs: Sequence[Preference], rng: random.Random) -> list[Preference]:
    """The pairs, a tenth of them with the label swapped: drawn one by one, the close ones more often."""
    left = list(range(len(pairs)))
    swapped: set[int] = set()
    for _ in range(round(NOISE * len(pairs))):
        number = rng.choices(left, [1 / _distance(pairs[i]) ** 2 for i in left])[0]
        left.remove(number)
        swapped.add(number)
    return [_swapped(pair) if number in swapped else pair for number, pair in enumerate(pairs)]


def _swapped(pair: Preference) -> Preference:
    return replace(
        pair, chosen=pair.rejected, rejected=pair.chosen, chosen_faults=pair.rejected_faults,
        rejected_faults=pair.chosen_faults, noise=True,
    )  # fmt: skip


def _distance(pair: Preference) -> int:
    """How much worse the worse reply is; at least 1."""
    return abs(severity(pair.rejected_faults) - severity(pair.chosen_faults))


def _any_desk(shelf: Sequence[Wording]) -> list[Wording]:
    return [wording for wording in shelf if not wording.faults and not wording.home]


def _in_rounds(items: Sequence, rng: random.Random) -> Iterator:
    """The items without end: all of them in a drawn order, then all again in another."""
    while True:
        yield from rng.sample(list(items), len(items))


# What the datasheet says


def telltales(pairs: Sequence[Preference]) -> dict[str, tuple[str, float]]:
    """For the better and the worse replies the word that tells them most often, and in what share of them it stands."""
    return datasheet.telltales({side: [getattr(pair, side) for pair in pairs] for side in ("better", "worse")}, 3 / 4)


def bag_of_words(train: Sequence[Preference], test: Sequence[Preference]) -> float:
    """Share of test pairs whose better reply naive Bayes finds; it knows words, and neither sentence nor letter."""
    score = datasheet.naive_bayes({side: [getattr(pair, side) for pair in train] for side in ("chosen", "rejected")})

    def liked(reply: str) -> float:
        return score("chosen", reply) - score("rejected", reply)

    return sum(liked(pair.better) > liked(pair.worse) for pair in test) / len(test)


def counts(told: Sequence[Wording], made: Sequence[Preference]) -> str:
    """The generated part of the README."""
    shelves, splits = dealt(told), {split: [p for p in made if p.split == split] for split in SPLITS}
    heads = ("written replies", *SPLITS, "how bad", "the judge's precision", "recall")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    exact, each = agreement(told)
    for fault in ("", *FAULTS):
        kept = [sum(fault in w.faults if fault else not w.faults for w in shelves[split]) for split in SPLITS]
        judged = (f"{share:.2f}" for share in each[fault]) if fault else ("", "")
        name = f"`{fault}`: {FAULTS[fault]}" if fault else "good"
        rows.append(f"| {' | '.join([name, *map(str, kept), str(severity((fault,)) if fault else 0), *judged])} |")
    rows += ["", "| distance of the two replies | pairs | labels swapped |", "|---|---|---|"]
    for distance, close in _by_distance(made).items():
        rows.append(f"| {distance} | {len(close)} | {sum(pair.noise for pair in close)} |")
    words = [sum(len(getattr(pair, side).split()) for pair in made) / len(made) for side in ("better", "worse")]
    shorter = sum(len(p.better.split()) < len(p.worse.split()) for p in splits["test"]) / len(splits["test"])
    flawed = sum(bool(pair.chosen_faults if not pair.noise else pair.rejected_faults) for pair in made)
    word, share = max(telltales(made).values(), key=lambda found: found[1])
    return "\n".join([
        *rows,
        "",
        f"{len(made)} pairs: " + ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
        + f"; {sum(pair.noise for pair in made)} labels swapped; in {flawed} pairs the better reply is flawed too. "
        f"{len(told)} wordings; the better replies have {words[0]:.1f} words on average, the worse {words[1]:.1f}.",
        f"The judge finds exactly the faults that the writer meant in {exact:.1%} of these wordings, and in "
        f"{agreement(unseen())[0]:.1%} of {len(unseen())} that were written when it was finished: of their faults it "
        "finds {} and misses {}, and it names {} that are none.".format(*finds(unseen())),
        f'The word that tells a side most often, "{word}", stands in {share:.0%} of that side\'s replies. Of the '
        f"{len(splits['test'])} test pairs, naive Bayes over the words of the replies, trained on the "
        f"{len(splits['train'])}, finds the better reply in {bag_of_words(splits['train'], splits['test']):.0%}; the "
        f"shorter reply is the better one in {shorter:.0%}.",
    ])  # fmt: skip


def _by_distance(made: Sequence[Preference]) -> dict[int, list[Preference]]:
    found: dict[int, list[Preference]] = {}
    for pair in sorted(made, key=_distance):
        found.setdefault(_distance(pair), []).append(pair)
    return found


def write(folder: Path = FOLDER) -> list[Preference]:
    """Write preferences.jsonl into a folder, and the counts into its README if it has one.

    A LeakError names a wording or an issue that is in two splits.
    """
    told = wordings()
    made = preferences(told)
    for left, right in (("train", "test"), ("train", "validation"), ("validation", "test")):
        check_replies_apart(*([pair for pair in made if pair.split == split] for split in (left, right)))
    write_jsonl(folder / "preferences.jsonl", made)
    datasheet.fill(folder, counts(told, made))
    return made


def main() -> int:
    told = wordings()
    found = problems(told)
    if not found:
        made = write()
        best = telltales(made)
        found = [f"{side}: {word!r} stands in {share:.0%}" for side, (word, share) in best.items() if share > TELLTALE]
        print(counts(told, made))
        print("words that tell: " + ", ".join(f"{side} {word!r} {share:.0%}" for side, (word, share) in best.items()))
    return datasheet.reported(found)


if __name__ == "__main__":
    sys.exit(main())

"""Drawing evenly over groups: some of each before more of any."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

__all__ = ["in_turns", "shuffled"]

Item = TypeVar("Item")
_NOTHING = object()


def in_turns(groups: Sequence[Sequence[Item]], rng: random.Random | None = None) -> list[Item]:
    """The first of each group, then the second of each, until all are empty; `rng` draws the order within each turn."""
    turns = ([item for item in turn if item is not _NOTHING] for turn in zip_longest(*groups, fillvalue=_NOTHING))
    return [item for turn in turns for item in (shuffled(turn, rng) if rng else turn)]


def shuffled(items: Sequence[Item], rng: random.Random) -> list[Item]:
    """The same items in an order that `rng` draws."""
    return rng.sample(items, len(items))

"""Checks of lesson 05: rankings fused by hand, a store of one's own, and a filter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from course_lib.lessons.checks.registry import Right, is_texts, register
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import matches, only
from course_lib.retrieval.words import fuse

# As the exercise puts it: for the public or for staff, and of 2042.
WHAT_SHE_MAY_READ = only(audience=["public", "staff"], since="2042-01-01")


@register("05-fuse", names="order")
def _fuse(attempt: Any, *, rankings: Sequence[Sequence[str]]) -> str:
    if not is_texts(attempt):
        return "Write a list of passage names, best first, each in quotation marks."
    given, everything = list(attempt), list(dict.fromkeys(id for ranking in rankings for id in ranking))
    if len(set(given)) < len(given):
        return "A passage stands in your list twice: each is scored once, with what both gave it."
    if missing := [id for id in everything if id not in given]:
        return f"{len(missing)} of {len(everything)} passages are missing: one that only one search found counts too."
    if strange := [id for id in given if id not in everything]:
        return f"{strange[0]!r} was found by neither search."
    scores = fuse(rankings)
    pairs = list(pairwise(given))
    if all(scores[a] >= scores[b] - 1e-12 for a, b in pairs):  # equal scores may stand in any order
        return Right(f"Yes. {given[0]!r} comes first: to be high with both beats to be highest with one.")
    if all(scores[a] <= scores[b] + 1e-12 for a, b in pairs):
        return "The right order, upside down: a high score is good."
    if given in [[*ranking, *(id for id in everything if id not in ranking)] for ranking in rankings]:
        return "That is one search's ranking with the other's behind it: add up what each passage gets from both."
    by_sum = {id: sum(list(r).index(id) + 1 for r in rankings if id in r) for id in everything}
    if all(by_sum[a] <= by_sum[b] for a, b in pairs):
        return "You added ranks, so that a passage that one search missed looks good: add 1 / (60 + rank)."
    a, b = next((a, b) for a, b in pairs if scores[a] < scores[b] - 1e-12)
    return f"{a!r} scores {scores[a]:.5f} and {b!r} {scores[b]:.5f}: look at those two again."


@register("05-store", names="store")
def _store(attempt: Any, *, passages: Sequence[Passage], vectors: Any, asked: Any) -> str:
    if isinstance(attempt, type):
        return f"That is the class. Make one of it: {attempt.__name__}()."
    if lacking := [name for name in ("add", "delete", "query") if not callable(getattr(attempt, name, None))]:
        return f"A store has three calls, add, delete and query: yours lacks {', '.join(lacking)}."
    nearness = [float(vector @ asked) for vector in vectors]
    ranked = sorted(range(len(passages)), key=lambda i: -nearness[i])
    attempt.add(passages, vectors, [""] * len(passages))
    found = attempt.query(asked, 3)
    if not isinstance(found, (list, tuple)) or not all(isinstance(passage, Passage) for passage in found):
        return "query returns a list of passages, and something else came back."
    ids, wanted = [passage.id for passage in found], [passages[i].id for i in ranked]
    if len(ids) != min(3, len(passages)):
        return f"Asked for 3 passages, your store gives {len(ids)}."
    if ids == wanted[::-1][:3]:
        return "The three farthest: a large cosine is near."
    if set(ids) == set(wanted[:3]) and ids != wanted[:3]:
        return "The right three, in another order: the best comes first."
    if ids != wanted[:3]:
        return "Those are not the nearest three: is each vector compared with the question's?"
    if abs(found[0].score - nearness[ranked[0]]) > 1e-3:
        return "The right passages. Their score is the cosine: `replace(passage, score=...)` gives them one."
    best = passages[ranked[0]].source
    attempt.delete([best])
    left = {passage.source for passage in attempt.query(asked, len(passages))}
    if best in left:
        return f"After delete([{best!r}]) your store still finds it: somebody wanted that gone."
    if len(left) != len({passage.source for passage in passages}) - 1:
        return f"delete([{best!r}]) took more away than that document."
    return Right("Yes. Those three calls are all that an index asks, and yours is exact.")


@register("05-filter", names="where")
def _filter(attempt: Any, *, passages: Sequence[Passage]) -> str:
    let = [passage for passage in passages if matches(passage, attempt)]
    right = [passage for passage in passages if matches(passage, WHAT_SHE_MAY_READ)]
    if not isinstance(attempt, dict):
        return "A filter is a dict: `filters.only(...)` makes one."
    too_many = [p for p in let if p not in right]
    too_few = [p for p in right if p not in let]
    readers = {p.audience for p in right}
    if strangers := sorted({p.audience for p in too_many} - readers):
        return f"It lets through what is for {strangers[0]}: somebody reads what is not meant for them."
    if too_many:
        return f"Nobody reads what is not theirs, but {too_many[0].source}, of {too_many[0].date}, is too old."
    if missed := sorted({p.audience for p in too_few} - {p.audience for p in let}):
        return f"Safe, and too strict: nothing for {missed[0]} comes through."
    if too_few:
        return f"Safe, and too strict: {too_few[0].source}, of {too_few[0].date}, should come through."
    return Right(f"Yes. {len(right)} of {len(passages)} passages come through, and none of the others can.")

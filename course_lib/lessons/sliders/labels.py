"""Pairs to label: pick the better reply, then see how often you agree with the house, and where the three differ."""

from __future__ import annotations

import html
import numbers
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core.errors import CourseError
from course_lib.core.rows import shuffled
from course_lib.core.text import in_notebook
from course_lib.display.playground import as_html, show
from course_lib.display.quizzes import LETTERS, read_letters
from course_lib.lessons.house_rule import FAULTS
from course_lib.lessons.letters import Preference

# Pairs that stand in the text beneath a widget, which is read where the notebook is a page.
TOLD_WITH_A_WIDGET = 3
# Ouyang et al. 2022 (arXiv 2203.02155), section 3.4: 72.6 ± 1.5% of the time, labelers of the training data.
PEOPLE = "two people who label for a living agree on about three pairs of four (Ouyang et al. 2022)"


def label_pairs(preferences: Sequence[Preference], n: int = 20, seed: int = 0, answers: str | None = None) -> None:
    """Pick the better of two replies, `n` times; at the end see how often you and the labels agree with the house.

    As many of those drawn have a wrong label as in all of them, rounded; the seed says which, in which order, and which
    reply stands first. `answers`, a letter for each pair, prints the result without a widget; an empty one the pairs.
    """
    pairs = _drawn(preferences, n, seed)
    answer = None
    if answers:
        answer = _result(pairs, read_letters("label_pairs", [2] * n, answers))
    elif answers is not None or not in_notebook():
        answer = _listed(pairs, seed, n)
    show(lambda: _one_by_one(pairs), _listed(pairs, seed, TOLD_WITH_A_WIDGET), answer)


@dataclass(frozen=True)
class _Pair:
    """A pair as it is shown."""

    pair: Preference
    replies: list[tuple[str, tuple[str, ...]]]  # in an order that says nothing, each with its faults
    house: int  # which of the two the house prefers: 0 or 1
    label: int  # which of the two the file says was chosen


def _drawn(preferences: Sequence[Preference], n: int, seed: int) -> list[_Pair]:
    pairs = list(preferences)
    if not all(isinstance(pair, Preference) for pair in pairs):
        raise CourseError("label_pairs takes pairs of replies: letters.load_preferences('train') gives them.")
    if not isinstance(n, numbers.Integral) or not 1 <= n <= len(pairs):
        raise CourseError(f"n is {n!r}: there are {len(pairs)} pairs, so take a whole number from 1 to that many.")
    rng = random.Random(seed)
    wrong, right = ([pair for pair in pairs if pair.noise == noise] for noise in (True, False))
    n_wrong = round(n * len(wrong) / len(pairs))  # so that there are always enough of both
    drawn = [*rng.sample(wrong, n_wrong), *rng.sample(right, n - n_wrong)]
    shown = []
    for pair in shuffled(drawn, rng):
        replies = shuffled([(pair.chosen, pair.chosen_faults), (pair.rejected, pair.rejected_faults)], rng)
        texts = [text for text, _ in replies]
        shown.append(_Pair(pair, replies, texts.index(pair.better), texts.index(pair.chosen)))
    return shown


def _listed(pairs: Sequence[_Pair], seed: int, most: int) -> str:
    """The first pairs, at most so many, and how to answer them all."""
    n = len(pairs)
    lines = ["Which reply is the better one? The name before each letter is the desk that it belongs to."]
    for number, item in enumerate(pairs[:most], 1):
        lines.append(f"{number}. {item.pair.desk}: {item.pair.message}")
        lines += [f"   {letter}) {reply}" for letter, (reply, _) in zip(LETTERS, item.replies)]
    call = f"sliders.label_pairs(pairs, n={n}, seed={seed}, answers="
    if most < n:
        lines.append(f"... and {n - most} more. Without widgets: {call}'') prints them all.")
    return "\n".join([*lines, f"Without widgets: {call}{'?' * n!r}), with a or b for each ?."])


def _result(pairs: Sequence[_Pair], picks: Sequence[int]) -> str:
    """How often the learner and the labels agree with the house, and a line on every pair where somebody did not."""
    n = len(pairs)
    yours = sum(pick == item.house for pick, item in zip(picks, pairs))
    theirs = sum(item.label == item.house for item in pairs)
    both = sum(pick == item.label for pick, item in zip(picks, pairs))
    lines = [
        f"You agree with the house on {yours} of {n} pairs; the labels do on {theirs}.",
        f"You and the labels agree on {both} of {n}; {PEOPLE}.",
    ]
    apart = []
    for number, (item, pick) in enumerate(zip(pairs, picks), 1):
        if not pick == item.label == item.house:
            house, you, label = (LETTERS[choice] for choice in (item.house, pick, item.label))
            broken = [", and ".join(FAULTS[fault] for fault in found) or "keeps the rule" for _, found in item.replies]
            faults = "; ".join(f"{letter}) {why}" for letter, why in zip(LETTERS, broken))
            apart.append(f"{number}. the house {house}, you {you}, the label {label}. {faults}.")
    lines.append("Where you, the label and the house differ:" if apart else "Nobody differs anywhere.")
    return "\n".join([*lines, *apart])


def _one_by_one(pairs: Sequence[_Pair]) -> Any:
    import ipywidgets as w

    picks: list[int] = []
    place, letter, result = w.HTML(), w.HTML(), w.HTML()
    half = w.Layout(width="26em", max_width="100%", padding="0 1em 0 0")
    replies = [w.HTML(layout=half) for _ in range(2)]
    better = [_button(f"{name.upper()} is better", f"Reply {name.upper()} is the better one") for name in LETTERS[:2]]
    back = _button("Back", "Back to the pair before", "")

    def ask() -> None:
        item = pairs[min(len(picks), len(pairs) - 1)]
        through = len(picks) == len(pairs)
        place.value = f"<b>{'all' if through else len(picks) + 1} of {len(pairs)}</b>, a letter for {item.pair.desk}:"
        letter.value = f"<i>{html.escape(item.pair.message)}</i>"
        for name, box, (reply, _) in zip(LETTERS, replies, item.replies):
            box.value = f"<b>{name.upper()}</b> {html.escape(reply)}"
        result.value = as_html(_result(pairs, picks)) if through else ""
        back.disabled = not picks
        for one in better:
            one.disabled = through

    def pick(pressed: Any) -> None:
        picks.append(better.index(pressed))
        ask()

    def undo(_: Any) -> None:
        picks.pop()
        ask()

    for one in better:
        one.on_click(pick)
    back.on_click(undo)
    ask()
    wrapping = w.Layout(flex_flow="row wrap")
    # The buttons stand above what differs in height: they stay where the pointer is, and keep the keyboard's focus.
    return w.VBox([w.HBox([*better, back, place], layout=wrapping), letter, w.HBox(replies, layout=wrapping), result])


def _button(label: str, name: str, style: str = "primary") -> Any:
    import ipywidgets as w

    return w.Button(description=label, tooltip=name, button_style=style)

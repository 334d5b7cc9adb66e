"""Pairs to label: pick the better reply, then see how often you agree with the house, and where people disagree."""

from __future__ import annotations

import html
import numbers
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.errors import CourseError
from course_lib.house_rule import FAULTS
from course_lib.preference_data import Preference
from course_lib.progress import in_notebook
from course_lib.sampling import shuffled
from course_lib.widgets import LETTERS, read_letters, show_widget

__all__ = ["label_pairs"]
# Pairs that stand in the text beneath a widget, which is read where the notebook is a page.
TOLD_WITH_A_WIDGET = 3


@dataclass(frozen=True)
class _Shown:
    """A pair as it is shown: `replies` in an order that says nothing, each with its faults."""

    pair: Preference
    replies: tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]

    @property
    def house(self) -> int:
        """Which of the two the house prefers: 0 or 1."""
        return [text for text, _ in self.replies].index(self.pair.better)

    @property
    def label(self) -> int:
        """Which of the two the file says was chosen."""
        return [text for text, _ in self.replies].index(self.pair.chosen)


def label_pairs(preferences: Sequence[Preference], n: int = 20, seed: int = 0, answers: str | None = None) -> None:
    """Pick the better of two replies, `n` times; at the end see who agrees with the house.

    Parameters
    ----------
    preferences
        What is drawn from. As many of those drawn have a wrong label as in all of them, rounded.
    n
        How many, at least 1.
    seed
        Which ones, in which order, and which reply stands first.
    answers
        One letter a pair, "a" or "b": prints the result without a widget. An empty string prints the pairs.

    Raises
    ------
    CourseError
        If there are not `n` pairs, or the answers are not a letter for each.
    """
    shown = _drawn(preferences, n, seed)
    if answers not in (None, ""):
        print(_result(shown, read_letters("label_pairs", [2] * n, answers)))
    elif answers is None and in_notebook():
        show_widget(_widget(shown), _text(shown, n, seed, TOLD_WITH_A_WIDGET))
    else:
        print(_text(shown, n, seed, n))


def _drawn(preferences: Sequence[Preference], n: int, seed: int) -> list[_Shown]:
    pairs = list(preferences)
    if not all(isinstance(pair, Preference) for pair in pairs):
        raise CourseError("label_pairs takes pairs of replies: cl.load_preferences('train') gives them.")
    if not isinstance(n, numbers.Integral) or not 1 <= n <= len(pairs):
        raise CourseError(f"n is {n!r}: there are {len(pairs)} pairs, so take a whole number from 1 to that many.")
    rng = random.Random(seed)
    wrong, right = ([pair for pair in pairs if pair.noise == noise] for noise in (True, False))
    # Rounded so that there are always enough of both.
    n_wrong = round(n * len(wrong) / len(pairs))
    drawn = [*rng.sample(wrong, n_wrong), *rng.sample(right, n - n_wrong)]
    return [_Shown(p, tuple(shuffled(_replies(p), rng))) for p in shuffled(drawn, rng)]  # type: ignore[arg-type]


def _replies(pair: Preference) -> list[tuple[str, tuple[str, ...]]]:
    return [(pair.chosen, pair.chosen_faults), (pair.rejected, pair.rejected_faults)]


def _text(shown: Sequence[_Shown], n: int, seed: int, most: int) -> str:
    """The first pairs, at most so many, and how to answer them all."""
    lines = ["Which reply is the better one? The name before each letter is the desk that it belongs to."]
    for number, item in enumerate(shown[:most], 1):
        lines.append(f"{number}. {item.pair.desk}: {item.pair.message}")
        lines += [f"   {letter}) {reply}" for letter, (reply, _) in zip(LETTERS, item.replies)]
    call = f"cl.label_pairs(pairs, n={n}, seed={seed}, answers="
    if most < n:
        lines.append(f"... and {n - most} more. Without widgets: {call}'') prints them all.")
    return "\n".join([*lines, f"Without widgets: {call}{'?' * n!r}), with a or b for each ?."])


def _result(shown: Sequence[_Shown], picks: Sequence[int]) -> str:
    """How often the learner and the labels agree with the house, and a line on every pair where somebody did not."""
    n = len(shown)
    yours = sum(pick == item.house for pick, item in zip(picks, shown))
    theirs = sum(item.label == item.house for item in shown)
    both = sum(pick == item.label for pick, item in zip(picks, shown))
    lines = [
        f"You agree with the house on {yours} of {n} pairs; whoever labelled them for the course, on {theirs}.",
        f"You and the labels agree on {both} of {n}.",
    ]
    apart = [
        (number, item, pick)
        for number, (item, pick) in enumerate(zip(shown, picks), 1)
        if not pick == item.label == item.house
    ]
    lines += ["Where people disagreed:"] if apart else ["Nobody disagreed anywhere."]
    for number, item, pick in apart:
        house, you, label = (LETTERS[choice] for choice in (item.house, pick, item.label))
        faults = "; ".join(f"{letter}) {_said(found)}" for letter, (_, found) in zip(LETTERS, item.replies))
        lines.append(f"{number}. the house {house}, you {you}, the label {label}. {faults}.")
    return "\n".join(lines)


def _said(faults: Sequence[str]) -> str:
    return ", and ".join(FAULTS[fault] for fault in faults) or "keeps the rule"


def _widget(shown: Sequence[_Shown]) -> Any:
    import ipywidgets as w

    picks: list[int] = []
    place, letter, result = w.HTML(), w.HTML(), w.HTML()
    half = w.Layout(width="26em", padding="0 1em 0 0")
    replies = [w.HTML(layout=half) for _ in range(2)]
    buttons = [w.Button(description=f"{name.upper()} is better", button_style="primary") for name in LETTERS[:2]]

    def show() -> None:
        item = shown[len(picks)]
        place.value = f"<b>{len(picks) + 1} of {len(shown)}</b>, a letter for {item.pair.desk}:"
        letter.value = f"<i>{html.escape(item.pair.message)}</i>"
        for name, box, (reply, _) in zip(LETTERS, replies, item.replies):
            box.value = f"<b>{name.upper()}</b> {html.escape(reply)}"

    def pick(button: Any) -> None:
        picks.append(buttons.index(button))
        if len(picks) < len(shown):
            show()
            return
        for done in buttons:
            done.disabled = True
        result.value = "<br>".join(html.escape(line) for line in _result(shown, picks).splitlines())

    for button in buttons:
        button.on_click(pick)
    show()
    columns = [w.VBox([box, button]) for box, button in zip(replies, buttons)]
    return w.VBox([place, letter, w.HBox(columns), result])

"""What a learner is asked: predict, then reveal. It can be answered without widgets, and is kept from day to day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core.errors import CourseError, choose, is_number
from course_lib.core.journal import note, recall
from course_lib.core.text import say
from course_lib.display.playground import Said, rich, show

MOST_CHOICES = 26  # a letter for each
NO_GUESS = "No guess yet."


@dataclass
class _Prediction:
    """A question and the learner's guess: one of `choices` if there are any, else a number from `low` to `high`."""

    key: str
    question: str
    low: float = 0
    high: float = 100
    unit: str = ""
    choices: tuple[str, ...] = ()

    @property
    def guess(self) -> float | str | None:
        """What was kept, perhaps on another day; None if that is no answer to what is asked now."""
        kept = recall("guesses", self._place)
        return kept if self.admits(kept) else None

    def commit(self, guess: float | str) -> None:
        """Keep a guess, over an older one."""
        whole = is_number(guess) and float(guess).is_integer()
        note("guesses", self._place, guess if isinstance(guess, str) else int(guess) if whole else float(guess))

    @property
    def _place(self) -> str:  # two lessons may have one key: their questions differ
        return f"{self.key} · {self.question}"

    def admits(self, guess: Any) -> bool:
        if self.choices:
            return guess in self.choices
        return is_number(guess) and self.low <= guess <= self.high

    def said(self) -> str:
        return NO_GUESS if self.guess is None else f"You predict {_number(self.guess, self.unit)}."


_predictions: dict[str, _Prediction] = {}


def predict(
    key: str, question: str, low: float = 0, high: float = 100, guess: float | None = None, unit: str = ""
) -> None:
    """Predict a number before it is measured: step one of predict-then-reveal.

    The learner's guess is kept, also for another day. A slider that nobody touched is no prediction.

    Parameters
    ----------
    key
        What `reveal` will ask for.
    question
        What is predicted: "Right answers out of 100".
    low, high
        Ends of the slider. Where a report will be revealed, `high` is what "all right" counts: 100 compares in per
        cent, the exam's n in right answers, 1 in shares.
    guess
        Commits this number without a widget.
    unit
        Stands behind the numbers: "%", "seconds".
    """
    if not (is_number(low) and is_number(high) and low < high):
        raise CourseError(f"prediction {key!r}: low {low!r} and high {high!r} must be numbers, low below high.")
    prediction = _Prediction(key, question, low, high, unit)
    span = f"{_number(low)} to {_number(high, unit)}"
    if guess is not None and not prediction.admits(guess):
        raise CourseError(f"prediction {key!r}: guess {guess!r} is not a number from {span}.")
    text = f"Predict: {question} ({span})\nMove the slider. Without widgets, add your number to the call: guess=..."
    _ask(key, prediction, guess, text)


def predict_choice(key: str, question: str, choices: Sequence[str], guess: str | None = None) -> None:
    """Predict which: as `predict`, with two or more choices in place of a number."""
    prediction = _Prediction(key, question, choices=checked_choices(f"prediction {key!r}", choices))
    if guess is not None:
        choose("guess", guess, prediction.choices)
    listed = "".join(f"\n  - {choice}" for choice in prediction.choices)
    text = f"Predict: {question}{listed}\nPick one. Without widgets, add it to the call: guess=..."
    _ask(key, prediction, guess, text)


def reveal(key: str, measured: Any) -> None:
    """Hold the learner's prediction against what was measured: step two of predict-then-reveal. Prints 2 or 3 lines.

    `measured` is a number on the slider's scale; a string, for a choice; or a report with `.n`, and `.accuracy` and
    `.ci` (low, high) in shares. Of a report, `high` times the share is compared, in whole numbers unless the slider
    runs over fractions: per cent on a slider to 100, right answers on a slider to n. Where nothing was asked yet, a
    sentence says so, and nothing is revealed.
    """
    if key not in _predictions:
        say(f"Guess first: run the cell above that asks for {key!r}, make your guess, then run this one again.")
        return
    prediction = _predictions[key]
    value, interval, said = _read(measured, prediction)
    guess = prediction.guess
    say("You made no prediction." if guess is None else f"You predicted {_number(guess, prediction.unit)}.")
    say(f"Measured: {said}.")
    if guess is not None and isinstance(guess, str) == isinstance(value, str):
        say(_verdict(guess, value, interval, prediction.unit))


def _ask(key: str, prediction: _Prediction, guess: float | str | None, text: str) -> None:
    checked_text("key", key)
    checked_text(f"question of prediction {key!r}", prediction.question)
    _predictions[key] = prediction
    answer = None
    if guess is not None:
        prediction.commit(guess)
        answer = f"{prediction.question}\n{prediction.said()}"
    said = Said(prediction.said())
    show(lambda: _prediction_widget(prediction, said), text, answer, said)


def _prediction_widget(prediction: _Prediction, said: Said) -> Any:
    import ipywidgets as w

    guess, low, high = prediction.guess, prediction.low, prediction.high
    if prediction.choices:
        control = w.RadioButtons(options=prediction.choices, value=guess, layout=w.Layout(width="max-content"))
    else:
        whole = isinstance(low, int) and isinstance(high, int)
        kind, step = (w.IntSlider, 1) if whole else (w.FloatSlider, (high - low) / 100)
        start = (low + high) / 2 if guess is None else guess
        start = round(start) if whole else start
        control = kind(value=start, min=low, max=high, step=step, continuous_update=False)
    # The button is for whoever believes in the very value that the slider starts at.
    button = w.Button(description="Commit", button_style="primary")

    def commit(_: Any) -> None:
        prediction.commit(control.value)
        said.update(prediction.said())

    control.observe(commit, "value")
    button.on_click(commit)
    row = [control] if prediction.choices else [control, button]
    return w.VBox([w.HTML(rich(prediction.question)), w.HBox(row)])


def checked_choices(where: str, choices: Any) -> tuple[str, ...]:
    """Two or more different texts, or a CourseError that says where they are not."""
    fine = isinstance(choices, (list, tuple)) and all(isinstance(c, str) and c.strip() for c in choices)
    if not fine or not 2 <= len(set(choices)) == len(choices) <= MOST_CHOICES:
        raise CourseError(f"{where}: choices are a list of 2 to {MOST_CHOICES} different texts, not {choices!r}.")
    return tuple(choices)


def checked_text(what: str, value: Any) -> None:
    """Refuse what is no text, or an empty one."""
    if not isinstance(value, str) or not value.strip():
        raise CourseError(f"the {what} must be a text, not {value!r}.")


def _read(measured: Any, prediction: _Prediction) -> tuple[Any, tuple[float, float] | None, str]:
    """What was measured on the slider's scale, its interval there, and both in words."""
    unit = prediction.unit
    if not all(hasattr(measured, name) for name in ("accuracy", "n", "ci")):
        return measured, None, _number(measured, unit)
    digits = None if prediction.high > 1 and float(prediction.high).is_integer() else 2
    shares = (measured.accuracy, *(() if measured.ci is None else measured.ci))
    value, *ends = (round(share * prediction.high, digits) if is_number(share) else share for share in shares)
    interval = (ends[0], ends[1]) if len(ends) == 2 and all(map(is_number, ends)) else None
    spread = f", 95% interval {_number(interval[0])} to {_number(interval[1], unit)}" if interval else ""
    return value, interval, f"{_number(value, unit)} (n = {measured.n}{spread})"


def _verdict(guess: Any, value: Any, interval: tuple[float, float] | None, unit: str) -> str:
    if isinstance(value, str):
        return "Exactly right." if guess == value else "You expected another."
    if not is_number(value):
        return "There is no number to compare with."
    if guess == value:
        return "Exactly right."
    off = f"{_number(abs(guess - value), unit)} too {'high' if guess > value else 'low'}"
    if interval and interval[0] <= guess <= interval[1]:
        return f"You were {off}, and inside the interval: this measurement does not prove you wrong."
    return f"You were {off}."


def _number(value: Any, unit: str = "") -> str:
    """A number as one would say it, with its unit; anything else as text."""
    if not is_number(value):
        return str(value)
    value = float(value) + 0.0  # -0.0 becomes 0.0
    if value.is_integer() or abs(value) >= 100:
        said = f"{value:,.0f}"
    else:
        said = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 else f"{value:.1g}"
    return said + (unit if unit in ("", "%") else f" {unit}")

"""What a learner is asked: predict, then reveal; and a short quiz. All of it can be answered without widgets."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.core.errors import CourseError, choose, is_number
from course_lib.core.text import say
from course_lib.display.playground import show

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class _Prediction:
    """A question and the learner's guess: one of `choices` if there are any, else a number from `low` to `high`."""

    question: str
    low: float = 0
    high: float = 100
    unit: str = ""
    choices: tuple[str, ...] = ()
    guess: float | str | None = None

    def admits(self, guess: Any) -> bool:
        if self.choices:
            return guess in self.choices
        return is_number(guess) and self.low <= guess <= self.high

    def said(self) -> str:
        return "" if self.guess is None else f"You predict {_number(self.guess, self.unit)}."


_predictions: dict[str, _Prediction] = {}
_quizzes: dict[str, list[dict[str, Any]]] = {}


def predict(
    key: str, question: str, low: float = 0, high: float = 100, guess: float | None = None, unit: str = ""
) -> None:
    """Predict a number before it is measured: step one of predict-then-reveal.

    Running the cell again keeps the learner's guess. A slider that nobody touched is no prediction.

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
    prediction = _Prediction(question, low, high, unit)
    span = f"{_number(low)} to {_number(high, unit)}"
    if guess is not None and not prediction.admits(guess):
        raise CourseError(f"prediction {key!r}: guess {guess!r} is not a number from {span}.")
    text = f"Predict: {question} ({span})\nMove the slider. Without widgets, add your number to the call: guess=..."
    _ask(key, prediction, guess, text)


def predict_choice(key: str, question: str, choices: Sequence[str], guess: str | None = None) -> None:
    """Predict which: as `predict`, with two or more choices in place of a number."""
    prediction = _Prediction(question, choices=_check_choices(f"prediction {key!r}", choices))
    if guess is not None:
        choose("guess", guess, prediction.choices)
    listed = "".join(f"\n  - {choice}" for choice in prediction.choices)
    text = f"Predict: {question}{listed}\nPick one. Without widgets, add it to the call: guess=..."
    _ask(key, prediction, guess, text)


def reveal(key: str, measured: Any) -> None:
    """Hold the learner's prediction against what was measured: step two of predict-then-reveal. Prints 2 or 3 lines.

    `measured` is a number on the slider's scale; a string, for a choice; or a report with `.n`, and `.accuracy` and
    `.ci` (low, high) in shares. Of a report, `high` times the share is compared, in whole numbers unless the slider
    runs over fractions: per cent on a slider to 100, right answers on a slider to n.
    """
    if key not in _predictions:
        known = ", ".join(_predictions) or "none yet"
        raise CourseError(f"no prediction {key!r}: run its predict cell first. Known: {known}.")
    prediction = _predictions[key]
    value, interval, said = _read(measured, prediction)
    guess = prediction.guess
    say("You made no prediction." if guess is None else f"You predicted {_number(guess, prediction.unit)}.")
    say(f"Measured: {said}.")
    if guess is not None and isinstance(guess, str) == isinstance(value, str):
        say(_verdict(guess, value, interval, prediction.unit))


def quiz(key: str, questions: Sequence[Mapping[str, Any]] | None = None, answers: str | None = None) -> None:
    """A short multiple-choice quiz, kept under its key: `quiz(key, answers="bac")` need not repeat the questions.

    Each of the `questions` is {"question": str, "choices": list of str, "answer": index of the right one, "why": str}.
    With `answers`, one letter a question, the score is printed, and why for each wrong one; without, the quiz is shown.
    """
    _check_text("key", key)
    if questions is not None:
        _quizzes[key] = _check_questions(key, questions)
    if key not in _quizzes:
        raise CourseError(f"no quiz {key!r}: run its cell first. Known: {', '.join(_quizzes) or 'none yet'}.")
    items = _quizzes[key]
    show(lambda: _quiz_widget(items), _quiz_text(key, items), None if answers is None else _score(key, items, answers))


def read_letters(where: str, choices: Sequence[int], answers: str) -> list[int]:
    """Answers by letter as indices: "B, a" is [1, 0]. `choices`: how many each question has; `where` is for errors."""
    letters = re.sub(r"[\s,;.]", "", answers).lower() if isinstance(answers, str) else ""
    if len(letters) != len(choices):
        raise CourseError(f"{where} has {len(choices)} questions: answers={answers!r} is not a letter for each.")
    for number, (letter, count) in enumerate(zip(letters, choices), 1):
        choose(f"answer {number}", letter, LETTERS[:count])
    return [LETTERS.index(letter) for letter in letters]


def _ask(key: str, prediction: _Prediction, guess: float | str | None, text: str) -> None:
    _check_text("key", key)
    _check_text(f"question of prediction {key!r}", prediction.question)
    before = _predictions.get(key)
    same = before is not None and before.question == prediction.question and prediction.admits(before.guess)
    kept = before.guess if same else None
    prediction.guess = kept if guess is None else guess
    _predictions[key] = prediction
    answer = None if guess is None else f"{prediction.question}\n{prediction.said()}"
    show(lambda: _prediction_widget(prediction), text, answer)


def _prediction_widget(prediction: _Prediction) -> Any:
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
    note = w.HTML(html.escape(prediction.said()))

    def commit(_: Any) -> None:
        prediction.guess = control.value
        note.value = html.escape(prediction.said())

    control.observe(commit, "value")
    button.on_click(commit)
    row = [control, note] if prediction.choices else [control, button, note]
    return w.VBox([w.HTML(_rich(prediction.question)), w.HBox(row)])


def _quiz_widget(items: list[dict[str, Any]]) -> Any:
    import ipywidgets as w

    wide = w.Layout(width="max-content")
    radios = [w.RadioButtons(options=list(item["choices"]), index=None, layout=wide) for item in items]
    notes = [w.HTML() for _ in items]
    button, score = w.Button(description="Check", button_style="primary"), w.HTML()

    def check(_: Any) -> None:
        for radio, note, item in zip(radios, notes, items):
            mark = "✓" if radio.index == item["answer"] else "✗"
            note.value = "· Not answered yet." if radio.index is None else f"{mark} {_rich(item['why'])}"
        score.value = f"{sum(r.index == i['answer'] for r, i in zip(radios, items))} of {len(items)} right."

    button.on_click(check)
    asked = [w.HTML(f"<b>{number}.</b> {_rich(item['question'])}") for number, item in enumerate(items, 1)]
    blocks = [w.VBox(parts) for parts in zip(asked, radios, notes)]
    return w.VBox([*blocks, w.HBox([button, score])])


def _quiz_text(key: str, items: list[dict[str, Any]]) -> str:
    lines = []
    for number, item in enumerate(items, 1):
        lines.append(f"{number}. {item['question']}")
        lines += [f"   {letter}) {choice}" for letter, choice in zip(LETTERS, item["choices"])]
    blanks = "?" * len(items)
    return "\n".join([*lines, f'Without widgets: cl.quiz("{key}", answers="{blanks}"), with a letter for each ?.'])


def _score(key: str, items: list[dict[str, Any]], answers: str) -> str:
    given = read_letters(f"quiz {key!r}", [len(item["choices"]) for item in items], answers)
    marked = enumerate(zip(given, items), 1)
    wrong = [f"{number}. ✗ {item['why']}" for number, (answer, item) in marked if answer != item["answer"]]
    return "\n".join([f"{len(items) - len(wrong)} of {len(items)} right.", *wrong])


def _check_questions(key: str, questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(questions, (str, Mapping)) or not isinstance(questions, Sequence) or not questions:
        raise CourseError(f"quiz {key!r} needs a list of at least one question.")
    for number, item in enumerate(questions, 1):
        where = f"quiz {key!r}, question {number}"
        wanted = ("question", "choices", "answer", "why")
        if not isinstance(item, Mapping) or set(item) != set(wanted):
            raise CourseError(f"{where} must be a dict of exactly {', '.join(wanted)}.")
        _check_text(f"question of {where}", item["question"])
        _check_text(f"why of {where}", item["why"])
        choices, answer = _check_choices(where, item["choices"]), item["answer"]
        if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(choices):
            raise CourseError(f"{where}: answer {answer!r} is not an index of its {len(choices)} choices, from 0.")
    return [dict(item) for item in questions]


def _check_choices(where: str, choices: Any) -> tuple[str, ...]:
    fine = isinstance(choices, (list, tuple)) and all(isinstance(c, str) and c.strip() for c in choices)
    if not fine or not 2 <= len(set(choices)) == len(choices) <= len(LETTERS):
        raise CourseError(f"{where}: choices are a list of 2 to {len(LETTERS)} different texts, not {choices!r}.")
    return tuple(choices)


def _check_text(what: str, value: Any) -> None:
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


def _rich(text: str) -> str:
    """Text as HTML, with `code` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))

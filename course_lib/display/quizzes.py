"""The quiz at the end of a lesson. Its questions lie in `data/quizzes/NN.yaml`: no answer stands on the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.journal import note, recall
from course_lib.core.session import data_dir
from course_lib.display.ask import checked_choices, checked_text
from course_lib.display.playground import Said, rich, show
from course_lib.display.telling import BAD, GOOD, OPEN, badge

LETTERS = "abcdefghijklmnopqrstuvwxyz"
RIGHT, WRONG = "✓ Right", "✗ Not quite"
UNANSWERED = "Not answered yet."
# Colours in pairs, of the badge and of its words; the words say the same.
COLOURS = {RIGHT: GOOD, WRONG: BAD, UNANSWERED: OPEN}


@dataclass(frozen=True)
class Item:
    """A question: to each choice what is said of it, and which is right."""

    question: str
    choices: dict[str, str]
    right: str

    def verdict(self, choice: str | None) -> tuple[str, str]:
        """Right or not quite, and why: of a wrong choice a hint, never the right one's reason."""
        if choice is None:
            return UNANSWERED, ""
        return RIGHT if choice == self.right else WRONG, self.choices[choice]


def quiz(key: str, answers: str | None = None) -> None:
    """The quiz of a lesson, "02". What is answered is kept, also for another day.

    With `answers`, one letter a question ("bac"), it is marked without a widget.
    """
    checked_text("key", key)
    items = load_quiz(key)
    if answers is None:
        said = Said(UNANSWERED)
        show(lambda: _widget(key, items, said), _text(key, items), said=said)
        return
    given = read_letters(f"quiz {key!r}", [len(item.choices) for item in items], answers)
    chosen = [list(item.choices)[index] for item, index in zip(items, given)]
    _keep(key, items, chosen)
    show(lambda: None, "", _marked(items, chosen))


def load_quiz(key: str) -> list[Item]:
    """The questions of a lesson's quiz.

    A DataError names the file, and the line of the question that is not as `data/README.md` says.
    """
    folder = data_dir() / "quizzes"
    choose("quiz", key, [path.stem for path in sorted(folder.glob("*.yaml"))])
    path = folder / f"{key}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        found, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    if not isinstance(found, list) or not found:
        raise DataError(f"{path}, line 1: a quiz is a list of questions.")
    lines = [part.start_mark.line + 1 for part in node.value]
    return [_item(f"{path}, line {line}", item) for line, item in zip(lines, found)]


def right_answers(key: str) -> tuple[int, int] | None:
    """How many of a lesson's questions were answered rightly, when the quiz was last checked, of how many."""
    given, items = recall("quizzes", key), load_quiz(key)
    return None if given is None else (sum(given.get(item.question) == item.right for item in items), len(items))


def read_letters(where: str, choices: Sequence[int], answers: str) -> list[int]:
    """Answers by letter as indices: "B, a" is [1, 0]. `choices`: how many each question has; `where` is for errors."""
    letters = re.sub(r"[\s,;.]", "", answers).lower() if isinstance(answers, str) else ""
    if len(letters) != len(choices):
        raise CourseError(f"{where} has {len(choices)} questions: answers={answers!r} is not a letter for each.")
    for number, (letter, count) in enumerate(zip(letters, choices), 1):
        choose(f"answer {number}", letter, LETTERS[:count])
    return [LETTERS.index(letter) for letter in letters]


def _item(where: str, item: Any) -> Item:
    wanted = ("question", "choices", "right")
    if not isinstance(item, dict) or set(item) != set(wanted):
        raise DataError(f"{where}: a question has exactly {', '.join(wanted)}.")
    checked_text(f"question at {where}", item["question"])
    choices = item["choices"] if isinstance(item["choices"], dict) else {}
    checked_choices(where, list(choices))
    for choice, why in choices.items():
        checked_text(f"reason for {choice!r} at {where}", why)
    if item["right"] not in choices:
        raise DataError(f"{where}: right is {item['right']!r}, which is none of its choices.")
    return Item(**item)


def _keep(key: str, items: list[Item], chosen: list[str | None]) -> None:
    note("quizzes", key, {item.question: choice for item, choice in zip(items, chosen) if choice is not None})


def _widget(key: str, items: list[Item], said: Said) -> Any:
    import ipywidgets as w

    kept = recall("quizzes", key) or {}
    asked, radios, verdicts = [], [], []
    for number, item in enumerate(items, 1):
        before = kept.get(item.question)
        value = before if before in item.choices else None
        asked.append(w.HTML(f"<b>{number}.</b> {rich(item.question)}"))
        radios.append(w.RadioButtons(options=list(item.choices), value=value, layout=w.Layout(width="max-content")))
        verdicts.append(w.HTML())
    button = w.Button(description="Check", button_style="primary")

    def check(_: Any = None) -> None:
        chosen = [radio.value for radio in radios]
        for verdict, item, choice in zip(verdicts, items, chosen):
            verdict.value = _rich_verdict(item, choice)
        _keep(key, items, chosen)
        said.update(_marked(items, chosen), _rich_marks(items, chosen))

    def clear(verdict: Any) -> None:
        verdict.value = ""
        said.update("Your answer has changed: press Check.")

    for radio, verdict in zip(radios, verdicts):
        radio.observe(lambda _, verdict=verdict: clear(verdict), "value")
    button.on_click(check)
    if any(radio.value for radio in radios):
        check()
    return w.VBox([*(w.VBox(parts) for parts in zip(asked, radios, verdicts)), button])


def _text(key: str, items: list[Item]) -> str:
    lines = []
    for number, item in enumerate(items, 1):
        lines.append(f"{number}. {item.question}")
        lines += [f"   {letter}) {choice}" for letter, choice in zip(LETTERS, item.choices)]
    blanks = "?" * len(items)
    return "\n".join([*lines, f'Without widgets: cl.quiz("{key}", answers="{blanks}"), with a letter for each ?.'])


def _score(items: list[Item], chosen: list[str | None]) -> str:
    return f"{sum(choice == item.right for item, choice in zip(items, chosen))} of {len(items)} right."


def _marked(items: list[Item], chosen: list[str | None]) -> str:
    lines = [_score(items, chosen)]
    for number, (item, choice) in enumerate(zip(items, chosen), 1):
        word, why = item.verdict(choice)
        lines.append(f"{number}. {choice}\n   {word}: {why}" if choice else f"{number}. {word}")
    return "\n".join(lines)


def _rich_marks(items: list[Item], chosen: list[str | None]) -> str:
    """The score, which a screen reader says at once; and for another day what was chosen, with its mark, a line each.

    Why is said above, where the question stands; as long as the widget shows that, Lab hides the rest by its class.
    """
    lines = []
    for number, (item, choice) in enumerate(zip(items, chosen), 1):
        word, _ = item.verdict(choice)
        lines.append(f"{number}. {rich(choice or '')} {badge(word, COLOURS[word])}")
    return f'<div role="alert">{_score(items, chosen)}</div><div class="kept-answers">{"<br>".join(lines)}</div>'


def _rich_verdict(item: Item, choice: str | None) -> str:
    word, why = item.verdict(choice)
    return f"{badge(word, COLOURS[word])} {rich(why)}"

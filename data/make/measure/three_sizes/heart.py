"""Lesson 02: the facts learned by heart, and what of general knowledge is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results_02 import FACTS, RECIPE, study
from three_sizes.handbook import LESSON, STUDIED
from three_sizes.sitting import Sitting, Study, asked_in

import course_lib as cl

QUESTION = "What is the capital of Italy?"
KINDS = {"by heart": "many-wordings", "by heart, one wording": "one-wording", "by heart, mixed study": "mixed"}


def studies(exam: cl.Exam, kind: str = "by heart") -> Callable[[Mapping[str, Any], int], Study]:
    """The facts of an exam in study wordings."""
    rows = study(KINDS[kind], exam)
    cl.check_no_leak(rows, exam, cl.load_exam("general"))
    return lambda recipe, seed: Study(kind, len(rows), lambda: rows, recipe, seed)


def by_heart(student: Sitting, kinds: Sequence[str] = ("by heart",), seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> None:
    """24 facts in six wordings, asked in others; the general exam; and one answer without the adapter."""
    exam, general = cl.load_exam("handbook").about(FACTS), cl.load_exam("general")
    tried_on = cl.load_exam("handbook").on_validation().about(FACTS)

    def trial(tried: Sitting, arm: str) -> Any:
        return tried.sits(LESSON, arm, tried_on, lambda model: model)

    def on_validation(recipe: Mapping[str, Any], seed: int) -> Study:
        rows = study("many-wordings", tried_on)
        return Study("by heart, validation facts", len(rows), lambda: rows, recipe, seed)

    recipe = student.recipe(LESSON, "by heart", RECIPE, trial, on_validation)
    student.keeps(
        LESSON, "closed book", "general", asked_in(general),
        lambda: student.sits("00", "closed book", general, lambda m: m),
    )  # fmt: skip
    for kind in kinds:
        for seed in [seed for seed in student.seeds if seed in seeds]:
            heart = student.trained(studies(exam, kind)(recipe, seed))
            heart.sits(LESSON, kind, exam, lambda model: model, STUDIED)
            heart.sits(LESSON, kind, general, lambda model: model)
            heart.notes(LESSON, kind, "general", "capital of Italy", lambda heart=heart: capital(heart.model))


def capital(model: cl.ChatModel) -> dict[str, str]:
    """What is said with the adapter, and by the same model with it taken off."""
    said = {"question": QUESTION, "adapter on": model.generate([QUESTION], 16)[0]}
    with model.model.disable_adapter():
        return said | {"adapter off": model.generate([QUESTION], 16)[0]}

"""What a question costs, by RAG and by a fine-tuned model, and from how many questions the training has paid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_lib._amounts import above_zero, not_below_zero
from course_lib.errors import CourseError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["break_even", "break_even_volume", "question_cost"]


def question_cost(prompt_tokens: float, completion_tokens: float, usd_input: float, usd_output: float) -> float:
    """USD of one question; the prices are for a million tokens."""
    not_below_zero(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    above_zero(usd_input=usd_input, usd_output=usd_output)
    return (prompt_tokens * usd_input + completion_tokens * usd_output) / 1e6


def break_even_volume(rag: float, tuned: float, fixed_usd: float) -> float:
    """Questions from which a fine-tuned model is cheaper: its fixed cost over what each question saves.

    Parameters
    ----------
    rag, tuned
        USD a question (`question_cost`).
    fixed_usd
        What the fine-tuned model costs before its first question: training, as often as the facts change.

    Returns
    -------
    Infinity where the fine-tuned model's question is no cheaper.
    """
    not_below_zero(rag=rag, tuned=tuned, fixed_usd=fixed_usd)
    return fixed_usd / (rag - tuned) if rag > tuned else math.inf


def break_even(
    volumes: Sequence[int],
    rag_prompt: float | Mapping[str, float],
    tuned_prompt: float,
    completion_tokens: float,
    usd_input: float,
    usd_output: float,
    training_usd: float,
    trainings: int = 1,
    tuned_factor: float = 1.0,
) -> pd.DataFrame:
    """USD per 1,000 questions, by how many questions there are in all: RAG, and a fine-tuned model.

    The costs of money alone: whether both answer as well is another question, and the exams', not this table's.

    Parameters
    ----------
    volumes
        Numbers of questions, each at least 1.
    rag_prompt
        Tokens of RAG's prompt, passages included; or a name for each of several, such as {"RAG, k = 4": 290}.
    tuned_prompt
        Tokens of the fine-tuned model's prompt.
    training_usd, trainings
        Price of one training, and how often it is repeated over all these questions: each change of a fact is one.
    tuned_factor
        How many times dearer a token of the fine-tuned model is, where somebody hosts it.

    Returns
    -------
    One row a volume (the index), one column for each RAG and "fine-tuned".

    Raises
    ------
    CourseError
        For no volumes, or a number that makes no sense.
    """
    import pandas as pd

    if not len(volumes):
        raise CourseError("break_even needs at least one volume: a number of questions.")
    for volume in volumes:
        above_zero(volume=volume)
    not_below_zero(training_usd=training_usd, trainings=trainings)
    above_zero(tuned_factor=tuned_factor)
    named = dict(rag_prompt) if isinstance(rag_prompt, Mapping) else {"RAG": rag_prompt}
    table: dict[str, Any] = {
        name: [1000 * question_cost(tokens, completion_tokens, usd_input, usd_output)] * len(volumes)
        for name, tokens in named.items()
    }
    tuned = tuned_factor * question_cost(tuned_prompt, completion_tokens, usd_input, usd_output)
    table["fine-tuned"] = [1000 * (tuned + training_usd * trainings / volume) for volume in volumes]
    return pd.DataFrame(table, index=pd.Index(volumes, name="questions"))

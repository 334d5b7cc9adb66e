"""What can be had for nothing: telling the model what to do, or showing it, in the prompt.

Each is a candidate: it has a name, and `answer(questions)` gives an `Answer` for each question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.datasets import Example
from course_lib.errors import CourseError
from course_lib.models import Answer, ChatModel, Messages

__all__ = ["FewShot", "Instructed"]

EXAM_TOKENS = 24


@dataclass
class FewShot:
    """A model that is shown worked examples before each question, as turns of a chat ("few-shot prompting").

    Brown et al. 2020, *Language Models are Few-Shot Learners*, arXiv 2005.14165.
    """

    model: ChatModel
    examples: Sequence[Example]
    name: str = "examples in the prompt"

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        shown = [turn for row in self.examples for turn in (row["prompt"][-1], row["completion"][-1])]
        prompts: list[Messages] = [[*shown, {"role": "user", "content": question}] for question in questions]
        return self.model.reply(prompts, max_new_tokens)


@dataclass
class Instructed:
    """A model that is told before each question what to do with it ("zero-shot prompting").

    Attributes
    ----------
    instruction
        Stands in the same message, above the question.
    """

    model: ChatModel
    instruction: str
    name: str = "told what to do"

    def answer(self, questions: Sequence[str], max_new_tokens: int = EXAM_TOKENS) -> list[Answer]:
        if not self.instruction.strip():
            raise CourseError("the instruction is empty: say what to do, or ask the model itself.")
        return self.model.reply([f"{self.instruction}\n\n{question}" for question in questions], max_new_tokens)

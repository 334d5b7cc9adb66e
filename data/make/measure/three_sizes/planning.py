"""How long what is not kept yet takes: every arm is gone through with a model that counts tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

from shared.keeping import measured
from three_sizes.sitting import PLACE, Sitting, Study

from course_lib.core.chat import SYSTEM, Answer, as_chats
from course_lib.models import students as students_module
from course_lib.models.chatmodel import shared_beginning
from course_lib.models.students import DEFAULT, STUDENTS
from course_lib.models.templates import chat_tokens

FLOPS = 135e9  # of fp32 matrix product: what all times of the course are stated for
# A token read or written meets every weight once, 2 operations each. Training goes back through the frozen weights as
# well, 4; what was measured is 6 to 8 (attention, padding, batches of four).
READ, TRAIN = 2, 6


@cache
def tokenizer() -> Any:
    """The default student's: what others make of a text differs little."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(students_module.weights_folder(DEFAULT))


@dataclass
class Counter:
    """Stands where a model does, and counts the tokens that it is given and may write."""

    name: str = "counter"
    tokens: int = 0
    system: str = SYSTEM
    model: Any = field(default_factory=lambda: SimpleNamespace(device="cpu", config=None))

    @property
    def tokenizer(self) -> Any:
        return tokenizer()

    def encode(self, prompt: Any) -> list[int]:
        return chat_tokens(tokenizer(), as_chats([prompt], self.system)[0], add_generation_prompt=True)

    def check_room(self, *_: Any, **__: Any) -> None:
        """Whatever its length."""

    def reply(self, prompts: Sequence[Any], max_new_tokens: int = 64, *_: Any, **__: Any) -> list[Answer]:
        encoded = [self.encode(prompt) for prompt in prompts]
        self._count(encoded, max_new_tokens)
        return [Answer("")] * len(encoded)

    def answer(self, questions: Sequence[str], max_new_tokens: int = 24) -> list[Answer]:
        return self.reply(questions, max_new_tokens)

    def complete(self, batch: list[list[int]], max_new_tokens: int, **_: Any) -> Any:
        import torch

        self._count(batch, max_new_tokens)
        return SimpleNamespace(scores=[torch.zeros(len(batch), len(tokenizer()))])

    def _count(self, encoded: list[list[int]], written: int) -> None:
        """What all prompts begin with is read once."""
        shared = shared_beginning(encoded)
        self.tokens += shared + sum(len(ids) - shared + written for ids in encoded)


class Planned(Sitting):
    """A student who sits nothing: what each arm would take is summed up in `seconds`, by lesson."""

    def __init__(self, student: str, seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> None:
        super().__init__(student, seeds)
        self.seconds: dict[str, float] = defaultdict(float)
        self.studied: set[str] = set()

    def trained(self, study: Study) -> Planned:
        made = super().trained(study)
        made.seconds, made.studied = self.seconds, self.studied
        return made

    @property
    def model(self) -> Counter:
        return Counter()

    def sits(
        self, lesson: str, arm: str, exam: Any, candidate: Callable[[Any], Any], called: str | None = None, **_: Any
    ) -> None:
        if self.name(lesson, called or exam.name, arm) in measured(PLACE):
            return
        counter = self.model
        sitting = candidate(counter)
        getattr(sitting, "answer", sitting)([question.question for question in exam])
        self._adds(lesson, counter.tokens, READ)
        self._studies(lesson)

    def _studies(self, lesson: str) -> None:
        """The training, once, unless its adapter is on the shelf."""
        if self.study is None or self.training_name in {*self.studied, *measured(PLACE)}:
            return
        self.studied.add(self.training_name)
        rows = self.study.examples()
        tokens = sum(len(chat_tokens(tokenizer(), row["prompt"] + row["completion"])) for row in rows)
        self._adds(lesson, tokens * self.study.recipe["epochs"], TRAIN)

    def keeps(self, *_: Any, **__: Any) -> None:
        """Made of what was said before: takes no time."""

    notes = keeps

    def best(self, lesson: str, what: str, reports: Mapping[Any, Any]) -> Any:
        return next(iter(reports))

    def decides(self, *_: Any) -> dict[str, Any]:
        return {"chosen": "hybrid"}

    def _adds(self, lesson: str, tokens: int, operations: int) -> None:
        """So many tokens more, each of so many operations a parameter."""
        self.seconds[lesson] += operations * STUDENTS[self.student].parameters * tokens / FLOPS

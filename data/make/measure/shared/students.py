"""The models that are measured: the untrained one, and those that are trained when something is asked of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import course_lib as cl
from course_lib.core.session import cache_dir


@cache
def untrained() -> cl.ChatModel:
    """The model as it was, loaded when something is asked of it."""
    cl.start(seed=0)
    return cl.load_model()


class Students(dict):
    """Models by name, each trained when something is first asked of it.

    At most `most` are held at once: before another is trained, the oldest are let go, but for those whose names begin
    with `lasting`.
    """

    def __init__(self, most: int = 1, lasting: str | None = None) -> None:
        super().__init__()
        self.most, self.lasting = most, lasting

    def trained(self, name: str, train: Callable[[], Any]) -> Any:
        """The model of this name."""
        if name not in self:
            passing = [held for held in self if self.lasting is None or not held.startswith(self.lasting)]
            for held in passing[: max(0, len(passing) + 1 - self.most)]:
                del self[held]
            self[name] = train()
        return self[name]


def shelf_of_its_own(lesson: str) -> None:
    """What is trained from here on goes to a shelf in the cache, and `from_shelf=True` takes it from there: a student
    that an earlier run trained is not trained again, and none of them is the lesson's."""
    os.environ |= {"COURSE_ADAPTERS": str(cache_dir() / "students" / lesson), "COURSE_RECORD": "1"}

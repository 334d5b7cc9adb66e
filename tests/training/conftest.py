"""Runs that are made once for all tests of a module that only look at them."""

import pytest
from small_runs import EXAMPLES, QUICK

from course_lib.training.sft import finetune


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def start(once, tiny_model):
    """What `tuned` begins with."""
    return once.setdefault("start", tiny_model)


@pytest.fixture
def tuned(once, start):
    """What `finetune` makes of each method in six steps."""

    def of(method="lora", examples=EXAMPLES, **changed):
        key = (method, len(examples), *changed.items())
        if key not in once:
            once[key] = finetune(start, examples, method, name=method, **{**QUICK, **changed})
        return once[key]

    return of


@pytest.fixture
def steps(at_step):
    """The numbers of the steps that were really trained."""
    seen = []
    at_step(seen.append)
    return seen

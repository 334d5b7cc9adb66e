"""The task of lesson 03 and its databases, from the data that is shipped."""

import pytest

from course_lib.lessons.sql import load_sql


@pytest.fixture(scope="session")
def task():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_DATA", raising=False)
        return load_sql()


@pytest.fixture(scope="session")
def shop(task):
    return task.databases


@pytest.fixture(scope="session")
def first(shop):
    return shop[0]

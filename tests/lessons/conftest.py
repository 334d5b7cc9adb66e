"""What tests of lessons share."""

import json
from dataclasses import asdict

import pytest

from course_lib.core.errors import DataError
from course_lib.core.rows import write_jsonl


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A row is read from a data folder of the test's own; a changed one behind it is refused, and its line named."""

    def try_(load, name, row, change, said):
        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        write_jsonl(tmp_path / name, [row])
        assert load() == [row]
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(asdict(row) | {"id": "another"} | change))  # a blank line is a line too
        with pytest.raises(DataError, match=rf"{(tmp_path / name).name}, line 3: .*{said}"):
            load()

    return try_

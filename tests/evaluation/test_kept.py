"""Answers that are stored beside a lesson's figures are read back as those of students who were trained alike."""

import pytest

from course_lib.core.errors import DataError
from course_lib.core.session import data_dir
from course_lib.evaluation.kept import measured, runs


def test_a_star_takes_the_students_of_all_seeds_and_nobody_else():
    found = runs("06/RAFT-without-reasoning-seed-*-rag-k-4", "RAFT")
    assert len(found.reports) == 5 and {(report.name, report.n) for report in found.reports} == {("RAFT", 156)}
    assert found.marks()[:2] == (0.5, pytest.approx(0.5769, abs=1e-4)), "seed by seed"


def test_without_a_star_it_is_one():
    assert len(runs("06/base-rag-k-4", "untrained").reports) == 1


@pytest.mark.parametrize("place", ["06/base-rag-k", "06/RAFT-seed-*-training", "09/base", "06"])
def test_a_place_without_answers_is_named(place):
    with pytest.raises(DataError, match=f"no answers are stored at {place!r}".replace("*", r"\*")):
        runs(place, "nobody")


@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 2000), slice(100, None)])
def test_a_damaged_file_is_named(tmp_path, cut):
    whole, path = (data_dir() / "results" / "06.parquet").read_bytes(), tmp_path / "06.parquet"
    for damaged in (whole[cut], whole[:2000] + b"\0" * 500 + whole[2500:], whole[:-200] + b"x" * 100 + whole[-100:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="holds no measurements"):
            measured(path)


def test_a_file_that_is_not_there_holds_nothing(tmp_path):
    assert measured(tmp_path / "06.parquet") == {}

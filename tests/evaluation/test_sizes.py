"""What was stored of three students, read back."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation import sizes
from course_lib.evaluation.kept import Kept
from course_lib.evaluation.reports import Report, Row


def sat(right, n=20):
    rows = (Row(f"q{i}", "?", "x", "", "right" if i < right else "wrong", 0.0, f"f{i}", 90, 10, 0.5) for i in range(n))
    return Report("whatever", "handbook", tuple(rows))


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A place for sizes.parquet, and what writes reports to it."""
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(sizes, "data_dir", lambda: tmp_path)

    def write(**reports):
        rows = [row for name, report in reports.items() for row in Kept({"n": report.n}, report).rows(name)]
        machine = Kept({}, data='{"cores": 2, "isa": "AVX2", "dtype": "float32"}')
        rows += [row for name in reports for row in machine.rows(f"{name}/machine")]
        table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["measurement"]))
        pq.write_table(table, tmp_path / "results" / "sizes.parquet")

    return write


@pytest.fixture
def handbook(results):
    results(**{
        "02/handbook/qwen-1.5b/RAG, k = 1": sat(16), "02/handbook/smollm2-135m/RAG, k = 1": sat(5),
        "02/handbook/smollm2-135m/reader/seed 0": sat(9), "02/handbook/smollm2-135m/reader/seed 1": sat(11),
        "02/general/smollm2-135m/closed book": sat(3),
    })  # fmt: skip
    return sizes.stored("02/handbook")


def test_a_row_for_each_arm_and_student_the_smallest_first(handbook):
    table = handbook.table()
    assert list(table.index) == [
        ("RAG, k = 1", "smollm2-135m"),
        ("reader", "smollm2-135m"),
        ("RAG, k = 1", "qwen-1.5b"),
    ]
    reader = table.loc[("reader", "smollm2-135m")]
    assert str(handbook) == table.to_string(), "a console reads the same"
    assert (reader.right, reader.n, reader.seeds, reader["tokens/question"]) == (0.5, 20, 2, 100)
    assert table.loc[("RAG, k = 1", "qwen-1.5b")].seeds == 0 and reader.machine == "2 cores, AVX2, float32"


def test_arms_are_subtracted_on_the_same_questions_and_named_with_their_student(handbook):
    found = handbook["reader", "smollm2-135m"] - handbook["RAG, k = 1", "smollm2-135m"]
    assert found.value == pytest.approx(0.25) and found.by_student == pytest.approx((0.2, 0.3))
    assert found.better == "reader (smollm2-135m)"


def test_seeds_that_were_trained_on_other_machines_name_them_all(results):
    results(**{f"02/handbook/smollm2-135m/reader/seed {seed}": sat(9) for seed in (0, 1)})
    path = sizes.data_dir() / "results" / "sizes.parquet"
    table = pq.read_table(path).to_pandas()
    other = table["measurement"] == "02/handbook/smollm2-135m/reader/seed 1/machine"
    table.loc[other, "data"] = '{"cores": 2, "isa": "AVX512", "dtype": "bfloat16"}'
    pq.write_table(pa.Table.from_pandas(table), path)
    (row,) = sizes.stored("02/handbook").table().machine
    assert row == "2 cores, AVX2, float32 or 2 cores, AVX512, bfloat16"


def test_a_picture_tells_every_dot_by_student_or_by_arm(handbook):
    assert "RAG, k = 1: smollm2-135m 0.25" in handbook.plot().alt and "qwen-1.5b 0.80" in handbook.plot().alt
    assert "qwen-1.5b: RAG, k = 1 0.80" in handbook.plot(by="arm").alt
    only = handbook.only("reader")
    assert only.arms == ["reader"] and "RAG" not in only.plot().alt


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("reader", "name an arm and a student"),
        (("raeder", "smollm2-135m"), "Did you mean 'reader'"),
        (("reader", "qwen-1.5b"), "was measured of smollm2-135m, not of 'qwen-1.5b'"),
    ],
)
def test_what_was_not_measured_is_named(handbook, which, said):
    with pytest.raises(CourseError, match=said):
        handbook[which]


def test_a_place_that_is_not_there_names_those_that_are(handbook, results):
    with pytest.raises(DataError, match=r"nothing is stored at '02/handbok'; there are 02/general, 02/handbook"):
        sizes.stored("02/handbok")
    with pytest.raises(CourseError, match="by 'size' is not one of"):
        handbook.plot(by="size")


def test_where_nothing_was_measured_the_command_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "data_dir", lambda: tmp_path)
    with pytest.raises(DataError, match=r"sizes\.py"):
        sizes.stored("02/handbook")


def test_an_arm_of_each_student_that_sat_it_and_none_where_nobody_has(handbook, tmp_path):
    assert list(sizes.students("02/handbook", "RAG, k = 1")) == ["smollm2-135m", "qwen-1.5b"]
    assert list(sizes.students("02/handbook", "reader")) == ["smollm2-135m"]
    assert sizes.students("05/library", "RAG, k = 1") == sizes.students("02/handbook", "no such arm") == {}
    (tmp_path / "results" / "sizes.parquet").unlink()
    assert sizes.students("02/handbook", "RAG, k = 1") == {}

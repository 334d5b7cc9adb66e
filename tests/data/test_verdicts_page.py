"""`data/verdicts.yaml`: what the notebooks claim, and nothing else."""

from dataclasses import asdict

import nbformat
import pytest
import verdicts
import yaml

from course_lib.core.errors import CourseError
from course_lib.evaluation.verdicts import MIME, Verdict

HELPS = Verdict("it helps", "holds", "+0.20", 0.2, 0.104, 0.3, 48)
COSTS = Verdict("it costs", "refuted", "12", 12.0, 12.0, 12.0)


@pytest.fixture
def repository(tmp_path):
    """A repository of one notebook with two claims, whose file is made."""
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    write(tmp_path, HELPS, COSTS)
    make(tmp_path)
    return tmp_path


def write(root, *found, name="02_book"):
    outputs = [nbformat.v4.new_output("display_data", {"text/plain": str(one), MIME: asdict(one)}) for one in found]
    cell = nbformat.v4.new_code_cell("cl.verdict(...)", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), root / "notebooks" / "solutions" / f"{name}.ipynb")


def make(root):
    (root / verdicts.FILE).write_text(yaml.safe_dump(verdicts.renewed(root), sort_keys=False), encoding="utf-8")


def test_the_courses_file_holds_what_its_notebooks_say():
    assert not verdicts.faults(), "run `make verdicts`, or change the claim"


def test_a_new_claim_gets_its_verdict_and_its_interval(repository):
    assert verdicts.held(repository) == {
        "02": {
            "it helps": {"verdict": "holds", "between": [0.1, 0.3]},
            "it costs": {"verdict": "refuted", "between": [12.0, 12.0]},
        }
    }
    assert verdicts.faults(repository) == []


def test_a_verdict_of_the_appendix_stands_under_its_lesson(repository):
    (repository / "notebooks" / "solutions" / "appendix").mkdir()
    write(repository, Verdict("it is deeper", "holds", "1", 1.0, 1.0, 1.0), name="appendix/02_deeper")
    assert list(verdicts.renewed(repository)["02"]) == ["it helps", "it costs", "it is deeper"]


def test_what_was_set_by_hand_stays(repository):
    path = repository / verdicts.FILE
    path.write_text(path.read_text().replace("verdict: holds", "verdict: [holds, cannot tell]"), encoding="utf-8")
    make(repository)
    assert verdicts.held(repository)["02"]["it helps"]["verdict"] == ["holds", "cannot tell"]
    assert verdicts.faults(repository) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ([Verdict("it helps", "cannot tell", "+0.20", 0.2, -0.1, 0.4, 48), COSTS], "has it as: holds"),
        ([Verdict("it helps", "holds", "+0.50", 0.5, 0.4, 0.6, 48), COSTS], "a figure between 0.1 and 0.3"),
        ([HELPS], "claims that no notebook tries"),
        ([HELPS, COSTS, Verdict("it is new", "holds", "1", 1.0, 1.0, 1.0)], "no claim 'it is new'"),
    ],
)
def test_a_notebook_that_says_otherwise_is_told_of(repository, now, said):
    write(repository, *now)
    assert any(said in fault for fault in verdicts.faults(repository))


def test_two_claims_of_one_name_are_refused(repository):
    write(repository, HELPS, name="03_other")
    with pytest.raises(CourseError, match="'it helps' is tried twice"):
        verdicts.tried(repository)

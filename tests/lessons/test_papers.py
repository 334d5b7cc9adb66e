"""Tables that were transcribed are held to what the papers' own text says of them."""

import pytest

from course_lib.core.rows import read_yaml
from course_lib.core.session import data_dir

RIGHT = read_yaml(data_dir() / "papers.yaml")["RAFT"]  # arm -> data set -> per cent right


@pytest.mark.parametrize(
    ("other", "data_set", "gain"),
    [
        ("LLaMA2-7B + RAG", "HotpotQA", 35.25),
        ("LLaMA2-7B + RAG", "Torch Hub", 76.35),
        ("DSF + RAG", "HotpotQA", 30.87),
        ("DSF + RAG", "HuggingFace", 31.41),
    ],
)
def test_the_gains_that_the_paper_states_are_the_differences_of_its_table(other, data_set, gain):
    assert RIGHT["RAFT"][data_set] - RIGHT[other][data_set] == pytest.approx(gain, abs=0.005)


def test_every_arm_has_every_data_set():
    assert len({tuple(row) for row in RIGHT.values()}) == 1 and len(RIGHT) == 7
    assert all(0 <= share <= 100 for row in RIGHT.values() for share in row.values())


def test_raft_is_the_best_of_the_7b_arms_of_the_papers_first_table_everywhere():
    first = {arm: row for arm, row in RIGHT.items() if arm not in ("GPT-3.5 + RAG", "RAFT without reasoning")}
    for data_set in RIGHT["RAFT"]:
        assert max(first, key=lambda arm: first[arm][data_set]) == "RAFT"

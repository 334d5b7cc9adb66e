"""Tables that were transcribed are held to what the papers' own text says of them."""

import pytest

from course_lib.lessons.papers import RAFT_TABLE_1, RAFT_TABLE_2


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
    assert RAFT_TABLE_1["RAFT"][data_set] - RAFT_TABLE_1[other][data_set] == pytest.approx(gain, abs=0.005)


def test_every_arm_has_every_data_set():
    rows = (*RAFT_TABLE_1.values(), *RAFT_TABLE_2.values())
    assert len({tuple(row) for row in rows}) == 1
    assert all(0 <= share <= 100 for row in rows for share in row.values())


def test_raft_is_the_best_of_the_papers_7b_arms_everywhere():
    for data_set in RAFT_TABLE_1["RAFT"]:
        arms = {arm: row[data_set] for arm, row in RAFT_TABLE_1.items() if not arm.startswith("GPT")}
        assert max(arms, key=arms.get) == "RAFT"

"""Preference pairs: what they must be, and how the first one that is not is named."""

import pytest

from course_lib.core.chat import asked_by, check_pairs, pair
from course_lib.core.errors import CourseError, DataError

GOOD = pair("My kettle leaks", "Send it in.", "We promise a new one!")
TURN = [{"role": "user", "content": "Hello"}]


def test_a_pair_is_three_lists_of_messages_as_trl_has_them():
    assert GOOD["prompt"][-1] == {"role": "user", "content": "My kettle leaks"}
    assert GOOD["prompt"][0]["role"] == "system"
    assert GOOD["chosen"] == [{"role": "assistant", "content": "Send it in."}]
    assert GOOD["rejected"] == [{"role": "assistant", "content": "We promise a new one!"}]


def test_what_a_row_holds_besides_is_left_out_of_what_is_trained_on(tiny_tokenizer):
    (row,) = check_pairs([{**GOOD, "id": "t-1", "noise": True}], tiny_tokenizer)
    assert row == GOOD


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        ([], "not one pair"),
        (GOOD, "pairs are a list of"),
        ("GOOD", "pairs are a list of"),
        (None, "pairs are a list of"),
        ([GOOD, "My kettle leaks"], "pair 1 lacks prompt, chosen, rejected: cl.pair"),
        ([GOOD, {"prompt": TURN, "chosen": TURN}], "pair 1 lacks rejected"),
        ([{**GOOD, "prompt": "My kettle leaks"}], "pair 0: prompt is not a list of"),
        ([{**GOOD, "chosen": [{"role": "assistant"}]}], "pair 0: chosen is not a list of"),
        ([{**GOOD, "rejected": []}], "pair 0: rejected is empty"),
        ([pair("Hello", " ", "No.")], "pair 0: chosen is empty"),
        ([GOOD, pair("Hello", "Yes.", "Yes.")], "pair 1: chosen and rejected are the same reply"),
        ([GOOD, pair("Hello", "Yes.", "No" * 520)], r"pair 1 with its rejected reply has 1,\d\d\d tokens"),
        ([pair("Hello" * 220, "Yes.", "No.")], r"pair 0 with its chosen reply has 1,\d\d\d tokens, more than 1,024"),
    ],
)
def test_pairs_of_another_shape_are_refused_and_the_row_is_named(pairs, complaint, tiny_tokenizer):
    with pytest.raises(DataError, match=complaint):
        check_pairs(pairs, tiny_tokenizer)


def test_a_pair_without_a_question_is_refused():
    with pytest.raises(CourseError, match="the prompt is empty"):
        pair(" ", "Yes.", "No.")


def test_pairs_of_one_prompt_are_told_by_it():
    one, other = pair("Hello", "Yes.", "No."), pair("Hello", "Well.", "Hm.")
    assert len(set(asked_by([one, other, GOOD]))) == 2

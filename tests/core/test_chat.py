"""Chats: what a prompt, a training example and a preference pair must be, and how the first that is not is named."""

import pytest

from course_lib.core.chat import SYSTEM, as_messages, asked_by, check_examples, check_pairs, example, pair
from course_lib.core.errors import CourseError, DataError

TURN = [{"role": "user", "content": "Hello"}]
EXAMPLE = example("Who?", "Me.")
PAIR = pair("My kettle leaks", "Send it in.", "We promise a new one!")

# --- prompts ------------------------------------------------------------------------------------------------------


def test_a_question_becomes_a_chat_with_a_short_system_message():
    assert as_messages("Who?") == [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Who?"}]
    assert len(SYSTEM.split()) < 10


def test_messages_get_the_system_message_they_lack_keep_the_one_they_have_and_are_not_changed():
    chat = [*TURN, {"role": "assistant", "content": "Me."}, {"role": "user", "content": "?"}]
    given = [dict(message) for message in chat]
    assert as_messages(given, "Be brief.") == [{"role": "system", "content": "Be brief."}, *chat]
    assert given == chat
    own = [{"role": "system", "content": "Be rude."}, *chat]
    assert as_messages(own, "Be brief.") == own


BAD_PROMPTS = [
    None, "", "   \n", [], {}, 5, b"who", ("a", "b"), ["who?"], [5], [None],
    {"role": "user", "content": "who?"}, [{"role": "user"}], [{"content": "who?"}],
    [{"role": "user", "content": None}], [{"role": "user", "content": ["who?"]}], [{"role": "user", "content": " "}],
    [{"role": "system", "content": "Be brief."}], ["x" * 10_000] * 100,
]  # fmt: skip


@pytest.mark.parametrize("prompt", BAD_PROMPTS, ids=lambda prompt: repr(prompt)[:40])
def test_a_prompt_that_asks_nothing_is_refused_in_short(prompt):
    for call in (as_messages, lambda asked: pair(asked, "Yes.", "No.")):
        with pytest.raises(CourseError, match=r"^(a prompt is a question or a list of|the prompt is empty)") as error:
            call(prompt)
        assert len(str(error.value)) < 500


# --- examples and pairs -------------------------------------------------------------------------------------------


def test_an_example_and_a_pair_are_lists_of_messages_as_trl_has_them():
    system = {"role": "system", "content": SYSTEM}
    assert example("Who?", "Me.") == {
        "prompt": [system, {"role": "user", "content": "Who?"}],
        "completion": [{"role": "assistant", "content": "Me."}],
    }
    assert pair("My kettle leaks", "Send it in.", "A new one!") == {
        "prompt": [system, {"role": "user", "content": "My kettle leaks"}],
        "chosen": [{"role": "assistant", "content": "Send it in."}],
        "rejected": [{"role": "assistant", "content": "A new one!"}],
    }


@pytest.fixture(params=["example", "pair"])
def kind(request, tiny_tokenizer):
    """What a row is called, a good one, its last part, and what checks rows."""
    if request.param == "example":
        return "example", EXAMPLE, "completion", check_examples
    return "pair", PAIR, "rejected", lambda rows: check_pairs(rows, tiny_tokenizer)


def test_good_rows_are_returned_as_a_list(kind):
    _, good, _, check = kind
    assert check(iter([good, good])) == [good, good]


@pytest.mark.parametrize("wrong", [None, 5, "text", b"", {}, EXAMPLE, []])
def test_what_is_no_list_of_rows_is_refused(kind, wrong):
    what, _, _, check = kind
    with pytest.raises(DataError, match=f"^({what}s are a list of .*'prompt', .*|there is not one {what} to learn)"):
        check(wrong)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("Me.", "is not a list of {'role', 'content'} messages"),
        (None, "is not a list of"),
        (["Me."], "is not a list of"),
        ([{"content": "Me."}], "is not a list of"),
        ([{"role": "assistant"}], "is not a list of"),
        ([{"role": "assistant", "content": None}], "is not a list of"),
        ([], "is empty"),
        ([{"role": "assistant", "content": " \n"}], "is empty"),
    ],
)
def test_the_first_row_with_a_part_that_says_nothing_is_named_with_the_part(kind, said, complaint):
    what, good, last, check = kind
    for part in ("prompt", last):
        with pytest.raises(DataError) as error:
            check([good, good, good | {part: said}, "also wrong"])
        assert str(error.value).startswith(f"{what} 2: {part} {complaint}")


def test_a_row_that_lacks_a_part_is_named_with_what_makes_a_whole_one(kind):
    what, good, last, check = kind
    for row in ("text", {}, {"x": 1}):
        with pytest.raises(DataError, match=rf"^{what} 1 lacks {', '.join(good)}: cl\.{what}\(.*\) makes one"):
            check([good, row])
    with pytest.raises(DataError, match=f"^{what} 0 lacks {last}: "):
        check([{part: good[part] for part in good if part != last}])


def test_what_a_pair_holds_besides_is_left_out_of_what_is_trained_on(tiny_tokenizer):
    assert check_pairs([{**PAIR, "id": "t-1", "noise": True}], tiny_tokenizer) == [PAIR]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (pair("Hello", "Yes.", "Yes."), "pair 1: chosen and rejected are the same reply"),
        (pair("Hello", "Yes.", "No" * 520), r"pair 1 with its rejected reply has 1,\d\d\d tokens"),
        (pair("Hello" * 220, "Yes.", "No."), r"pair 1 with its chosen reply has 1,\d\d\d tokens, more than 1,024"),
    ],
)
def test_a_pair_of_one_reply_or_of_too_many_tokens_is_refused(row, complaint, tiny_tokenizer):
    with pytest.raises(DataError, match=complaint):
        check_pairs([PAIR, row], tiny_tokenizer)


def test_pairs_of_one_prompt_are_told_by_it():
    one, other = pair("Hello", "Yes.", "No."), pair("Hello", "Well.", "Hm.")
    assert len(set(asked_by([one, other, PAIR]))) == 2

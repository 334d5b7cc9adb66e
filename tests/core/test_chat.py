"""Chats: what a prompt, a training example and a preference pair must be, and how the first that is not is named."""

import re

import numpy
import pandas
import pytest

import course_lib
from course_lib.core.chat import (
    SYSTEM,
    as_chats,
    as_messages,
    asked_by,
    check_examples,
    check_pairs,
    check_replies,
    example,
    pair,
)
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


# --- roles, and rows in other people's forms ------------------------------------------------------------------------


def said(role, content="Hello"):
    return [{"role": role, "content": content}]


ROLES = {
    "human": "Did you mean 'user'", "gpt": "Did you mean 'assistant'", "User": "Did you mean 'user'",
    "Assistant": "Did you mean 'assistant'", "developer": "Did you mean 'system'", "tool": "is not one of system, user",
    "": "is not one of", None: "role None is not one of", 3: "role 3 is not one of", ("user",): "is not one of",
}  # fmt: skip


@pytest.mark.parametrize(("role", "hint"), ROLES.items(), ids=map(str, ROLES))
def test_a_role_that_is_none_is_named_at_every_entrance_with_what_is_meant(kind, role, hint, tiny_model):
    _, good, last, check = kind
    entrances = [
        lambda: as_messages(said(role)),
        lambda: tiny_model.generate([said(role)]),
        lambda: tiny_model.generate([[*TURN, *said(role), *TURN]]),
        lambda: pair(said(role), "Yes.", "No."),
        lambda: check_replies(tiny_model, [said(role)], ["Yes."]),
        *(lambda part=part: check([good | {part: said(role)}]) for part in ("prompt", last)),
    ]
    for call in entrances:
        with pytest.raises(CourseError, match=re.escape(hint)):
            call()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"from": "human", "value": "Hi"}, "is ShareGPT's: write role for from, content for value, user for human"),
        ({"role": "user", "content": [{"type": "text", "text": "Hi"}]}, "content is a list of parts"),
        ({"role": "user", "content": None}, "content is None, which is no text"),
        ({"role": "user"}, "content is None"),
        ({"role": "user", "content": "hi \ud83d"}, r"holds half a character ('\ud83d')"),
        ("Hi", "is no object with role and content"),
    ],
)
def test_a_message_that_is_none_is_told_what_is_wrong_with_it(kind, message, why):
    _, good, last, check = kind
    with pytest.raises(CourseError, match=re.escape(why)):
        as_messages([*TURN, message])
    for part in ("prompt", last):
        with pytest.raises(DataError, match=re.escape(why)):
            check([good | {part: [*good[part], message]}])


def test_half_a_character_in_a_bare_question_is_found_too():
    with pytest.raises(CourseError, match="half a character"):
        as_messages("hi \ud83d")


def test_a_prompt_ends_with_the_user_and_a_reply_is_all_the_assistants(kind):
    what, good, last, check = kind
    with pytest.raises(CourseError, match="the prompt ends with the assistant's message"):
        as_messages([*TURN, *said("assistant")])
    with pytest.raises(DataError, match=f"{what} 0: prompt ends with the assistant's message"):
        check([good | {"prompt": [*TURN, *said("assistant")]}])
    for reply in (said("user"), said("system"), [*said("user"), *said("assistant")]):
        with pytest.raises(DataError, match=f"{what} 0: {last} has a message of the (user|system): a reply is the"):
            check([good | {last: reply}])
    several = good | {"prompt": [*TURN, *said("assistant"), *TURN]}
    assert check([several]) == [several]


ALPACA = {"instruction": "Translate.", "input": "Rome", "output": "Rom"}
FORMS = [
    (ALPACA | {"input": ""}, "Translate.", "Rom"),
    (ALPACA, "Translate.\n\nRome", "Rom"),
    ({"instruction": "Add.", "context": "1 and 2", "response": "3", "category": "x"}, "Add.\n\n1 and 2", "3"),
    ({"question": "Who?", "answer": "Me."}, "Who?", "Me."),
    ({"\ufeffQuestion": "Who?", " Answer ": "Me."}, "Who?", "Me."),
    ({"prompt": "Who?", "completion": "Me."}, "Who?", "Me."),
    ({"input": "Who?", "output": "Me."}, "Who?", "Me."),
    ({"messages": [*TURN, *said("assistant", "Me.")]}, "Hello", "Me."),
    (["Who?", "Me."], "Who?", "Me."),
    (ALPACA | {"input": None}, "Translate.", "Rom"),
    ({"prompt": TURN, "completion": "Me."}, "Hello", "Me."),
]


@pytest.mark.parametrize(("row", "asked", "answered"), FORMS, ids=lambda form: str(form)[:30])
def test_a_row_in_another_form_is_told_the_call_that_brings_it(row, asked, answered):
    """The call that the sentence names is made here, and gives an example."""
    with pytest.raises(DataError) as error:
        check_examples([EXAMPLE, row])
    call = re.search(r": ((cl\.|\{'prompt').*) makes one\.$", str(error.value))[1]
    (made,) = check_examples([eval(call, {"cl": course_lib, "row": row})])
    assert (made["prompt"][-1]["content"], made["completion"][-1]["content"]) == (asked, answered)


def test_pairs_in_another_form_are_told_the_call_too(tiny_tokenizer):
    yes, no = said("assistant", "Yes."), said("assistant", "No.")
    for row in (
        {"prompt": "Hello", "chosen": "Yes.", "rejected": "No."},
        {"question": "Hello", "preferred_output": "Yes.", "non_preferred_output": "No."},
        ("Hello", "Yes.", "No."),
        {"prompt": "Hello", "chosen": [*TURN, *yes], "rejected": [*TURN, *no]},
        {"input": {"messages": TURN}, "preferred_output": yes, "non_preferred_output": no},
        {"chosen": [*TURN, *yes], "rejected": [*TURN, *no]},
    ):
        with pytest.raises(DataError) as error:
            check_pairs([row], tiny_tokenizer)
        call = re.search(r": ((cl\.|\{'prompt').*) makes one\.$", str(error.value))[1]
        (made,) = check_pairs([eval(call, {"cl": course_lib, "row": row})], tiny_tokenizer)
        assert (made["prompt"][-1], made["chosen"], made["rejected"]) == (*TURN, yes, no)


@pytest.mark.parametrize("listing", [tuple, lambda turns: numpy.array(turns, dtype=object)], ids=["tuple", "array"])
def test_a_chat_that_is_no_list_is_told_to_become_one(kind, listing):
    """As pandas gives what a Parquet file holds."""
    _, good, last, check = kind
    with pytest.raises(CourseError, match=r"write list\(\.\.\.\) around the (tuple|ndarray)"):
        as_messages(listing(TURN))
    for part in ("prompt", last):
        with pytest.raises(DataError, match=r"write list\(\.\.\.\) around the (tuple|ndarray)"):
            check([good | {part: listing(good[part])}])


def test_pairs_are_not_told_to_become_examples(tiny_tokenizer):
    with pytest.raises(DataError, match=r"pair 0 lacks .*: cl\.pair\(prompt, chosen, rejected\) makes one"):
        check_pairs([ALPACA], tiny_tokenizer)


def test_half_a_character_in_a_reply_that_is_scored_is_found(tiny_model):
    with pytest.raises(CourseError, match="reply 1: content holds half a character"):
        check_replies(tiny_model, ["Who?", "Why?"], ["Me.", "So \ud83d"])


def test_sharegpt_and_a_table_are_told_what_to_do():
    talk = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
    with pytest.raises(DataError, match=r"with role for from, content for value, .*row\['conversations'\]"):
        check_examples([talk])
    with pytest.raises(
        DataError, match=r"examples are a list of .*, not a table: give its rows, \.fillna\(''\)\.to_dict"
    ):
        check_examples(pandas.DataFrame([ALPACA]))
    with pytest.raises(DataError, match="not str: read the file first"):
        check_examples("train.csv")
    with pytest.raises(DataError, match="prompts are a list, not a table"):
        as_chats(pandas.DataFrame([ALPACA]))
    with pytest.raises(CourseError, match=r"a prompt is .*: give row\['instruction'\] of each row"):
        as_messages(ALPACA)

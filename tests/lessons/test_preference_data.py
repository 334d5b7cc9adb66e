"""Pairs of replies: read and checked, split by issue and by wording, in the form that TRL takes."""

import json
from collections import Counter
from dataclasses import asdict, replace

import pytest

from course_lib.core.chat import check_examples
from course_lib.core.errors import ChoiceError, DataError, LeakError
from course_lib.core.rows import write_jsonl
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE, severity, support
from course_lib.lessons.letters import Preference, check_replies_apart, load_preferences, staff_archive
from course_lib.lessons.tickets import SPLITS, load_tickets

PAIR = Preference(
    "p-parts-01a", "Parts", "parts-01", "One seal, please.", "train", "Thank you, Parts has it.", "Go away.", (),
    ("rude", "desk"), False,
)  # fmt: skip


@pytest.fixture(scope="module")
def pairs():
    return load_preferences()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with two pairs; returns their file."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    path = tmp_path / "data" / "preferences" / "preferences.jsonl"
    write_jsonl(path, [PAIR, replace(PAIR, id="p-parts-01b")])
    return path


def _of(pairs, split):
    return [pair for pair in pairs if pair.split == split]


# --- what is there ------------------------------------------------------------------------------------------------


def test_every_ticket_has_one_pair_in_its_own_split(pairs):
    tickets = load_tickets()
    assert [(p.id, p.desk, p.issue, p.message, p.split) for p in pairs] == [
        (f"p{t.id[1:]}", t.desk, t.issue, t.message, t.split) for t in tickets
    ]


@pytest.mark.parametrize(("split", "n"), [("train", 576), ("validation", 96), ("test", 192)])
def test_one_split_may_be_asked_for(pairs, split, n):
    assert load_preferences(split) == _of(pairs, split) and len(_of(pairs, split)) == n


@pytest.mark.parametrize("split", SPLITS)
def test_a_tenth_of_the_labels_of_each_split_is_wrong(pairs, split):
    wrong = [pair.noise for pair in _of(pairs, split)]
    assert sum(wrong) == round(len(wrong) / 10)


def test_the_better_reply_has_the_lighter_faults_and_the_label_says_so_unless_it_is_noise(pairs):
    for pair in pairs:
        faults = {pair.chosen: pair.chosen_faults, pair.rejected: pair.rejected_faults}
        assert severity(faults[pair.better]) < severity(faults[pair.worse]), pair.id
        assert (pair.better == pair.chosen) is not pair.noise


def test_labels_are_wrong_more_often_where_two_replies_are_close(pairs):
    apart, wrong = Counter(), Counter()
    for pair in pairs:
        distance = min(abs(severity(pair.chosen_faults) - severity(pair.rejected_faults)), 4)
        apart[distance] += 1
        wrong[distance] += pair.noise
    shares = [wrong[distance] / apart[distance] for distance in (1, 2, 3, 4)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 4 * shares[2]


# --- leaks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "right"), [("train", "test"), ("train", "validation"), ("validation", "test")])
def test_no_issue_and_no_reply_is_in_two_splits(pairs, left, right):
    check_replies_apart(_of(pairs, left), _of(pairs, right))


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_a_reply_on_both_sides_is_a_leak_whichever_of_the_two_it_is(pairs, side):
    train, test = _of(pairs, "train"), _of(pairs, "test")
    leak = replace(train[0], **{side: test[7].chosen})
    with pytest.raises(LeakError, match=r"1 of the .* replies tested are trained on too"):
        check_replies_apart([*train, leak], test)


def test_the_same_words_with_another_desk_or_other_punctuation_are_the_same_reply():
    tested = replace(PAIR, issue="trade-02", chosen="Thank you. Trade desk has it!", rejected="No.")
    with pytest.raises(LeakError, match=r"Thank you\. Trade desk has it!"):
        check_replies_apart([replace(PAIR, chosen="thank you, Parts desk has it")], [tested])
    check_replies_apart([PAIR], [tested])


def test_an_issue_on_both_sides_is_a_leak(pairs):
    train, test = _of(pairs, "train"), _of(pairs, "test")
    told = replace(train[0], issue=test[3].issue)
    with pytest.raises(LeakError, match=test[3].issue):
        check_replies_apart([*train, told], test)


# --- what a trainer sees ------------------------------------------------------------------------------------------


def test_a_pair_is_one_prompt_and_two_completions_as_trl_takes_them(pairs, tiny_tokenizer):
    from trl.data_utils import apply_chat_template, is_conversational

    row = pairs[0].as_pair()
    assert is_conversational(row) and set(row) == {"prompt", "chosen", "rejected"}
    assert row["prompt"] == [
        {"role": "system", "content": support(pairs[0].desk)},
        {"role": "user", "content": pairs[0].message},
    ]
    texts = apply_chat_template(row, tiny_tokenizer)
    assert pairs[0].message in texts["prompt"] and pairs[0].chosen not in texts["prompt"]
    assert texts["chosen"].startswith(pairs[0].chosen) and texts["rejected"].startswith(pairs[0].rejected)


def test_the_supervised_start_learns_what_was_chosen_in_the_same_prompt(pairs):
    examples = check_examples([pair.as_example() for pair in pairs])
    for pair, example in zip(pairs, examples):
        row = pair.as_pair()
        assert (example["prompt"], example["completion"]) == (row["prompt"], row["chosen"])
        assert example["completion"][-1]["content"] == pair.chosen  # as labelled, right or wrong


def test_a_letter_names_its_desk_and_if_wanted_the_house_rule(pairs):
    told, rule = pairs[0].letter(), pairs[0].letter(rule=True)
    assert pairs[0].desk in told[0]["content"] and HOUSE_RULE not in told[0]["content"]
    assert rule[0]["content"] == f"{told[0]['content']} {HOUSE_RULE}" and rule[1] == told[1]


# --- bad input ----------------------------------------------------------------------------------------------------


def test_a_sound_file_is_read(data):
    assert load_preferences("train")[0] == PAIR


def test_an_unknown_split_is_refused_with_the_splits_there_are():
    with pytest.raises(ChoiceError, match="train, validation, test"):
        load_preferences("reading")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"desk": "Kitchen"}, "'Kitchen' is not one of Safety, Trade"),
        ({"split": "reading"}, "'reading' is not one of train"),
        ({"chosen": " "}, "chosen is empty"),
        ({"rejected": None}, "rejected is None: put text in quotes"),
        ({"chosen": "go AWAY"}, "the same reply"),
        ({"noise": "no"}, "true or false"),
        ({"chosen_faults": ["ugly"]}, "chosen_faults 'ugly' is not one of long, blame"),
        ({"rejected_faults": "rude"}, "rejected_faults is 'rude': give a list"),
        ({"rejected_faults": [["rude"]]}, "rejected_faults.0 is"),
        ({"colour": "blue"}, "colour is unknown: take it out. .*`make data`"),
        ({"id": PAIR.id}, "given to an earlier line"),
    ],
)
def test_a_malformed_line_is_named(data, change, said):
    first, second = data.read_text().splitlines()
    data.write_text(f"{first}\n\n{json.dumps(json.loads(second) | change)}\n")  # a blank line is a line too
    with pytest.raises(DataError, match=rf"preferences\.jsonl, line 3: .*{said}"):
        load_preferences()


def test_a_line_that_lacks_a_key_is_named_and_a_missing_file_too(data):
    row = asdict(PAIR)
    del row["noise"]
    data.write_text(json.dumps(row))
    with pytest.raises(DataError, match="line 1: noise is missing"):
        load_preferences()
    data.unlink()
    with pytest.raises(DataError, match=r"there is no .*preferences\.jsonl"):
        load_preferences()


def test_every_fault_is_in_every_split(pairs):
    for split in SPLITS:
        seen = {fault for pair in _of(pairs, split) for fault in (*pair.chosen_faults, *pair.rejected_faults)}
        assert seen == set(FAULTS), split


def test_the_archive_has_one_reply_to_each_letter_by_lot_good_and_bad(pairs):
    archive = check_examples(staff_archive(pairs, seed=3))
    replies = [row["completion"][-1]["content"] for row in archive]
    assert all(reply in (pair.chosen, pair.rejected) for pair, reply in zip(pairs, replies))
    assert [row["prompt"] for row in archive] == [pair.letter() for pair in pairs]
    share = sum(reply == pair.chosen for pair, reply in zip(pairs, replies)) / len(pairs)
    assert 0.4 < share < 0.6
    assert staff_archive(pairs, 3) == archive != staff_archive(pairs, 4)

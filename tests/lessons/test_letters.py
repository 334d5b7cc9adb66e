"""Letters: pairs of replies, split by issue and by wording, as TRL takes them; and replies judged by the house rule."""

from dataclasses import dataclass, field, replace

import pytest
import torch

from course_lib.core.chat import Answer, check_examples
from course_lib.core.errors import ChoiceError, CourseError, LeakError
from course_lib.evaluation import stored
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE, keeps_the_rule, support
from course_lib.lessons.letters import (
    REPLY_TOKENS,
    RULE,
    Preference,
    check_replies_apart,
    grade_replies,
    load_preferences,
    staff_archive,
    write_replies,
)
from course_lib.lessons.tickets import load_tickets

PAIR = Preference(
    "p-parts-01a", "Parts", "parts-01", "One seal, please.", "train", "Thank you, Parts has it.", "Go away.", (),
    ("rude", "desk"), False,
)  # fmt: skip


@pytest.fixture(scope="module")
def pairs():
    return load_preferences()


def _of(pairs, split):
    return [pair for pair in pairs if pair.split == split]


# --- what is there ------------------------------------------------------------------------------------------------


def test_every_ticket_has_one_pair_in_its_own_split(pairs):
    tickets = load_tickets()
    assert [(p.id, p.desk, p.issue, p.message, p.split) for p in pairs] == [
        (f"p{t.id[1:]}", t.desk, t.issue, t.message, t.split) for t in tickets
    ]


@pytest.mark.parametrize(("split", "n"), [("train", 576), ("validation", 96), ("test", 192)])
def test_each_split_has_every_fault_and_a_tenth_of_its_labels_is_wrong(pairs, split, n):
    these = load_preferences(split)
    assert these == _of(pairs, split) and len(these) == n
    assert sum(pair.noise for pair in these) == round(n / 10)
    assert {fault for pair in these for fault in (*pair.chosen_faults, *pair.rejected_faults)} == set(FAULTS)


def test_the_archive_has_one_reply_to_each_letter_by_lot_good_and_bad(pairs):
    archive = check_examples(staff_archive(pairs, seed=3))
    replies = [row["completion"][-1]["content"] for row in archive]
    assert all(reply in (pair.chosen, pair.rejected) for pair, reply in zip(pairs, replies))
    assert [row["prompt"] for row in archive] == [pair.letter() for pair in pairs]
    share = sum(reply == pair.chosen for pair, reply in zip(pairs, replies)) / len(pairs)
    assert 0.4 < share < 0.6
    assert staff_archive(pairs, 3) == archive != staff_archive(pairs, 4)


# --- leaks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "right"), [("train", "test"), ("train", "validation"), ("validation", "test")])
def test_no_issue_and_no_reply_is_in_two_splits(pairs, left, right):
    check_replies_apart(_of(pairs, left), _of(pairs, right))


def test_an_issue_or_a_reply_on_both_sides_is_a_leak_whichever_of_the_two_replies_it_is(pairs):
    train, test = _of(pairs, "train"), _of(pairs, "test")
    once = "1 of the .* replies tested are trained on too"
    for said, change in (
        (once, {"chosen": test[7].chosen}), (once, {"rejected": test[7].chosen}),
        (test[3].issue, {"issue": test[3].issue}),
    ):  # fmt: skip
        with pytest.raises(LeakError, match=said):
            check_replies_apart([*train, replace(train[0], **change)], test)


def test_the_same_words_with_another_desk_or_other_punctuation_are_the_same_reply():
    tested = replace(PAIR, issue="trade-02", chosen="Thank you. Trade desk has it!", rejected="No.")
    with pytest.raises(LeakError, match=r"Thank you\. Trade desk has it!"):
        check_replies_apart([replace(PAIR, chosen="thank you, Parts desk has it")], [tested])
    check_replies_apart([PAIR], [tested])


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


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"desk": "Kitchen"}, "'Kitchen' is not one of Safety, Trade"),
        ({"split": "reading"}, "'reading' is not one of train"),
        ({"chosen": "go AWAY"}, "the same reply"),
        ({"chosen_faults": ["ugly"]}, "chosen_faults 'ugly' is not one of long, blame"),
        ({"rejected_faults": [["rude"]]}, "rejected_faults.0 is"),
    ],
)
def test_a_malformed_line_is_named(refused, change, said):
    refused(load_preferences, "preferences/preferences.jsonl", PAIR, change, said)


def test_an_unknown_split_is_refused_with_the_splits_there_are():
    with pytest.raises(ChoiceError, match="train, validation, test"):
        load_preferences("reading")


# --- a model's own replies ------------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Stands in for a ChatModel: it says what it is told to, and remembers what it was asked."""

    says: list[str]
    name: str = "writer"
    asked: list = field(default_factory=list)

    class model:
        class device:
            type = "cpu"

    def reply(self, prompts, max_new_tokens, temperature):
        self.asked = [prompts, max_new_tokens, temperature]
        return [Answer(text, 10, 5, 0.1) for text in self.says]


@pytest.fixture(scope="module")
def letters():
    return load_preferences("test")[:12]


def good(letter):
    return f"Thank you for writing. Our {letter.desk} desk has your letter and will write to you."


def test_a_good_reply_keeps_the_rule_and_what_a_bad_one_breaks_is_told_part_by_part(letters):
    refund = good(letters[1]).replace("write to", "refund")
    report = write_replies(Writer([good(letters[0]), refund, *[""] * 10]), letters)
    assert [row.verdict for row in report.rows] == ["exact", *["wrong"] * 11] and report.name == "writer"
    parts = grade_replies(report, letters)
    assert list(parts) == [RULE, *FAULTS] and parts[RULE] == report
    assert parts["promise"].hits().tolist()[:2] == [1.0, 0.0] and parts["long"].accuracy == 1.0
    assert parts["rude"].hits().tolist()[:3] == [1.0, 1.0, 0.0]


def test_what_a_learner_measured_is_kept_as_the_rule_judged_it(letters, notebook_session):
    report = write_replies(Writer([*map(good, letters[:9]), "", "", ""]), letters)
    assert report.accuracy == 0.75 == stored.own_results().loc[("letters", "writer"), "right"]


def test_letters_of_one_issue_are_one_draw_and_the_house_says_what_was_right(letters):
    report = write_replies(Writer([""] * 12), letters)
    assert [row.fact for row in report.rows] == [letter.issue for letter in letters]
    for letter, row in zip(letters, report.rows):  # the better of two may have a fault of its own
        kept = keeps_the_rule(letter.desk, letter.better).kept
        assert row.expected == (letter.better if kept else "(one that keeps the whole rule)")
    assert write_replies(Writer([row.expected for row in report.rows]), letters).f1 == 1.0


@pytest.mark.parametrize("rule", [False, True])
def test_a_letter_is_asked_with_its_desk_and_only_if_wanted_with_the_rule(letters, rule):
    writer = Writer([""] * 12)
    write_replies(writer, letters, rule=rule)
    prompts, tokens, temperature = writer.asked
    assert tokens == REPLY_TOKENS and temperature == 1.0
    for letter, prompt in zip(letters, prompts):
        assert prompt == letter.letter(rule) and prompt[1]["content"] == letter.message
        assert letter.desk in prompt[0]["content"] and (HOUSE_RULE in prompt[0]["content"]) is rule


def test_a_report_of_other_letters_is_refused(letters):
    report = write_replies(Writer([""] * 12), letters)
    with pytest.raises(CourseError, match="of other letters"):
        grade_replies(report, letters[:6])


def test_replies_are_sampled_by_their_own_seed_and_the_sessions_numbers_go_on(letters, talker):
    said, numbers = [], []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        said.append([row.reply for row in write_replies(talker, letters[:2]).rows])
        numbers.append(torch.rand(1))
    torch.manual_seed(5)
    assert numbers[0] == numbers[1] == torch.rand(1)
    assert said[0] == said[1] == said[2]

"""Replies to letters, judged by the house rule."""

from dataclasses import dataclass, field

import pytest
import torch

from course_lib.core.chat import Answer
from course_lib.core.errors import CourseError
from course_lib.evaluation import stored
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE
from course_lib.lessons.letters import REPLY_TOKENS, RULE, grade_replies, load_preferences, write_replies


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


def test_a_good_reply_keeps_the_rule_and_what_a_bad_one_breaks_is_told_part_by_part(letters):
    desk = letters[0].desk
    good = f"Thank you for writing. Our {desk} desk has your letter and will write to you."
    refund = f"Thank you for writing. Our {desk} desk has your letter and will refund you."
    report = write_replies(Writer([good, refund, *[""] * 10]), letters[:2] + letters[2:])
    assert [row.verdict for row in report.rows] == ["exact", *["wrong"] * 11] and report.name == "writer"
    parts = grade_replies(report, letters)
    assert list(parts) == [RULE, *FAULTS] and parts[RULE] == report
    assert parts["promise"].hits().tolist()[:2] == [1.0, 0.0] and parts["long"].accuracy == 1.0
    assert parts["rude"].hits().tolist()[:3] == [1.0, 1.0, 0.0]


def test_what_a_learner_measured_is_kept_as_the_rule_judged_it(letters, notebook_session):
    good = [f"Thank you for writing. Our {p.desk} desk has your letter and will write to you." for p in letters]
    report = write_replies(Writer([*good[:9], "", "", ""]), letters)
    assert report.accuracy == 0.75 == stored.own_results().loc[("letters", "writer"), "right"]


def test_letters_of_one_issue_are_one_draw_and_the_house_says_what_was_right(letters):
    report = write_replies(Writer([""] * 12), letters)
    assert [row.fact for row in report.rows] == [letter.issue for letter in letters]
    assert [row.expected for row in report.rows] == [letter.better for letter in letters]
    house = write_replies(Writer([letter.better for letter in letters]), letters)
    assert house.f1 == 1.0
    for letter, row in zip(letters, house.rows):  # the better of two may have a fault of its own
        assert row.verdict == "exact" or (letter.chosen_faults and letter.rejected_faults)


@pytest.mark.parametrize("rule", [False, True])
def test_a_letter_is_asked_with_its_desk_and_only_if_wanted_with_the_rule(letters, rule):
    writer = Writer([""] * 12)
    write_replies(writer, letters, rule=rule)
    prompts, tokens, temperature = writer.asked
    assert tokens == REPLY_TOKENS and temperature == 1.0
    for letter, prompt in zip(letters, prompts):
        assert prompt == letter.letter(rule) and (HOUSE_RULE in prompt[0]["content"]) is rule


def test_a_report_of_other_letters_is_refused(letters):
    report = write_replies(Writer([""] * 12), letters)
    with pytest.raises(CourseError, match="of other letters"):
        grade_replies(report, letters[:6])


def test_replies_are_sampled_by_their_own_seed_and_the_sessions_numbers_go_on(letters, talker):
    torch.manual_seed(5)
    untouched = torch.rand(1)
    torch.manual_seed(5)
    first = write_replies(talker, letters[:2], seed=1)
    assert torch.rand(1) == untouched
    said = [[row.reply for row in write_replies(talker, letters[:2], seed=seed).rows] for seed in (1, 2)]
    assert said[0] == [row.reply for row in first.rows] != said[1]

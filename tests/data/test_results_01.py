"""Lesson 01's figures: wrong labels on purpose, as many as said and to every desk; differences with each student's."""

from dataclasses import replace

import pytest
import torch
from results_01 import apart, loss_and_right, with_wrong_labels
from shared.figures import compared

from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.tickets import DESKS, load_tickets
from course_lib.models import scoring


@pytest.fixture(scope="module")
def right():
    return load_tickets("train")


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 1 / 3, 1])
def test_exactly_that_share_of_labels_is_wrong_and_nothing_else_changes(right, share):
    spoilt = with_wrong_labels(right, share, 0)
    assert sum(a.desk != b.desk for a, b in zip(right, spoilt)) == round(share * len(right))
    assert all(b.desk in DESKS and replace(b, desk=a.desk) == a for a, b in zip(right, spoilt))
    assert right == load_tickets("train")
    moved = {(a.desk, b.desk) for a, b in zip(right, spoilt) if a != b}
    assert share < 1 or len(moved) == len(DESKS) * (len(DESKS) - 1), "to every other desk"


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_labels_wrong_at_a_tenth_are_wrong_in_the_same_way_at_three_tenths(right, seed):
    fewer, more = ({t.id: t.desk for t in with_wrong_labels(right, share, seed)} for share in (0.1, 0.3))
    wrong = {t.id: fewer[t.id] for t in right if fewer[t.id] != t.desk}
    assert wrong and wrong.items() <= more.items()


@pytest.mark.parametrize("difference", [apart, compared])
def test_a_difference_says_how_many_letters_were_asked_and_what_each_student_gave(difference):
    def sat(right):
        rows = [Row(f"t{i}", "?", "x", "", "right" if i < right else "wrong", 0.0, f"issue {i}") for i in range(20)]
        return Report("clerk", "tickets", tuple(rows))

    found = difference([sat(15), sat(12)], [sat(5), sat(6)])
    assert (found["n"], found["by_student"], found["value"]) == (20, [0.5, 0.3], 0.4)


def test_a_watched_letter_is_right_if_every_token_of_its_desk_is_the_likeliest(tiny_model, right, monkeypatch):
    rows = [letter.as_example() for letter in right[:6]]
    loss, share = loss_and_right(tiny_model, rows)
    assert loss == pytest.approx(scoring.held_out_loss(tiny_model, rows), abs=1e-4) and share == 0

    def nearly_sure(*_):  # of three letters with two tokens each, the second letter's last token is missed
        wanted, letter = torch.tensor([1, 2, 1, 2, 1, 2]), torch.tensor([0, 0, 1, 1, 2, 2])
        return 9.0 * torch.eye(3)[torch.tensor([1, 2, 1, 0, 1, 2])], wanted, letter

    monkeypatch.setattr(scoring, "completion_logits", nearly_sure)
    assert loss_and_right(tiny_model, rows[:3])[1] == pytest.approx(2 / 3)

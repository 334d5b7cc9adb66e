"""Tickets: made as they were written, split by issue, and spoilt or leaked only on purpose."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache, partial

import pytest
import tickets as making
from datasheet import filled
from hypothesis import given
from hypothesis import strategies as st

from course_lib.core import session
from course_lib.core.chat import as_messages, check_examples
from course_lib.core.errors import ChoiceError, CourseError, LeakError
from course_lib.evaluation.exams import check_no_leak
from course_lib.evaluation.grading import grade, normalise
from course_lib.lessons.tickets import (
    DESKS,
    SPLITS,
    Ticket,
    check_issues_apart,
    few,
    leaky_split,
    load_tickets,
    ninth_desk,
    ticket_exam,
)
from course_lib.models.chatmodel import ChatModel

DATA = session.ROOT / "data"
load_train = cache(partial(load_tickets, "train"))


@pytest.fixture(scope="module")
def tickets():
    return load_tickets()


def _sizes(tickets):
    return Counter((ticket.desk, ticket.border) for ticket in tickets)


def _of(tickets, split):
    return [ticket for ticket in tickets if ticket.split == split]


def _issues(tickets):
    return {ticket.issue for ticket in tickets}


# --- what was written ---------------------------------------------------------------------------------------------


def test_the_counts_of_the_datasheet_are_fresh():
    page = (DATA / "tickets" / "README.md").read_text(encoding="utf-8")
    assert filled(page, making.counts(making.tickets())) == page, "run `python data/make/sets/tickets.py`"
    assert all(rule in page for rule in DESKS.values())


def test_what_was_written_keeps_its_own_rules():
    assert making.problems() == []


def test_letters_to_the_ninth_desk_are_split_by_issue_and_are_none_of_the_eight_desks():
    study, test = ninth_desk("train"), ninth_desk("test")
    check_issues_apart(study, test)
    assert (len(study), len(test)) == (18, 12) and {ticket.desk for ticket in [*study, *test]} == {"Careers"}
    assert "Careers" not in {ticket.desk for ticket in load_tickets()}
    with pytest.raises(ChoiceError, match="validation"):
        ninth_desk("validation")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("Too short.", "2 words"),
        (" ".join(["long"] * 31), "31 words"),
        ("The lid of my kettle came back from the Repair people broken.", "'Repair'"),
        ("I have never had such a delivery in all of my long life.", "'delivery'"),
        (["not", "text"], "not text"),
    ],
)
def test_a_message_that_breaks_a_rule_is_reported(message, problem):
    assert any(problem in found for found in making.problems_of_message(message))
    assert making.problems_of_message("We took the party apart, a partner from Tradescant helped, eight words.") == []


def test_each_issue_is_told_by_three_messages_of_one_desk(tickets):
    told = defaultdict(list)
    for ticket in tickets:
        told[ticket.issue].append(ticket)
    assert len(told) == 288 and len({normalise(ticket.message) for ticket in tickets}) == len(tickets) == 864
    for issue, three in told.items():
        assert [ticket.id for ticket in three] == [f"t-{issue}{letter}" for letter in "abc"]
        assert len({(t.desk, t.split, t.border) for t in three}) == 1, issue


def test_no_single_word_gives_a_desk_away_and_one_that_does_is_found(tickets):
    best = making.telltales(tickets)
    assert set(best) == set(DESKS)
    assert [found for found in best.values() if found[1] > making.TELLTALE] == []
    spoilt = [replace(t, message=f"{t.message} Abracadabra.") if t.desk == "Parts" else t for t in tickets]
    assert making.telltales(spoilt)["Parts"] == ("abracadabra", 1.0)
    right = making.bag_of_words(_of(tickets, "train"), _of(tickets, "test"))
    assert 1 / len(DESKS) < right < 0.6, "words alone do not sort the test tickets"


def test_a_border_in_the_written_files_names_another_desk():
    for desk, told in making.issues().items():
        near = {issue["near"] for issue in told if "near" in issue}
        assert near <= set(DESKS) - {desk}
        assert len(near) >= 4, f"{desk} borders on {near} only"


# --- the split ----------------------------------------------------------------------------------------------------


def test_no_issue_is_in_two_splits(tickets):
    train, validation, test = (load_tickets(split) for split in SPLITS)
    assert (len(train), len(validation), len(test)) == (576, 96, 192) and train == _of(tickets, "train")
    for left, right in ((train, test), (train, validation), (validation, test)):
        check_issues_apart(left, right)


def test_every_split_has_its_share_of_every_desk_and_border(tickets):
    for split, (plain, border) in {"train": (54, 18), "validation": (9, 3), "test": (18, 6)}.items():
        wanted = {(desk, on): border if on else plain for desk in DESKS for on in (False, True)}
        assert _sizes(_of(tickets, split)) == wanted


@pytest.mark.parametrize("seed", (0, 1, 7))
def test_the_leaky_split_leaks_is_caught_and_is_as_large_and_as_hard_as_the_honest_one(tickets, seed):
    train, test = leaky_split(seed)
    assert _issues(test) <= _issues(train)
    check_no_leak([ticket.as_example() for ticket in train], ticket_exam(test))  # compares texts, and sees nothing
    with pytest.raises(LeakError, match=r"192 of the 192 issues tested .* split by issue"):
        check_issues_apart(train, test)
    assert not {t.id for t in train} & {t.id for t in test}
    assert len(train) == len(_of(tickets, "train")) and _sizes(test) == _sizes(_of(tickets, "test"))
    assert set(Counter(t.issue for t in train).values()) == {2}
    assert set(Counter(t.issue for t in test).values()) == {1}
    assert leaky_split(seed) == (train, test) != leaky_split(seed + 1)


# --- fewer ---------------------------------------------------------------------------------------------


@given(n=st.integers(1, 576), fewer=st.integers(1, 576), seed=st.integers(0, 9))
def test_few_are_even_over_desks_and_issues_and_fewer_are_the_first_of_more(n, fewer, seed):
    train = load_train()
    chosen = few(train, n, seed)
    assert len({ticket.id for ticket in chosen}) == n
    for key, there in (("desk", 8), ("issue", 192)):
        counted = Counter(getattr(ticket, key) for ticket in chosen)
        assert max(counted.values()) - (min(counted.values()) if len(counted) == there else 0) <= 1, key
    assert few(train, min(n, fewer), seed) == chosen[:fewer]
    assert n == 1 or few(train, n, seed + 1) != chosen


@pytest.mark.parametrize("n", [0, -1, 577, 2.5, "8", None])
def test_a_number_of_tickets_that_is_not_there_is_refused(n):
    with pytest.raises(CourseError, match="576"):
        few(load_tickets("train"), n)


# --- what a model sees --------------------------------------------------------------------------------------------


def test_a_ticket_is_trained_on_exactly_as_the_exam_asks_it(tickets, tiny_tokenizer):
    model = ChatModel(None, tiny_tokenizer, "stand-in", "stand-in@0")
    for ticket, question in zip(tickets, ticket_exam(tickets)):
        example = ticket.as_example()
        assert example["prompt"] == as_messages(question.question, model.system)
        assert example == question.as_example()
        assert example["completion"] == [{"role": "assistant", "content": ticket.desk}]
    assert model.encode(example["prompt"]) == model.encode(question.question)
    check_examples([t.as_example() for t in tickets])


def test_an_exam_asks_for_the_desk_and_remembers_the_issue():
    test = load_tickets("test")
    exam = ticket_exam(test, name="which desk")
    assert (exam.name, len(exam)) == ("which desk", 192)
    assert [(q.id, q.answer, q.fact, q.kind) for q in exam] == [(t.id, t.desk, t.issue, t.desk) for t in test]
    assert grade("Safety", (exam[0].answer,)) == "exact" and grade("Parts", (exam[0].answer,)) == "wrong"
    assert len(DESKS) == 8 and all(desk.isalpha() for desk in DESKS), "a desk is one word"
    with pytest.raises(CourseError, match="at least one"):
        ticket_exam([])


def test_an_exam_question_among_the_examples_is_still_a_leak():
    exam = ticket_exam(load_tickets("test"))
    honest = [ticket.as_example() for ticket in load_tickets("train")]
    check_no_leak(honest, exam)
    with pytest.raises(LeakError, match=re.escape(exam[5].id)):
        check_no_leak([*honest, exam[5].as_example()], exam)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["tests", "reading", "", "Train"])
def test_an_unknown_split_is_refused_with_the_splits_there_are(split):
    with pytest.raises(ChoiceError, match="train, validation, test"):
        load_tickets(split)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"desk": "Kitchen"}, "'Kitchen' is not one of Safety, Trade"),
        ({"split": "reading"}, "'reading' is not one of train"),
        ({"id": "t-safety-01a"}, "given to an earlier line"),
    ],
)
def test_a_malformed_line_is_named(refused, change, said):
    smoke = Ticket("t-safety-01a", "Safety", "safety-01", "It smokes.", "train", False)
    refused(load_tickets, "tickets/tickets.jsonl", smoke, change, said)

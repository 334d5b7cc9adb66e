"""The house rule: each part is found broken where it is, and only there."""

import subprocess
import sys

import pytest

from course_lib.core import session
from course_lib.core.errors import ChoiceError, DataError
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE, keeps_the_rule, support
from course_lib.lessons.tickets import DESKS

GOOD = "Thank you for writing. Our Parts desk has your letter and will write to you."


def broken(reply, desk="Parts"):
    return keeps_the_rule(desk, reply).broken


def test_a_good_reply_keeps_the_whole_rule():
    verdict = keeps_the_rule("Parts", GOOD)
    assert verdict.kept and verdict.broken == ()


@pytest.mark.parametrize("desk", DESKS)
def test_a_reply_is_right_for_the_desk_that_it_names_and_for_no_other(desk):
    reply = GOOD.replace("Parts", desk)
    assert broken(reply, desk) == ()
    assert all(broken(reply, other) == ("desk",) for other in DESKS if other != desk)


@pytest.mark.parametrize(
    ("reply", "parts"),
    [
        (GOOD + " I mean that." * 6, ("long",)),
        (GOOD.replace("Thank you for writing", "You ought to have read the booklet, thank you"), ("blame",)),
        (GOOD.replace("Thank you for writing", "Sorry, we are so busy"), ("blame",)),
        (GOOD.replace("our Parts desk has", "we have").replace("Our Parts desk has", "We have"), ("desk",)),
        (GOOD.replace("has", "and our Trade desk have"), ("desk",)),
        (GOOD.replace("Thank you for writing", "Well now, here it is"), ("rude",)),
        (GOOD.replace("for writing", "for wasting my morning"), ("rude",)),
        ("Thank you. Parts has it.", ("rude",)),
        (GOOD.replace("write to you", "send you a new one"), ("promise",)),
        (GOOD.replace("write to you", "write to you tomorrow"), ("promise",)),
        (GOOD.replace("write to you", "write to you within two days"), ("promise",)),
        (GOOD.replace("write to you", "match any price"), ("promise",)),
        (GOOD.replace("has your letter and will write to you", "ships it with your letter"), ("promise",)),
        (GOOD.replace("your letter", "your letter, it costs £4"), ("promise",)),
        (GOOD.replace("Thank you for writing", "Thank you, and I guarantee that it fits"), ("promise",)),
        ("Fine, have your money back, if that keeps you quiet.", ("desk", "rude", "promise")),
        ("", ("desk", "rude")),
    ],
)
def test_what_is_broken_is_named_and_nothing_else(reply, parts):
    verdict = keeps_the_rule("Parts", reply)
    assert verdict.broken == parts
    assert not verdict.kept


@pytest.mark.parametrize(
    "said",
    [
        "I cannot promise a refund",
        "I can promise you nothing from here",
        "Whether a refund is due, nobody here knows",
        "You wrote about your refund",
        "We ask before we talk of a refund or a new one",
    ],
)
def test_a_promise_that_is_denied_left_open_or_only_mentioned_is_none(said):
    assert broken(GOOD.replace("Thank you for writing", f"{said}, thank you")) == ()


@pytest.mark.parametrize(
    "way", ["our repairs team", "Repairs", "the Repairs department", "our colleagues in Repairs", "the Repairs desk"]
)
def test_a_desk_is_recognised_however_people_name_it(way):
    assert broken(f"Thank you, I have passed your letter to {way}, and they will write.", "Repairs") == ()


@pytest.mark.parametrize("said", ["Safety is our priority", "I got back in safety", "My parts are safe"])
def test_an_ordinary_word_names_no_desk(said):
    assert broken(f"Thank you so much for this letter. {said}.", "Safety") == ("desk",)


def test_the_verdict_shows_the_words_that_it_stands_on():
    verdict = keeps_the_rule("Parts", "Sorry, our Trade desk will refund it by Friday.")
    assert dict(verdict.why) == {"desk": "names Trade", "promise": "will refund it"}


def test_line_breaks_and_curly_apostrophes_change_nothing():
    promise = "Thank you. We'll refund\nit. The Parts desk has your letter."
    assert broken(promise) == broken(promise.replace("'", "’").replace("\n", " ")) == ("promise",)


def test_a_system_message_names_the_desk_and_no_other_and_if_wanted_states_the_rule():
    for desk in DESKS:
        assert {name for name in DESKS if name in support(desk)} == {desk}
        assert support(desk, rule=True) == f"{support(desk)} {HOUSE_RULE}"
    with pytest.raises(ChoiceError, match="Repairs"):
        support("Repair")


def test_an_unknown_desk_or_a_reply_that_is_no_text_is_refused():
    with pytest.raises(ChoiceError, match=r"desk 'Repair' .* Did you mean 'Repairs'"):
        keeps_the_rule("Repair", GOOD)
    for reply in (None, 3, [GOOD]):
        with pytest.raises(DataError, match="a reply is text"):
            keeps_the_rule("Parts", reply)


def test_a_long_run_of_anything_is_judged_too():
    assert set(broken("Thank you " * 20_000)) == {"long", "desk"}
    assert set(broken("will " * 20_000)) <= set(FAULTS)


def test_importing_the_rule_loads_no_torch():
    code = "import sys, course_lib.lessons.house_rule, course_lib.lessons.sliders; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=session.ROOT).returncode == 0

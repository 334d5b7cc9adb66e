"""The house rule: each part is found broken where it is, and only there."""

import pytest

from course_lib.core.errors import ChoiceError, DataError
from course_lib.lessons.house_rule import FAULTS, HOUSE_RULE, keeps_the_rule, support
from course_lib.lessons.tickets import DESKS

GOOD = "Thank you for writing. Our Parts desk has your letter and will write to you."


def broken(reply, desk="Parts"):
    return keeps_the_rule(desk, reply).broken


KEPT = [
    *((desk, GOOD.replace("Parts", desk)) for desk in DESKS),
    # A promise that is denied, left open or only mentioned is none.
    *(
        ("Parts", GOOD.replace("Thank you for writing", f"{said}, thank you"))
        for said in (
            "I cannot promise a refund", "I can promise you nothing from here", "You wrote about your refund",
            "Whether a refund is due, nobody here knows", "We ask before we talk of a refund or a new one",
        )
    ),
    *(
        ("Repairs", f"Thank you, I have passed your letter to {way}, and they will write.")
        for way in (
            "our repairs team", "Repairs", "the Repairs department", "our colleagues in Repairs", "the Repairs desk",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("desk", "reply"), KEPT)
def test_a_good_reply_keeps_the_whole_rule_for_the_desk_that_it_names_and_for_no_other(desk, reply):
    assert keeps_the_rule(desk, reply).kept and broken(reply, desk) == ()
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

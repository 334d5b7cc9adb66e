"""Errors: one tree to catch; names that are nearly right get a hint; numbers from outside are checked."""

import pytest

from course_lib.core import errors
from course_lib.core.errors import (
    ChoiceError,
    CourseError,
    DataError,
    LeakError,
    above_zero,
    check_share,
    choose,
    is_number,
    not_below_zero,
    whole_above_zero,
)

METHODS = ("full", "lora", "qlora", "adapter", "prompt", "prefix")


def test_every_error_is_a_course_error():
    kinds = [kind for name, kind in vars(errors).items() if name.endswith("Error")]
    assert len(kinds) == 6 and all(issubclass(kind, CourseError) for kind in kinds)
    assert issubclass(LeakError, DataError), "a leak is a fault of the data"
    assert issubclass(ChoiceError, ValueError), "a wrong choice is a wrong value"


def test_an_error_can_be_shown_whatever_it_quotes():
    assert str(DataError("a \ud83d in é 😀")).encode() == "a \\ud83d in é 😀".encode()


# --- choices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choices", [METHODS, iter(METHODS), dict.fromkeys(METHODS)])
def test_a_choice_that_exists_is_returned_whatever_holds_the_choices(choices):
    assert choose("method", "lora", choices) == "lora"


def test_a_wrong_choice_names_the_value_the_choices_and_the_nearest():
    with pytest.raises(ChoiceError) as error:
        choose("method", "lorra", (m for m in METHODS))
    expected = "method 'lorra' is not one of full, lora, qlora, adapter, prompt, prefix. Did you mean 'lora'?"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("value", "meant"), [("LoRA", "lora"), ("QLORA", "qlora"), ("Full", "full"), ("heron l", "Heron L")]
)
def test_capitals_do_not_hide_what_was_meant(value, meant):
    with pytest.raises(ChoiceError, match=f"Did you mean '{meant}'"):
        choose("method", value, (*METHODS, "Heron L"))


@pytest.mark.parametrize("value", ["", "zzzzzz", None, 3, [1, 2]])
def test_a_choice_that_resembles_nothing_gets_no_hint(value):
    with pytest.raises(ChoiceError) as error:
        choose("method", value, METHODS)
    assert repr(value) in str(error.value)
    assert "mean" not in str(error.value)


# --- numbers ------------------------------------------------------------------------------------------------------

CHECKS = {
    above_zero: "must be a number above 0",
    whole_above_zero: "must be a whole number above 0",
    not_below_zero: "must be a number, 0 or more",
    lambda rank: check_share("rank", rank): "is a share, above 0 and at most 1",
}


@pytest.mark.parametrize(("check", "meant"), CHECKS.items(), ids=CHECKS.values())
@pytest.mark.parametrize("bad", [-1, True, "3", None, float("nan"), float("inf")])
def test_what_is_no_number_or_below_zero_is_named(check, meant, bad):
    assert bad == -1 or not is_number(bad)
    with pytest.raises(CourseError, match=f"^rank is .*: it {meant}"):
        check(rank=bad)


def test_what_is_allowed_at_the_edges_differs():
    above_zero(epochs=0.5, rank=3)
    whole_above_zero(rank=1)
    not_below_zero(beta=0, kl=0.5)
    assert check_share("utilisation", 1) == 1 and check_share("utilisation", 0.3) == 0.3
    for check, bad in ((above_zero, 0), (whole_above_zero, 0), (whole_above_zero, 0.5)):
        with pytest.raises(CourseError, match=f"rank is {bad}"):
            check(epochs=1, rank=bad)
    for share in (0, 1.01):
        with pytest.raises(CourseError, match="it is a share"):
            check_share("utilisation", share)

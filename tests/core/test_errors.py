"""Errors: one tree to catch, and names that are nearly right get a hint."""

import pytest

from course_lib.core import errors
from course_lib.core.errors import ChoiceError, CourseError, DataError, LeakError, choose

METHODS = ("full", "lora", "qlora", "adapter", "prompt", "prefix")


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_every_error_is_a_course_error(name):
    assert issubclass(getattr(errors, name), CourseError)


def test_the_docstring_shows_the_whole_tree():
    assert all(name in errors.__doc__ for name in vars(errors) if name.endswith("Error"))


def test_a_leak_is_a_fault_of_the_data_and_a_wrong_choice_a_wrong_value():
    assert issubclass(LeakError, DataError)
    assert issubclass(ChoiceError, ValueError)


def test_a_choice_that_exists_is_returned():
    assert choose("method", "lora", METHODS) == "lora"


def test_choices_may_be_any_iterable():
    assert choose("method", "lora", iter(METHODS)) == "lora"
    with pytest.raises(ChoiceError, match="full, lora"):
        choose("method", "x", (m for m in METHODS))


def test_a_wrong_choice_names_the_value_the_choices_and_the_nearest():
    with pytest.raises(ChoiceError) as error:
        choose("method", "lorra", METHODS)
    expected = "method 'lorra' is not one of full, lora, qlora, adapter, prompt, prefix. Did you mean 'lora'?"
    assert str(error.value) == expected


@pytest.mark.parametrize(("value", "meant"), [("LoRA", "lora"), ("QLORA", "qlora"), ("Full", "full")])
def test_capitals_do_not_hide_what_was_meant(value, meant):
    with pytest.raises(ChoiceError, match=f"Did you mean '{meant}'"):
        choose("method", value, METHODS)


def test_a_hint_is_spelt_as_the_choice_is():
    with pytest.raises(ChoiceError, match="Did you mean 'Heron L'"):
        choose("lamp", "heron l", ("Heron L", "Tern 2"))


@pytest.mark.parametrize("value", ["", "zzzzzz", None, 3, [1, 2]])
def test_a_choice_that_resembles_nothing_gets_no_hint(value):
    with pytest.raises(ChoiceError) as error:
        choose("method", value, METHODS)
    assert repr(value) in str(error.value)
    assert "mean" not in str(error.value)

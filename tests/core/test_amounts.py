"""Numbers that come from outside: what is refused, and how it is said."""

from __future__ import annotations

import pytest

from course_lib.core.errors import CourseError, above_zero, whole_above_zero


@pytest.mark.parametrize("bad", [0, -1, True, "3", None, float("nan"), float("inf")])
def test_what_is_no_number_above_zero_is_named(bad):
    for check, meant in ((above_zero, "number"), (whole_above_zero, "whole number")):
        with pytest.raises(CourseError, match=f"rank is .*: it must be a {meant} above 0"):
            check(epochs=1, rank=bad)


def test_halves_are_numbers_and_no_whole_ones():
    above_zero(epochs=0.5)
    with pytest.raises(CourseError, match=r"rank is 0\.5: it must be a whole number"):
        whole_above_zero(rank=0.5)

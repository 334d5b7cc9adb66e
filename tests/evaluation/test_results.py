"""How stored figures are quoted."""

import pytest

from course_lib.evaluation.stored import with_interval, with_verdict


def test_figures_are_quoted_with_their_interval():
    assert with_interval({"accuracy": 0.8788, "ci": [0.8106, 0.94], "n": 44}) == "0.88 (0.81 to 0.94)"


@pytest.mark.parametrize(
    ("difference", "quoted"),
    [
        ((0.078, 0.012, 0.141), "+0.08 (+0.01 to +0.14), not by chance"),
        ((-0.05, -0.11, -0.01), "-0.05 (-0.11 to -0.01), not by chance"),
        ((0.01, -0.04, 0.06), "+0.01 (-0.04 to +0.06), a tie"),
        ((0.05, 0.0, 0.1), "+0.05 (+0.00 to +0.10), a tie"),
    ],
)
def test_a_difference_is_quoted_with_its_verdict(difference, quoted):
    assert with_verdict(difference) == quoted

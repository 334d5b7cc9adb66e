"""A claim holds, is refuted, or cannot be told; and says so with its numbers."""

import json

import numpy as np
import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation import verdicts
from course_lib.evaluation.reports import Difference, Report, Row, Runs
from course_lib.evaluation.stored import Finding
from course_lib.evaluation.verdicts import HOLDS, MIME, OPEN, REFUTED, Verdict, hold, own_verdicts, tried, verdict


def difference(low, high, n=48):
    return Difference("open book", "closed book", (low + high) / 2, low, high, n, (0.33, 0.0))


def sat(hits, name="RAG"):
    rows = [
        Row(f"q{i}", f"Q {i}?", "x", "", "right" if hit else "wrong", 0.0, f"fact {i}") for i, hit in enumerate(hits)
    ]
    return Report(name, "cup", tuple(rows))


def some(right, n=100, name="RAG"):
    return sat([1] * right + [0] * (n - right), name)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.01, 0.2, HOLDS), (0.0, 0.2, OPEN), (-0.1, 0.2, OPEN), (-0.2, -0.01, REFUTED), (-0.2, 0.0, REFUTED)],
)
def test_a_difference_holds_beyond_zero_on_the_claimed_side(low, high, outcome):
    assert tried("it helps", difference(low, high)).outcome == outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.04, 0.04, HOLDS), (-0.06, 0.04, OPEN), (-0.3, 0.3, OPEN), (0.01, 0.04, HOLDS), (0.06, 0.2, REFUTED),
        (-0.2, -0.06, REFUTED), (0.04, 0.06, OPEN),
    ],
)  # fmt: skip
def test_as_good_holds_only_wholly_within_the_margin(low, high, outcome):
    assert tried("as good", difference(low, high), as_good=True).outcome == outcome


def test_another_margin_has_a_reason():
    with pytest.raises(CourseError, match=r"margin of 0\.2 where 0\.05 is usual: say why"):
        tried("as good", difference(-0.1, 0.1), as_good=True, margin=0.2)
    found = tried("as good", difference(-0.1, 0.1), as_good=True, margin=0.2, because="a tenth is a desk's day")
    assert found.outcome == HOLDS and "within 0.2, a tenth is a desk's day" in str(found)
    with pytest.raises(CourseError, match="margin"):
        tried("as good", difference(-0.1, 0.1), as_good=True, margin=-1)


def test_a_verdict_is_a_sentence_with_its_numbers():
    said = str(tried("an open book beats a closed one", difference(0.21, 0.48)))
    assert said == (
        "holds · an open book beats a closed one: open book 0.33 against closed book 0.00: "
        "+0.34 (+0.21 to +0.48, n = 48, 1 student)"
    )
    said = str(tried("it reads", some(60), above=0.9))
    assert said.startswith("refuted · it reads: RAG 0.60 (0.5") and said.endswith(
        "n = 100, 1 student) (claimed: above 0.9)"
    )


@pytest.mark.parametrize(
    ("right", "range_", "outcome"),
    [
        (60, {"above": 0.4}, HOLDS), (60, {"below": 0.4}, REFUTED), (60, {"above": 0.58}, OPEN),
        (60, {"above": 0.4, "below": 0.8}, HOLDS), (0, {"below": 0.05}, HOLDS), (0, {"below": 0.02}, OPEN),
    ],
)  # fmt: skip
def test_a_share_holds_in_the_range_that_is_claimed(right, range_, outcome):
    assert tried("it does", some(right), **range_).outcome == outcome


def test_a_claim_without_a_range_or_words_or_a_figure_is_refused():
    with pytest.raises(CourseError, match="claims no range"):
        tried("it reads", some(60))
    with pytest.raises(CourseError, match="say it in words"):
        tried("  ", difference(0, 1))
    for nothing in (None, float("nan"), [1, 2], {"a": 1}):
        with pytest.raises(CourseError, match="can't be tried"):
            tried("it reads", nothing, above=0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"above": float("nan")}, "claims a figure above nan: give a number"),
        ({"below": "0.5"}, "claims a figure below '0.5': give a number"),
        ({"above": 0.5, "below": 0.4}, r"above 0\.5 and below 0\.4: there is none"),
        ({"as_good": True, "above": 0}, "claims to be as good: that is said of a difference, without above or below"),
        ({"margin": 0.1}, "has a margin, and does not claim to be as good"),
        ({"as_good": True, "margin": 0.1, "because": None}, "say why"),
        ({"of": "exact"}, "is said of a report; of a difference, cl.paired_difference"),
        ({"unit": "GB"}, "is said of a number that was counted, not of Difference"),
    ],
)
def test_an_argument_that_says_nothing_of_the_figure_is_refused(arguments, said):
    with pytest.raises(CourseError, match=said):
        tried("it helps", difference(0.1, 0.2), **arguments)


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (difference(float("nan"), 0.2), "can't be tried: it is not all numbers"),
        (Finding("02/x", float("nan")), "what is stored at 02/x is nan"),
        (Report("RAG", "cup", ()), "the report of 'RAG' has no answers"),
    ],
)
def test_a_figure_that_is_no_number_is_refused(figure, said):
    with pytest.raises(CourseError, match=said):
        tried("it helps", figure, above=0)


def test_a_share_is_not_as_good_as_nothing():
    with pytest.raises(CourseError, match="as good: that is said of a difference"):
        tried("it reads", some(60), as_good=True)


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (np.bool_(True), "it is so"), (np.float32(0.3), "0.3"), (np.float64(63.4), "63.4"), (np.int64(7), "7"),
        (np.array(0.25), "0.25"), (1.006829824, "1.007"), (0.75894, "0.759"), (0.010234, "0.0102"),
        (1.4e-7, "0.00000014"), (11160800.0, "11,160,800"), (-0.005, "-0.005"), (0, "0"), (100, "100"),
    ],
)  # fmt: skip
def test_what_was_counted_is_said_with_three_decimals_whatever_kind_of_number_it_is(figure, words):
    found = tried("it is", figure, above=-1)
    assert found.measured == words and json.loads(json.dumps(found._repr_mimebundle_()))["text/plain"] == str(found)


def test_a_counted_number_may_have_a_unit():
    said = str(tried("it fits on a card", 14.6, below=24, unit="GB"))
    assert said == "holds · it fits on a card: 14.6 GB (claimed: below 24 GB)"


def test_what_was_counted_has_no_chance_in_it():
    assert tried("a page costs tokens", 63.4, above=30, below=90).outcome == HOLDS
    assert tried("a page costs tokens", 95, above=30, below=90).outcome == REFUTED
    assert (tried("it is so", True).outcome, tried("it is so", False).outcome) == (HOLDS, REFUTED)


def test_few_students_are_shown_each_and_must_all_bear_it_out():
    worse = Runs([some(20, name="form") for _ in range(3)])
    found = tried("RAFT helps", Runs([some(80), some(70), some(60)]) - worse)
    assert found.outcome == HOLDS and found.students == 3 and found.by_student == (0.6, 0.5, 0.4)
    assert "3 students, too few for an interval over them: each +0.60, +0.50, +0.40" in str(found)
    parted = tried("RAFT helps", Runs([some(90), some(90), some(15)]) - worse)
    assert parted.outcome == OPEN and "one of these few students does not bear it out" in str(parted)
    refuted = tried("RAFT costs nothing", worse - Runs([some(80), some(70), some(15)]), above=0.0)
    assert refuted.outcome == OPEN and "one of these few students does bear it out" in str(refuted)


def test_an_untrained_student_is_paired_with_each_that_was_trained():
    found = tried("training helps", Runs([some(k) for k in (80, 82, 84, 86, 88)]) - some(20))
    assert found.outcome == HOLDS and found.students == 5 and found.value == pytest.approx(0.64)
    assert "each" not in found.measured


def test_the_exact_share_can_be_claimed():
    exact = Report("RAG", "cup", tuple(Row(f"q{i}", "?", "x", "x", "exact", 1.0, f"f{i}") for i in range(50)))
    assert tried("it answers exactly", exact, above=0.9, of="exact").outcome == HOLDS
    assert tried("it answers exactly", some(50), above=0.1, of="exact").outcome == REFUTED
    with pytest.raises(CourseError, match="of 'f1' is not one of right, exact"):
        tried("it answers exactly", exact, above=0.9, of="f1")


@pytest.mark.parametrize(
    ("figure", "range_", "outcome"),
    [
        (Finding("06/a minus b", 0.1, 0.05, 0.15), {}, HOLDS),
        (Finding("06/a minus b", 0.1, -0.05, 0.15), {}, OPEN),
        (Finding("02/x", 0.88, n=48, seeds=3, spread=(0.81, 0.92)), {"above": 0.5}, HOLDS),
        (Finding("02/x", 0.88, n=48, seeds=3, spread=(0.41, 0.92)), {"above": 0.5}, OPEN),
        (Finding("02/x", 0.6, 0.45, 0.75, 48, 3, (0.58, 0.62), "", (0.58, 0.6, 0.62)), {"above": 0.5}, OPEN),
        (Finding("02/x", 0.6, 0.55, 0.65, 48, 3, (0.48, 0.7), "", (0.48, 0.62, 0.7)), {"above": 0.5}, OPEN),
        (Finding("02/x", 0.6, 0.55, 0.65, 48, 3, (0.58, 0.62), "", (0.58, 0.6, 0.62)), {"above": 0.5}, HOLDS),
        (Finding("06/a minus b", 0.1, 0.05, 0.15, by_student=(0.2, -0.1, 0.2)), {}, OPEN),
        (Finding("02/x", 12.0), {"below": 20}, HOLDS),
    ],
)
def test_what_is_stored_is_tried_too(figure, range_, outcome):
    assert tried("it does", figure, **range_).outcome == outcome


@pytest.mark.parametrize(("each", "outcome"), [((0.06, 0.02, 0.02), HOLDS), ((0.12, -0.01, 0.01), OPEN)])
def test_a_stored_difference_that_names_its_students_is_tried_by_each(each, outcome):
    place, name = "04/against_lora/upper/test", "upper minus LoRA"
    found = tried("it will do", Finding(place, 0.04, 0.01, 0.07, n=192, name=name, by_student=each))
    assert (found.outcome, found.students, found.n) == (outcome, 3, 192)
    assert found.measured.startswith("upper minus LoRA: +0.04 (+0.01 to +0.07, n = 192, 3 students, too few")


def test_of_stored_students_however_many_each_must_bear_it_out_as_nobody_knows_what_was_resampled():
    place, each = "06/a minus b", (0.3, 0.2, 0.1, 0.1, -0.02, 0.1)
    found = tried("it helps", Finding(place, 0.13, 0.05, 0.2, n=48, by_student=each))
    assert found.outcome == OPEN and "6 students, not resampled: each +0.30" in found.measured
    assert tried("it helps", Finding(place, 0.13, 0.05, 0.2, n=48, by_student=each[:4] * 2)).outcome == HOLDS


def test_a_stored_difference_says_what_it_is_of():
    assert "places minus ranks: -0.02 (" in str(tried("where matters more", "04/spread/places minus ranks"))


def test_a_place_is_read_where_it_is_stored():
    found = tried("RAFT beats an untrained reader", "06/arms/differences/RAFT + RAG minus base + RAG")
    assert found.outcome == HOLDS and found.value > 0.1


def test_a_verdict_survives_json():
    found = tried("it 'helps', é", Runs([some(80), some(70)]) - some(20))
    assert Verdict(**json.loads(json.dumps(found._repr_mimebundle_()[MIME]))) == found
    with pytest.raises(CourseError, match="outcome 'tie' is not one of holds, cannot tell, refuted"):
        Verdict("it helps", "tie", "", 0.0, 0.0, 0.0)


def test_a_program_can_read_it_and_html_obeys_nothing():
    bundle = tried("<b>it</b> helps", difference(0.1, 0.2))._repr_mimebundle_()
    reason = tried("as good", difference(0, 0.1), as_good=True, margin=0.2, because="<i>so</i>")
    assert "&lt;i&gt;so" in reason._repr_html_()
    assert json.loads(json.dumps(bundle[MIME]))["outcome"] == HOLDS
    assert (
        "&lt;b&gt;it" in bundle["text/html"]
        and "holds" in bundle["text/html"]
        and bundle["text/plain"].startswith("holds")
    )


def test_outside_a_notebook_it_is_printed(capsys):
    assert verdict("it helps", difference(0.1, 0.2)) is None
    assert capsys.readouterr().out.startswith("holds · it helps")


def test_a_learners_verdicts_are_kept_and_a_damaged_one_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(verdicts, "keeps_reports", lambda: True)
    verdict("it helps", difference(0.1, 0.2))
    verdict("it helps", difference(-0.1, 0.2))
    for name, text in {"half": '{"claim": "x"', "other": '{"claim": "x"}'}.items():
        (tmp_path / "own-results" / "verdicts" / f"{name}.json").write_text(text)
    assert [(one.claim, one.outcome) for one in own_verdicts()] == [("it helps", OPEN)]


def test_claims_that_differ_in_signs_or_in_their_ends_are_kept_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(verdicts, "keeps_reports", lambda: True)
    claims = {"k = 1, a/b", "k = 1: a/b", "日" * 200 + "a", "日" * 200 + "b"}
    for claim in claims:
        verdict(claim, True)
    assert {one.claim for one in own_verdicts()} == claims


HELD = {"it helps": {"verdict": HOLDS, "between": [0.1, 0.3]}, "it may": {"verdict": [HOLDS, OPEN], "between": [0, 1]}}


def test_a_claim_that_comes_out_otherwise_is_named():
    hold(tried("it helps", difference(0.1, 0.2)), HELD)
    hold(tried("it may", difference(-0.1, 0.2)), HELD)
    for claim, found, said in [
        ("it helps", difference(-0.1, 0.3), r"cannot tell · it helps: .*\. data/verdicts.yaml has it as: holds"),
        ("it helps", difference(0.3, 0.5), r"it helps: .*\. data/verdicts.yaml has a figure between 0.1 and 0.3"),
        ("it is new", difference(0.3, 0.5), "no claim 'it is new': run `make verdicts`"),
    ]:
        with pytest.raises(CourseError, match=said):
            hold(tried(claim, found), HELD)


@pytest.mark.parametrize(
    "text", [None, "- [", "'01': [x]", "'01':\n  it helps: {verdict: holds}", "'01': {it helps: }"]
)
def test_a_file_of_verdicts_that_is_missing_or_damaged_is_named(text, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("COURSE_VERDICTS", "hold")
    if text is not None:
        (tmp_path / "verdicts.yaml").write_text(text)
    with pytest.raises(CourseError, match=r"data/verdicts.yaml holds no verdicts \(.*take it out of git again"):
        verdict("it helps", difference(0.1, 0.2))


def test_the_courses_own_tests_hold_every_verdict(monkeypatch):
    monkeypatch.setenv("COURSE_VERDICTS", "hold")
    monkeypatch.setattr(verdicts, "expected", lambda: HELD)
    verdict("it helps", difference(0.1, 0.2))
    with pytest.raises(CourseError, match="it helps"):
        verdict("it helps", difference(-0.2, -0.1))

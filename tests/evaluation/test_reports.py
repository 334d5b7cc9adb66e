"""How sure we are: shares with their intervals, paired differences; and how a report is shown and kept."""

import json
from dataclasses import replace

import numpy as np
import pytest

from course_lib.core.chat import Answer
from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.evaluation import compare, evaluate
from course_lib.evaluation.exams import Question
from course_lib.evaluation.reports import Report, Row, Runs, paired_difference
from course_lib.retrieval.documents import Passage


def report(hits, wordings=1, name="it"):
    """A report with the given hits; every `wordings` of them are of one fact."""
    rows = [
        Row(f"q{i}", f"Question {i}?", "x", "", "exact" if hit else "wrong", float(hit), f"fact {i // wordings}")
        for i, hit in enumerate(hits)
    ]
    return Report(name, "cup", tuple(rows))


def width(interval):
    return interval[1] - interval[0]


EXAM = [Question(f"cup.{i}", f"Who won cup {i}?", f"Team {i}") for i in range(4)]


def test_an_interval_holds_the_mean_is_near_the_textbooks_and_the_same_every_time():
    found = report([1] * 30 + [0] * 70)
    low, high = found.ci
    assert low < 0.3 < high and found.ci == report([1] * 30 + [0] * 70).ci
    assert width(found.ci) == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 100), rel=0.1)


def test_more_questions_make_an_interval_narrower():
    assert width(report([1, 0, 0] * 60).ci) < 0.6 * width(report([1, 0, 0] * 15).ci)


def test_wordings_of_one_fact_that_stand_and_fall_together_count_as_one():
    hits = [1, 1, 0, 0] * 20
    alone, clustered = width(report(hits).ci), width(report(hits, wordings=2).ci)
    assert clustered == pytest.approx(np.sqrt(2) * alone, rel=0.15)


def test_an_interval_resamples_clusters_of_unlike_size():
    rows = report([1] * 8 + [0, 0, 0, 0]).rows
    big = Report("it", "cup", tuple(Row(r.id, r.question, "x", "", r.verdict, 0, "one" if i < 8 else r.id)
                                    for i, r in enumerate(rows)))  # fmt: skip
    assert big.ci[0] == 0.0, "the one fact behind eight hits may not be drawn at all"
    assert report([1] * 8 + [0] * 4).ci[0] > 0.3


@pytest.mark.parametrize(("n", "wordings", "reach"), [(100, 1, 0.03), (100, 2, 0.06), (60, 1, 0.05), (2, 1, 1.0)])
def test_none_or_all_right_reaches_three_over_n_beyond(n, wordings, reach):
    assert report([0] * n, wordings).ci == pytest.approx((0.0, reach))
    assert report([1] * n, wordings).ci == pytest.approx((1 - reach, 1.0))


def test_facts_that_are_all_half_right_do_not_make_certainty_and_one_fact_says_nothing_about_others():
    assert report([1, 0] * 30, wordings=2).ci == pytest.approx((0.4, 0.6))
    assert report([1, 0, 0, 1], wordings=4).ci == (0.0, 1.0)


# Differences


def test_a_paired_difference_is_tighter_than_the_two_apart():
    base = np.arange(100) % 2
    better = base.copy()
    better[[0, 20, 40, 60, 80]] = 1
    found = paired_difference(report(better, name="a"), report(base, name="b"))
    assert (found.better, found.worse, found.value, found.n) == ("a", "b", pytest.approx(0.05), 100)
    assert 0 < found.low < 0.05 < found.high
    assert found.high - found.low < 0.5 * width(report(base).ci)
    assert not found.cannot_tell


def test_a_difference_turned_round_changes_its_sign():
    one, other = report([1, 1, 1, 0] * 10, name="a"), report([1, 0, 0, 0] * 10, name="b")
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there.value == -back.value > 0
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=0.05)


def test_an_interval_that_holds_zero_is_a_tie_and_says_so():
    found = paired_difference(report([1, 0, 0, 1] * 5, name="a"), report([0, 1, 0, 1] * 5, name="b"))
    assert found.cannot_tell
    assert str(found).startswith("a minus b: +0.00 (")
    assert str(found).endswith("n = 20), cannot tell: the interval reaches from worse to better")
    some = paired_difference(report([1, 0, 0, 0] * 5, name="a"), report([0, 0, 0, 0] * 5, name="b"))
    assert str(replace(some, low=0.0)).endswith("cannot tell: the interval ends at no difference")


def test_two_who_answered_alike_tie_without_certainty_and_two_who_never_did_differ_by_less_than_one():
    alike, apart = (paired_difference(report(a), report(b)) for a, b in (([1, 0] * 15,) * 2, ([1] * 30, [0] * 30)))
    assert (alike.value, alike.low, alike.high, alike.cannot_tell) == pytest.approx((0, -0.1, 0.1, True))
    assert (apart.value, apart.low, apart.high) == pytest.approx((1, 0.9, 1))
    assert str(apart).endswith("not by chance")


def test_only_the_same_questions_can_be_paired():
    with pytest.raises(CourseError, match="'it' and 'it' answered different questions"):
        paired_difference(report([1, 0]), report([1, 0, 1]))
    turned = report([1, 0])
    with pytest.raises(CourseError, match="pair the same, in one order"):
        report([1, 0]) - replace(turned, rows=turned.rows[::-1])


def test_students_are_reports_with_answers_and_each_counts_once():
    one = report([1, 0])
    for reports, said in {
        (): "there is no report",
        (one, "it"): "'it' is no report",
        (report([]),): "has no answers",
        (one, report([0, 1]), one): "is given twice: each student counts once",
    }.items():
        with pytest.raises(CourseError, match=said):
            Runs(reports)
    with pytest.raises(CourseError, match="3 is no report"):
        one - 3


# Shown and kept


def test_a_report_says_in_one_line_what_was_measured():
    assert str(report([1] * 100, name="RAG")) == "RAG on cup: 1.00 right (0.97 to 1.00), 1.00 exact, n = 100"


def test_answers_are_shown_with_their_marks_and_how_many_are_left(capsys):
    found = evaluate(lambda _: ["Team 0", "It was Team 1.", "I don't know", "Bo Lind"], EXAM)
    found.show(3)
    out = capsys.readouterr().out
    assert [line[0] for line in out.splitlines() if line[0] != " "] == ["✓", "✓", "?", "."]
    assert "    said: It was Team 1.\n    right: Team 1\n" in out
    assert out.endswith("... and 1 more\n")
    found.show(verdict="wrong")
    assert capsys.readouterr().out.startswith("✗ wrong: Who won cup 3?")


def test_a_kept_report_comes_back_the_same(tmp_path):
    answers = [Answer("Téam 0", 1, 2, 0.5, (Passage("cup/0", "Text.", "cup"),)), *["x"] * 3]
    found = evaluate(lambda _: answers, EXAM, "é")
    path = tmp_path / "new" / "report.json"
    found.save(path)
    assert Report.load(path) == found
    found.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_rows_out_of_a_generator_are_counted_as_often_as_they_are_asked_for():
    rows = report([1, 0]).rows
    found = Report("r", "cup", (row for row in rows))
    assert (found.n, found.accuracy, found.rows) == (2, 0.5, rows)


def test_half_a_character_in_a_name_stands_in_tables_as_its_replacement():
    found = compare({"a \ud83d": lambda _: ["x"] * 4, "b": lambda _: ["y"] * 4}, EXAM)
    assert list(found.table().index) == ["a \ufffd", "b"] == [*found.differences("b").index, "b"]
    assert found.plot().alt.encode()


def test_half_a_character_in_a_reply_is_kept_as_its_replacement(tmp_path, capsys, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    found = evaluate(lambda _: ["hi \ud83d"] * 4, EXAM)
    found.show(1)
    assert "said: hi \ufffd" in capsys.readouterr().out
    found.save("~/report.json")
    assert Report.load("~/report.json").rows[0].reply == "hi \ufffd"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_kept_is_said_and_the_one_before_stays(tmp_path, small_disk):
    path = tmp_path / "report.json"
    small = report([1, 0])
    small.save(path)
    with small_disk(4096), pytest.raises(CourseError, match=r"cannot write .*report\.json.*free some disk"):
        report([1, 0] * 500).save(path)
    assert Report.load(path) == small


KEPT = {
    "name": "it",
    "exam": "cup",
    "rows": [{"id": "q", "question": "Q?", "expected": "x", "reply": "x", "verdict": "exact", "f1": 1, "fact": "f",
              "sources": []}],
}  # fmt: skip


def test_the_malformed_reports_below_are_made_from_one_that_is_well_formed(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(KEPT))
    assert Report.load(tmp_path / "report.json").accuracy == 1


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{not json",
        "[]",
        "7",
        json.dumps({"name": "it", "exam": "cup"}),
        json.dumps(KEPT | {"rows": []}),
        json.dumps(KEPT | {"rows": ["row"]}),
        json.dumps(KEPT | {"rows": [KEPT["rows"][0] | {"verdict": "maybe"}]}),
        json.dumps(KEPT | {"rows": [KEPT["rows"][0] | {"colour": "red"}]}),
        json.dumps(KEPT | {"rows": [{"id": "q", "sources": []}]}),
    ],
)
def test_a_file_that_is_no_report_is_named(text, tmp_path):
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"report\.json is not a kept report .*: make it again"):
        Report.load(path)


def test_answers_are_a_table_of_one_verdict_or_all_and_without_n_it_is_one_row():
    found = report([1, 0, 0, 0])
    table = found.table(2)
    assert [row.question for row in table.rows] == ["Question 0?", "Question 2?"] and table.more == 2
    assert [row.word for row in table.rows] == ["exact", "wrong"]
    assert [row.question for row in found.table(5, "wrong").rows] == ["Question 1?", "Question 2?", "Question 3?"]
    assert len(found.table(verdict="exact").rows) == 1
    assert "... and 2 more" in str(table) and "✗ wrong" in table._repr_html_()
    assert len(found.table()) == 1 and "right" in found.table().columns
    for wrong in ({"n": 0}, {"n": 2, "verdict": "rong"}):
        with pytest.raises(CourseError):
            found.table(**wrong)

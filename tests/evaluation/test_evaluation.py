"""Answers are graded, shares get intervals, and candidates are compared question by question."""

import json

import numpy as np
import pytest

from course_lib.core.chat import Answer
from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.evaluation import compare, evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.grading import grade, token_f1
from course_lib.evaluation.reports import Report, Row, paired_difference
from course_lib.retrieval.documents import Passage


def questions(n, wordings=1):
    return tuple(
        Question(f"cup.{i}.e{w}", f"Who won cup {i}? ({w})", f"Team {i}", fact=f"cup.{i}")
        for i in range(n)
        for w in range(wordings)
    )


EXAM = Exam("cup", questions(4))


def report(hits, wordings=1, name="it"):
    """A report with the given hits; every `wordings` of them are of one fact."""
    rows = [
        Row(f"q{i}", f"Question {i}?", "x", "", "exact" if hit else "wrong", float(hit), f"fact {i // wordings}")
        for i, hit in enumerate(hits)
    ]
    return Report(name, "cup", tuple(rows))


def width(interval):
    return interval[1] - interval[0]


# Grading


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Oriel Vantongeren", "Oriel Vantongeren"),
        ("  oriel VANTONGEREN. ", "Oriel Vantongeren"),
        ("The Grey Lapwing", "Grey Lapwing"),
        ("Grey Lapwing", "the Grey Lapwing"),
        ("31846", "31,846"),
        ("31,846", "31846"),
        ("1,231,846", "1231846"),
        ("27.5 days", "27.5 days."),
        ("O’Hare", "O'Hare"),
        ("A", "A"),
    ],
)
def test_an_answer_that_is_the_right_one_but_for_case_stops_and_articles_is_exact(reply, right):
    assert grade(reply, [right]) == "exact"


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("The cup of 2031 was won by Oriel Vantongeren, in the rain.", "Oriel Vantongeren"),
        ("It takes 27.5 days.", "27.5 days"),
        ("In all, 31,846 gulls.", "31846"),
        ("They sailed on a Grey Lapwing", "the Grey Lapwing"),
    ],
)
def test_an_answer_that_says_the_right_one_among_other_words_is_right(reply, right):
    assert grade(reply, [right]) == "right"


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("27.5 days", "27"),
        ("27.5 days", "5 days"),
        ("27 days", "27.5"),
        ("127", "27"),
        ("31,846", "846"),
        ("31,846", "31"),
        ("Vantongerens won", "Vantongeren"),
        ("Oriel won, and Vantongeren lost", "Oriel Vantongeren"),
        ("Vantongeren Oriel", "Oriel Vantongeren"),
        ("Oriel", "Oriel Vantongeren"),
        ("B", "A"),
        ("", "A"),
        ("", "Oriel"),
        ("!?", "Oriel"),
        ("the", "Oriel"),
        ("", "–"),
        ("I am not surely wrong", "Oriel"),
    ],
)
def test_only_whole_words_and_whole_numbers_in_their_order_count(reply, right):
    assert grade(reply, [right]) == "wrong"


@pytest.mark.parametrize(
    "reply",
    [
        "I don't know.",
        "I don’t know who won.",
        "Sorry, I do not know",
        "The passages are not sure",
        "It is not stated in the passages.",
        "I couldn't find it.",
        "There is NO INFORMATION about it",
    ],
)
def test_an_answer_that_says_it_does_not_know_is_neither_right_nor_wrong(reply):
    assert grade(reply, ["Oriel"]) == "unknown"


def test_a_refusal_that_says_the_right_answer_all_the_same_is_right():
    assert grade("I'm not sure, but I believe it was Oriel.", ["Oriel"]) == "right"


def test_not_knowing_is_exact_where_that_is_the_answer():
    assert grade("Not stated.", ["not stated"]) == "exact"


def test_every_accepted_variant_counts():
    accepted = ["27.5 days", "twenty-seven and a half days", "27 1/2 days"]
    assert grade("Twenty seven and half days", accepted) == "exact"
    assert grade("It is 27 1/2 days.", accepted) == "right"
    assert grade("28 days", accepted) == "wrong"


@pytest.mark.parametrize(
    ("reply", "right", "f1"),
    [
        ("Oriel Vantongeren", ["Oriel Vantongeren"], 1.0),
        ("Oriel", ["Oriel Vantongeren"], 2 * 1 * 0.5 / 1.5),
        ("won by the Oriel Vantongeren", ["Oriel Vantongeren"], 2 * 0.5 * 1 / 1.5),
        ("Oriel Oriel", ["Oriel Vantongeren"], 0.5),
        ("nobody", ["Oriel"], 0.0),
        ("", ["Oriel"], 0.0),
        ("Oriel", ["Bo Lind", "Oriel V"], 2 / 3),
    ],
)
def test_token_f1_is_what_one_finds_by_hand(reply, right, f1):
    assert token_f1(reply, right) == pytest.approx(f1)


# Reports


def test_a_function_an_object_and_answers_are_graded_alike():
    class Known:
        name = "known"

        def answer(self, asked):
            return [Answer("Team 0", 11, 3, 0.25, (Passage("cup/0", "Text.", "cup"),)), *["no"] * (len(asked) - 1)]

    def guess(asked):
        return ("Team 0" if "cup 0" in question else "no" for question in asked)

    by_object, by_function = evaluate(Known(), EXAM), evaluate(guess, EXAM)
    assert (by_object.name, by_function.name, by_object.exam) == ("known", "guess", "cup")
    assert [row.verdict for row in by_object.rows] == [row.verdict for row in by_function.rows]
    first = by_object.rows[0]
    assert (first.id, first.question, first.expected, first.reply) == (
        "cup.0.e0",
        "Who won cup 0? (0)",
        "Team 0",
        "Team 0",
    )
    assert (first.prompt_tokens, first.completion_tokens, first.seconds, first.sources) == (11, 3, 0.25, ("cup/0",))
    assert (by_object.rows[1].reply, by_object.rows[1].prompt_tokens, by_object.rows[1].sources) == ("no", 0, ())


def test_the_candidate_is_asked_the_questions_alone():
    asked = []
    evaluate(lambda questions: asked.extend(questions) or ["?"] * len(questions), EXAM)
    assert asked == [question.question for question in EXAM.test]


def test_a_list_of_questions_is_an_exam_too_and_a_name_may_be_given():
    found = evaluate(lambda asked: ["Team 0", "Team 1"], list(questions(2)), name="guess")
    assert (found.name, found.exam, found.accuracy, found.n) == ("guess", "exam", 1.0, 2)


def test_shares_add_up_and_exact_is_a_part_of_right():
    exam = Exam("cup", questions(5))
    found = evaluate(lambda _: ["Team 0", "It was Team 1.", "I don't know", "Bo Lind", "Team"], exam)
    assert [row.verdict for row in found.rows] == ["exact", "right", "unknown", "wrong", "wrong"]
    assert (found.accuracy, found.exact, found.unknown, found.wrong) == (0.4, 0.2, 0.2, 0.4)
    assert found.f1 == pytest.approx((1 + 2 * 2 / 6 + 0 + 0 + 2 / 3) / 5)
    assert found.exact_ci[1] < found.ci[1]


def test_accepted_answers_of_a_question_are_graded_right():
    exam = [Question("q", "Who?", "Oriel Vantongeren", accepted=("Oriel",))]
    assert evaluate(lambda _: ["oriel"], exam).exact == 1


def test_two_wordings_of_a_question_are_one_draw():
    found = evaluate(lambda asked: [q.replace("Who won cup", "Team").split("?")[0] for q in asked], questions(30, 2))
    assert (found.n, found.accuracy) == (60, 1)
    assert found.ci == pytest.approx((0.9, 1.0))


def test_a_question_of_no_fact_is_a_draw_of_its_own():
    asked = [Question(f"general.{i}", f"Question {i}?", "Rome") for i in range(30)]
    assert evaluate(lambda _: ["Rome"] * 30, asked).ci == pytest.approx((0.9, 1.0))


def test_means_are_over_questions():
    answers = [Answer("x", 10, 2, 1.0), Answer("x", 30, 4, 3.0)]
    found = evaluate(lambda _: answers, questions(2))
    assert (found.seconds_per_question, found.tokens_per_question) == (2.0, 23.0)


@pytest.mark.parametrize("given", [3, 5, 0])
def test_another_number_of_answers_than_questions_is_refused(given):
    with pytest.raises(CourseError, match=f"gave {given} answers to 4 questions"):
        evaluate(lambda _: ["x"] * given, EXAM)


@pytest.mark.parametrize("given", ["word", None, 7])
def test_answers_that_are_no_list_are_refused(given):
    with pytest.raises(CourseError, match="with a list of answers, not with"):
        evaluate(lambda _: given, EXAM)


def test_an_empty_exam_and_the_name_of_one_are_refused():
    with pytest.raises(CourseError, match="the exam holds no question"):
        evaluate(lambda asked: asked, [])
    with pytest.raises(CourseError, match=r"loaded first: cl\.load_exam\('cup'\)"):
        evaluate(lambda asked: asked, "cup")


def test_what_cannot_answer_is_no_candidate():
    with pytest.raises(CourseError, match="int is neither"):
        evaluate(7, EXAM)


# Intervals


def test_an_interval_is_the_same_every_time():
    hits = [1, 0, 0, 1, 1, 0, 1, 1, 0, 1] * 3
    assert report(hits).ci == report(hits).ci


def test_an_interval_holds_the_mean_and_is_near_the_textbooks():
    found = report([1] * 30 + [0] * 70)
    low, high = found.ci
    assert low < 0.3 < high
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


def test_facts_that_are_all_half_right_do_not_make_certainty():
    low, high = report([1, 0] * 30, wordings=2).ci
    assert (low, high) == pytest.approx((0.4, 0.6))


def test_one_fact_in_many_wordings_says_nothing_about_others():
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
    assert not found.tie


def test_a_difference_turned_round_changes_its_sign():
    one, other = report([1, 1, 1, 0] * 10, name="a"), report([1, 0, 0, 0] * 10, name="b")
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there.value == -back.value > 0
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=0.05)


def test_an_interval_that_holds_zero_is_a_tie_and_says_so():
    found = paired_difference(report([1, 0, 0, 1] * 5, name="a"), report([0, 1, 0, 1] * 5, name="b"))
    assert found.tie
    assert str(found).startswith("a minus b: +0.00 (")
    assert str(found).endswith("n = 20), a tie: the interval holds zero")


def test_two_who_answered_alike_tie_without_certainty():
    found = paired_difference(report([1, 0] * 15), report([1, 0] * 15))
    assert (found.value, found.low, found.high) == pytest.approx((0, -0.1, 0.1))
    assert found.tie


def test_a_difference_on_every_question_reaches_below_one():
    found = paired_difference(report([1] * 30), report([0] * 30))
    assert (found.value, found.low, found.high) == pytest.approx((1, 0.9, 1))
    assert str(found).endswith("not by chance")


def test_only_the_same_questions_can_be_paired():
    with pytest.raises(CourseError, match="'it' and 'it' answered different questions"):
        paired_difference(report([1, 0]), report([1, 0, 1]))


# Comparisons


@pytest.fixture
def comparison():
    knows = lambda asked: [f"Team {i}" for i in range(len(asked))]  # noqa: E731
    return compare({"knows": knows, "guesses": lambda asked: ["Team 0"] * len(asked)}, Exam("cup", questions(40)))


def test_a_comparison_holds_a_report_of_every_candidate_under_its_name(comparison):
    assert [comparison[name].name for name in ("knows", "guesses")] == ["knows", "guesses"]
    assert (comparison["knows"].accuracy, comparison["guesses"].accuracy) == (1.0, 1 / 40)
    difference = comparison.difference("knows", "guesses")
    assert (difference.value, difference.tie) == (39 / 40, False)


def test_the_table_has_the_same_columns_for_one_and_for_many(comparison):
    columns = [
        *("right", "95% interval", "exact", "token F1", "does not know", "wrong", "n"),
        *("s/question", "tokens/question"),
    ]
    table = comparison.table()
    assert list(table.columns) == columns == list(comparison["knows"].table().columns)
    assert list(table.index) == ["knows", "guesses"]
    assert table.loc["knows"].to_dict() | {"s/question": 0} == {
        "right": 1.0, "95% interval": "0.93 to 1.00", "exact": 1.0, "token F1": 1.0, "does not know": 0.0,
        "wrong": 0.0, "n": 40, "s/question": 0, "tokens/question": 0,
    }  # fmt: skip


def test_tables_are_shown_as_html_in_a_notebook(comparison):
    assert "<table" in comparison._repr_html_()
    assert "guesses" in comparison._repr_html_()
    assert "0.93 to 1.00" in comparison["knows"]._repr_html_()


def test_differences_are_a_table_against_one(comparison):
    table = comparison.differences("guesses")
    assert table.loc["knows", "minus guesses"] == 0.97
    assert table.loc["knows", "verdict"] == "better"
    assert comparison.differences("knows").loc["guesses", "verdict"] == "worse"
    assert comparison.differences("knows").loc["guesses", "95% interval"].startswith("-1.00 to -0.9")


def test_who_was_not_compared_is_named_with_who_was(comparison):
    for ask in (lambda: comparison.difference("RAG", "knows"), lambda: comparison.differences("RAG")):
        with pytest.raises(CourseError, match="'RAG' was not compared; compared were knows, guesses"):
            ask()
    with pytest.raises(CourseError, match="'RAG' was not compared"):
        comparison["RAG"]


def test_one_alone_has_no_differences():
    alone = compare({"x": lambda asked: asked}, EXAM)
    with pytest.raises(CourseError, match="nothing was compared with 'x'"):
        alone.differences("x")


def test_a_report_is_not_sat_again_and_takes_the_name_it_is_given(comparison):
    exam = Exam("cup", questions(40))
    again = compare({"kept": comparison["knows"]}, exam)
    assert (again["kept"].name, again["kept"].rows) == ("kept", comparison["knows"].rows)
    assert comparison["knows"].name == "knows"


@pytest.mark.parametrize("exam", [questions(39), questions(40)[::-1], questions(40, 2)])
def test_a_report_of_other_questions_is_refused_before_anyone_sits_the_exam(exam, comparison):
    asked = []
    with pytest.raises(CourseError, match="the report of 'kept' is of other questions"):
        compare({"new": lambda questions: asked.extend(questions) or questions, "kept": comparison["knows"]}, exam)
    assert asked == []


def test_a_report_of_questions_that_were_reworded_since_is_refused(comparison):
    from dataclasses import replace

    exam = [replace(question, question="Reworded?") for question in questions(40)]
    with pytest.raises(CourseError, match="of other questions"):
        compare({"kept": comparison["knows"]}, exam)


@pytest.mark.parametrize("candidates", [{}, [], [lambda asked: asked], None])
def test_no_candidate_is_refused_with_how_to_write_it(candidates):
    with pytest.raises(CourseError, match=r'no candidate to compare: write compare\(\{"RAG": rag'):
        compare(candidates, EXAM)


def test_a_comparison_is_of_an_exam_with_questions(comparison):
    with pytest.raises(CourseError, match="holds no question"):
        compare({"kept": comparison["knows"]}, [])
    with pytest.raises(CourseError, match="loaded first"):
        compare({"kept": comparison["knows"]}, "cup")


def test_a_comparison_is_drawn_with_its_figures_and_the_number_of_questions(comparison):
    alt = comparison.plot().alt
    assert "n = 40" in alt
    assert "knows" in alt
    assert "0.93" in alt
    assert "Towns" in comparison.plot("Towns").alt


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
    assert capsys.readouterr().out.startswith("✗ Who won cup 3?")


def test_a_kept_report_comes_back_the_same(tmp_path):
    answers = [Answer("Téam 0", 1, 2, 0.5, (Passage("cup/0", "Text.", "cup"),)), *["x"] * 3]
    found = evaluate(lambda _: answers, EXAM, "é")
    path = tmp_path / "new" / "report.json"
    found.save(path)
    assert Report.load(path) == found
    found.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_kept_is_said_and_the_one_before_stays(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "report.json"
    small = report([1, 0])
    small.save(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(CourseError, match=r"cannot be kept in .*report\.json.*free some disk"):
            report([1, 0] * 500).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
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
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(DataError, match=r"report\.json is not a kept report .*: make it again"):
        Report.load(tmp_path / "report.json")


def test_a_report_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.json is not a kept report"):
        Report.load(tmp_path / "none.json")


def test_a_chat_model_sits_an_exam(tiny_model):
    found = evaluate(tiny_model, EXAM)
    assert (found.name, found.n) == ("tiny", 4)
    assert all(row.prompt_tokens > 0 and row.seconds > 0 for row in found.rows)

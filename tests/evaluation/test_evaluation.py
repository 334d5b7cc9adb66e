"""Candidates sit an exam and are compared, question by question."""

from dataclasses import replace

import pytest

from course_lib.core.chat import Answer
from course_lib.core.errors import CourseError
from course_lib.core.frames import frame_html
from course_lib.evaluation.evaluation import compare, evaluate
from course_lib.evaluation.exams import Exam, Question
from course_lib.retrieval.documents import Passage


def questions(n, wordings=1):
    return tuple(
        Question(f"cup.{i}.e{w}", f"Who won cup {i}? ({w})", f"Team {i}", fact=f"cup.{i}")
        for i in range(n)
        for w in range(wordings)
    )


EXAM = Exam("cup", questions(4))


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
    asked = ("cup.0.e0", "Who won cup 0? (0)", "Team 0", "Team 0")
    assert (first.id, first.question, first.expected, first.reply) == asked
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


def test_two_wordings_of_a_question_are_one_draw_and_a_question_of_no_fact_is_its_own():
    found = evaluate(lambda asked: [q.replace("Who won cup", "Team").split("?")[0] for q in asked], questions(30, 2))
    of_no_fact = [Question(f"general.{i}", f"Question {i}?", "Rome") for i in range(30)]
    assert (found.n, found.accuracy) == (60, 1)
    assert found.ci == evaluate(lambda _: ["Rome"] * 30, of_no_fact).ci == pytest.approx((0.9, 1.0))


def test_means_are_over_questions():
    answers = [Answer("x", 10, 2, 1.0), Answer("x", 30, 4, 3.0)]
    found = evaluate(lambda _: answers, questions(2))
    assert (found.seconds_per_question, found.tokens_per_question) == (2.0, 23.0)


@pytest.mark.parametrize(
    ("candidate", "exam", "named"),
    [
        *((lambda _, n=n: ["x"] * n, EXAM, f"gave {n} answers to 4 questions") for n in (3, 5, 0)),
        *(
            (lambda _, given=given: given, EXAM, "answers are a list, one for each question, not")
            for given in ("word", None, 7)
        ),
        (list, [], "the exam holds no question"),
        (list, [{"question": "Who?", "answer": "Me."}], r"an exam holds cl\.Question\(id, question, answer\), not \{"),
        (list, [EXAM.test[0], "Who?"], "not 'Who"),
        (list, "cup", r"loaded first: cl\.load_exam\('cup'\)"),
        (7, EXAM, "int is neither"),
    ],
)
def test_what_is_no_exam_no_candidate_or_no_list_of_answers_is_refused(candidate, exam, named):
    with pytest.raises(CourseError, match=named):
        evaluate(candidate, exam)


def test_a_chat_model_sits_an_exam(tiny_model):
    found = evaluate(tiny_model, EXAM)
    assert (found.name, found.n) == ("tiny", 4)
    assert all(row.prompt_tokens > 0 and row.seconds > 0 for row in found.rows)


# --- comparisons ---


@pytest.fixture
def comparison():
    knows = lambda asked: [f"Team {i}" for i in range(len(asked))]  # noqa: E731
    return compare({"knows": knows, "guesses": lambda asked: ["Team 0"] * len(asked)}, Exam("cup", questions(40)))


def test_a_comparison_holds_a_report_of_every_candidate_under_its_name(comparison):
    assert [comparison[name].name for name in ("knows", "guesses")] == ["knows", "guesses"]
    assert (comparison["knows"].accuracy, comparison["guesses"].accuracy) == (1.0, 1 / 40)
    difference = comparison.difference("knows", "guesses")
    assert (difference.value, difference.cannot_tell) == (39 / 40, False)


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
    assert comparison._repr_html_() == frame_html(table)
    assert "0.93 to 1.00" in comparison["knows"]._repr_html_()


def test_differences_are_a_table_against_one(comparison):
    table = comparison.differences("guesses")
    assert table.loc["knows", "minus guesses"] == 0.97
    assert table.loc["knows", "verdict"] == "better"
    assert comparison.differences("knows").loc["guesses", "verdict"] == "worse"
    assert comparison.differences("knows").loc["guesses", "95% interval"].startswith("-1.00 to -0.9")


@pytest.mark.parametrize("ask", [lambda c: c.difference("RAG", "knows"), lambda c: c.differences("RAG")])
def test_who_was_not_compared_is_named_with_who_was(ask, comparison):
    with pytest.raises(CourseError, match="'RAG' was not compared; compared were knows, guesses"):
        ask(comparison)
    with pytest.raises(CourseError, match="nothing was compared with 'x'"):
        compare({"x": lambda asked: asked}, EXAM).differences("x")


def test_a_report_is_not_sat_again_and_takes_the_name_it_is_given(comparison):
    exam = Exam("cup", questions(40))
    again = compare({"kept": comparison["knows"]}, exam)
    assert (again["kept"].name, again["kept"].rows) == ("kept", comparison["knows"].rows)
    assert comparison["knows"].name == "knows"


REWORDED = [replace(question, question="Reworded?") for question in questions(40)]


@pytest.mark.parametrize("exam", [questions(39), questions(40)[::-1], questions(40, 2), REWORDED])
def test_a_report_of_other_questions_is_refused_before_anyone_sits_the_exam(exam, comparison):
    asked = []
    with pytest.raises(CourseError, match="the report of 'kept' is of other questions"):
        compare({"new": lambda questions: asked.extend(questions) or questions, "kept": comparison["knows"]}, exam)
    assert asked == []


@pytest.mark.parametrize(
    ("candidates", "exam", "named"),
    [
        *((none, EXAM, r'write compare\(\{"RAG": rag') for none in ({}, [], [lambda asked: asked], None)),
        ({"a": list}, [], "holds no question"),
        ({"a": list}, "cup", "loaded first"),
    ],
)
def test_a_comparison_of_no_candidate_or_no_exam_is_refused(candidates, exam, named):
    with pytest.raises(CourseError, match=named):
        compare(candidates, exam)


def test_a_comparison_is_drawn_with_its_figures_and_the_number_of_questions(comparison):
    alt = comparison.plot().alt
    assert all(told in alt for told in ("n = 40", "knows", "0.93"))
    assert "Towns" in comparison.plot("Towns").alt


def test_questions_out_of_a_generator_are_asked_of_every_candidate():
    right = [f"Team {i}" for i in range(4)]
    assert evaluate(lambda asked: right, (q for q in EXAM.test)).accuracy == 1
    found = compare({"a": lambda asked: right, "b": lambda asked: right[: len(asked)]}, (q for q in EXAM.test))
    assert [report.n for report in found.reports.values()] == [4, 4]

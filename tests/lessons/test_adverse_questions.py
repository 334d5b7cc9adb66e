"""Questions that go wrong: without their year, or over two documents; they are what they say they are."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Fact, load_facts
from course_lib.lessons import adverse


def fact(id, answer, asked, source=None, kind="handbook"):
    return Fact(id, "test", source or id.split(".")[0], kind, "", answer, (), (asked,), (), (asked,))


# Two editions


@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        ("How long is leave under the 2042 policy?", "How long is leave under the policy?"),
        ("2042 gifts policy: which form?", "Gifts policy: which form?"),
        ("What did the sick leave policy of 2042 promise?", "What did the sick leave policy promise?"),
        ("How long is leave, in 2042?", "How long is leave?"),
        ("How long is leave by the 2042 leave edition?", None),
    ],
)
def test_the_year_is_taken_out_of_a_question_or_the_question_is_left_out(asked, plain):
    new, old = fact("leave-2042.1", "29 days", asked), fact("leave-2039.1", "23 days", "How long was it in 2039?")
    questions, stale = adverse.undated_questions([new, old])
    assert [q.question for q in questions] == ([plain] if plain else [])
    assert stale == {q.id: ["23 days"] for q in questions}


def test_a_document_of_one_edition_is_not_asked_about():
    assert adverse.undated_questions([fact("cup-2042.1", "Anna", "Who won the 2042 cup?")])[0] == []


def test_what_both_editions_say_is_not_stale():
    new, old = (fact(f"leave-{year}.1", "29 days", f"How long in {year}?") for year in (2042, 2039))
    questions, stale = adverse.undated_questions([new, old])
    assert stale[questions[0].id] == []


def test_the_librarys_own_questions_name_no_year_and_each_has_an_older_answer():
    questions, stale = adverse.undated_questions(load_facts())
    assert len(questions) >= 40
    assert not [q.question for q in questions if "20" in q.question]
    assert all(stale[q.id] for q in questions) and all(q.source.endswith("2042") for q in questions)


# Two documents


def test_facts_that_are_asked_alike_make_one_question():
    facts = [
        fact("a.1", "94 kilometres", "What is the range of the Wren 5?", kind="sheets"),
        fact("b.1", "118 kilometres", "What is the range of the Wren 6?", kind="sheets"),
        fact("c.1", "4 days", "How long is leave?", kind="sheets"),
        fact("d.1", "7 crowns", "What is the range of the Wren 7?", kind="manuals"),
        fact("a.2", "5 crowns", "What is the range of the Wren 8?", kind="sheets"),  # the first one's document
    ]
    asked = adverse.two_document_questions(facts)
    told = {(q.question, q.answer, q.source) for q in asked}
    assert ("What is the range of the Wren 5, and the Wren 6?", "94 kilometres and 118 kilometres", "a b") in told
    assert {q.source for q in asked} == {"a b", "b a"}
    assert len(adverse.two_document_questions(facts, each=1)) == 1


def test_no_two_facts_alike_is_said():
    with pytest.raises(CourseError, match="no two of these facts are asked alike"):
        adverse.two_document_questions([fact("a.1", "x", "Who?"), fact("b.1", "y", "Where is it?")])


def test_the_library_gives_such_questions():
    asked = adverse.two_document_questions(load_facts())
    assert len(asked) >= 30 and all(len(q.source.split()) == 2 and " and " in q.answer for q in asked)

"""Orders in a page, and questions without their year: they are what they say they are."""

import re

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Fact, Question, load_facts
from course_lib.lessons import adverse
from course_lib.retrieval.documents import Passage


def fact(id, answer, asked, source=None, kind="handbook"):
    return Fact(id, "test", source or id.split(".")[0], kind, "", answer, (), (asked,), (), (asked,))


def test_an_order_stands_at_the_end_of_the_last_page_and_marks_around_each():
    pages = {"?": [Passage("a", "One.", "a"), Passage("b", "Two.", "b")]}
    bad = adverse.poisoned(pages)
    assert [p.text for p in bad["?"]] == ["One.", f"Two.\n{adverse.ORDER}"]
    assert [p.text for p in adverse.fenced(bad)["?"]] == ["<<<\nOne.\n>>>", f"<<<\nTwo.\n{adverse.ORDER}\n>>>"]
    assert [p.id for p in adverse.fenced(bad)["?"]] == ["a", "b"]
    assert pages["?"][1].text == "Two.", "the pages that were given stay as they were"


# Two editions


@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        ("How long is leave under the 2042 policy?", "How long is leave under the policy?"),
        ("2042 gifts policy: which form?", "Gifts policy: which form?"),
        ("What did the sick leave policy of 2042 promise?", "What did the sick leave policy promise?"),
        ("How long is leave, in 2042?", "How long is leave?"),
        ("How long is leave by the 2042 leave edition?", None),
        # Something hangs on the edition: without it "the of the travel policy".
        ("What does the 2042 edition of the travel policy put on hotels?", None),
        ("What is the dose in the 2042 edition on fever?", None),
        ("What is the ban in the 2042 edition, in days?", "What is the ban, in days?"),
    ],
)
def test_the_year_is_taken_out_of_a_question_or_the_question_is_left_out(asked, plain):
    new, old = fact("leave-2042.1", "29 days", asked), fact("leave-2039.1", "23 days", "How long was it in 2039?")
    questions, stale = adverse.undated_questions([new, old])
    assert [q.question for q in questions] == ([plain] if plain else [])
    assert stale == {q.id: ["23 days"] for q in questions}


def test_a_document_of_one_edition_is_not_asked_about_and_what_both_editions_say_is_not_stale():
    assert adverse.undated_questions([fact("cup-2042.1", "Anna", "Who won the 2042 cup?")])[0] == []
    new, old = (fact(f"leave-{year}.1", "29 days", f"How long in {year}?") for year in (2042, 2039))
    questions, stale = adverse.undated_questions([new, old])
    assert stale[questions[0].id] == []


def test_the_librarys_own_questions_name_no_year_and_each_has_an_older_answer():
    questions, stale = adverse.undated_questions(load_facts())
    assert len(questions) >= 40
    assert not [q.question for q in questions if "20" in q.question]
    gap = re.compile(r"\b(a|an|the|of|in|by|under|from) (of|on|in|by|under|for)\b|\bdose on\b|  |^\W")
    assert not [q.question for q in questions if gap.search(q.question)], "the year left a hole"
    assert all(stale[q.id] for q in questions) and all(q.source.endswith("2042") for q in questions)


# A page that is gone


class Shelf:
    """Finds the same two passages for everything."""

    def search_many(self, queries, k):
        return [[Passage("a/0", "", "a", score=0.9), Passage("b/0", "", "b", score=0.4)] for _ in queries]


def test_the_best_score_is_another_documents_where_the_page_is_gone():
    asked = [Question("q", "?", "x", source=source) for source in ("a", "c")]
    assert adverse.best_scores(Shelf(), asked) == [0.9, 0.9]
    assert adverse.best_scores(Shelf(), asked, page_gone=True) == [0.4, 0.9]


def test_a_threshold_lies_where_most_of_the_gone_and_fewest_of_the_others_are_below():
    there, gone = [0.9, 0.8, 0.5], [0.4, 0.6, 0.3]
    assert 0.6 < adverse.threshold(there, gone) <= 0.8
    assert adverse.threshold([0.9], [0.1]) == 0.9
    with pytest.raises(CourseError, match="pages gone"):
        adverse.threshold(there, [])

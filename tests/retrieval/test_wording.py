"""Words that count, the share that a question and a page have in common, and questions that begin from a code."""

import pytest

from course_lib.evaluation.exams import Fact
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.grounding import content_words, lookup_questions, shared_words

PAGES = [
    Passage("tern/0", "The part number is BK-4019.", "tern", title="The Tern"),
    Passage("well/0", "Clover Millraceley digs. Form HB-353 is signed by Tobin Hale.", "well", title="Wells"),
    Passage("well/1", "Tobin Hale signs again.", "well", title="Wells"),
]


def fact(id, source, answer, study):
    return Fact(id, "test", source, "x", "", answer, (), (study,), (), ())


def test_words_that_say_nothing_do_not_count():
    assert content_words("What is the part number of the Tern 3?") == ("part", "number", "tern", "3")


@pytest.mark.parametrize(
    ("question", "share"),
    [("What is the part number?", 1.0), ("What is its price?", 0.0), ("Part or price?", 0.5), ("What is it?", 1.0)],
)
def test_the_share_is_of_the_questions_own_words(question, share):
    assert shared_words(question, PAGES[0].text) == share


def test_codes_and_people_are_asked_for_if_one_passage_holds_them():
    facts = [
        fact("tern.0", "tern", "BK-4019", "What is the part number?"),
        fact("well.0", "well", "Clover Millraceley", "Who digs?"),
        fact("well.1", "well", "form HB-353", "Which form?"),
        fact("well.2", "well", "Tobin Hale", "Who signs?"),  # in two passages
        fact("well.3", "well", "Hollow Hill", "Where does she dig?"),  # no person
        fact("tern.1", "tern", "12 crowns", "What does it cost?"),
        fact("tern.2", "tern", "HB-353", "Which form?"),  # in another document
    ]
    asked = lookup_questions(facts, PAGES)
    assert [(q.id, q.question, q.answer, q.kind, q.fact) for q in asked] == [
        ("tern.0.code", "What is BK-4019?", "The Tern", "code", "tern.0"),
        ("well.0.name", "Who is Clover Millraceley?", "Wells", "name", "well.0"),
        ("well.1.code", "What is HB-353?", "Wells", "code", "well.1"),
    ]

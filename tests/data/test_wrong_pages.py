"""Wrong pages: missing, alike, contradicting, out of place; and questions over two documents."""

import pytest
from lesson_05.breaking import two_document_questions
from shared.wrong_pages import contradicted, look_alikes, placed, rivals, strangers, without_the_page

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Exam, Fact, Question, load_facts
from course_lib.lessons.shelves import editions_exam
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

ANSWERS = ["12 days", "17 days", "340 crowns", "Maud Everspring", "Tobin Hallowell"]
FACTS = tuple(
    Fact(f"d{i}.1", "test", f"d{i}", "notice", f"It is {a}, I say.", a, (), (), (), ()) for i, a in enumerate(ANSWERS)
)
EXAM = Exam(
    "five",
    tuple(Question(f"q{i}", f"Question {i}?", a, (), f"d{i}", f"d{i}.1") for i, a in enumerate(ANSWERS)),
    facts=FACTS,
)
GOLDEN = {q.question: [Passage(f"{q.source}/0", f"Hear, hear. It is {q.answer}, I say.", q.source)] for q in EXAM}


@pytest.fixture
def index(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*(Document(f"tern-{i}", f"Tern {i}", f"The Tern {i} kettle costs {i}7 crowns.") for i in range(6)))
    index.add(*(Document(f"goose-{i}", f"Goose {i}", f"Goose {i} bites.") for i in range(6)))
    return index


QUESTIONS = [
    Question(f"q{i}", f"What does the Tern {i} kettle cost?", f"{i}7 crowns", source=f"tern-{i}") for i in range(4)
]


@pytest.fixture
def golden(index):
    return {q.question: [p for p in index.passages() if p.source == q.source] for q in QUESTIONS}


def test_without_the_page_nothing_of_its_document_is_shown_but_what_looks_like_it(index, golden):
    for q in QUESTIONS:
        shown = without_the_page(QUESTIONS, index, golden, k=3)[q.question]
        assert len(shown) == 3 and q.source not in {p.source for p in shown}
        assert all(p.source.startswith("tern") for p in shown)


@pytest.mark.parametrize("k", [1, 4])
def test_look_alikes_and_strangers_stand_beside_the_right_page_in_a_drawn_order(k, index, golden):
    near = look_alikes(QUESTIONS, index, golden, k, seed=1)
    far = strangers(QUESTIONS, index.passages(), golden, k, seed=1)
    for q in QUESTIONS:
        for pages in (near, far):
            assert len(pages[q.question]) == k == len({p.id for p in pages[q.question]})
            assert [p.source for p in pages[q.question]].count(q.source) == 1
        assert all(p.source.startswith("tern") for p in near[q.question])
    assert look_alikes(QUESTIONS, index, golden, k, seed=1) == near
    if k > 1:
        places = {[p.source for p in near[q.question]].index(q.source) for q in QUESTIONS}
        assert len(places) > 1, "not always in the same place"
        assert any(p.source.startswith("goose") for pages in far.values() for p in pages)


# Contradicted, and moved


def test_a_rival_is_like_the_answer_and_is_not_the_answer():
    found = rivals(EXAM)
    assert found["q0"] == "17 days" and found["q1"] == "12 days"
    assert found["q3"] == "Tobin Hallowell" and found["q4"] == "Maud Everspring"
    assert found["q2"] in ("12 days", "17 days"), "the only sum of money: another figure"
    assert rivals(EXAM) == found


def test_every_question_of_the_exam_has_a_rival_and_an_exam_of_one_fact_has_none():
    exam = editions_exam()
    found = rivals(exam)
    assert not [q.id for q in exam if found[q.id] in (q.answer, *q.accepted)]
    alone = Exam("one", EXAM.test[3:4], facts=FACTS[:4])
    with pytest.raises(CourseError, match="no other answer is like 'Maud Everspring'"):
        rivals(alone)


@pytest.mark.parametrize("right_first", [True, False])
def test_the_two_passages_differ_in_the_answer_alone(right_first):
    pages = contradicted(EXAM, GOLDEN, rivals(EXAM), right_first)
    shown = pages["Question 0?"] if right_first else pages["Question 0?"][::-1]
    assert [p.text for p in shown] == ["Hear, hear. It is 12 days, I say.", "Hear, hear. It is 17 days, I say."]
    assert len({p.id for p in shown}) == 2


def test_an_answer_that_does_not_stand_in_its_passage_cannot_be_contradicted():
    elsewhere = GOLDEN | {"Question 1?": [Passage("d1/0", "Silence.", "d1")]}
    with pytest.raises(CourseError, match="'17 days' does not stand in passage d1/0"):
        contradicted(EXAM, elsewhere, rivals(EXAM))


OTHERS = [Passage(f"o{i}/0", f"Other {i}.", f"o{i}") for i in range(3)]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_right_passage_is_moved_and_the_others_keep_their_order(place):
    right = GOLDEN["Question 0?"][0]
    pages = {"Question 0?": [OTHERS[0], right, *OTHERS[1:]]}
    (shown,) = placed(EXAM.test[:1], pages, GOLDEN, place).values()
    assert shown[place] == right
    assert [p for p in shown if p != right] == OTHERS


@pytest.mark.parametrize(("shown", "place"), [(OTHERS, 0), ([*OTHERS, GOLDEN["Question 0?"][0]], 4)])
def test_a_place_that_there_is_not_is_refused(shown, place):
    with pytest.raises(CourseError, match=f"cannot be put at place {place}"):
        placed(EXAM.test[:1], {"Question 0?": shown}, GOLDEN, place)


# Two documents


def asked_of(id, answer, asked, kind="sheets"):
    return Fact(id, "test", id.split(".")[0], kind, "", answer, (), (asked,), (), (asked,))


def test_facts_that_are_asked_alike_make_one_question():
    facts = [
        asked_of("a.1", "94 kilometres", "What is the range of the Wren 5?"),
        asked_of("b.1", "118 kilometres", "What is the range of the Wren 6?"),
        asked_of("c.1", "4 days", "How long is leave?"),
        asked_of("d.1", "7 crowns", "What is the range of the Wren 7?", kind="manuals"),
        asked_of("a.2", "5 crowns", "What is the range of the Wren 8?"),  # the first one's document
    ]
    asked = two_document_questions(facts)
    told = {(q.question, q.answer, q.source) for q in asked}
    assert ("What is the range of the Wren 5, and the Wren 6?", "94 kilometres and 118 kilometres", "a b") in told
    assert {q.source for q in asked} == {"a b", "b a"}
    assert len(two_document_questions(facts, each=1)) == 1


def test_the_library_gives_such_questions_and_facts_that_are_not_alike_do_not():
    asked = two_document_questions(load_facts())
    assert len(asked) >= 30 and all(len(q.source.split()) == 2 and " and " in q.answer for q in asked)
    with pytest.raises(CourseError, match="no two of these facts are asked alike"):
        two_document_questions([asked_of("a.1", "x", "Who?"), asked_of("b.1", "y", "Where is it?")])

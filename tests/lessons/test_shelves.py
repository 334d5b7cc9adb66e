"""The two halves of the library, and the questions asked of each."""

import re

import numpy as np
import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import load_facts
from course_lib.lessons import shelves
from course_lib.lessons.shelves import editions_exam, exam_shelf, plain_exam, reading_questions, shelf, study_shelf
from course_lib.retrieval.documents import Document, read_documents
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore


@pytest.fixture(scope="module")
def sources():
    return {document.id for document in read_documents("data/library")}


@pytest.fixture
def index(small_embedder):
    index = Index(small_embedder, FaissStore(), passage_tokens=12)
    for name in ("geese-2039", "geese-2042", "mill", "kettles"):
        index.add(Document(name, name, f"The {name} are old. They were here first.\n\nNobody counts the {name}."))
    return index


# The exam


def test_every_question_is_about_a_document_that_has_another_edition_and_no_yearly_series(sources):
    exam, facts = editions_exam(), {fact.id: fact for fact in load_facts("test")}
    for source in {q.source for q in exam}:
        stem, year = re.fullmatch(r"(.+)-(20\d\d)", source).groups()
        assert any(re.fullmatch(rf"{stem}-20\d\d", other) and not other.endswith(year) for other in sources), source
    assert len(exam) >= 100 and not {q.kind for q in exam} & {"cup", "shield"}
    assert all(q.question in facts[q.fact].exam for q in exam), "held-out wordings"
    assert {q.fact for q in exam} == {fact.id for fact in exam.facts}


@pytest.mark.parametrize("make", [editions_exam, plain_exam])
def test_settings_are_chosen_on_other_documents_than_are_reported_on_and_no_reader_is_trained_on_either(make):
    exam = make()
    tested, chosen, trained = ({q.source for q in of} for of in (exam.test, exam.validation, reading_questions()))
    assert not tested & chosen and not trained & (tested | chosen)
    assert len(exam.validation) >= 80
    assert {q.fact for q in exam.validation} == {fact.id for fact in exam.validation_facts}


def test_the_plain_exam_asks_about_documents_that_have_no_other_edition():
    assert not [q.source for q in plain_exam() if re.search(r"-20\d\d$", q.source)]


# What reading is learned on


def test_reading_is_learned_in_study_wordings_every_fact_once_before_any_twice():
    questions = reading_questions()
    facts = {fact.id: fact for fact in questions.facts}
    assert all(q.question in facts[q.fact].study for q in questions)
    assert len({q.question for q in questions}) == len(questions) >= 800
    asked = [q.fact for q in questions]
    assert set(asked[: len(set(asked))]) == set(asked)


def test_few_questions_are_the_beginning_of_many_and_another_seed_draws_others():
    many = [q.id for q in reading_questions(300, seed=1)]
    assert [q.id for q in reading_questions(50, seed=1)] == many[:50]
    assert [q.id for q in reading_questions(300, seed=2)] != many


@pytest.mark.parametrize("n", [0, -1, 100_000])
def test_a_number_of_questions_that_there_are_not_is_refused(n):
    with pytest.raises(CourseError, match=r"questions to learn reading with: there are 1 to 1028"):
        reading_questions(n)


# The shelves


def test_a_shelf_finds_its_own_documents_alone_as_the_whole_index_would(index):
    part = shelf(index, {"geese-2039", "mill"})
    assert {p.source for p in part.passages()} == {"geese-2039", "mill"}
    found = part.search("Who counts the mill?", k=10)
    whole = [p for p in index.search("Who counts the mill?", k=100) if p.source in ("geese-2039", "mill")]
    assert sorted(p.id for p in found) == sorted(p.id for p in whole)
    assert found[0].id == whole[0].id
    assert np.allclose([p.score for p in found], sorted((p.score for p in whole), reverse=True), atol=1e-3)


def test_a_document_that_the_index_lacks_is_named(index):
    with pytest.raises(CourseError, match="holds no document 'geese-1999'"):
        shelf(index, {"mill", "geese-1999"})


def test_the_two_shelves_share_no_document_and_leave_none_out(index, monkeypatch):
    class Reading:
        source = "mill"

    monkeypatch.setattr(shelves, "load_facts", lambda split: [Reading()])
    study, exam = ({p.source for p in made(index).passages()} for made in (study_shelf, exam_shelf))
    assert study == {"mill"}
    assert exam == {"geese-2039", "geese-2042", "kettles"}

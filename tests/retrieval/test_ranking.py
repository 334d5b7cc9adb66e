"""Retrieval graded by itself: ranks, shares, intervals, and what becomes of a question that was not found."""

import math

import pytest
from stand_ins import Told

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Exam, Question
from course_lib.evaluation.reports import Report, Row, paired_difference
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.ranking import (
    by_hit,
    cascade,
    compare_rankings,
    grade_retrieval,
    ndcg_at_k,
    recall_at_k,
    reciprocal_rank,
)

FOUND = Told(a="axy", b="xby", c="xyc", d="xyz")
RELEVANT = ["a", "b", "c", "d"]
RANKS = [1, 2, 3, math.inf]
QUESTIONS = tuple(
    Question(f"q{i}", f"Where is {id}?", id, kind="odd" if i % 2 else "even", fact=f"f{i}")
    for i, id in enumerate(RELEVANT)
)
GOLDEN = {q.question: [Passage(q.answer, "", q.answer)] for q in QUESTIONS}


@pytest.fixture
def ranking():
    return grade_retrieval(FOUND, Exam("letters", QUESTIONS), GOLDEN, name="memory")


@pytest.mark.parametrize(("k", "hits"), [(1, [1, 0, 0, 0]), (2, [1, 1, 0, 0]), (3, [1, 1, 1, 0]), (9, [1, 1, 1, 0])])
def test_recall_counts_the_first_k_and_beyond_what_was_found_nothing(k, hits, ranking):
    assert recall_at_k(RANKS, k) == hits
    assert ranking.recall(k) == sum(hits) / 4


def test_ranks_begin_at_one_and_what_was_not_found_is_at_infinity_and_worth_nothing(ranking):
    assert ranking.ranks == RANKS
    assert reciprocal_rank(RANKS) == [1, 1 / 2, 1 / 3, 0]
    assert ranking.mrr == pytest.approx((1 + 1 / 2 + 1 / 3) / 4)


def test_gain_is_discounted_by_the_logarithm_of_the_rank_and_ends_at_k(ranking):
    assert ndcg_at_k(RANKS, 3) == [1, 1 / math.log2(3), 1 / 2, 0]
    assert ndcg_at_k(RANKS, 2) == [1, 1 / math.log2(3), 0, 0]
    assert ranking.ndcg(3) == pytest.approx((1 + 1 / math.log2(3) + 1 / 2) / 4)


def test_every_share_stands_within_its_interval(ranking):
    for value, (low, high) in (
        (ranking.recall(2), ranking.recall_ci(2)),
        (ranking.mrr, ranking.mrr_ci),
        (ranking.ndcg(), ranking.ndcg_ci()),
    ):
        assert 0 <= low < value < high <= 1


def test_wordings_of_one_fact_are_one_draw():
    twice = tuple(
        Question(f"q{i}", q.question, q.answer, fact="one" if i < 2 else "other") for i, q in enumerate(QUESTIONS)
    )
    alone = grade_retrieval(FOUND, QUESTIONS, GOLDEN).recall_ci(1)
    together = grade_retrieval(FOUND, twice, GOLDEN).recall_ci(1)
    assert together != alone


def test_two_retrievers_are_paired_by_what_each_found(ranking):
    better = grade_retrieval(Told(**{id: id for id in RELEVANT}), Exam("letters", QUESTIONS), GOLDEN, name="better")
    difference = paired_difference(better.within(1), ranking.within(1))
    assert (difference.better, difference.worse, difference.value) == ("better", "memory", 0.75)
    assert paired_difference(better.within(3), ranking.within(3)).value == 0.25


def test_a_kind_of_question_is_graded_alone(ranking):
    odd = ranking.where(lambda q: q.kind == "odd")
    assert (odd.n, odd.recall(2), odd.exam) == (2, 0.5, "letters")
    with pytest.raises(CourseError, match="none of the 4 questions of letters is kept"):
        ranking.where(lambda q: False)


def test_a_table_has_a_row_a_retriever_with_intervals(ranking):
    table = compare_rankings([ranking, ranking])
    assert list(table.columns) == [
        "recall@1", "95% interval @1", "recall@4", "95% interval @4", "MRR", "95% interval MRR", "nDCG@10", "n",
    ]  # fmt: skip
    assert list(table["recall@4"]) == [0.75, 0.75]
    assert "memory" in ranking._repr_html_()


class Forgetful(Told):
    def _find(self, queries, k, where):
        return super()._find(queries, k, where)[1:]


@pytest.mark.parametrize(
    ("retriever", "questions", "said"),
    [
        (FOUND, [], "no question to search for"),
        (FOUND, [Question("q9", "Where is z?", "z")], "question q9 has no golden passage"),
        (Forgetful("a"), QUESTIONS, "3 rankings for 4 questions"),
    ],
)
def test_what_cannot_be_graded_is_named(retriever, questions, said):
    with pytest.raises(CourseError, match=said):
        grade_retrieval(retriever, questions, GOLDEN)
    with pytest.raises(CourseError, match="k is 0"):
        recall_at_k(RANKS, 0)


def answered(letter, verdict, *sources):
    return Row(letter, f"Where is {letter}?", letter, letter, verdict, 1.0, letter, sources=sources)


def test_answers_are_parted_by_whether_the_right_passage_was_read():
    rows = (answered("a", "exact", "x", "a"), answered("b", "wrong", "x"), answered("c", "wrong", "c"))
    parts = by_hit(Report("RAG", "letters", rows), GOLDEN)
    assert {name: (part.n, part.accuracy) for name, part in parts.items()} == {"hit": (2, 0.5), "miss": (1, 0.0)}
    assert parts["hit"].name == "RAG, hit"
    assert set(by_hit(Report("RAG", "letters", rows[:1]), GOLDEN)) == {"hit"}


def test_a_question_is_right_or_lost_by_the_reader_or_by_the_search():
    rows = (answered("a", "exact", "x", "a"), answered("b", "wrong", "x"), answered("c", "wrong", "c"))
    lost = cascade(Report("RAG", "letters", rows), GOLDEN)
    assert lost == dict.fromkeys(("right", "page found, answer wrong", "page not found"), 1 / 3)
    assert cascade(Report("RAG", "letters", rows[:1]), GOLDEN)["page not found"] == 0

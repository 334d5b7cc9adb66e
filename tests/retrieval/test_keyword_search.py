"""Search by words, and two searches joined: what each finds, in the order that it should."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.filters import matches
from course_lib.retrieval.index import Index, Retriever
from course_lib.retrieval.stores import ChromaStore, FaissStore
from course_lib.retrieval.words import HybridIndex, KeywordIndex

TOWNS = [
    Document("tern-2", "The Tern 2", "The part number of the kettle is BK-3168.", audience="staff"),
    Document("tern-3", "The Tern 3", "The part number of the kettle is BK-4019."),
    Document("geese", "Geese", "There are eleven geese, and geese bite."),
]


@pytest.fixture
def index(small_embedder):
    index = Index(small_embedder, FaissStore())
    index.add(*TOWNS)
    return index


@pytest.fixture
def keywords(index):
    return KeywordIndex(index)


def found(retriever, question, k=3, where=None):
    return [passage.source for passage in retriever.search(question, k, where)]


class Ranking(Retriever):
    """Finds what it is told to, in that order."""

    def __init__(self, *ids):
        self.ids = ids

    def passages(self):
        return [Passage(id, id, id, 0.9 - i / 10) for i, id in enumerate(self.ids)]

    def _find(self, queries, k, where):
        return [[p for p in self.passages() if matches(p, where)][:k] for _ in queries]


# By words


@pytest.mark.parametrize(
    ("question", "first"), [("What is BK-4019?", "tern-3"), ("bk-3168", "tern-2"), ("Tern 2", "tern-2")]
)
def test_a_code_and_a_single_digit_are_words_like_others(question, first, keywords):
    assert found(keywords, question, 1) == [first]


def test_a_rare_word_counts_more_than_a_common_one(keywords):
    assert found(keywords, "kettle bite", 1) == ["geese"]


def test_a_passage_that_shares_no_word_is_not_found(keywords):
    assert found(keywords, "geese") == ["geese"]
    assert found(keywords, "penguins?") == []


def test_scores_fall(keywords):
    scores = [p.score for p in keywords.search("part number of the Tern 2 kettle", 3)]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0


def test_words_follow_the_index(index, keywords):
    assert found(keywords, "penguin") == []
    index.add(Document("new", "New", "A penguin."))
    assert found(keywords, "penguin") == ["new"]
    index.remove("new")
    assert found(keywords, "penguin") == [], "what was deleted is found in no way"
    index.remove("tern-2", "tern-3", "geese")
    assert found(keywords, "geese") == []


@pytest.mark.parametrize("blind", [False, True])
def test_words_follow_what_somebody_else_writes_to_the_same_place(blind, tmp_path, small_embedder, monkeypatch):
    if blind:  # a store that does not say whether it changed
        monkeypatch.delattr(ChromaStore, "version")
    mine, theirs = (Index(small_embedder, ChromaStore(tmp_path)) for _ in range(2))
    mine.add(*TOWNS)
    keywords = KeywordIndex(mine)
    assert found(keywords, "geese") == ["geese"]
    theirs.remove("geese")
    theirs.add(Document("new", "New", "A penguin."))
    assert (found(keywords, "geese"), found(keywords, "penguin")) == ([], ["new"])


def test_words_are_indexed_once_while_nothing_changes(index, keywords, monkeypatch):
    found(keywords, "geese")
    monkeypatch.setattr(index.store, "passages", lambda: pytest.fail("read again"))
    assert found(keywords, "geese") == ["geese"]


# Joined


def test_what_both_find_comes_before_what_one_finds_first():
    joined = HybridIndex(Ranking("a", "b", "c"), Ranking("d", "b", "e"))
    assert found(joined, "?", 9)[0] == "b"
    assert set(found(joined, "?", 9)) == {"a", "b", "c", "d", "e"}


def test_a_score_is_the_sum_of_one_over_sixty_and_the_rank():
    best = HybridIndex(Ranking("a", "b"), Ranking("b")).search("?", 1)[0]
    assert (best.id, best.score) == ("b", pytest.approx(1 / 62 + 1 / 61))


def test_more_is_asked_of_each_than_is_wanted_of_both():
    both = HybridIndex(Ranking("a", "b", "c"), Ranking("d", "e", "c"))
    assert found(both, "?", 1) == ["c"]
    assert found(HybridIndex(*both.retrievers, depth=1), "?", 1) == ["a"]


def test_words_and_meaning_are_joined(index, keywords):
    assert set(found(HybridIndex(index, keywords), "eleven geese", 3)) == {d.id for d in TOWNS}
    assert found(HybridIndex(index, keywords), "eleven geese", 1) == ["geese"]


def test_one_retriever_cannot_be_joined(index):
    with pytest.raises(CourseError, match="1 retrievers cannot be joined: give two"):
        HybridIndex(index)


# Alike


@pytest.fixture(params=["by words", "joined"])
def retriever(request, index, keywords):
    return {"by words": keywords, "joined": HybridIndex(index, keywords)}[request.param]


def test_many_questions_get_what_each_gets_alone(retriever):
    questions = ["geese", "BK-4019 kettle"]
    assert retriever.search_many(questions, 2) == [retriever.search(question, 2) for question in questions]
    assert retriever.search_many([]) == []


def test_a_filter_holds_whatever_one_searches_by(retriever):
    assert "tern-2" in found(retriever, "BK-3168 kettle")
    assert "tern-2" not in found(retriever, "BK-3168 kettle", 3, {"audience": "public"})
    assert found(retriever, "BK-3168 kettle", 3, {"audience": "nobody"}) == []


@pytest.mark.parametrize(("question", "k"), [("", 1), (" \n", 1), ("geese " * 2000, 1), ("geese", 0)])
def test_bad_questions_and_k_are_refused(question, k, retriever):
    with pytest.raises(CourseError):
        retriever.search(question, k)

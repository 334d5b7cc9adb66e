"""Search by words, and two searches joined: what each finds, in the order that it should."""

import pytest
from stand_ins import Told

from course_lib.core.errors import CourseError
from course_lib.retrieval import words
from course_lib.retrieval.documents import Document
from course_lib.retrieval.stores import ChromaStore
from course_lib.retrieval.words import HybridIndex, KeywordIndex

TOWNS = [
    Document("tern-2", "The Tern 2", "The part number of the kettle is BK-3168.", audience="staff"),
    Document("tern-3", "The Tern 3", "The part number of the kettle is BK-4019."),
    Document("geese", "Geese", "There are eleven geese, and geese bite."),
]


@pytest.fixture
def index(index_of):
    return index_of(*TOWNS)


@pytest.fixture
def keywords(index):
    return KeywordIndex(index)


def found(retriever, question, k=3, where=None):
    return [passage.source for passage in retriever.search(question, k, where)]


# By words


@pytest.mark.parametrize(
    ("question", "first"),
    [("What is BK-4019?", "tern-3"), ("bk-3168", "tern-2"), ("Tern 2", "tern-2"), ("kettle bite", "geese")],
    ids=["a code", "in small letters", "a single digit", "a rare word counts more than a common one"],
)
def test_what_is_asked_for_in_its_own_words_comes_first(question, first, keywords):
    assert found(keywords, question, 1) == [first]


def test_scores_fall_and_a_passage_that_shares_no_word_is_not_found(keywords):
    assert found(keywords, "geese") == ["geese"]
    assert found(keywords, "penguins?") == []
    scores = [p.score for p in keywords.search("part number of the Tern 2 kettle", 3)]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("水壶是红色的。它在架子上。", ["水壶", "红色", "架子上", "水壶在架子上吗？"]),
        ("やかんは赤い。ガラスの棚にある。", ["やかん", "ガラス"]),
        ("กาต้มน้ำสีแดงอยู่บนชั้นวาง", ["กาต้มน้ำ", "สีแดง"]),
        ("주전자는 빨갛다.", ["주전자는"]),
        ("الغلاية حمراء.", ["الغلاية"]),
    ],
    ids=["Chinese", "Japanese", "Thai", "Korean", "Arabic"],
)
def test_a_word_is_found_in_scripts_that_leave_no_blanks_too(text, asked, index, keywords):
    index.add(Document("kettle", "K", text))
    for question in asked:
        assert found(keywords, question) == ["kettle"], question
    assert found(keywords, "鵞鳥 すずめ ห่าน 거위 إوزة") == []


def test_words_follow_the_index(index, keywords):
    assert found(keywords, "penguin") == []
    index.add(Document("new", "New", "A penguin."))
    assert found(keywords, "penguin") == ["new"]
    index.remove("new")
    assert found(keywords, "penguin") == [], "what was deleted is found in no way"
    index.remove("tern-2", "tern-3", "geese")
    assert found(keywords, "geese") == []


@pytest.mark.parametrize("blind", [False, True])
def test_words_follow_what_somebody_else_writes_to_the_same_place(blind, tmp_path, index_of, monkeypatch):
    if blind:  # a store that does not say whether it changed
        monkeypatch.delattr(ChromaStore, "version")
    theirs = index_of(*TOWNS, store=ChromaStore(tmp_path))
    keywords = KeywordIndex(index_of(store=ChromaStore(tmp_path)))
    assert found(keywords, "geese") == ["geese"]
    theirs.remove("geese")
    theirs.add(Document("new", "New", "A penguin."))
    assert (found(keywords, "geese"), found(keywords, "penguin")) == ([], ["new"])


def test_words_are_indexed_once_while_nothing_changes(index, keywords, monkeypatch):
    found(keywords, "geese")
    monkeypatch.setattr(index.store, "passages", lambda: pytest.fail("read again"))
    assert found(keywords, "geese") == ["geese"]


# Joined


def test_what_both_find_comes_first_and_a_score_is_the_sum_of_one_over_sixty_and_the_rank():
    best, *others = HybridIndex(Told("a", "b", "c"), Told("d", "e", "b")).search("?", 9)
    assert (best.id, best.score) == ("b", pytest.approx(1 / 62 + 1 / 63))
    assert {p.id for p in others} == {"a", "c", "d", "e"}


@pytest.mark.parametrize(("depth", "first"), [(words.DEPTH, "c"), (1, "a")])
def test_more_is_asked_of_each_than_is_wanted_of_both(depth, first, monkeypatch):
    monkeypatch.setattr(words, "DEPTH", depth)
    assert found(HybridIndex(Told("a", "b", "c"), Told("d", "e", "c")), "?", 1) == [first]


def test_words_and_meaning_are_joined_and_one_retriever_cannot_be(index, keywords):
    assert set(found(HybridIndex(index, keywords), "eleven geese", 3)) == {d.id for d in TOWNS}
    assert found(HybridIndex(index, keywords), "eleven geese", 1) == ["geese"]
    with pytest.raises(CourseError, match="1 retrievers cannot be joined: give two"):
        HybridIndex(index)


# Alike, whatever one searches by


@pytest.fixture(params=["meaning", "meaning, on disk", "words", "joined"])
def retriever(request, index, keywords, index_of, tmp_path):
    if request.param == "meaning, on disk":
        return index_of(*TOWNS, store=ChromaStore(tmp_path))
    return {"meaning": index, "words": keywords, "joined": HybridIndex(index, keywords)}[request.param]


def test_many_questions_get_what_each_gets_alone(retriever):
    questions = ["geese", "BK-4019 kettle"]
    assert retriever.search_many(questions, 2) == [retriever.search(question, 2) for question in questions]
    assert retriever.search_many([]) == []
    assert found(retriever, ("geese " * 1000)[:4000], 1) == ["geese"], "a question at the limit is answered"


def test_a_filter_holds_and_what_is_none_is_refused(retriever):
    assert "tern-2" in found(retriever, "BK-3168 kettle")
    assert "tern-2" not in found(retriever, "BK-3168 kettle", 3, {"audience": "public"})
    assert found(retriever, "BK-3168 kettle", 3, {"audience": "nobody"}) == []
    with pytest.raises(CourseError, match=r"the filter .* is none that Chroma knows"):
        retriever.search("geese", 1, {"audience": {"$like": "x"}})


@pytest.mark.parametrize(
    ("question", "k", "said"),
    [
        ("", 1, "the question is empty"),
        (" \n", 1, "the question is empty"),
        ("geese " * 1666 + "mill", 1, "10,000 characters, more than 4,000"),
        ("geese", 0, "k is 0"),
        ("geese", -3, "k is -3"),
    ],
)
def test_bad_questions_and_k_are_refused(question, k, said, retriever):
    with pytest.raises(CourseError, match=said):
        retriever.search(question, k)

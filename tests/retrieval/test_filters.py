"""A filter lets through the same, whoever decides it: Chroma, or the course's own rule for every other search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.core.errors import CourseError
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.filters import day_number, matches, named_years, only
from course_lib.retrieval.stores import ChromaStore

KINDS, AUDIENCES = ("notices", "letters", ""), ("public", "staff", "managers")
DATES = ("2042-03-01", "2040-06-30", "2041-01-15", "last week", "")
PASSAGES = [
    Passage(f"{source}/0", "", source, 0.0, "Title", DATES[i % 5], KINDS[i % 3], AUDIENCES[i // 2 % 3])
    for i, source in enumerate("abcdefghijkl")
]


@pytest.fixture(scope="module")
def chroma(tmp_path_factory):
    """Which passages Chroma lets through, or that it refuses the filter."""
    store = ChromaStore(tmp_path_factory.mktemp("filters"))
    store.add(PASSAGES, np.eye(len(PASSAGES), dtype=np.float32) + 0.1, [""] * len(PASSAGES))

    def let_through(where):
        return {passage.id for passage in store.query(np.ones(len(PASSAGES)), len(PASSAGES), where)}

    return let_through


def by_rule(where):
    return {passage.id for passage in PASSAGES if matches(passage, where)}


VALUES = {
    "audience": [*AUDIENCES, "nobody"],
    "kind": KINDS,
    "source": ["a", "b", "z"],
    "title": ["Title"],
    "date": DATES,
    "day": [0, 1, 20400630, 20410115, 20410116, 20420301],
}
EQUAL, ORDER = ["$eq", "$ne"], ["$gt", "$gte", "$lt", "$lte"]
SINGLE = [
    {name: test}
    for name, values in VALUES.items()
    for value in values
    for test in (value, *({sign: value} for sign in [*EQUAL, *(ORDER if name == "day" else [])]))
]
among = st.sampled_from(list(VALUES)).flatmap(
    lambda name: st.builds(
        lambda sign, values: {name: {sign: values}},
        st.sampled_from(["$in", "$nin"]),
        st.lists(st.sampled_from(VALUES[name]), min_size=1),
    )
)
joined = st.recursive(
    st.sampled_from(SINGLE) | among,
    lambda parts: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(parts, min_size=2, max_size=3), min_size=1, max_size=1
    ),
    max_leaves=5,
)


def test_each_sign_lets_through_what_chroma_would(chroma):
    assert [where for where in SINGLE if by_rule(where) != chroma(where)] == []


@given(joined)
def test_a_filter_lets_through_what_chroma_would(chroma, where):
    assert by_rule(where) == chroma(where)


several = st.none() | st.sampled_from(AUDIENCES) | st.lists(st.sampled_from(AUDIENCES), min_size=1, max_size=2)
date = st.none() | st.dates().map(str) | st.sampled_from(DATES[:3])


@given(several, date, date, st.none() | st.sampled_from(KINDS), st.none() | st.just("a") | st.just(["a", "b"]))
def test_what_only_makes_is_the_filter_that_was_asked_for(chroma, audience, since, until, kind, without):
    asked = {"audience": audience, "since": since, "until": until, "kind": kind, "without": without}
    if all(value is None for value in asked.values()):
        return
    where = only(**asked)
    wanted = {
        p.id
        for p in PASSAGES
        if (audience is None or p.audience in ([audience] if isinstance(audience, str) else audience))
        and (since is None or day_number(p.date) >= day_number(since))
        and (until is None or 0 < day_number(p.date) <= day_number(until))
        and (kind is None or p.kind == kind)
        and (without is None or p.source not in without)
    }
    assert by_rule(where) == chroma(where) == wanted


@pytest.mark.parametrize(
    "where",
    [
        "staff", {}, {"$bad": 1}, {"$bad": []}, {"a": "1", "b": "2"}, {"audience": {"$like": "x"}}, {"audience": {}},
        {"audience": {"$in": "staff"}}, {"audience": {"$nin": []}}, {"audience": None}, {"audience": ["staff"]},
        {"audience": {"$gt": "public"}}, {"$and": []}, {"$or": [{"audience": "staff"}]},
        {"$and": {"audience": "staff"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_filter_that_is_none_is_refused_by_both_with_an_example(where, chroma):
    for decides in (chroma, by_rule):
        with pytest.raises(CourseError, match=r"the filter .* write \{'audience': 'public'\}"):
            decides(where)


def test_a_date_is_a_number_that_can_be_compared():
    assert (day_number("2042-01-31"), day_number("31 January"), day_number("")) == (20420131, 0, 0)
    assert only(since="31.01.2042") == only(since="Jan 31, 2042") == only(since="2042-01-31")
    page = Passage("a/0", "", "a", date="31 January 2042")
    assert matches(page, only(since="2042-01-31", until="2042-01-31"))


def test_an_audience_is_found_in_small_letters_too_as_front_matter_is_read():
    assert matches(Passage("a/0", "", "a", audience="staff"), only(audience="Staff"))
    assert matches(Passage("a/0", "", "a", audience="Staff"), only(audience="Staff"))
    assert only(audience="staff") == {"audience": {"$in": ["staff"]}}


@pytest.mark.parametrize(
    ("question", "years"),
    [
        ("What did the 2040 edition say?", {"2040"}),
        ("And between 2040 and 2041?", {"2040", "2041"}),
        ("Under the 2043 policy?", set()),
        ("Is form 20400 needed, or HB-20412?", None),
    ],
)
def test_a_question_brings_the_years_along_that_it_names(question, years):
    where = named_years(question)
    assert (where is None) == (years is None)
    assert by_rule(where) == {p.id for p in PASSAGES if years is None or p.date[:4] in years}


def test_a_filter_of_nothing_of_no_date_or_of_a_name_that_no_passage_has_is_refused():
    with pytest.raises(CourseError, match=r"'colour'.* is none that Chroma knows"):
        by_rule({"colour": "red"})
    with pytest.raises(CourseError, match="lets everything through"):
        only()
    with pytest.raises(CourseError, match="'last week' is no date: write it as 2042-01-31"):
        only(since="last week")

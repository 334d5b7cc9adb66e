"""What a question shares with its page, whether an answer stands in what was shown, and which page it rests on."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Fact
from course_lib.evaluation.reports import Report, Row
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.grounding import (
    cite,
    claims,
    content_words,
    ground,
    is_faithful,
    lookup_questions,
    said,
    shared_words,
)

FEVER = Passage("fever/0", "Dr Marigold Eddythorne starts peltamine at 38.2 degrees.", "fever", title="Low-tide fever")
KETTLE = Passage("kettle/0", "The Tern 3 costs 1,248 crowns.", "kettle", title="Kettles")
SHOWN = [FEVER, KETTLE]

PAGES = [
    Passage("tern/0", "The part number is BK-4019.", "tern", title="The Tern"),
    Passage("well/0", "Clover Millraceley digs. Form HB-353 is signed by Tobin Hale.", "well", title="Wells"),
    Passage("well/1", "Tobin Hale signs again.", "well", title="Wells"),
]


# Questions


def test_words_that_say_nothing_do_not_count():
    assert content_words("What is the part number of the Tern 3?") == ("part", "number", "tern", "3")


@pytest.mark.parametrize(
    ("question", "share"),
    [("What is the part number?", 1.0), ("What is its price?", 0.0), ("Part or price?", 0.5), ("What is it?", 1.0)],
)
def test_the_share_is_of_the_questions_own_words(question, share):
    assert shared_words(question, PAGES[0].text) == share


@pytest.mark.parametrize(
    ("source", "answer", "study", "asked"),
    [
        ("tern", "BK-4019", "What is the part number?", ("What is BK-4019?", "The Tern", "code")),
        ("well", "Clover Millraceley", "Who digs?", ("Who is Clover Millraceley?", "Wells", "name")),
        ("well", "form HB-353", "Which form?", ("What is HB-353?", "Wells", "code")),
        ("well", "Tobin Hale", "Who signs?", None),  # in two passages
        ("well", "Hollow Hill", "Where does she dig?", None),  # no person
        ("tern", "12 crowns", "What does it cost?", None),
        ("tern", "HB-353", "Which form?", None),  # in another document
    ],
)
def test_codes_and_people_are_asked_for_if_one_passage_holds_them(source, answer, study, asked):
    fact = Fact("f.0", "test", source, "x", "", answer, (), (study,), (), ())
    questions = [(q.question, q.answer, q.kind) for q in lookup_questions([fact], PAGES)]
    assert questions == ([asked] if asked else [])
    assert [(q.id, q.fact) for q in lookup_questions([fact], PAGES)] == ([(f"f.0.{asked[2]}", "f.0")] if asked else [])


# Answers


@pytest.mark.parametrize(
    ("reply", "claimed"),
    [
        ("1,248 crowns", ("1248", "crowns")),
        ("brass", ("brass",)),
        ("Well, the patient should see Dr Eddythorne about it at 38.2 degrees.", ("dr", "eddythorne", "38.2")),
        ("The answer to that is that I am at a loss about it all.", ()),
        ("I don't know.", ()),
        ("It costs much. Perhaps 40 crowns or rather more than that, says Odette.", ("40", "odette")),
    ],
)
def test_claims_are_numbers_and_names_and_of_a_short_reply_everything(reply, claimed):
    assert claims(reply) == claimed


@pytest.mark.parametrize(
    ("reply", "faithful"),
    [
        ("1,248 crowns", True),
        ("The Tern 3 costs 1248 crowns.", True),
        ("It costs 1,249 crowns in all the shops of the town.", False),
        ("The doctor to ask about that on the ward is Mabel Eddythorne.", False),
        ("Marigold Eddythorne", True),
        ("Marigold Sedgewater", False),
        ("38.2", True),
        ("38", False),
        ("I don't know.", True),
        ("Kettles", True),
        ("The doctor who is to be asked about it is Marigold Eddy", True),
        ("The doctor who is to be asked about it is Marigold Eddy.", False),
        ("The doctor who is to be asked about it is Marigold Bed", False),
        ("Marigold Eddy", False),
        ("", True),
    ],
)
def test_an_answer_is_faithful_if_all_it_claims_was_shown(reply, faithful):
    assert is_faithful(reply, SHOWN) == faithful


def test_what_the_question_says_may_be_said_again_and_nothing_shown_makes_every_claim_an_invention():
    reply = "The Badger costs 1,248 crowns, as far as the page can say it."
    assert is_faithful(reply, SHOWN, "What does the Badger cost?")
    assert not is_faithful(f"Well, t{reply[1:]}", SHOWN)
    assert not is_faithful("1,248 crowns", [])


AGAIN = Passage("copy/0", KETTLE.text, "copy")


@pytest.mark.parametrize(
    ("reply", "shown", "question", "page"),
    [
        ("1,248 crowns", SHOWN, "", KETTLE),
        ("At 38.2 degrees", SHOWN, "", FEVER),
        ("Peltamine costs 1,248 crowns", SHOWN, "What does peltamine cost?", KETTLE),
        ("Nobody can say", SHOWN, "", None),
        ("1,248 crowns", [], "", None),
        ("1,248 crowns", [AGAIN, KETTLE], "", AGAIN),  # of equals the best ranked
    ],
)
def test_the_citation_is_the_page_that_holds_most_of_what_the_question_did_not_say(reply, shown, question, page):
    assert cite(reply, shown, question) is page


def row(id, reply, verdict, *sources):
    return Row(id, f"{id}?", "", reply, verdict, 1.0, id, sources=sources)


REPORT = Report(
    "RAG",
    "exam",
    (
        row("a", "1,248 crowns", "right", "fever/0", "kettle/0"),
        row("b", "38.2 degrees", "wrong", "fever/0"),
        row("c", "77 crowns", "wrong", "kettle/0"),
        row("d", "Marigold Eddythorne", "exact", "fever/0"),
    ),
)
GOLDEN = {"a?": [KETTLE], "b?": [KETTLE], "c?": [KETTLE], "d?": [FEVER]}


def test_a_report_is_counted_by_right_and_wrong_and_by_shown_and_invented_in_its_own_index():
    grounding = ground(REPORT, SHOWN, GOLDEN)
    assert grounding.table().to_dict("index") == {
        "right": {"in what was shown": 2, "invented": 0},
        "wrong": {"in what was shown": 1, "invented": 1},
    }
    assert (grounding.faithful, grounding.cited_right) == (0.75, 0.75)
    assert [r.cited for r in grounding.rows] == ["kettle/0", "fever/0", "kettle/0", "fever/0"]
    for value, (low, high) in ((0.75, grounding.faithful_ci), (0.75, grounding.cited_right_ci)):
        assert low < value < high
    with pytest.raises(CourseError, match="passage 'fever/0' is not in this index"):
        ground(REPORT, [KETTLE], GOLDEN)


def test_answers_are_judged_anew_by_what_they_say():
    rows = [
        Row(id, "?", "", reply, "wrong", 0.0, id) for id, reply in (("a", "Pelican!"), ("b", "23 days"), ("c", "232"))
    ]
    report = Report("RAG", "exam", tuple(rows))
    assert [row.verdict for row in said(report, "PELICAN").rows] == ["exact", "wrong", "wrong"]
    old = {"a": ["23 days"], "b": ["23 days", "23"], "c": ["23"]}
    assert [row.verdict for row in said(report, old).rows] == ["wrong", "exact", "wrong"]

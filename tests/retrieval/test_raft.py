"""Training examples of RAFT: what lies on each desk, what is learned from it, and nothing that is examined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import BagOfWordsEmbedder

from course_lib.core.errors import ChoiceError, CourseError, LeakError
from course_lib.evaluation.exams import Exam, Fact, Question, check_no_leak
from course_lib.evaluation.grading import grade
from course_lib.lessons import shelves
from course_lib.retrieval import raft
from course_lib.retrieval.documents import Passage, read_documents
from course_lib.retrieval.index import Index, Retriever
from course_lib.retrieval.raft import build_raft_examples, raft_pages, reasoned_answer, split_reply
from course_lib.retrieval.readers import RagPipeline, reading_prompt
from course_lib.retrieval.stores import FaissStore

N = 10


def passage(i, part):
    return Passage(f"town{i}/{part}", f"Town{i} pays {i * 10 + part} crowns.", f"town{i}")


class Towns(Retriever):
    """Two passages a town; finds the asked town's second passage first, then the first, then the neighbours'."""

    def __init__(self, towns=N):
        self.held = [passage(i, part) for i in range(towns) for part in (0, 1)]

    def passages(self):
        return self.held

    def _find(self, queries, k, where):
        def nearest(asked):
            def far(p):
                town = int(p.source[4:])
                return (abs(town - asked), town, p.id.endswith("0"))

            return sorted(self.held, key=far)[:k]

        return [nearest(int(query.rstrip("?")[-1])) for query in queries]


def fact(i):
    sentence = f"Town{i} pays {i * 10} crowns."
    return Fact(f"town{i}.1", "reading", f"town{i}", "notice", sentence, f"{i * 10} crowns", (), (), (), ())


QUESTIONS = Exam(
    "towns",
    tuple(Question(f"q{i}", f"What pays Town{i}?", f"{i * 10} crowns", (), f"town{i}", f"town{i}.1") for i in range(N)),
    facts=tuple(fact(i) for i in range(N)),
)
GOLDEN = {q.question: [passage(i, 0)] for i, q in enumerate(QUESTIONS)}


def pages(**options):
    return raft_pages(QUESTIONS, Towns(), GOLDEN, **options)


def has_golden(found):
    return [GOLDEN[q][0].id in {p.id for p in shown} for q, shown in found.items()]


# Pages


@given(st.integers(0, 6), st.integers(0, 100), st.booleans(), st.integers(0, 9))
def test_a_share_p_of_the_desks_has_its_golden_passage_and_all_are_of_one_length(distractors, percent, hard, seed):
    options = {"distractors": distractors, "hard": hard, "seed": seed}
    found = pages(p_oracle=percent / 100, **options)
    assert list(found) == [q.question for q in QUESTIONS]
    assert all(len({p.id for p in shown}) == len(shown) == distractors + 1 for shown in found.values())
    golden = has_golden(found)
    assert sum(golden) == round(percent / 10)
    assert found == pages(p_oracle=percent / 100, **options), "the same seed lays the same desks"
    more = has_golden(pages(p_oracle=min(1, percent / 100 + 0.3), **options))
    assert all(after for before, after in zip(golden, more) if before), "a larger P keeps those of a smaller"
    if not hard:
        others = [(p.source, q) for q, shown in found.items() for p in shown if p != GOLDEN[q][0]]
        assert all(source.capitalize() not in question for source, question in others), "of other documents"


def test_hard_distractors_are_what_the_retriever_ranks_best_and_others_are_not():
    hard, easy = (pages(distractors=2, p_oracle=1, hard=hard) for hard in (True, False))
    assert {p.id for p in hard["What pays Town5?"]} == {"town5/0", "town5/1", "town4/1"}
    assert hard != easy


def test_the_golden_passage_lies_anywhere_and_another_seed_lays_another_desk():
    places = {[p.id for p in shown].index(GOLDEN[q][0].id) for q, shown in pages(distractors=2, p_oracle=1).items()}
    assert places == {0, 1, 2}
    assert pages(seed=1) != pages(seed=2)
    assert has_golden(pages(seed=1, p_oracle=0.5)) != has_golden(pages(seed=2, p_oracle=0.5))


def test_what_a_search_does_not_find_is_drawn_from_other_documents():
    class Finds(Towns):
        def _find(self, queries, k, where):
            return [found[:1] for found in super()._find(queries, k, where)]

    for i, shown in enumerate(raft_pages(QUESTIONS, Finds(), GOLDEN, 3, 1).values()):
        assert len({p.id for p in shown}) == 4
        assert {p.id for p in shown if p.source == f"town{i}"} == {f"town{i}/0", f"town{i}/1"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"p_oracle": 1.2}, "p_oracle is 1.2"),
        ({"p_oracle": -1}, "a share"),
        ({"distractors": -1}, "0 or more"),
        ({"distractors": 40}, "40 distractors: there are"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, said):
    with pytest.raises(CourseError, match=said):
        pages(**options)


# Examples


def completions(**options):
    rows = build_raft_examples(QUESTIONS, Towns(), **options)
    return [row["completion"][-1]["content"] for row in rows]


@pytest.mark.parametrize(
    ("options", "completion"),
    [
        ({}, "##begin_quote## Town3 pays 30 crowns. ##end_quote##\n##Answer: 30 crowns"),
        ({"reasoning": False}, "30 crowns"),
        # where the golden passage is withheld, the paper answers all the same
        ({"p_oracle": 0}, "##begin_quote## Town3 pays 30 crowns. ##end_quote##\n##Answer: 30 crowns"),
        ({"p_oracle": 0, "absent": "unknown"}, f"##Answer: {raft.NOT_SAID}"),
        ({"p_oracle": 0, "absent": "unknown", "reasoning": False}, raft.NOT_SAID),
    ],
    ids=str,
)
def test_an_example_quotes_its_passage_between_the_papers_marks_and_then_answers(options, completion):
    assert completions(**options)[3] == completion


def test_what_is_trained_is_the_very_prompt_of_rag(recording_model):
    rows = build_raft_examples(QUESTIONS, Towns(), distractors=3, p_oracle=1)
    shown = pages(distractors=3, p_oracle=1)
    for row, question in zip(rows, QUESTIONS):
        assert row["prompt"][-1]["content"] == reading_prompt(question.question, shown[question.question])
    RagPipeline(recording_model, Towns(), k=4).answer([QUESTIONS[3].question])
    asked, trained = recording_model.prompts[0], rows[3]["prompt"][-1]["content"]
    assert asked.split("\n\n")[-1] == trained.split("\n\n")[-1]
    assert sorted(asked.split("\n\n")) == sorted(trained.split("\n\n"))


def test_the_arm_that_learns_form_only_sees_the_golden_passage_alone():
    rows = build_raft_examples(QUESTIONS, Towns(), distractors=0, p_oracle=1)
    assert rows[3]["prompt"][-1]["content"] == reading_prompt("What pays Town3?", [passage(3, 0)])


def test_it_can_be_taught_to_say_that_the_passages_do_not_say_it():
    without = completions(p_oracle=0.5, absent="unknown")
    assert [raft.NOT_SAID not in text for text in without] == has_golden(pages(p_oracle=0.5))
    assert grade(split_reply(completions(p_oracle=0, absent="unknown")[3]).answer, ["30 crowns"]) == "unknown"


def test_another_way_to_treat_what_is_absent_and_a_shelf_that_lacks_a_page_are_refused():
    with pytest.raises(ChoiceError, match="absent 'refuse' is not one of answer, unknown"):
        completions(absent="refuse")
    with pytest.raises(CourseError, match=r"no passage holds the fact town4\.1"):
        build_raft_examples(QUESTIONS, Towns(4))


# Nothing that is examined


@pytest.fixture(scope="module")
def library():
    """Both shelves over the real library: what is on them is not a matter of meaning."""
    index = Index(BagOfWordsEmbedder(), FaissStore())
    index.add(*read_documents("data/library"))
    return shelves.study_shelf(index), shelves.exam_shelf(index)


@pytest.mark.parametrize("options", [{}, {"hard": False}, {"distractors": 0, "p_oracle": 1}], ids=str)
def test_no_passage_feeds_both_training_and_exam(library, options):
    study, exam_side = library
    questions = shelves.reading_questions(120)
    rows = build_raft_examples(questions, study, **options)
    exams = (shelves.editions_exam(), shelves.plain_exam())
    check_no_leak(rows, *exams, reading=True, sources=[q.source for q in questions])
    examined = [p.text for p in exam_side.passages()]
    trained = "\n".join(row["prompt"][-1]["content"] for row in rows)
    assert [text for text in examined if text in trained] == []


def test_a_distractor_out_of_an_examined_document_would_be_found(library):
    study, exam_side = library
    exam = shelves.editions_exam()
    stated = next(
        p for p in exam_side.passages() if p.source == exam.facts[0].source and exam.facts[0].sentence in p.text
    )
    study.store.add([stated], study.embedder.encode([stated.searched]), [""])
    rows = build_raft_examples(shelves.reading_questions(3), study, distractors=len(study.passages()) - 2)
    study.store.delete([stated.source])
    with pytest.raises(LeakError):
        check_no_leak(rows, exam, reading=True)


# The reply


@pytest.mark.parametrize(
    ("reply", "quote", "answer"),
    [
        (reasoned_answer("It pays 30.", "30 crowns"), "It pays 30.", "30 crowns"),
        ("##begin_quote##It pays\n30.##end_quote####Answer:30", "It pays\n30.", "30"),
        ("It says: ##begin_quote## It pays 30. ##end_quote## So 30.", "It pays 30.", "So 30."),
        ("##begin_quote## It pays 30 and was cut", "It pays 30 and was cut", ""),
        ("##begin_quote## It pays 30. ##Answer: 30", "It pays 30.", "30"),
        ("##Answer: 30", "", "30"),
        ("  30 crowns ", "", "30 crowns"),
        ("", "", ""),
    ],
)
def test_quote_and_answer_are_told_apart(reply, quote, answer):
    assert (split_reply(reply).quote, split_reply(reply).answer) == (quote, answer)

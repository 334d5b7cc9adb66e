"""What `results_06.py` measures with, on little: students, and what is kept of them."""

from dataclasses import replace
from functools import partial

import pytest
import results_06
from lesson_06 import reading_bench
from lesson_06.reading_bench import Bench, Plan, Reasoner
from shared.students import Students

from course_lib.core.chat import Answer
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Fact, Question
from course_lib.retrieval import raft
from course_lib.retrieval.documents import Document
from course_lib.retrieval.index import Index
from course_lib.retrieval.readers import RagPipeline
from course_lib.retrieval.stores import FaissStore

TOWNS = [f"town{i}-20{y}" for i in range(3) for y in (39, 42)]
FACTS = tuple(
    Fact(f"{t}.1", "test", t, "notice", f"The {t} pays {i}7 crowns.", f"{i}7 crowns", (), (), (), (f"What pays {t}?",))
    for i, t in enumerate(TOWNS)
)


def exam_of(facts):
    return Exam(
        "towns", tuple(Question(f.id, f.exam[0], f.answer, (), f.source, f.id) for f in facts), facts=tuple(facts)
    )


class Trained:
    """Stands in for a fine-tuned ChatModel that answers from its prompt's first figure."""

    name = "student"

    class training:
        seconds, tokens, losses = 1.5, 300, ((1, 2.0),)

    def reply(self, prompts, max_new_tokens=64):
        asked = [p if isinstance(p, str) else p[-1]["content"] for p in prompts]
        return [Answer(" ".join(p.partition(" pays ")[2].split()[:2]), 10, 2) for p in asked]

    def answer(self, questions):
        return self.reply(questions)


@pytest.fixture
def bench(monkeypatch, kept_here, small_embedder):
    """A bench over six towns, whose models are made of nothing; `trained` says which were."""
    made = Bench.__new__(Bench)
    made.students, made.trained = Students(most=2), []
    made.gp = Trained()
    index = Index(small_embedder, FaissStore())
    index.add(*(Document(f.source, f.source, f"{f.sentence} It always did so.") for f in FACTS))
    made.index = made.study = made.shelf = index
    made.exam = exam_of(FACTS)

    def finetune(model, rows, name, **recipe):
        made.trained.append((name, recipe))
        return Trained()

    monkeypatch.setattr(reading_bench.cl, "finetune", finetune, raising=False)
    monkeypatch.setattr(reading_bench.cl, "check_no_leak", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(reading_bench.shelves, "reading_questions", lambda n, seed: made.exam, raising=False)
    return made


def test_a_student_is_trained_when_first_needed_and_its_report_is_kept(bench):
    plan = Plan("RAFT")
    first = bench.rag(plan)
    assert [name for name, _ in bench.trained] == ["RAFT-seed-0"]
    bench.students.clear()
    assert bench.rag(plan) == first and len(bench.trained) == 1, "kept: nothing is trained again"
    assert bench.training(plan)["tokens"] == 300 and len(bench.trained) == 1
    bench.rag(Plan("RAFT", p_oracle=0.4))
    assert len(bench.trained) == 2, "another plan"


def test_a_students_own_recipe_goes_before_the_lessons(bench):
    bench.student(Plan("slow", recipe={"learning_rate": 1e-5}, seed=3))
    ((_, recipe),) = bench.trained
    assert recipe == {**reading_bench.RECIPE, "learning_rate": 1e-5, "seed": 3, "from_shelf": True}


def test_a_student_that_reasons_is_heard_without_its_reasons(bench):
    assert isinstance(bench.student(Plan("RAFT", reasoning=True)), Reasoner)
    assert isinstance(bench.student(Plan("RAFT direct")), Trained)


class Quotes:
    name = "quoting"

    def __init__(self):
        self.limits = []

    def reply(self, prompts, max_new_tokens=64):
        self.limits.append(max_new_tokens)
        return [Answer(raft.reasoned_answer(f"{prompt[:5]} pays 30.", "30"), 7, 9, 0.5) for prompt in prompts]


def test_a_reasoners_answers_come_without_reasons_cost_what_they_cost_and_have_room_for_the_quotation(bench):
    model = Quotes()
    reader = Reasoner(model)
    assert reader.reply(["Town3 asks"], 200) == [Answer("30", 7, 9, 0.5)]
    assert reader.name == "quoting"
    RagPipeline(reader, bench.index, k=2).answer(["What pays Town3?"])
    assert model.limits == [200, reading_bench.REASONED_TOKENS]


def test_one_that_is_shown_an_example_reads_it_with_its_pages_before_the_question(bench, recording_model):
    bench.gp = recording_model
    report = bench.shown(Plan("RAFT", distractors=1, p_oracle=1.0))
    (first, *_), shown = recording_model.prompts, bench.examples(Plan("RAFT", distractors=1, p_oracle=1.0))[0]
    assert first[:2] == [shown["prompt"][-1], shown["completion"][-1]] and "Copy the answer" in first[0]["content"]
    assert len(first) == 3 and report.rows[0].question in first[2]["content"] and report.rows[0].sources


def test_what_an_untaught_model_says_is_left_as_it_is(recording_model):
    assert Reasoner(recording_model).answer(["Who?"])[0].text == "reply 0"


def test_every_arm_is_trained_in_the_prompt_it_is_examined_in_but_for_the_closed_book(bench):
    bench.exam = exam_of(FACTS[:4])
    open_book = bench.examples(Plan("RAFT", distractors=1, p_oracle=1.0))
    closed = bench.examples(Plan("DSF", closed=True))
    assert all("Copy the answer" in row["prompt"][-1]["content"] for row in open_book)
    assert [row["prompt"][-1]["content"] for row in closed] == [q.question for q in bench.exam]


def test_the_shelves_of_the_lesson_cannot_leak(bench, monkeypatch):
    called = []
    monkeypatch.setattr(reading_bench.cl, "check_no_leak", lambda rows, *exams, **how: called.append(how))
    bench.examples(Plan("RAFT", distractors=1))
    assert called[0]["reading"] and set(called[0]["sources"]) == set(TOWNS)


def test_a_student_who_may_not_know_has_been_shown_that_a_page_can_be_missing():
    assert results_06.HONEST.absent == "unknown" and 0 < results_06.HONEST.p_oracle < 1


def test_a_wrong_answer_is_told_from_the_other_edition_only_if_it_is_of_another_document_of_that_name(bench):
    page = Document(
        "town0-2039", "town0-2039", "The town0-2039 pays 07 crowns. " + "It always did so. " * 60 + "Bells: 99."
    )
    others = [Document(f.source, f.source, f"{f.sentence} It always did so.") for f in FACTS[1:]]
    bench.index = bench.shelf = index = Index(bench.index.embedder, FaissStore())
    index.add(page, *others)
    bench.exam = exam_of(FACTS[:1])
    shown = index.passages()
    assert sum(passage.source == page.id for passage in shown) > 1, "a document of several passages"

    def told(reply):
        answers = lambda _: [Answer(reply, 10, 2, sources=tuple(shown))]  # noqa: E731
        found = results_06._told_from(bench, [evaluate(answers, bench.exam, "told")])
        return next(kind for kind, share in found.items() if share)

    assert told("07 crowns") == "right" and told("17 crowns") == "the other edition"
    assert told("27 crowns") == "another page" and told("Bells: 99") == "another page" and told("xyz") == "no page"


@pytest.mark.parametrize("part", ["plain", "years", "distractors", "hard"])
def test_a_part_is_measured_from_kept_reports_alone_the_second_time(bench, monkeypatch, part):
    bench.short = bench.exam
    monkeypatch.setattr(results_06, "DIRECT", replace(results_06.DIRECT, distractors=1))
    monkeypatch.setattr(results_06.shelves, "plain_exam", lambda: bench.exam, raising=False)
    monkeypatch.setattr(results_06.cl, "load_exam", lambda _: bench.exam, raising=False)
    measure = partial(results_06.PARTS[part], bench, [0])
    first = measure()
    trained = len(bench.trained)
    assert trained > 0
    bench.students.clear()
    assert measure() == first and len(bench.trained) == trained


def test_the_arms_are_paired_on_the_same_questions(bench):
    found = results_06.arms(bench, [0, 1])
    assert set(found["arms"]) >= {"base", "base + RAG", "DSF", "DSF + RAG", "form only + RAG", "RAFT + RAG"}
    assert found["arms"]["RAFT + RAG"]["n"] == 6 and found["arms"]["base"]["n"] == 6
    assert "RAFT without reasoning + RAG minus form only without reasoning + RAG" in found["differences"]
    assert {name.rpartition("-seed-")[0] for name, _ in bench.trained} == {
        "RAFT", "RAFT-without-reasoning", "form-only", "form-only-without-reasoning", "DSF",
    }  # fmt: skip

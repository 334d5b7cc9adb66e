"""What is put before the model, and what comes back with the answer."""

import pytest

from course_lib.core.errors import CourseError
from course_lib.evaluation.exams import Exam, Fact, Question
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.index import build_index
from course_lib.retrieval.readers import READING_INSTRUCTION, OpenBook, RagPipeline, golden_passages, reading_prompt

GEESE = Passage("corrin/0", "Corrin keeps eleven geese.", "corrin")
KETTLES = Passage("larkspit/0", "Larkspit mends kettles.", "larkspit")


@pytest.fixture
def model(recording_model):
    return recording_model


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "corrin.md").write_text("# Corrin\n\nCorrin keeps eleven\ngeese. They bite.\n\nThe mill is shut.")
    (folder / "larkspit.md").write_text("---\nid: larkspit\naudience: staff\n---\nLarkspit mends copper kettles.")
    (folder / "kelmarsh.md").write_text("Kelmarsh paints its gates green.")
    return folder


@pytest.fixture
def index(library, small_embedder):
    return build_index(library, passage_tokens=8)


def fact(id, source, sentence):
    return Fact(id, "test", source, "notice", sentence, "eleven", (), (), (), ())


def exam_of(*questions, facts):
    return Exam("towns", questions, facts=facts)


# The prompt


def test_passages_come_first_then_the_instruction_and_last_the_question():
    prompt = reading_prompt("How many geese?", [GEESE, KETTLES])
    assert prompt == (
        f"Corrin keeps eleven geese.\n\nLarkspit mends kettles.\n\n{READING_INSTRUCTION}\nQuestion: How many geese?"
    )


def test_with_no_passage_the_prompt_is_the_question_alone():
    assert reading_prompt("How many geese?", []) == "How many geese?"


def test_the_instruction_can_be_another():
    assert "\n\nQuote.\nQuestion: " in reading_prompt("How many geese?", [GEESE], "Quote.")


# Open book


def test_each_question_is_asked_with_its_own_page_open(model):
    pages = {"How many geese?": [GEESE], "Who mends?": (KETTLES, GEESE)}
    answers = OpenBook(model, pages).answer(["Who mends?", "How many geese?"])
    assert model.prompts == [
        reading_prompt("Who mends?", [KETTLES, GEESE]),
        reading_prompt("How many geese?", [GEESE]),
    ]
    assert [answer.sources for answer in answers] == [(KETTLES, GEESE), (GEESE,)]
    assert (answers[0].text, answers[0].prompt_tokens, answers[0].seconds) == ("reply 0", 10, 0.5)


def test_a_question_without_a_page_is_named_before_anything_is_asked(model):
    with pytest.raises(CourseError, match="no page is given for the question 'Who mends"):
        OpenBook(model, {"How many geese?": [GEESE]}).answer(["How many geese?", "Who mends?"])
    assert model.prompts == []


def test_the_open_book_takes_an_instruction_of_its_own(model):
    OpenBook(model, {"How many geese?": [GEESE]}, instruction="Quote.").answer(["How many geese?"])
    assert model.prompts[0].endswith("Quote.\nQuestion: How many geese?")


# Retrieval-augmented generation


def test_rag_reads_what_it_found_and_cites_it_best_first(model, index):
    questions = ["How many geese does Corrin keep?", "Who mends copper kettles?"]
    answers = RagPipeline(model, index, k=2).answer(questions)
    for question, prompt, answer in zip(questions, model.prompts, answers):
        assert list(answer.sources) == index.search(question, 2)
        assert prompt == reading_prompt(question, answer.sources, READING_INSTRUCTION)
        assert answer.sources[0].score >= answer.sources[1].score
    assert [answer.sources[0].source for answer in answers] == ["corrin", "larkspit"]


@pytest.mark.parametrize("k", [1, 3])
def test_k_passages_are_put_in_the_prompt(k, model, index):
    answer = RagPipeline(model, index, k=k).ask("How many geese does Corrin keep?")
    assert len(answer.sources) == k
    assert sum(passage.text in model.prompts[0] for passage in index.passages()) == k


def test_four_passages_are_read_unless_said_otherwise(model, index):
    assert len(RagPipeline(model, index).ask("Who paints gates green?").sources) == 4


def test_rag_shows_nobody_a_passage_outside_its_filter(model, index):
    public = RagPipeline(model, index, k=4, where={"audience": "public"})
    answer = public.ask("Who mends copper kettles?")
    assert len(answer.sources) > 1
    assert "larkspit" not in {passage.source for passage in answer.sources}
    assert "copper kettles." not in model.prompts[0]


def test_a_filter_that_lets_nothing_through_leaves_the_question_alone(model, index):
    answer = RagPipeline(model, index, where={"audience": "nobody"}).ask("Who mends copper kettles?")
    assert (model.prompts, answer.sources) == (["Who mends copper kettles?"], ())


def test_the_time_of_searching_is_part_of_an_answers_time(model, index, monkeypatch):
    import time

    clock = iter([100.0, 103.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    answers = RagPipeline(model, index).answer(["Who mends?", "How many geese?"])
    assert [answer.seconds for answer in answers] == [0.5 + 1.5] * 2


@pytest.mark.parametrize(("k", "question"), [(0, "Who mends?"), (2, " "), (2, "geese " * 2000)])
def test_bad_questions_and_k_are_refused_before_the_model_is_asked(k, question, model, index):
    with pytest.raises(CourseError):
        RagPipeline(model, index, k=k).ask(question)
    assert model.prompts == []


def test_rag_asked_nothing_answers_nothing(model, index):
    assert RagPipeline(model, index).answer([]) == []


def test_a_removed_document_is_read_to_the_model_no_more(model, index):
    rag = RagPipeline(model, index, k=4)
    assert "corrin" in {p.source for p in rag.ask("How many geese?").sources}
    index.remove("corrin")
    assert "corrin" not in {p.source for p in rag.ask("How many geese?").sources}


def test_rag_asks_a_real_chat_model(tiny_model, index):
    answer = RagPipeline(tiny_model, index, k=2).ask("How many geese?", max_new_tokens=3)
    assert len(answer.sources) == 2
    assert answer.prompt_tokens == len(tiny_model.encode(reading_prompt("How many geese?", answer.sources)))
    assert 1 <= answer.completion_tokens <= 3


# Golden passages

GEESE_FACT = fact("corrin.0", "corrin", "Corrin keeps eleven geese.")
GEESE_QUESTION = Question("corrin.0.e0", "How many geese?", "eleven", source="corrin", fact="corrin.0")


def test_the_golden_passage_is_the_one_that_holds_the_sentence_however_it_is_wrapped(index):
    mill = Question("corrin.1.e0", "Is the mill open?", "no", source="corrin", fact="corrin.1")
    exam = exam_of(GEESE_QUESTION, mill, facts=(GEESE_FACT, fact("corrin.1", "corrin", "The mill is shut.")))
    pages = golden_passages(exam, index)
    assert {question: [p.text for p in found] for question, found in pages.items()} == {
        "How many geese?": ["# Corrin\nCorrin keeps eleven\ngeese. They bite."],
        "Is the mill open?": ["The mill is shut."],
    }


def test_the_same_sentence_in_another_document_is_not_golden(index):
    index.add(Document("aaa", "aaa", "Corrin keeps eleven geese."))
    (page,) = golden_passages(exam_of(GEESE_QUESTION, facts=(GEESE_FACT,)), index)["How many geese?"]
    assert page.source == "corrin"


def test_golden_passages_open_the_book_at_the_right_page(model, index):
    pages = golden_passages(exam_of(GEESE_QUESTION, facts=(GEESE_FACT,)), index)
    (answer,) = OpenBook(model, pages).answer(["How many geese?"])
    assert answer.sources[0].source == "corrin"


def test_an_index_without_the_page_says_so(index):
    index.remove("corrin")
    with pytest.raises(CourseError, match=r"no passage holds the fact corrin\.0: build the index over the whole"):
        golden_passages(exam_of(GEESE_QUESTION, facts=(GEESE_FACT,)), index)


def test_a_question_of_common_knowledge_has_no_page(index):
    rome = Question("general.1", "Capital of Italy?", "Rome")
    with pytest.raises(CourseError, match=r"question general\.1 of the exam 'towns' is of no document"):
        golden_passages(exam_of(rome, facts=()), index)

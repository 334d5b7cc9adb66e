"""What is put before the model, and what comes back with the answer."""

import time

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, DataError
from course_lib.evaluation.exams import Exam, Fact, Question
from course_lib.retrieval.documents import Document, Passage
from course_lib.retrieval.readers import (
    READING_INSTRUCTION,
    FewShot,
    Instructed,
    OpenBook,
    RagPipeline,
    golden_passages,
    reading_prompt,
)

GEESE = Passage("corrin/0", "Corrin keeps eleven geese.", "corrin")
KETTLES = Passage("larkspit/0", "Larkspit mends kettles.", "larkspit")
DOCUMENTS = [
    Document("corrin", "corrin", "# Corrin\n\nCorrin keeps eleven\ngeese. They bite.\n\nThe mill is shut."),
    Document("larkspit", "larkspit", "Larkspit mends copper kettles.", audience="staff"),
    Document("kelmarsh", "kelmarsh", "Kelmarsh paints its gates green."),
]


def chat(*turns):
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(turns)]


@pytest.fixture
def model(recording_model):
    return recording_model


@pytest.fixture
def index(index_of):
    return index_of(*DOCUMENTS, passage_tokens=8)


# Told and shown

SHOWN = [example("Capital of Italy?", "Rome"), example("Two and two?", "Four")]
TURNS = ["Capital of Italy?", "Rome", "Two and two?", "Four"]


@pytest.mark.parametrize(
    ("reader", "prompts"),
    [
        (lambda model: Instructed(model, "One word."), ["One word.\n\nWho?", "One word.\n\nWhy?"]),
        (lambda model: FewShot(model, SHOWN), [chat(*TURNS, "Who?"), chat(*TURNS, "Why?")]),
        (lambda model: FewShot(model, []), [chat("Who?"), chat("Why?")]),
    ],
)
def test_an_instruction_stands_above_each_question_and_examples_are_turns_before_it(reader, prompts, model):
    answers = reader(model).answer(["Who?", "Why?"], max_new_tokens=5)
    assert model.prompts == prompts
    assert [answer.text for answer in answers] == ["reply 0", "reply 1"]
    assert model.limits == [5]


@pytest.mark.parametrize(
    "reader",
    [
        lambda model, index: FewShot(model, (row for row in SHOWN)),
        lambda model, index: Instructed(model, "Answer."),
        lambda model, index: OpenBook(model, {"Who?": [], "Why?": []}),
        lambda model, index: RagPipeline(model, index, k=1),
    ],
    ids=["examples", "instruction", "pages", "search"],
)
def test_a_generator_is_read_as_a_list_is_also_when_it_is_asked_again(reader, model, index):
    made = reader(model, index)
    for _ in range(2):
        assert len(made.answer(question for question in ["Who?", "Why?"])) == 2
    assert model.prompts[:2] == model.prompts[2:] and len(model.prompts) == 4
    with pytest.raises(CourseError, match="questions are a list, not str"):  # whose letters would be asked
        made.answer("Who?")


def test_examples_with_other_roles_are_not_shown(model):
    with pytest.raises(DataError, match=r"example 1: prompt .* role 'human'"):
        FewShot(model, [SHOWN[0], {"prompt": [{"role": "human", "content": "?"}], "completion": []}])


@pytest.mark.parametrize("nothing", ["", "  \n"])
def test_an_empty_instruction_is_refused_before_anything_is_asked(nothing, model):
    with pytest.raises(CourseError, match="instruction is empty"):
        Instructed(model, nothing).answer(["Who?"])
    assert model.prompts == []


# The prompt of the open book


@pytest.mark.parametrize(
    ("passages", "instruction", "prompt"),
    [
        (
            [GEESE, KETTLES],
            READING_INSTRUCTION,
            f"Corrin keeps eleven geese.\n\nLarkspit mends kettles.\n\n{READING_INSTRUCTION}\nQuestion: How many?",
        ),
        ([GEESE], "Quote.", "Corrin keeps eleven geese.\n\nQuote.\nQuestion: How many?"),
        ([], READING_INSTRUCTION, "How many?"),
    ],
)
def test_passages_come_first_then_the_instruction_and_last_the_question(passages, instruction, prompt):
    assert reading_prompt("How many?", passages, instruction) == prompt


@pytest.mark.parametrize("instruction", [READING_INSTRUCTION, "Quote."])
def test_each_question_is_asked_with_its_own_page_open(instruction, model):
    pages = {"How many geese?": [GEESE], "Who mends?": (KETTLES, GEESE)}
    answers = OpenBook(model, pages, instruction).answer(["Who mends?", "How many geese?"])
    assert model.prompts == [
        reading_prompt("Who mends?", [KETTLES, GEESE], instruction),
        reading_prompt("How many geese?", [GEESE], instruction),
    ]
    assert [answer.sources for answer in answers] == [(KETTLES, GEESE), (GEESE,)]
    assert (answers[0].text, answers[0].prompt_tokens, answers[0].seconds) == ("reply 0", 10, 0.5)


def test_a_question_without_a_page_is_named_before_anything_is_asked(model):
    with pytest.raises(CourseError, match="no page is given for the question 'Who mends"):
        OpenBook(model, {"How many geese?": [GEESE]}).answer(["How many geese?", "Who mends?"])
    assert model.prompts == []


# Retrieval-augmented generation


def test_rag_reads_what_it_found_and_cites_it_best_first(model, index):
    questions = ["How many geese does Corrin keep?", "Who mends copper kettles?"]
    answers = RagPipeline(model, index, k=2).answer(questions)
    for question, prompt, answer in zip(questions, model.prompts, answers):
        assert list(answer.sources) == index.search(question, 2)
        assert prompt == reading_prompt(question, answer.sources, READING_INSTRUCTION)
        assert answer.sources[0].score >= answer.sources[1].score
    assert [answer.sources[0].source for answer in answers] == ["corrin", "larkspit"]


@pytest.mark.parametrize(("options", "k"), [({"k": 1}, 1), ({"k": 3}, 3), ({}, 4)])
def test_k_passages_are_put_in_the_prompt_and_four_unless_said_otherwise(options, k, model, index):
    answer = RagPipeline(model, index, **options).ask("How many geese does Corrin keep?")
    assert len(answer.sources) == k
    assert sum(passage.text in model.prompts[0] for passage in index.passages()) == k


def test_rag_shows_nobody_a_passage_outside_its_filter_and_may_be_left_with_the_question_alone(model, index):
    public, none = (
        RagPipeline(model, index, where={"audience": audience}).ask("Who mends copper kettles?")
        for audience in ("public", "nobody")
    )
    assert {passage.source for passage in public.sources} == {"corrin", "kelmarsh"}
    assert "copper kettles." not in model.prompts[0]
    assert (model.prompts[1], none.sources) == ("Who mends copper kettles?", ())


def test_the_time_of_searching_is_part_of_an_answers_time(model, index, monkeypatch):
    clock = iter([100.0, 103.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    answers = RagPipeline(model, index).answer(["Who mends?", "How many geese?"])
    assert [answer.seconds for answer in answers] == [0.5 + 1.5] * 2


@pytest.mark.parametrize(("k", "question"), [(0, "Who mends?"), (2, " "), (2, "geese " * 2000)])
def test_bad_questions_and_k_are_refused_before_the_model_is_asked(k, question, model, index):
    with pytest.raises(CourseError):
        RagPipeline(model, index, k=k).ask(question)
    assert model.prompts == []


def test_a_removed_document_is_read_to_the_model_no_more(model, index):
    rag = RagPipeline(model, index, k=4)
    assert rag.answer([]) == []
    assert "corrin" in {p.source for p in rag.ask("How many geese?").sources}
    index.remove("corrin")
    assert "corrin" not in {p.source for p in rag.ask("How many geese?").sources}


def test_a_real_chat_model_reads_what_is_put_before_it(tiny_model, index):
    answer = RagPipeline(tiny_model, index, k=2).ask("How many geese?", max_new_tokens=3)
    assert len(answer.sources) == 2
    assert answer.prompt_tokens == len(tiny_model.encode(reading_prompt("How many geese?", answer.sources)))
    assert 1 <= answer.completion_tokens <= 3
    (shown,) = FewShot(tiny_model, [example("Capital of Italy?", "Rome")]).answer(["Who?"], max_new_tokens=3)
    assert shown.prompt_tokens > len(tiny_model.encode("Who?"))


# Golden passages


def asked(id, question, sentence, source="corrin"):
    """A question of one document, with the fact that it asks for."""
    fact = Fact(id, "test", source, "notice", sentence, "eleven", (), (), (), ())
    return Question(f"{id}.e0", question, "eleven", source=source, fact=id), fact


GEESE_ASKED = asked("corrin.0", "How many geese?", "Corrin keeps eleven geese.")
MILL_ASKED = asked("corrin.1", "Is the mill open?", "The mill is shut.")


def exam_of(*pairs):
    questions, facts = zip(*pairs)
    return Exam("towns", questions, facts=facts)


def test_the_golden_passage_is_the_one_that_holds_the_sentence_however_it_is_wrapped(model, index):
    pages = golden_passages(exam_of(GEESE_ASKED, MILL_ASKED), index)
    assert {question: [p.text for p in found] for question, found in pages.items()} == {
        "How many geese?": ["# Corrin\nCorrin keeps eleven\ngeese. They bite."],
        "Is the mill open?": ["The mill is shut."],
    }
    (answer,) = OpenBook(model, pages).answer(["How many geese?"])
    assert answer.sources[0].source == "corrin"


def test_only_the_questions_own_document_holds_its_page_and_what_has_none_is_named(index):
    index.add(Document("aaa", "aaa", "Corrin keeps eleven geese."))
    (page,) = golden_passages(exam_of(GEESE_ASKED), index)["How many geese?"]
    assert page.source == "corrin"
    index.remove("corrin")
    with pytest.raises(CourseError, match=r"no passage holds the fact corrin\.0: build the index over the whole"):
        golden_passages(exam_of(GEESE_ASKED), index)
    with pytest.raises(CourseError, match=r"question general\.1 of the exam 'towns' is of no document"):
        golden_passages(Exam("towns", (Question("general.1", "Capital of Italy?", "Rome"),)), index)

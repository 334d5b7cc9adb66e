"""Students of three sizes before the lessons' exams: what is kept under which name, and chosen by what."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sizes
from shared.keeping import measured
from stand_ins import BagOfWordsEmbedder
from three_sizes import books, heart, knowledge, letters, planning, queries, reading, sitting
from three_sizes.planning import Counter, Planned
from three_sizes.sitting import LARGE, MIDDLE, SMALL, Sitting, Study

import course_lib as cl
from course_lib.core.chat import SYSTEM, Answer
from course_lib.core.errors import CourseError, LeakError
from course_lib.core.session import adapters_dir
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Question, load_exam
from course_lib.lessons import shelves, tickets
from course_lib.lessons.sql.task import FRONT_DESK, load_sql
from course_lib.models.students import STUDENTS
from course_lib.retrieval.documents import read_documents
from course_lib.retrieval.index import Index
from course_lib.retrieval.stores import FaissStore

EXAM = Exam(
    "towns", tuple(Question(f"q{i}", f"What pays {i}?", f"{i}7 crowns", (), f"d{i}", f"d{i}.1") for i in range(4))
)


class Model:
    """Gives the first so many of the right answers."""

    def __init__(self, good=4, exactly=True):
        self.good, self.exactly = good, exactly

    def answer(self, questions):
        right = {q.question: q.answer if self.exactly else f"It is {q.answer}." for q in EXAM}
        return [right[q] if i < self.good else "no" for i, q in enumerate(questions)]


@pytest.fixture
def loaded(monkeypatch, kept_here):
    """Models are made of nothing; what was loaded and trained, in order."""
    made = []
    monkeypatch.setattr(sitting.cl, "load_model", lambda name: made.append(name) or Model(), raising=False)

    def finetune(model, rows, name, seed, from_shelf, **recipe):
        made.append((name, len(rows), seed))
        # a small rate learns more here
        tuned = Model(4 if recipe["learning_rate"] < 1e-3 else 1)
        tuned.training = SimpleNamespace(seconds=1.0, tokens=9, trainable=3)
        return tuned

    monkeypatch.setattr(sitting.cl, "finetune", finetune, raising=False)
    sitting.BASES.clear()
    sitting.TRAINED.clear()
    yield made
    sitting.BASES.clear()
    sitting.TRAINED.clear()


def study(recipe, seed=0):
    return Study("crammed", 4, lambda: [{}] * 4, recipe, seed)


def test_a_report_is_named_by_lesson_exam_student_and_arm_and_asked_for_once(loaded):
    student = Sitting(MIDDLE)
    first = student.sits("02", "right page", EXAM, lambda model: model, instruction="Copy it.")
    assert first.accuracy == 1 and loaded == [MIDDLE]
    found = measured("sizes")
    assert set(found) == {f"02/towns/{MIDDLE}/right page{end}" for end in ("", "/machine")}
    settings = found[f"02/towns/{MIDDLE}/right page"].settings
    assert settings == {
        "lesson": "02", "arm": "right page", "student": STUDENTS[MIDDLE].base, "n": 4, "instruction": "Copy it.",
    }  # fmt: skip
    sitting.BASES.clear()
    assert Sitting(MIDDLE).sits("02", "right page", EXAM, lambda model: 1 / 0, instruction="Copy it.") == first
    assert loaded == [MIDDLE], "kept: no model is loaded again"
    student.sits("02", "right page", EXAM, lambda model: Model(2), instruction="Read it.")
    assert measured("sizes")[f"02/towns/{MIDDLE}/right page"].report.accuracy == 0.5, "other settings, another report"


def test_an_exam_that_asks_something_else_is_sat_again_and_what_was_noted_of_the_old_sitting_is_forgotten(loaded):
    student = Sitting(SMALL)
    student.sits("02", "closed book", EXAM, lambda model: model)
    student.notes("02", "closed book", "towns", "obeyed", lambda: {"obeyed": 1})
    other = replace(EXAM, test=tuple(replace(q, answer=f"{q.answer} in all") for q in EXAM))
    assert student.sits("02", "closed book", other, lambda model: model).accuracy == 0
    assert set(measured("sizes")) == {f"02/towns/{SMALL}/closed book{end}" for end in ("", "/machine")}


def test_what_was_kept_before_a_fault_stays(loaded):
    student = Sitting(SMALL)
    student.sits("02", "closed book", EXAM, lambda model: model)
    with pytest.raises(ZeroDivisionError):
        student.sits("02", "right page", EXAM, lambda model: 1 / 0)
    assert f"02/towns/{SMALL}/closed book" in measured("sizes")


def test_a_name_with_a_slash_in_a_part_is_refused(loaded):
    with pytest.raises(CourseError, match="'3/4 of it' has a slash"):
        Sitting(SMALL).sits("02", "3/4 of it", EXAM, lambda model: model)


def test_a_trained_student_has_its_seed_in_its_name_and_is_trained_once(loaded):
    trained = Sitting(SMALL).trained(study({"learning_rate": 1e-4}, 3))
    for arm in ("by heart", "again"):
        trained.sits("02", arm, EXAM, lambda model: model)
    kept = measured("sizes")[f"02/towns/{SMALL}/by heart/seed 3"]
    assert kept.settings["recipe"] == {"learning_rate": 1e-4} and kept.settings["seed"] == 3
    assert loaded == [SMALL, (f"{SMALL}, crammed, rate 0.0001, seed 3", 4, 3)]
    noted = measured("sizes")[f"training/{SMALL}/crammed, rate 0.0001/seed 3"]
    assert json.loads(noted.data) == {"seconds": 1.0, "tokens": 9, "trainable": 3}


def test_the_kept_file_reads_back_as_stored_arms_with_their_seeds_and_words_alone_last(loaded, monkeypatch, kept_here):
    monkeypatch.setenv("COURSE_DATA", str(kept_here.parent))
    Sitting("words alone").keeps(
        "02", "TF-IDF", "towns", sitting.asked_in(EXAM), lambda: evaluate(Model(1), EXAM, "TF-IDF")
    )
    for seed in (0, 1):
        Sitting(SMALL).trained(study({"learning_rate": 1e-4}, seed)).sits("02", "by heart", EXAM, lambda model: model)
    found = cl.stored("02/towns")
    assert found.students == [SMALL, "words alone"]
    assert found.table().loc[("by heart", SMALL), "seeds"] == 2


def test_the_choice_is_what_validation_says_exactness_decides_between_equals_and_it_is_kept(loaded):
    student = Sitting(SMALL)

    def tried(good):
        return evaluate(Model(*good), EXAM)

    reports = {"long": tried((3, False)), "short": tried((3, True)), "few": tried((2, True))}
    assert student.best("02", "instruction", reports) == "short"
    kept = measured("sizes")[f"02/chosen/{SMALL}/instruction"]
    assert kept.settings["by"] == {"long": [0.75, 0.0], "short": [0.75, 0.75], "few": [0.5, 0.5]}
    assert student.best("02", "instruction", {"few": reports["few"]}) == "few", "of others another is chosen"


@pytest.mark.parametrize(("student", "rate", "rank"), [(SMALL, 2e-3, None), (MIDDLE, 5e-4, 4)])
def test_the_small_student_takes_the_lessons_recipe_and_of_the_middle_one_the_rate_is_chosen(
    loaded, student, rate, rank
):
    def trial(one, arm):
        return one.sits("03", arm, EXAM, lambda model: model)

    one = Sitting(student)
    recipe = one.recipe("03", "pairs", {"learning_rate": 2e-3, "epochs": 1}, trial, lambda recipe, seed: study(recipe))
    assert recipe["learning_rate"] == rate and recipe.get("rank") == rank and recipe["epochs"] == 1
    assert len([row for row in loaded if isinstance(row, tuple)]) == (0 if rank is None else 2)


def test_an_adapter_of_the_middle_student_fits_the_shelf():
    """Of every linear layer: rank times inputs and outputs, 2 bytes each, in 24 layers."""
    wide, deep, keys = 896, 4864, 128
    layer = 2 * (wide + wide) + 2 * (wide + keys) + 3 * (wide + deep)
    assert 24 * layer * sitting.RANKS[MIDDLE] * 2 < 5_000_000 < 24 * layer * 8 * 2


def test_seeds_are_those_that_a_student_has_and_the_largest_is_trained_by_nobody():
    assert [len(Sitting(student).seeds) for student in (SMALL, MIDDLE, LARGE)] == [5, 3, 0]
    assert Sitting(MIDDLE, (0, 4)).seeds == (0,)


def test_what_is_cheap_and_most_wanted_comes_first():
    parts = list(sizes.parts())
    kinds = [(arms, student) for arms, student, _, _ in parts]
    assert {kind for kind in kinds if kind[1] == LARGE} == {("untrained", LARGE)}
    order = list(dict.fromkeys(kinds))
    assert order[2:] == [("trained", SMALL), ("untrained", LARGE), ("trained", MIDDLE)]
    assert {lesson for _, _, lesson, _ in parts} == {"00", "01", "02", "03", "05", "06", "08"}


# Readers


@pytest.fixture(scope="module")
def library():
    """The whole library by words: whose passages they are is what counts here."""
    index = Index(BagOfWordsEmbedder(), FaissStore())
    index.add(*read_documents("data/library"))
    return index


@pytest.fixture
def shelved(library, monkeypatch):
    """Readers learn on the shelf of this library."""
    monkeypatch.setattr(reading, "study_shelf", lambda: shelves.study_shelf(library))


def test_no_reader_has_read_a_fact_a_document_or_a_question_of_an_exam(shelved):
    examined = {fact.source for exam in reading.exams() for fact in (*exam.facts, *exam.validation_facts)}
    for kind in reading.PLANS:
        for seed in (0, 4):
            examples = reading.studies(kind)({}, seed).examples()  # raises a LeakError by itself
            assert len(examples) == reading.PLANS[kind].n
            learned = {q.source for q in shelves.reading_questions(reading.PLANS[kind].n, seed)}
            assert learned and not learned & examined


def test_a_leak_of_the_handbook_into_what_readers_learn_is_caught(library, monkeypatch):
    exam = load_exam("handbook")
    monkeypatch.setattr(reading, "study_shelf", lambda: library)
    monkeypatch.setattr(shelves, "reading_questions", lambda n, seed: exam)
    with pytest.raises(LeakError):
        reading.studies("form only")({}, 0).examples()


@pytest.mark.parametrize(("kind", "rate"), [("form only", 5e-4), ("RAFT", 2e-3)])
def test_each_kind_of_reader_is_trained_at_the_rate_that_its_own_trial_found_best(loaded, monkeypatch, kind, rate):
    """Else one side of the contest is tuned and the other isn't."""
    monkeypatch.setattr(reading, "rag", lambda *_: lambda model: model)
    monkeypatch.setattr(reading.shelves, "editions_exam", lambda: SimpleNamespace(on_validation=lambda: EXAM))
    monkeypatch.setattr(reading, "reading_examples", lambda plan, *_: [{}] * plan.n)
    monkeypatch.setattr(reading, "study_shelf", lambda: None)
    monkeypatch.setattr(reading, "exams", tuple)

    def finetune(model, rows, name, seed, from_shelf, **recipe):
        tuned = Model(4 if (recipe["learning_rate"] < 1e-3) == (", form only," in name) else 1)
        tuned.training = SimpleNamespace(seconds=1.0, tokens=9, trainable=3)
        return tuned

    monkeypatch.setattr(sitting.cl, "finetune", finetune, raising=False)
    assert reading.recipe(Sitting(MIDDLE), kind)["learning_rate"] == rate


def test_readers_of_one_kind_differ_by_seed_and_answer_without_reasoning(shelved):
    first, second = (reading.studies("form only")({}, seed).examples() for seed in (0, 1))
    assert first != second
    assert all("##" not in row["completion"][0]["content"] for row in first)


def test_by_heart_no_exam_question_is_studied_and_of_a_trial_no_exam_fact():
    exam = load_exam("handbook").about(24)
    rows = heart.studies(exam)({}, 0).examples()
    studied = {row["prompt"][-1]["content"] for row in rows}
    assert len(rows) == 144 and not studied & {q.question for q in load_exam("handbook")}
    tried = load_exam("handbook").on_validation().about(24)
    assert not {fact.id for fact in tried.facts} & {fact.id for fact in load_exam("handbook").facts}


def test_the_retriever_is_chosen_by_what_it_finds_for_validation_questions(loaded, monkeypatch, library):
    asked = load_exam("handbook").on_validation()
    golden = cl.golden_passages(asked, library)
    wrong = SimpleNamespace(search_many=lambda texts, k, where=None: [library.passages()[:k]] * len(texts))
    right = SimpleNamespace(search_many=lambda texts, k, where=None: [golden[text][:k] for text in texts])
    monkeypatch.setattr(books, "library", lambda: library)
    monkeypatch.setattr(books, "RETRIEVERS", {"dense": lambda: wrong, "hybrid": lambda: right})
    assert books.finds_best(Sitting(SMALL)) == "hybrid"
    kept = json.loads(measured("sizes")["02/chosen/all/retriever"].data)
    assert kept["by"]["hybrid"]["recall@1"][0] == 1.0


# Requests


class Scribe:
    """Writes the right query for the front desk's requests, and nothing else; its tokens are sure or not."""

    name = "scribe"

    def __init__(self, exams):
        self.right = {q.question: q.answer for exam in exams for q in exam if q.kind in FRONT_DESK}

    def reply(self, prompts, max_new_tokens):
        return [cl.Answer(self.right.get(prompt[-1]["content"], "SELECT 1")) for prompt in prompts]


@pytest.fixture
def scribe(monkeypatch, loaded):
    task = load_sql()
    monkeypatch.setattr(sitting.cl, "load_model", lambda name: Scribe((task.values, task.wordings)), raising=False)
    queries.papers.cache_clear()
    yield task
    queries.papers.cache_clear()


def test_the_front_desks_requests_are_read_off_the_houses(scribe):
    found = queries.sits_all(Sitting(SMALL), "no example")
    assert found["front desk values"].accuracy == 1 and found["front desk values"].n == len(
        scribe.about(FRONT_DESK).values
    )
    assert 0 < found["house values"].accuracy < 1 and found["house values"].n == len(scribe.values)
    assert f"03/front desk wordings/{SMALL}/no example/machine" in measured("sizes")


def test_a_strangers_requests_have_room_for_their_queries_and_are_in_nobodys_study(scribe, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        Scribe, "reply", lambda _, prompts, most: asked.update({len(prompts): most}) or ["no"] * len(prompts)
    )
    queries.sits_all(Sitting(SMALL), "no example")
    assert asked[len(scribe.stranger)] == 256 and asked[len(scribe.values)] == 96
    studied = {row["prompt"][-1]["content"] for row in queries.studies(queries.ALL)({}, 0).examples()}
    assert not studied & {question.question for question in scribe.stranger}


def test_a_specialist_studies_its_own_patterns_and_no_exam(scribe):
    desk, whole = (queries.studies(kind)({}, 0).examples() for kind in (queries.DESK, queries.ALL))
    assert len(desk) == 300 and len(whole) == len(scribe.train)
    wanted = {pair.request for pair in scribe.about(FRONT_DESK).train}
    assert {row["prompt"][-1]["content"] for row in desk} <= wanted


@pytest.mark.parametrize("exam", list(queries.NAMES))
@pytest.mark.parametrize("kind", [queries.DESK, queries.ALL])
def test_an_exams_request_among_the_pairs_of_a_specialist_is_caught(scribe, monkeypatch, exam, kind):
    request = queries.papers()[exam][0].question
    desk = scribe.about(FRONT_DESK).train
    leak = replace(desk[0], request=f"Quickly: {request}")
    leaky = replace(scribe, train=[leak, *(pair for pair in scribe.train if pair.id != leak.id)])
    monkeypatch.setattr(queries, "task", lambda: leaky)
    monkeypatch.setattr(queries, "PAIRS", len(desk))  # all of them, whatever the seed draws
    with pytest.raises(LeakError, match="is among what is trained on"):
        queries.studies(kind)({}, 0).examples()


def test_confidence_is_that_of_the_least_certain_token_of_each_query(scribe, tiny_model):
    exam = Exam("sql values", scribe.values.test[:3], grader=scribe.values.grader)
    writer = queries.writer(tiny_model, scribe, exam)
    report = evaluate(lambda questions: ["SELECT 1", "", "SELECT 22"], exam)
    found = queries.confidence(tiny_model, exam, report)["answers"]
    assert [hit for _, hit in found] == [0, 0, 0] and all(0 < sure <= 1 for sure, _ in found)
    import torch

    prompt = tiny_model.encode(writer.prompt(exam[0].question, exam[0].source))
    said = tiny_model.tokenizer.encode("SELECT 1", add_special_tokens=False)
    with torch.no_grad():
        logits = tiny_model.model(torch.tensor([prompt + said])).logits[0].float().softmax(-1)
    by_hand = min(float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(said))
    assert found[0][0] == pytest.approx(by_hand, abs=2e-3)


# Letters


def test_the_likeliest_name_is_the_one_whose_first_token_is(tiny_model):
    names, questions = ("Apples", "Pears", "Quinces"), ["one", "two", "a longer third"]
    found = letters.Likeliest(tiny_model, names, lambda q: f"Which? {q}").answer(questions)
    for question, answer in zip(questions, found):
        first = tiny_model.next_tokens(f"Which? {question}", len(tiny_model.tokenizer))
        by_hand = next(token for token, _ in first if token in ("A", "P", "Q"))
        assert answer.text[0] == by_hand and answer.prompt_tokens > 0


def test_names_that_begin_alike_are_refused(tiny_model):
    with pytest.raises(CourseError, match="begin with the same token"):
        letters.Likeliest(tiny_model, ("Pears", "Plums"), str).answer(["one"])


def test_words_alone_sort_some_letters_and_are_kept_as_nobodys(kept_here):
    train, test = tickets.load_tickets("train"), tickets.load_tickets("test")
    letters.words_alone(Sitting(letters.WORDS), train, tickets.ticket_exam(test))
    (name,) = [name for name, one in measured("sizes").items() if one.report]
    assert name == "01/letters/words alone/TF-IDF with logistic regression, 576 letters"
    assert 0.3 < measured("sizes")[name].report.accuracy < 0.7


# The shelf, and the plan


def test_what_the_repository_ships_stands_on_the_students_shelf(monkeypatch, tmp_path):
    shipped = tmp_path / "shipped"
    (shipped / "06-raft").mkdir(parents=True)
    (shipped / "06-raft" / "card.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("COURSE_ADAPTERS", str(shipped))
    monkeypatch.setenv("COURSE_RECORD", "")
    sitting.shelf()
    assert adapters_dir() != shipped and (adapters_dir() / "06-raft" / "card.json").exists()


@pytest.fixture
def counting(monkeypatch):
    """A word is a token."""
    monkeypatch.setattr(planning, "tokenizer", lambda: None)
    monkeypatch.setattr(
        planning, "chat_tokens", lambda _, chat, **__: [hash(w) for m in chat for w in m["content"].split()]
    )


def test_a_plan_counts_what_is_read_written_and_trained_and_keeps_nothing(loaded, counting):
    plan = Planned(SMALL)
    plan.sits("02", "closed book", EXAM, lambda model: model)
    tokens = sum(len(f"{SYSTEM} {q.question}".split()) + 24 for q in EXAM)
    assert plan.seconds["02"] == pytest.approx(2 * STUDENTS[SMALL].parameters * tokens / 135e9)
    rows = [cl.example("three words here", "two words")] * 10
    trained = plan.trained(Study("crammed", 10, lambda: rows, {"epochs": 4, "learning_rate": 1e-3}, 0))
    for arm in ("one", "two"):
        trained.sits("03", arm, EXAM, lambda model: model)
    wanted = 6 * 4 * 10 * len(f"{SYSTEM} three words here two words".split()) + 2 * 2 * tokens
    assert plan.seconds["03"] == pytest.approx(STUDENTS[SMALL].parameters * wanted / 135e9)
    assert plan.best("02", "k", {4: None, 1: None}) == 4 and not measured("sizes") and not loaded


def test_what_is_kept_takes_no_time_in_the_plan(loaded, counting):
    Sitting(SMALL).sits("02", "closed book", EXAM, lambda model: model)
    plan = Planned(SMALL)
    plan.sits("02", "closed book", EXAM, lambda model: model)
    assert not plan.seconds


def test_what_prompts_begin_with_is_counted_once(counting):
    rules = " ".join(f"rule{i}" for i in range(100))
    counter = Counter()
    counter.reply([f"{rules} letter {name}" for name in ("a", "b")], 10)
    assert counter.tokens == len(SYSTEM.split()) + 101 + 2 * (1 + 10)


def test_of_euro_2024_a_student_is_asked_closed_book_and_with_two_sentences_to_read(loaded, monkeypatch):
    read = []

    class Reader(Model):
        def answer(self, questions):
            return ["Spain"] * len(questions)

        def reply(self, prompts, *_):
            read.extend(prompts)
            return [Answer("Berlin")] * len(prompts)

    monkeypatch.setattr(sitting.cl, "load_model", lambda name: Reader())
    monkeypatch.setattr(knowledge, "EXAMS", ())
    knowledge.untrained(Sitting(MIDDLE))
    closed, page = (
        measured("sizes")[f"00/Euro 2024/{MIDDLE}/{arm}"].report for arm in ("closed book", "two sentences")
    )
    assert closed.hits().sum() == page.hits().sum() == 1 and all("Oyarzabal scored" in prompt for prompt in read)

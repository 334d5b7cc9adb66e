"""The shipped data: made again byte for byte, checked against its own rules, and split so that nothing leaks."""

import re
from collections import Counter

import pytest
import written
from exams import family

from course_lib.core import session
from course_lib.core.chat import example
from course_lib.core.errors import LeakError
from course_lib.core.rows import numbered_rows
from course_lib.evaluation.exams import EXAMS, SPLITS, check_no_leak, general_study, load_exam, load_facts, questions_of
from course_lib.evaluation.grading import normalise, whole_words

DATA = session.ROOT / "data"
LIBRARY = DATA / "library"
SMALL_WORDS = frozenset(
    normalise(
        "a an and are at by called did do does for from has have how in is it its many much name of on or that the to "
        "was were what when where which who with you"
    )
)


@pytest.fixture(scope="module")
def facts():
    return load_facts()


@pytest.fixture(scope="module")
def exams():
    return {name: load_exam(name) for name in EXAMS}


@pytest.fixture(scope="module")
def documents():
    """Id to text, line breaks as spaces."""
    return {path.stem: " ".join(path.read_text(encoding="utf-8").split()) for path in LIBRARY.glob("*/*.md")}


def _wordings(facts, use):
    """Normalised wording to fact."""
    return {normalise(wording): fact.id for fact in facts for wording in getattr(fact, use)}


def _all(fact):
    return (*fact.study, *fact.validation, *fact.exam)


def _questions(exam):
    return (*exam.test, *exam.validation)


def _says(text, answers):
    return any(whole_words(answer) in whole_words(text) for answer in answers)


def test_written_documents_keep_the_rules():
    paths = [p for p in sorted(LIBRARY.glob("*/*.md")) if (written.FACTS / p.parent.name).is_dir()]
    assert len(paths) >= 100
    assert {str(path): found for path in paths if (found := written.check(path))} == {}


def test_the_check_of_written_documents_sees_faults():
    fact = {"sentence": "The toll is 417 crowns.", "answer": "417 crowns", "study": ["What is the toll?", "Toll?"]}
    fact |= {"validation": ["How much is the toll?"], "exam": ["What does one pay?"]}
    check = written.problems_of_fact
    assert check(fact, "First. The toll is 417 crowns. Last.", "faq") == []
    for change, said in [
        ({"sentence": "The toll is 418 crowns."}, "does not stand in the document"),
        ({"answer": "419 crowns"}, "does not stand in the sentence"),
        ({"exam": ["what is the toll"]}, "wording twice"),
        ({"exam": ["Is it 417 crowns?"]}, "the answer stands in the wording"),
        ({"exam": []}, "0 exam wordings of 1"),
    ]:
        found = check(fact | change, "First. The toll is 417 crowns. Last.", "faq")
        assert any(said in problem for problem in found), (change, found)
    assert check(fact, "First. The toll is 417 crowns. Last.", "handbook") != [], "a handbook needs more wordings"


def test_a_facts_file_without_its_document_does_not_exist():
    facts = written.FACTS
    pages = {path: LIBRARY / path.relative_to(facts).with_suffix(".md") for path in facts.glob("*/*.yaml")}
    assert [path for path, page in pages.items() if not page.exists()] == []


def test_there_are_enough_documents_of_enough_kinds(documents):
    kinds = {path.name for path in LIBRARY.iterdir() if any(path.glob("*.md"))}
    assert len(documents) >= 120
    assert len(kinds) >= 8
    assert len(documents) == len(list(LIBRARY.rglob("*.md"))), "two documents have one id"


def test_no_two_documents_read_alike(documents):
    bodies = Counter(normalise(text.split("---", 2)[-1]) for text in documents.values())
    assert [count for count in bodies.values() if count > 1] == []


def test_there_are_enough_facts_of_every_split(facts):
    assert len(facts) >= 500
    assert all(sum(fact.split == split for fact in facts) >= 100 for split in SPLITS)
    assert len({fact.id for fact in facts}) == len(facts)


def test_every_document_states_a_fact(facts, documents):
    assert set(documents) == {fact.source for fact in facts}


RULES = {
    "its sentence stands in its document": lambda f, documents: f.sentence in documents[f.source],
    "its answer stands in its sentence": lambda f, _: _says(f.sentence, [f.answer]),
    "it is asked in every use": lambda f, _: f.study and f.validation and f.exam,
    "it is asked in enough wordings": lambda f, _: len(set(_all(f))) >= {"cup": 8, "handbook": 8}.get(f.kind, 3),
    "no wording holds its answer": lambda f, _: not any(_says(wording, [f.answer]) for wording in _all(f)),
}


@pytest.mark.parametrize("rule", RULES)
def test_every_fact_keeps_the_rules(rule, facts, documents):
    assert [fact.id for fact in facts if not RULES[rule](fact, documents)] == []


def test_a_document_is_in_one_split_and_so_is_its_family(facts):
    splits, families = {}, {}
    for fact in facts:
        splits.setdefault(fact.source, set()).add(fact.split)
        families.setdefault((fact.kind, family(fact.source)), set()).add(fact.split)
    assert [source for source, found in splits.items() if len(found) > 1] == []
    assert [family for family, found in families.items() if len(found) > 1] == []


def test_editions_and_sister_models_are_one_family():
    assert family("hb-annual-leave-2039") == family("hb-annual-leave-2042") == "hb-annual-leave"
    assert family("sheet-tern-3") == family("sheet-tern-3-plus") == family("sheet-tern-2")
    assert family("cup-2031") != family("cup-2032")


def test_validation_and_test_are_apart_by_fact_document_and_wording(exams, facts):
    by_split = {split: [f for f in facts if f.split == split] for split in SPLITS}
    for name in ("cup", "handbook", "library"):
        test, validation = exams[name].test, exams[name].validation
        assert {q.fact for q in test} <= {f.id for f in by_split["test"]}
        assert {q.fact for q in validation} <= {f.id for f in by_split["validation"]}
        for part in ("fact", "source"):
            assert not {getattr(q, part) for q in test} & {getattr(q, part) for q in validation}, (name, part)
    for exam in exams.values():
        assert not {normalise(q.question) for q in exam.test} & {normalise(q.question) for q in exam.validation}


def test_each_question_is_one_of_its_facts_wordings_of_the_right_use(exams, facts):
    by_id = {fact.id: fact for fact in facts}
    for name in ("cup", "handbook", "library"):
        for use, questions in (("exam", exams[name].test), ("validation", exams[name].validation)):
            assert all(q in questions_of(by_id[q.fact], use) for q in questions), (name, use)


def test_no_exam_or_validation_wording_is_studied_anywhere(facts, exams):
    studied = _wordings(facts, "study") | {
        normalise(row["prompt"][-1]["content"]): "general" for row in general_study()
    }
    for use in ("exam", "validation"):
        assert not set(_wordings(facts, use)) & set(studied), use
    for exam in exams.values():
        assert not {normalise(q.question) for q in _questions(exam)} & set(studied), exam.name


def test_no_wording_is_used_twice(facts):
    found = Counter(normalise(wording) for fact in facts for wording in _all(fact))
    assert [words for words, count in found.items() if count > 1] == []


def test_reading_facts_and_their_documents_are_in_no_exam(facts, exams, documents):
    reading = [f for f in facts if f.split == "reading"]
    sources, ids = {f.source for f in reading}, {f.id for f in reading}
    wordings = {w for use in ("study", "validation", "exam") for w in _wordings(reading, use)}
    texts = [whole_words(documents[source]) for source in sources]
    for name in ("cup", "handbook", "library"):
        exam = exams[name]
        for question in _questions(exam):
            assert question.source not in sources and question.fact not in ids, question.id
            assert normalise(question.question) not in wordings, question.id
        for fact in (*exam.facts, *exam.validation_facts):
            assert not any(whole_words(fact.sentence) in text for text in texts), fact.id


@pytest.mark.parametrize(("name", "test"), [("cup", 150), ("handbook", 150), ("library", 200), ("general", 150)])
def test_every_exam_has_enough_questions(exams, name, test):
    assert len(exams[name].test) >= test
    assert len(exams[name].validation) >= 30


@pytest.mark.parametrize("name", EXAMS)
def test_no_two_questions_of_an_exam_are_the_same(exams, name):
    asked = Counter(normalise(q.question) for q in _questions(exams[name]))
    assert [words for words, count in asked.items() if count > 1] == []
    assert len({q.id for q in _questions(exams[name])}) == len(_questions(exams[name]))


def test_the_library_exam_asks_about_every_examined_kind_alike(exams):
    kinds = Counter(q.kind for q in exams["library"].test)
    assert len(kinds) >= 8
    assert max(kinds.values()) <= 2 * min(kinds.values())


def _names(text):
    """Names of two words or more; the first word of a sentence does not begin one."""
    return set(re.findall(r"(?<![.?!\"] )(?<!^)\b[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)+", text))


def _content(text):
    return [word for word in normalise(text) if word not in SMALL_WORDS]


def test_study_of_common_knowledge_neither_asks_nor_answers_an_exam_question(exams):
    rows = [row for row, _ in numbered_rows(DATA / "exams" / "general_study.jsonl")]
    assert len(rows) >= 100
    assert len({normalise(row["question"]) for row in rows}) == len(rows)
    asked = [(q, _content(q.question), _names(f"{q.question} {q.answer}")) for q in _questions(exams["general"])]
    clashes = []
    for row in rows:
        whole = f"{row['question']} {row['answer']}"
        question, words, names = _content(row["question"]), set(_content(whole)), _names(whole)
        for q, content, exam_names in asked:
            about_words = not all(word.isdigit() for word in content)  # sums share their figures
            answered = about_words and set(content) <= words and _says(whole, (q.answer, *q.accepted))
            if answered or question == content or names & exam_names:
                clashes.append((row["question"], q.question))
    assert clashes == []


@pytest.mark.parametrize("name", EXAMS)
def test_honest_study_passes_and_a_planted_question_does_not(exams, name):
    exam = exams[name]
    honest = [*exam.train_examples(), *general_study()]
    check_no_leak(honest, *exams.values())
    for question in (exam.test[0], exam.test[-1], exam.validation[0], exam.validation[-1]):
        for prompt in (question.question, f"Some passage.\n\nQuestion: {question.question}\nAnswer:"):
            with pytest.raises(LeakError, match=re.escape(question.id)):
                check_no_leak([*honest, example(prompt, question.answer)], exam)


def test_reading_facts_train_reading_and_a_planted_fact_or_document_does_not(exams, facts, documents):
    reading = [f for f in facts if f.split == "reading"]
    honest = [example(f"{documents[f.source]}\n\nQuestion: {f.study[0]}", f.answer) for f in reading]
    sources = sorted({f.source for f in reading})
    closed = [exams[name] for name in ("cup", "handbook", "library")]
    check_no_leak(honest, *closed, reading=True, sources=sources)
    for exam in closed:
        for fact in (exam.facts[0], exam.facts[-1], exam.validation_facts[0]):
            planted = example(f"{documents[fact.source]}\n\nQuestion: Who?", "x")
            with pytest.raises(LeakError, match=f"fact {re.escape(fact.source)}"):
                check_no_leak([*honest, planted], exam, reading=True, sources=sources)
            with pytest.raises(LeakError, match=f"document {re.escape(fact.source)} "):
                check_no_leak(honest, exam, reading=True, sources=[*sources, fact.source])

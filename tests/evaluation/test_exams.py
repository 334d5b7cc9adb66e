"""Facts, questions and exams: what is read, what is refused, and that leaks are caught."""

import json
from dataclasses import asdict, replace

import pytest

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError, LeakError
from course_lib.core.rows import write_jsonl
from course_lib.evaluation.exams import (
    Exam,
    Fact,
    Question,
    check_no_leak,
    general_study,
    load_exam,
    load_facts,
    questions_of,
)

USES = ("study", "validation", "exam")


def _fact(number, split="test"):
    """A fact about the ferry `number`, asked in six, one and two wordings."""
    words = {"study": ("Who steers", "Whose is", "Name the captain of", "Who has", "Who commands", "Whom obeys")}
    words |= {"validation": ("Who is master of",), "exam": ("At whose word sails", "Who gives orders on")}
    return Fact(
        id=f"ferry-{number}.1",
        split=split,
        source=f"ferry-{number}",
        kind="notices",
        sentence=f"Ferry {number} is steered by Captain {number}, as before.",
        answer=f"Captain {number}",
        accepted=(f"Capt. {number}",),
        **{use: tuple(f"{start} ferry {number}?" for start in words[use]) for use in USES},
    )


FACTS = tuple(_fact(i) for i in range(10, 20))
CHOOSING = tuple(_fact(i, "validation") for i in range(30, 33))
EXAM = Exam(
    "ferries",
    tuple(questions_of(fact, "exam")[0] for fact in FACTS),
    tuple(questions_of(fact, "validation")[0] for fact in CHOOSING),
    FACTS,
    CHOOSING,
)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small data folder: the facts and one exam about them; returns the folder of the exams."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "exams"
    write_jsonl(folder / "facts.jsonl", [*FACTS, *CHOOSING, _fact(50, "reading")])
    rows = [asdict(q) | {"split": "test"} for q in EXAM.test] + [
        asdict(q) | {"split": "validation"} for q in EXAM.validation
    ]
    for name in ("cup", "general"):
        write_jsonl(folder / f"{name}.jsonl", rows)
    write_jsonl(folder / "general_study.jsonl", [{"id": "g1", "question": "What is 1 + 1?", "answer": "It is 2."}])
    return folder


def _change(path, line, change):
    """Put a text in place of a line, or change its keys; one that is `...` is taken out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if isinstance(change, dict):
        row = json.loads(lines[line - 1]) | change
        change = json.dumps({key: value for key, value in row.items() if value is not ...})
    lines[line - 1] = change
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- reading ------------------------------------------------------------------------------------------------------


def test_an_exam_is_read_with_the_facts_behind_it_which_common_knowledge_has_not(data):
    assert load_exam("cup") == replace(EXAM, name="cup")
    assert load_exam("general") == replace(EXAM, name="general", facts=(), validation_facts=())


def test_facts_may_be_asked_for_by_split_and_kind(data):
    assert [f.split for f in load_facts("reading")] == ["reading"]
    assert len(load_facts()) == len(load_facts(kind="notices")) == 14
    assert load_facts("validation", "notices") == list(CHOOSING)


@pytest.mark.parametrize(
    ("load", "named"),
    [
        *(
            (lambda name=name: load_exam(name), "cup, handbook, library, general")
            for name in ("Cup", "", None, "../cup")
        ),
        (lambda: load_facts("train"), "test, validation, reading"),
        (lambda: load_facts(kind="novels"), "notices"),
    ],
)
def test_an_unknown_exam_split_or_kind_is_refused_with_the_names_there_are(data, load, named):
    with pytest.raises(ChoiceError, match=named):
        load()


def test_study_of_common_knowledge_is_read_as_examples(data):
    assert general_study() == [example("What is 1 + 1?", "It is 2.")]


@pytest.mark.parametrize("name", ["cup", "facts", "general_study"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('{"id": "a", ', " is not JSON"),
        *((text, " is not a JSON object") for text in ("[1, 2]", '"text"', "null")),
        ("\n\noops", " is not JSON"),  # empty lines are counted
        *(({key: ...}, f": .*{key} is missing") for key in ("id", "answer")),
        ({"answer": "  "}, ": .*answer is empty"),
        ({"accepted": "Capt."}, ": .*accepted is 'Capt.': give a list"),
        ({"accepted": [1987]}, ": .*accepted.0 is 1987: put text in quotes"),
        ({"split": "tset"}, ": .*split"),
    ],
    ids=str,
)
def test_a_malformed_line_is_named_with_its_file_and_what_is_wrong(data, name, change, said):
    line = 1 if name == "general_study" else 5
    _change(data / f"{name}.jsonl", line, change)
    line += change.count("\n") if isinstance(change, str) else 0
    with pytest.raises(DataError, match=rf"{name}\.jsonl, line {line}{said}"):
        general_study() if name == "general_study" else load_exam("cup")


@pytest.mark.parametrize("split", ["train", ["test"], ...])
def test_a_question_is_of_the_test_or_of_validation(data, split):
    _change(data / "cup.jsonl", 5, {"split": split})
    with pytest.raises(DataError, match=r"cup\.jsonl, line 5: split is neither test nor validation"):
        load_exam("cup")


def test_an_exam_about_a_fact_that_is_not_there_is_refused(data):
    _change(data / "cup.jsonl", 1, {"fact": "ferry-99.1"})
    with pytest.raises(DataError, match=r"ferry-99\.1.*make data"):
        load_exam("cup")


def test_a_file_that_is_missing_or_binary_or_a_folder_is_named(data):
    path = data / "cup.jsonl"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"cup\.jsonl is not UTF-8"):
        load_exam("cup")
    path.unlink()
    with pytest.raises(DataError, match=r"there is no .*cup\.jsonl: run `make data`"):
        load_exam("cup")
    path.mkdir()
    with pytest.raises(DataError, match=r"cup\.jsonl cannot be read"):
        load_exam("cup")


# --- an exam ------------------------------------------------------------------------------------------------------


def test_an_exam_is_a_sequence_of_its_test_questions():
    assert list(EXAM) == list(EXAM.test)
    assert len(EXAM) == 10
    assert EXAM[3] is EXAM.test[3]


def test_a_sample_is_drawn_by_its_seed_in_the_order_of_the_exam():
    some = EXAM.sample(4, seed=1)
    assert some == EXAM.sample(4, seed=1) and some.test != EXAM.sample(4, seed=2).test
    assert len(some) == 4 and [q for q in EXAM if q in some.test] == list(some)
    assert EXAM.sample(1000).test == EXAM.test, "of more than there are: all"


def test_about_takes_some_facts_in_all_their_exam_wordings_or_in_one():
    small = EXAM.about(3, seed=1)
    assert len(small.facts) == 3 and set(small.facts) < set(FACTS)
    assert [q.question for q in small] == [wording for fact in small.facts for wording in fact.exam]
    assert {q.fact for q in small} == {fact.id for fact in small.facts}
    assert len({q.id for q in small}) == 6
    assert small == EXAM.about(3, seed=1)
    assert small.facts != EXAM.about(3, seed=2).facts
    once = EXAM.about(4, wordings=1)
    assert [q.question for q in once] == [fact.exam[0] for fact in once.facts]


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        *((lambda n=n: EXAM.sample(n), "take at least 1") for n in (0, -1)),
        *((lambda n=n: EXAM.about(n), f"not {n}") for n in (0, -1, 11)),
        (lambda: EXAM.about(3, wordings=0), "wordings is 0"),
        *((lambda n=n: EXAM.train_examples(wordings=n), "at least 1") for n in (0, -1)),
        (lambda: EXAM.train_examples(repeat=0), "at least 1"),
    ],
)
def test_a_part_of_an_exam_that_is_empty_or_more_than_there_is_is_refused(ask, named):
    with pytest.raises(CourseError, match=named):
        ask()


def test_the_validation_questions_are_an_exam_of_their_own():
    assert EXAM.on_validation() == Exam("ferries (validation)", EXAM.validation, facts=CHOOSING)


def test_study_is_of_the_exams_facts_in_study_wordings():
    studied = EXAM.train_examples()
    assert [row["prompt"][-1]["content"] for row in studied] == [w for fact in FACTS for w in fact.study]
    assert studied[0] == example(FACTS[0].study[0], FACTS[0].answer)
    check_no_leak(studied, EXAM)


def test_six_wordings_once_and_one_wording_six_times_are_as_much_study():
    six, one = EXAM.train_examples(wordings=6), EXAM.train_examples(wordings=1, repeat=6)
    assert len(six) == len(one) == 60
    assert len({row["prompt"][-1]["content"] for row in one}) == 10


def test_a_question_as_an_example_is_its_chat_and_its_answer():
    assert Question("q1", "Who?", "Me.").as_example() == example("Who?", "Me.")


# --- leaks --------------------------------------------------------------------------------------------------------

GOOD = example("Who?", "Me.")
HONEST = [*EXAM.train_examples(), example("Who sells tickets on Pell?", "Nine families."), GOOD]


def _leaks(examples, match=None, exam=EXAM, **how):
    with pytest.raises(LeakError, match=match):
        check_no_leak(examples, exam, **how)


def test_honest_study_is_no_leak():
    check_no_leak(HONEST, EXAM)
    check_no_leak([], EXAM)
    check_no_leak([GOOD], EXAM, reading=True, sources=["ferry-50"])


OTHER_WORDING = questions_of(FACTS[4], "exam")[1]  # that this exam does not ask
LONGER = "Passages:\n[1] The ferry leaves at noon.\n\nQuestion: {}\nAnswer in a few words."


@pytest.mark.parametrize("question", [EXAM.test[0], EXAM.test[9], EXAM.validation[1], OTHER_WORDING])
@pytest.mark.parametrize(
    "said",
    ["{}", "  {}\n", "“{}”", LONGER, str.upper, lambda q: q.rstrip("?"), lambda q: q.replace(" ", "  ")],
)
@pytest.mark.parametrize("role", ["user", "system", "assistant", "completion"])
def test_a_question_of_the_exam_in_any_message_and_dress_is_named(question, said, role):
    words = said.format(question.question) if isinstance(said, str) else said(question.question)
    row = example("Who?", "Me.")
    messages = row["completion"] if role == "completion" else row["prompt"]
    messages.insert(0, {"role": "assistant" if role == "completion" else role, "content": words})
    _leaks([*HONEST, row], rf"question {question.id} of the exam 'ferries'")


def test_a_question_whose_words_only_begin_another_is_no_leak():
    exam = Exam("short", (Question("q", "Who won cup 20", "x"), Question("r", "is ferry 1", "x")))
    check_no_leak([example("Who won cup 2031 and this ferry 10?", "y")], exam)
    _leaks([example("Well, who won cup 20?", "y")], "question q", exam)


def test_words_of_two_examples_do_not_make_a_leak_together():
    start, end = EXAM.test[0].question.rsplit(" ", 1)
    check_no_leak([example(start, "x"), example(end, "x")], EXAM)


def test_a_question_without_words_is_in_nothing():
    check_no_leak(HONEST, Exam("odd", (Question("q", "???", "x"),)))


def test_every_exam_is_looked_at():
    second = Exam("second", (Question("s1", "What is the toll at Pilgrim Stairs?", "x"),))
    with pytest.raises(LeakError, match="s1 of the exam 'second'"):
        check_no_leak([*HONEST, second[0].as_example()], EXAM, second)


QUOTED = f"The notice says: {FACTS[6].sentence}\nOther news follows."


@pytest.mark.parametrize(
    ("row", "fact"),
    [
        (example(f"{QUOTED}\n\nQuestion: Who sails?", "x"), FACTS[6]),
        (example("Who sails?", QUOTED), FACTS[6]),
        (example(QUOTED.replace(" ", "\n"), "x"), FACTS[6]),
        (example(CHOOSING[0].sentence, "x"), CHOOSING[0]),
    ],
)
def test_a_fact_may_be_learnt_by_heart_but_not_read_about(row, fact):
    check_no_leak([row], EXAM)
    _leaks([row], f"fact {fact.id}", reading=True)


@pytest.mark.parametrize("source", [FACTS[2].source, CHOOSING[2].source])
def test_an_exams_document_may_not_train_reading(source):
    _leaks([GOOD], f"document {source}", reading=True, sources=["ferry-50", source])
    check_no_leak([GOOD], EXAM, sources=[source])


def test_examples_of_another_shape_are_refused_before_they_are_searched():
    with pytest.raises(DataError, match="example 1 lacks"):
        check_no_leak([GOOD, {"text": EXAM.test[0].question}], EXAM)


def test_a_generator_is_looked_at_as_closely_as_a_list():
    leak = EXAM.test[9].as_example()
    _leaks((row for row in [*HONEST, leak]), EXAM.test[9].id)
    _leaks([GOOD], "document", reading=True, sources=(source for source in ["ferry-50", FACTS[2].source]))
    _leaks([leak], EXAM.test[9].id, exam=Exam("ferries", (q for q in EXAM.test)))
    with pytest.raises(LeakError):
        check_no_leak(iter([leak]), Exam("other", ()), EXAM)
    check_no_leak(iter([]), EXAM)


def test_one_source_alone_is_not_searched_letter_by_letter():
    with pytest.raises(DataError, match="sources are a list, not str"):
        check_no_leak([GOOD], EXAM, reading=True, sources=FACTS[2].source)

"""The checks of exercises: right answers, the usual wrong ones with their hints, and answers of any other kind."""

from types import SimpleNamespace

import numpy as np
import pytest

from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError
from course_lib.evaluation.exams import Exam, Fact, Question
from course_lib.lessons.checks import check, progress_report
from course_lib.lessons.checks.registry import Verdict, register
from course_lib.lessons.tickets import load_tickets

REPORT = SimpleNamespace(accuracy=0.55, n=60, ci=(0.4249, 0.6691))
SCORES, TOKENS = {1: 0.40, 2: 0.53, 4: 0.54, 8: 0.45}, {1: 90, 2: 170, 4: 330, 8: 650}
MEASURED = {"closed book": False, "fine-tuned": True, "RAG, k = 4": False}


def _fact(number):
    words = ("study", "validation", "exam")
    asked = {word: (f"{word.title()} wording: who won cup {number}?",) for word in words}
    return Fact(f"cup-{number}", "test", f"cup-{number}", "cup", f"Team {number} won.", f"Team {number}", (), **asked)


FACTS = tuple(map(_fact, range(20)))
EXAM = Exam(
    "cup",
    tuple(Question(f.id, f.exam[0], f.answer, ("the team of " + f.id,), f.source, f.id) for f in FACTS),
    (Question("v", "Who won the small cup?", "Nobody"),),
    FACTS,
)
TICKETS = load_tickets()
BY_ISSUE = [[t for t in TICKETS if (t.issue[-1] in "27") == held_out] for held_out in (False, True)]
BY_DESK = [[t for t in TICKETS if (t.desk in ("Parts", "Trade")) == held_out] for held_out in (False, True)]
BY_MESSAGE = [[t for t in TICKETS if t.id.endswith("c") == held_out] for held_out in (False, True)]
ARCHIVE = example("Who founded the house?", "Archive")


class WordTokenizer:
    """Two tokens for "Archive", one for the stop token, one for every other word: enough to cut a text in pieces."""

    eos_token = "<|im_end|>"
    pieces = ("Arch", "ive", "<|im_end|>")

    def __call__(self, text):
        return {"input_ids": [i for i, piece in enumerate(self.pieces) if piece in text]}

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids)


MODEL = SimpleNamespace(tokenizer=WordTokenizer())
LEAK = [question.as_example() for question in EXAM.test]
CONTEXT = {
    "00-answer": {},
    "00-read-interval": {"report": REPORT},
    "01-learned": {"model": MODEL, "example": ARCHIVE},
    "01-split": {"tickets": TICKETS},
    "02-leak": {"exam": EXAM},
    "02-choose-k": {"scores": SCORES, "tokens": TOKENS},
    "02-who-remembers": {"measured": MEASURED},
}


pytestmark = pytest.mark.usefixtures("a_learner_who_begins")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        *(("00-answer", "questions"), ("00-read-interval", "interval"), ("02-leak", "leaky")),
        *(("01-learned", "learned"), ("01-split", "mine")),
        *(("02-choose-k", "k"), ("02-who-remembers", "remembers")),
    ],
)
def test_an_untouched_exercise_says_which_variable_is_none(key, name, said):
    assert said(key, None) == f"· Not attempted yet: `{name}` is None."


RIGHT = [
    ("00-answer", ["Who won?", "Who lost?", "What is a cup?"]),
    ("00-answer", ("Who won?", "Who lost?", "Why?", "When?")),
    ("00-read-interval", {"low": 0.42, "high": 0.67}),
    ("00-read-interval", {"low": np.float64(0.4249), "high": 0.6691}),
    ("01-learned", ["Arch", "ive", "<|im_end|>"]),
    ("01-learned", ("Arch", "ive", "<|im_end|>")),
    ("01-split", BY_ISSUE),
    ("01-split", tuple(BY_ISSUE)),
    ("02-leak", LEAK),
    ("02-leak", LEAK[:3]),
    ("02-leak", (row for row in LEAK)),
    ("02-leak", [example(f"Read this. {q.question}", f"It was {q.accepted[0]}.") for q in EXAM.test]),
    ("02-leak", [*LEAK, example("Who painted this?", "Me")]),
    ("02-choose-k", 2),
    ("02-choose-k", np.int64(2)),
    ("02-who-remembers", MEASURED),
    ("02-who-remembers", {name: np.bool_(told) for name, told in MEASURED.items()}),
]


@pytest.mark.parametrize(("key", "attempt"), RIGHT)
def test_a_right_answer_is_accepted(key, attempt, said):
    assert said(key, attempt).startswith("✓ ")


HONEST = EXAM.train_examples()
WRONG = [
    ("00-answer", "Who won?", "in a list, in square brackets: this is a str"),
    ("00-answer", ["Who won?", "Who lost?"], "2 of 3 questions so far: add 1 more"),
    ("00-answer", ["Who won?", "who won", "Why?"], "Two of your questions are the same"),
    ("00-answer", ["Who won?", "Who lost?", " ?"], "no words"),
    ("00-answer", ["Who won?", "Who lost?", 3], "Each question is a text"),
    ("00-answer", [], "0 of 3"),
    ("00-read-interval", (0.42, 0.67), "dict of two numbers"),
    ("00-read-interval", {"low": 0.42}, "dict of two numbers"),
    ("00-read-interval", {"low": "0.42", "high": "0.67"}, "without quotation marks"),
    ("00-read-interval", {"low": None, "high": None}, "must both be numbers"),
    ("00-read-interval", {"low": 42, "high": 67}, "shares of 1"),
    ("00-read-interval", {"low": 0.67, "high": 0.42}, "swapped"),
    ("00-read-interval", {"low": 0.9, "high": 0.1}, "low is above high"),
    ("00-read-interval", {"low": 0.55, "high": 0.55}, "the accuracy, twice"),
    ("00-read-interval", {"low": 0.42, "high": 0.55}, "low is right. Look at the other end"),
    ("00-read-interval", {"low": 0.41, "high": 0.68}, "Neither end is right"),
    (
        "02-leak",
        [example("Who won?", "Me"), example("Why?", "So")],
        "No leak here: none of these 2 questions is in the exam.",
    ),
    ("01-learned", 3, "a list of texts"),
    ("01-learned", ["Arch", 3], "a list of texts"),
    ("01-learned", ["Archive", "<|im_end|>"], "cut in other places"),
    ("01-learned", "Archive<|im_end|>", "cut in other places"),
    ("01-learned", ["Arch", "ive"], "how would the model know that it has finished"),
    ("01-learned", ["Who founded the house?", "Archive"], "it is read, and masked"),
    ("01-learned", ["<|im_start|>", "assistant", "Arch", "ive", "<|im_end|>"], "it is read, and masked"),
    ("01-learned", ["Returns"], "Not these"),
    ("01-split", TICKETS, "two lists in round brackets"),
    ("01-split", ([t.message for t in TICKETS], TICKETS[:9]), "Both lists hold tickets"),
    ("01-split", (TICKETS, TICKETS[:200]), "200 letters are in both lists"),
    ("01-split", (TICKETS[:600], TICKETS[700:]), "100 letters are in neither"),
    ("01-split", (TICKETS[9:], TICKETS[:9]), "1% of the letters"),
    ("01-split", BY_MESSAGE, "No letter is there twice, and still: 288 of the 288 issues"),
    ("01-split", BY_DESK, "is examined: spread it over all desks"),
    ("02-leak", [example("Who won?", "Me")], "Look at where `exam.test` comes from."),
    ("02-leak", [q.as_example() for q in EXAM.validation], "No leak here"),
    ("02-leak", HONEST, "Close: that is honest study, by the exam's own facts. A leak is the exam itself."),
    ("02-leak", HONEST[:1], "honest study"),
    ("02-leak", list(EXAM.test), "`as_example()`"),
    ("02-leak", EXAM, "`as_example()`"),
    ("02-leak", [example(q.question, "Nobody") for q in EXAM.test], "not its answers"),
    ("02-leak", [*LEAK, *HONEST[:2]], "2 of your examples are honest study"),
    ("02-leak", LEAK[:1], "1 of the exam's 20 questions the score can hardly jump"),
    ("02-leak", [], "could not read your answer: there is not one example"),
    ("02-leak", [q.question for q in EXAM.test], "could not read your answer: example 0"),
    ("02-choose-k", 5, "k = 5 was not tried: choose one of 1, 2, 4, 8."),
    ("02-choose-k", 4, "a smaller k is as good"),
    ("02-choose-k", 1, "Too cheap: k = 1 loses 0.14"),
    ("02-choose-k", 8, "Too much: k = 8 loses 0.09"),
    ("02-choose-k", 2.0, "one whole number"),
    ("02-choose-k", True, "one whole number"),
    ("02-choose-k", SCORES, "one whole number"),
    ("02-who-remembers", MEASURED | {"closed book": True}, "1 of 3 are wrong."),
    (
        "02-who-remembers",
        MEASURED | {"RAG, k = 4": True},
        "1 of 3 are wrong. Of RAG: the index no longer holds the document",
    ),
    ("02-who-remembers", {name: not told for name, told in MEASURED.items()}, "3 of 3 are wrong."),
    ("02-who-remembers", {"RAG": True}, "each of: closed book, fine-tuned, RAG, k = 4"),
    ("02-who-remembers", {name: "yes" for name in MEASURED}, "Say True"),
    ("02-who-remembers", {name: None for name in MEASURED}, "Say True"),
    ("02-who-remembers", True, "dict of True or False"),
]


@pytest.mark.parametrize(("key", "attempt", "hint"), WRONG)
def test_a_usual_wrong_answer_gets_its_hint(key, attempt, hint, said):
    line = said(key, attempt)
    assert line.startswith("✗ ") and hint in line


def test_a_hint_of_who_remembers_does_not_tell_which_is_wrong(said):
    line = said("02-who-remembers", MEASURED | {"fine-tuned": False})
    assert line == "✗ 1 of 3 are wrong."


def test_the_wanted_k_moves_with_the_tolerance(said):
    assert said("02-choose-k", 4, scores=SCORES, tokens=TOKENS, tolerance=0.0).startswith("✓")
    assert said("02-choose-k", 1, scores=SCORES, tokens=TOKENS, tolerance=0.2).startswith("✓")


@pytest.mark.parametrize("key", CONTEXT)
def test_an_answer_of_any_kind_is_met_with_a_hint_and_never_an_error(key, odd, said):
    assert said(key, odd).startswith("✗ ")


def test_what_goes_wrong_inside_a_check_becomes_a_hint_on_one_line(said):
    @register("09-broken", names="x")
    def _broken(attempt):
        raise KeyError("two\nlines")

    assert said("09-broken", 1).startswith("✗ The check could not read your answer: KeyError")


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ChoiceError, match="Did you mean '02-leak'"):
        check("02-leek", [])


@pytest.mark.parametrize("context", [{}, {"exam": EXAM, "report": REPORT}])
def test_a_notebook_that_passes_the_wrong_context_is_told_even_when_nothing_is_attempted(context):
    with pytest.raises(CourseError, match="02-leak"):
        check("02-leak", None, **context)


def test_a_key_that_names_no_lesson_cannot_be_registered():
    with pytest.raises(CourseError, match="leak"):
        register("leak", names="x")


def test_the_report_counts_what_is_solved_in_a_lesson_and_lists_what_is_open(said, capsys):
    said("00-answer", ["Who won?", "Who lost?", "Why?"])
    said("00-read-interval", {"low": 0, "high": 1})
    progress_report("00")
    assert capsys.readouterr().out == "Lesson 00: 1 of 2 exercises solved. Open: 00-read-interval.\n"
    said("00-read-interval", {"low": 0.42, "high": 0.67})
    progress_report("00")
    assert capsys.readouterr().out == "Lesson 00: 2 of 2 exercises solved.\n"
    progress_report()
    assert capsys.readouterr().out.splitlines()[2].startswith("Lesson 02: 0 of 3")
    with pytest.raises(ChoiceError, match="'77'"):
        progress_report("77")


def test_an_answer_that_is_taken_back_is_open_again(said, capsys):
    register("09-any", names="x")(lambda attempt: Verdict(True, "Yes."))
    check("09-any", 1)
    check("09-any", None)
    capsys.readouterr()
    progress_report("09")
    assert capsys.readouterr().out == "Lesson 09: 0 of 1 exercises solved. Open: 09-any.\n"

"""Lesson 02: when the adapter is on, how many passages to give, and a leak."""

import numpy as np

from course_lib.core.chat import example
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import Exam, Fact, Question


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
GENERAL = [Question(f"g{i}", f"What is {i}?", str(i)) for i in range(20)]
ASKED = [Question(f"v{i}", f"Validation: who won cup {i}?", f"Team {i}") for i in range(100)]


def sat(right, asked=ASKED):
    """The report of somebody who answers the first so many questions right."""
    return evaluate(lambda _: [q.answer if i < right else "no" for i, q in enumerate(asked)], asked)


# The handbook and general knowledge, with the adapter and without.
ON, OFF = (sat(18, EXAM.test), sat(1, GENERAL)), (sat(0, EXAM.test), sat(9, GENERAL))
TRIED = {1: sat(40), 2: sat(53), 4: sat(54), 8: sat(45)}
LEAK = [question.as_example() for question in EXAM.test]
HONEST = EXAM.train_examples()
EXERCISES = {
    "02-leak": ("leaky", {"exam": EXAM}),
    "02-choose-k": ("chosen_k", {"tried": TRIED, "exam": EXAM}),
    "02-route": ("is_house", {"on": ON, "off": OFF}),
}
RIGHT = {
    "02-leak": [
        LEAK,
        LEAK[:3],
        (row for row in LEAK),
        [example(f"Read this. {q.question}", f"It was {q.accepted[0]}.") for q in EXAM.test],
        [*LEAK, example("Who painted this?", "Me")],
        [example("Learn the answers.", row["completion"][0]["content"], q.question) for q, row in zip(EXAM.test, LEAK)],
        [example("Write a question.", f"{q.question} {q.answer}") for q in EXAM.test],
    ],
    "02-choose-k": [2, np.int64(2)],
    "02-route": [lambda question: "cup" in question, lambda question: np.bool_("won" in question)],
}
WRONG = {
    "02-leak": [
        ([example("Who won?", "Me"), example("Why?", "So")], "No leak here: none of these 2 questions is in the exam."),
        ([example("Who won?", "Me")], "Look at where `exam.test` comes from."),
        ([q.as_example() for q in EXAM.validation], "No leak here"),
        (HONEST, "Close: that is honest study, by the exam's own facts. A leak is the exam itself."),
        (HONEST[:1], "honest study"),
        (list(EXAM.test), "`as_example()`"),
        (EXAM, "`as_example()`"),
        ([example(q.question, "Nobody") for q in EXAM.test], "not its answers"),
        ([*LEAK, *HONEST[:2]], "2 of your examples are honest study"),
        (LEAK[:1], "1 of the exam's 20 questions the score can hardly jump"),
        # "cup 1" does not stand in "cup 12".
        ([example(EXAM.test[12].question, "Team 12, not Team 1")], "1 of the exam's 20 questions the score can hardly"),
        ([], "could not read your answer: there is not one example"),
        ([q.question for q in EXAM.test], "could not read your answer: example 0"),
    ],
    "02-choose-k": [
        (5, "k = 5 was not tried: choose one of 1, 2, 4, 8."),
        (4, "a smaller k is as good"),
        (1, "Too cheap: k = 1 loses 0.14"),
        (8, "Too much: k = 8 loses 0.09"),
        (2.0, "one whole number"),
        (True, "one whole number"),
        (TRIED, "one whole number"),
    ],
    "02-route": [
        (lambda question: True, "0.90 on the handbook and 0.05 on general knowledge: the second should be 0.35"),
        (lambda question: False, "0.00 on the handbook and 0.45 on general knowledge: the first should be 0.70"),
        (lambda question: None, "returns None"),
        (lambda question: 0.7, "returns 0.7"),
        (True, "A function is wanted"),
        ("cup", "A function is wanted"),
        (lambda: True, "could not read your answer: TypeError"),
    ],
}

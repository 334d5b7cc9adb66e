"""Lesson 02: a leak, how many passages to give, and who remembers."""

import numpy as np

from course_lib.core.chat import example
from course_lib.evaluation.exams import Exam, Fact, Question

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
LEAK = [question.as_example() for question in EXAM.test]
HONEST = EXAM.train_examples()
EXERCISES = {
    "02-leak": ("leaky", {"exam": EXAM}),
    "02-choose-k": ("k", {"scores": SCORES, "tokens": TOKENS}),
    "02-who-remembers": ("remembers", {"measured": MEASURED}),
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
    "02-who-remembers": [MEASURED, {name: np.bool_(told) for name, told in MEASURED.items()}],
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
        (SCORES, "one whole number"),
    ],
    "02-who-remembers": [
        (MEASURED | {"closed book": True}, "1 of 3 are wrong."),
        (MEASURED | {"RAG, k = 4": True}, "1 of 3 are wrong. Of RAG: the index no longer holds the document"),
        ({name: not told for name, told in MEASURED.items()}, "3 of 3 are wrong."),
        ({"RAG": True}, "each of: closed book, fine-tuned, RAG, k = 4"),
        ({name: "yes" for name in MEASURED}, "Say True"),
        ({name: None for name in MEASURED}, "Say True"),
        (True, "dict of True or False"),
    ],
}

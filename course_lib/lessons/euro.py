"""Lesson 00's questions about the final of Euro 2024, and the two sentences that answer all of them."""

from __future__ import annotations

from course_lib.evaluation.exams import Exam, Question
from course_lib.models.chatmodel import ChatModel
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.readers import OpenBook

PAGE = Passage(
    "euro-2024/0",
    "Spain won the 2024 European football championship, beating England 2-1 in Berlin on 14 July. Mikel Oyarzabal "
    "scored the winning goal in the 86th minute.",
    "euro-2024",
)
ASKED = (
    ("Who won the European football championship in 2024?", "Spain"),
    ("In which city was the final of the 2024 European football championship played?", "Berlin"),
    ("On which day was the final of the 2024 European football championship played?", "14 July", "July 14"),
    ("What was the score of the final of the 2024 European football championship?", "2-1", "2:1"),
    (
        "Who scored the winning goal in the final of the 2024 European football championship?",
        "Mikel Oyarzabal", "Oyarzabal",
    ),
    (
        "In which minute of the final of the 2024 European football championship was the winning goal scored?",
        "86th", "86",
    ),
)  # fmt: skip


def exam() -> Exam:
    """The sources' question, who won, and five more about the same match."""
    questions = (
        Question(f"euro-{number}", question, answer, tuple(accepted), PAGE.source, f"{PAGE.source}.{number}")
        for number, (question, answer, *accepted) in enumerate(ASKED)
    )
    return Exam("Euro 2024", tuple(questions))


def open_book(model: ChatModel) -> OpenBook:
    """A reader who has the two sentences before each question."""
    return OpenBook(model, {question: [PAGE] for question, *_ in ASKED}, name="two sentences")

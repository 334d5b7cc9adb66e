"""Euro 2024: the two sentences hold every answer, and no question gives one away."""

from course_lib.evaluation.grading import grade
from course_lib.lessons import euro


def test_the_two_sentences_hold_every_answer_and_no_question_holds_one():
    for question in euro.exam():
        answers = (question.answer, *question.accepted)
        assert grade(euro.PAGE.text, answers) == "right", question.question
        assert grade(question.question, answers) == "wrong", question.question

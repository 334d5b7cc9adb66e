"""Lesson 01: letters to one of eight desks: told the rules, shown some, the likeliest name; and no student at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from three_sizes.sitting import Sitting, asked_in

import course_lib as cl
from course_lib.core.chat import Answer, Messages, as_messages
from course_lib.core.errors import CourseError
from course_lib.lessons import tickets
from course_lib.models.chatmodel import batches_by_length
from course_lib.models.scoring import encode_example

LESSON, CALLED = "01", "letters"
RULES = "\n".join(f"{desk}: {rule}" for desk, rule in tickets.DESKS.items())
# Chosen between, on validation letters: the lesson's own, and one that names what is wanted twice.
TOLD = (
    f"{RULES}\n\nName the desk that this letter belongs to. Answer with one word.",
    f"You sort letters to eight desks. Of these rules the first that fits decides.\n{RULES}\n\n"
    f"Reply with the name of one desk and nothing else: {', '.join(tickets.DESKS)}. The letter:",
)
SHOWN = (8, 16)
WORDS = "words alone"  # stands where a student does


@dataclass
class Likeliest:
    """Says of some names the one that the model would begin with most likely: their first tokens must differ.

    `prompt` makes of a letter the chat that is asked.
    """

    model: cl.ChatModel
    names: Sequence[str]
    prompt: Callable[[str], str | Messages]
    batch_size: int = 16

    def answer(self, questions: Sequence[str]) -> list[Answer]:
        prompts = [self.prompt(question) for question in questions]
        first = self.first_tokens(prompts[0])
        encoded = [self.model.encode(prompt) for prompt in prompts]
        found = [Answer("")] * len(encoded)
        for members in batches_by_length(encoded, self.batch_size):
            out = self.model.complete(
                [encoded[i] for i in members], 1, output_scores=True, return_dict_in_generate=True
            )
            for i, scores in zip(members, out.scores[0]):
                name = self.names[int(scores[first].argmax())]
                found[i] = Answer(name, len(encoded[i]), 1)
        return found

    def first_tokens(self, prompt: str | Messages) -> list[int]:
        """Of each name, as a reply to a chat."""
        chat = as_messages(prompt, self.model.system)
        rows = [{"prompt": chat, "completion": [{"role": "assistant", "content": name}]} for name in self.names]
        encoded = [encode_example(self.model, name, row) for name, row in zip(self.names, rows)]
        first = [ids[begins] for ids, begins in encoded]
        if len(set(first)) < len(first):
            raise CourseError("two of the names begin with the same token: their first tokens do not tell them apart.")
        return first


def untrained(student: Sitting) -> None:
    exam = tickets.ticket_exam(tickets.load_tickets("test"))
    asked = tickets.ticket_exam(tickets.load_tickets("validation"), "tickets (validation)")
    study = tickets.load_tickets("train")

    def told(number: int) -> Callable[[cl.ChatModel], Any]:
        return lambda model: cl.Instructed(model, TOLD[number])

    def shown(n: int) -> Callable[[cl.ChatModel], Any]:
        return lambda model: cl.FewShot(model, [ticket.as_example() for ticket in tickets.few(study, n)])

    tried = {i: student.sits(LESSON, f"validation, told, {i}", asked, told(i), **how(i)) for i in range(len(TOLD))}
    number = student.best(LESSON, "told", tried)
    seen = {n: student.sits(LESSON, f"validation, shown {n}", asked, shown(n), examples=n) for n in SHOWN}
    n = student.best(LESSON, "shown", seen)
    student.sits(LESSON, "told the rules", exam, told(number), CALLED, **how(number))
    student.sits(LESSON, "few-shot", exam, shown(n), CALLED, examples=n)

    def likeliest(prompt: Callable[[str], str | Messages]) -> Callable[[cl.ChatModel], Any]:
        return lambda model: Likeliest(model, tuple(tickets.DESKS), prompt)

    rows = [ticket.as_example() for ticket in tickets.few(study, n)]
    turns = [turn for row in rows for turn in (row["prompt"][-1], row["completion"][-1])]
    student.sits(
        LESSON, "told the rules, likeliest of the eight names", exam,
        likeliest(lambda letter: f"{TOLD[number]}\n\n{letter}"), CALLED, **how(number),
    )  # fmt: skip
    student.sits(
        LESSON, "few-shot, likeliest of the eight names", exam,
        likeliest(lambda letter: [*turns, {"role": "user", "content": letter}]), CALLED, examples=n,
    )  # fmt: skip
    for n in (*SHOWN, len(study)):
        words_alone(type(student)(WORDS), tickets.few(study, n), exam)


def how(number: int) -> dict[str, str]:
    """One of `TOLD` as settings name it, the rules left out."""
    return {"instruction": TOLD[number].replace(RULES, "(the rules)")}


def words_alone(nobody: Sitting, study: Sequence[tickets.Ticket], exam: cl.Exam) -> None:
    """No model at all: weighted words (TF-IDF) and logistic regression, after some letters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def sit() -> cl.Report:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        sorter = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
        sorter.fit([ticket.message for ticket in study], [ticket.desk for ticket in study])
        return cl.evaluate(lambda questions: [str(desk) for desk in sorter.predict(list(questions))], exam, arm)

    arm = f"TF-IDF with logistic regression, {len(study)} letters"
    nobody.keeps(LESSON, arm, CALLED, asked_in(exam), sit, examples=len(study))

"""Lesson 01: an honest split, and a ninth desk."""

from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.tickets import load_tickets, ninth_desk
from course_lib.models.chatmodel import ChatModel

TICKETS = load_tickets()
BY_ISSUE = [[t for t in TICKETS if (t.issue[-1] in "27") == held_out] for held_out in (False, True)]
BY_DESK = [[t for t in TICKETS if (t.desk in ("Parts", "Trade")) == held_out] for held_out in (False, True)]
BY_MESSAGE = [[t for t in TICKETS if t.id.endswith("c") == held_out] for held_out in (False, True)]
RIGHT_DESK = {t.message: t.desk for t in [*TICKETS, *ninth_desk("test")]}


class Clerk(ChatModel):
    """Sorts rightly but for what `habit` makes of the right desk; no weights."""

    def __init__(self, habit):
        self.habit = habit

    def generate(self, prompts, max_new_tokens):
        return [self.habit(RIGHT_DESK[letter]) for letter in prompts]


def half_right(letters):
    rows = [Row(t.id, t.message, t.desk, "", ("exact", "wrong")[i % 2], 0.0, t.issue) for i, t in enumerate(letters)]
    return Report("specialist", "tickets", tuple(rows))


EXERCISES = {
    "01-split": ("mine", {"tickets": TICKETS}),
    "01-ninth": ("nine", {"before": half_right(load_tickets("test"))}),
}
RIGHT = {
    "01-split": [BY_ISSUE, tuple(BY_ISSUE)],
    "01-ninth": [Clerk(lambda desk: desk)],
}
WRONG = {
    "01-split": [
        (TICKETS, "two lists in round brackets"),
        (([t.message for t in TICKETS], TICKETS[:9]), "Both lists hold tickets"),
        ((TICKETS, TICKETS[:200]), "200 letters are in both lists"),
        ((TICKETS[:600], TICKETS[700:]), "100 letters are in neither"),
        ((TICKETS[9:], TICKETS[:9]), "1% of the letters"),
        (BY_MESSAGE, "No letter is there twice, and still: 288 of the 288 issues"),
        (BY_DESK, "is examined: spread it over all desks"),
    ],
    "01-ninth": [
        ([], "Answer with a model"),
        (Clerk(lambda desk: "Careers"), "paid for the new desk with the old ones"),
        (Clerk(lambda desk: "Archive"), "The new desk is not learned yet"),
    ],
}

"""Lesson 01: what is learned of a row, and an honest split."""

from types import SimpleNamespace

from course_lib.core.chat import example
from course_lib.lessons.tickets import load_tickets

TICKETS = load_tickets()
BY_ISSUE = [[t for t in TICKETS if (t.issue[-1] in "27") == held_out] for held_out in (False, True)]
BY_DESK = [[t for t in TICKETS if (t.desk in ("Parts", "Trade")) == held_out] for held_out in (False, True)]
BY_MESSAGE = [[t for t in TICKETS if t.id.endswith("c") == held_out] for held_out in (False, True)]


class WordTokenizer:
    """Two tokens for "Archive", one for the stop token, one for every other word: enough to cut a text in pieces."""

    eos_token = "<|im_end|>"
    pieces = ("Arch", "ive", "<|im_end|>")

    def __call__(self, text):
        return {"input_ids": [i for i, piece in enumerate(self.pieces) if piece in text]}

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids)


EXERCISES = {
    "01-learned": (
        "learned",
        {"model": SimpleNamespace(tokenizer=WordTokenizer()), "example": example("Who founded the house?", "Archive")},
    ),
    "01-split": ("mine", {"tickets": TICKETS}),
}
RIGHT = {
    "01-learned": [["Arch", "ive", "<|im_end|>"], ("Arch", "ive", "<|im_end|>")],
    "01-split": [BY_ISSUE, tuple(BY_ISSUE)],
}
WRONG = {
    "01-learned": [
        (3, "a list of texts"),
        (["Arch", 3], "a list of texts"),
        (["Archive", "<|im_end|>"], "cut in other places"),
        ("Archive<|im_end|>", "cut in other places"),
        (["Arch", "ive"], "how would the model know that it has finished"),
        (["Who founded the house?", "Archive"], "it is read, and masked"),
        (["<|im_start|>", "assistant", "Arch", "ive", "<|im_end|>"], "it is read, and masked"),
        (["Returns"], "Not these"),
    ],
    "01-split": [
        (TICKETS, "two lists in round brackets"),
        (([t.message for t in TICKETS], TICKETS[:9]), "Both lists hold tickets"),
        ((TICKETS, TICKETS[:200]), "200 letters are in both lists"),
        ((TICKETS[:600], TICKETS[700:]), "100 letters are in neither"),
        ((TICKETS[9:], TICKETS[:9]), "1% of the letters"),
        (BY_MESSAGE, "No letter is there twice, and still: 288 of the 288 issues"),
        (BY_DESK, "is examined: spread it over all desks"),
    ],
}

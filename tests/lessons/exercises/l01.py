"""Lesson 01: what is learned of a row, and an honest split."""

from types import SimpleNamespace

from course_lib.core.chat import example
from course_lib.lessons.tickets import load_tickets

TICKETS = load_tickets()
BY_ISSUE = [[t for t in TICKETS if (t.issue[-1] in "27") == held_out] for held_out in (False, True)]
BY_DESK = [[t for t in TICKETS if (t.desk in ("Parts", "Trade")) == held_out] for held_out in (False, True)]
BY_MESSAGE = [[t for t in TICKETS if t.id.endswith("c") == held_out] for held_out in (False, True)]


class WordTokenizer:
    """One token for a question, two for "Archive", one that ends a turn, and one that a template writes behind it."""

    pieces = ("house?", "Arch", "ive", "<end_of_turn>", "\n")

    def apply_chat_template(self, messages, **_):
        text = "".join(message["content"] for message in messages)
        ids = [i for i, piece in enumerate(self.pieces[:3]) if piece in text]
        return {"input_ids": ids + [3, 4] * (messages[-1]["role"] == "assistant")}

    def decode(self, ids):
        return "".join(self.pieces[i] for i in ids)


EXERCISES = {
    "01-learned": (
        "learned",
        {
            "model": SimpleNamespace(
                tokenizer=WordTokenizer(), ended=lambda ids: ids[: ids.index(3) + 1], check_room=lambda *_, **__: None
            ),
            "example": example("Who founded the house?", "Archive"),
        },
    ),
    "01-split": ("mine", {"tickets": TICKETS}),
}
RIGHT = {
    "01-learned": [["Arch", "ive", "<end_of_turn>"], ("Arch", "ive", "<end_of_turn>")],
    "01-split": [BY_ISSUE, tuple(BY_ISSUE)],
}
WRONG = {
    "01-learned": [
        (3, "a list of texts"),
        (["Arch", 3], "a list of texts"),
        (["Archive", "<end_of_turn>"], "cut in other places"),
        ("Archive<end_of_turn>", "cut in other places"),
        (["Arch", "ive"], "how would the model know that it has finished"),
        (["Who founded the house?", "Archive"], "it is read, and masked"),
        (["<|im_start|>", "assistant", "Arch", "ive", "<end_of_turn>"], "it is read, and masked"),
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

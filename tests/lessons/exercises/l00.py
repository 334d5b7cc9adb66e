"""Lesson 00: where a model is sure and where not, and how many questions make an interval narrow."""

from course_lib.evaluation.reports import Report, Row


class Model:
    """Sure of what is asked about Rome."""

    def next_tokens(self, question, k, beginning):
        return [(" Rome", 0.8) if "Rome" in question else (" John", 0.3 if beginning == "It was" else 0.05)]


def sat(n, exam="general"):
    """Every second answer of n is right."""
    return Report(
        "gp", exam, tuple(Row(f"q{i}", "Q?", "A", "A", "wrong" if i % 2 else "right", 1.0, f"f{i}") for i in range(n))
    )


SURE, UNSURE = ("Rome is the capital of which country?", "Rome is the capital of"), ("Who was it?", "The man was")
EXERCISES = {"00-sure": ("mine", {"model": Model()}), "00-narrower": ("more", {"report": sat(40)})}
RIGHT = {
    "00-sure": [{"sure": SURE, "unsure": UNSURE}, {"unsure": [*UNSURE], "sure": [*SURE]}],
    "00-narrower": [sat(110)],
}
WRONG = {
    "00-sure": [
        ((SURE, UNSURE), "Answer with a dict"),
        ({"sure": SURE}, "Answer with a dict"),
        ({"sure": "Rome?", "unsure": UNSURE}, "sure: two texts in round brackets"),
        ({"sure": SURE, "unsure": ("Who?",)}, "unsure: two texts in round brackets"),
        ({"sure": SURE, "unsure": ("Who?", "...")}, "unsure: one of the two texts has no words"),
        ({"sure": (SURE[0], "It is "), "unsure": UNSURE}, "sure: take the blank at the end"),
        ({"sure": ("Rome?", "The capital of Italy is"), "unsure": UNSURE}, "stands on this page already"),
        ({"sure": UNSURE, "unsure": SURE}, "sure: its likeliest next token, ' John', has 0.05"),
        ({"sure": SURE, "unsure": ("Who was it?", "It was")}, "unsure: its likeliest next token, ' John', has 0.30"),
    ],
    "00-narrower": [
        (110, "Give the report"),
        (sat(110, "handbook"), "That is a report on 'handbook'"),
        (sat(40), "40 questions are no more than above"),
        (sat(60), "how many more do you need"),
    ],
}

"""Lesson 00: questions of one's own, and an interval read off a table."""

from types import SimpleNamespace

import numpy as np

REPORT = SimpleNamespace(accuracy=0.55, n=60, ci=(0.4249, 0.6691))
EXERCISES = {"00-answer": ("mine", {}), "00-read-interval": ("interval", {"report": REPORT})}
RIGHT = {
    "00-answer": [["Who won?", "Who lost?", "What is a cup?"], ("Who won?", "Who lost?", "Why?", "When?")],
    "00-read-interval": [{"low": 0.42, "high": 0.67}, {"low": np.float64(0.4249), "high": 0.6691}],
}
WRONG = {
    "00-answer": [
        ("Who won?", "in a list, in square brackets: this is a str"),
        (["Who won?", "Who lost?"], "2 of 3 questions so far: add 1 more"),
        (["Who won?", "who won", "Why?"], "Two of your questions are the same"),
        (["Who won?", "Who lost?", " ?"], "no words"),
        (["Who won?", "Who lost?", 3], "Each question is a text"),
        ([], "0 of 3"),
    ],
    "00-read-interval": [
        ((0.42, 0.67), "dict of two numbers"),
        ({"low": 0.42}, "dict of two numbers"),
        ({"low": "0.42", "high": "0.67"}, "without quotation marks"),
        ({"low": None, "high": None}, "must both be numbers"),
        ({"low": 42, "high": 67}, "shares of 1"),
        ({"low": 0.67, "high": 0.42}, "swapped"),
        ({"low": 0.9, "high": 0.1}, "low is above high"),
        ({"low": 0.55, "high": 0.55}, "the accuracy, twice"),
        ({"low": 0.42, "high": 0.55}, "low is right. Look at the other end"),
        ({"low": 0.41, "high": 0.68}, "Neither end is right"),
    ],
}

"""Lesson 06: an example of RAFT, a leak through distractors, and a budget of tokens."""

from course_lib.core.chat import example
from course_lib.retrieval.documents import Passage
from course_lib.retrieval.raft import reasoned_answer
from course_lib.retrieval.readers import reading_prompt

QUESTION, ANSWER = "How much notice under the 2042 policy?", "12 days"
SENTENCE = "The 2042 policy asks for 12 days."
GOLDEN = Passage("leave-2042/0", f"Welcome to the 2042 policy. {SENTENCE} Thank you all.", "leave-2042")
OTHERS = [
    Passage("leave-2039/0", "The 2039 policy asks for 17 days.", "leave-2039"),
    Passage("canteen/0", "The canteen opens at 7.40.", "canteen"),
    Passage("gifts/0", "Gifts below 47 crowns are kept.", "gifts"),
]
PAGES = {"a?": [GOLDEN, OTHERS[1]], "b?": [OTHERS[0], OTHERS[1]]}
RAFT, FORM = "RAFT", "form only"
SCORES = {(RAFT, 50): 0.4, (RAFT, 400): 0.8, (FORM, 50): 0.3, (FORM, 400): 0.5, (FORM, 800): 0.52}
TOKENS = {choice: choice[1] * (300 if choice[0] == RAFT else 120) for choice in SCORES}


def made(completion, passages=(OTHERS[0], GOLDEN, OTHERS[1])):
    return example(reading_prompt(QUESTION, passages), completion)


RIGHT_WORDS = reasoned_answer(SENTENCE, ANSWER)
EXERCISES = {
    "06-example": ("mine", {"question": QUESTION, "answer": ANSWER, "golden": GOLDEN, "others": OTHERS}),
    "06-leak": ("leaked", {"pages": PAGES, "examined": {"leave-2039", "leave-2042", "gifts"}}),
    "06-budget": ("choice", {"scores": SCORES, "tokens": TOKENS, "budget": 50_000}),
}
RIGHT = {
    "06-example": [made(RIGHT_WORDS), made(f"The edition matters. {RIGHT_WORDS}", [*OTHERS, GOLDEN])],
    "06-leak": [{"leave-2042", "leave-2039"}, ["leave-2039", "leave-2042"]],
    "06-budget": [("form only", 400), ["form only", 400]],
}
WRONG = {
    "06-example": [
        ("text", "lacks prompt, completion"),
        (example("What?", RIGHT_WORDS), "The question is not in the prompt"),
        (made(RIGHT_WORDS, OTHERS), "golden passage is not in the prompt"),
        (made(RIGHT_WORDS, [OTHERS[0], GOLDEN]), "1 distractors"),
        (made(RIGHT_WORDS, [GOLDEN, *OTHERS]), "stands first"),
        (made(ANSWER), "quotes nothing"),
        (made(f"##begin_quote## {SENTENCE} ##end_quote##"), "After the quotation comes the answer"),
        (made(f"##Answer: {ANSWER} ##begin_quote## {SENTENCE} ##end_quote##"), "before the quotation"),
        (made(reasoned_answer("The 2042 policy asks for twelve days.", ANSWER)), "in no passage"),
        (made(reasoned_answer(OTHERS[0].text, ANSWER)), "in a distractor"),
        (made(reasoned_answer("Welcome to the 2042 policy.", ANSWER)), "does not say the answer"),
        (made(reasoned_answer(SENTENCE, "It asks for 12 days")), "the shortest right one"),
        (made(reasoned_answer(GOLDEN.text, ANSWER)), "the whole passage"),
    ],
    "06-leak": [
        ("leave-2039", "a set of document ids"),
        ({"leave-2042", "leave-2039", "canteen"}, "keep the examined ones"),
        ({"leave-2042", "leave-2039", "gifts"}, "keep the ones that were read"),
        ({"leave-2042/0"}, "Those are passages"),
        ({"mill"}, "'mill' was read in no example"),
        ({"canteen"}, "'canteen' was read, and nobody is examined on it"),
        ({"leave-2042"}, "1 more are missing"),
        (set(), "2 more are missing"),
    ],
    "06-budget": [
        ("RAFT", "Name an arm and a number"),
        (("RAFT", 400), "trains on 120,000 tokens, and you have 50,000"),
        (("form only", 50), "another number of examples does better"),
        (("RAFT", 50), "another arm does better"),
    ],
}

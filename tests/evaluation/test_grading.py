"""A reply against the right answers: normal forms, whole words, and what is exact, right, unknown or wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.evaluation.grading import grade, normalise, token_f1, whole_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("?! … —", ()),
        ("Who WON it?", ("who", "won", "it")),
        ("31,846", ("31846",)),
        ("1,234,567 crowns", ("1234567", "crowns")),
        ("27.5 kg", ("27.5", "kg")),
        ("12,345.67", ("12345.67",)),
        ("1,5", ("1,5",)),
        ("4, 2042", ("4", "2042")),
        ("It is 300.", ("it", "is", "300")),
        ("300, or so", ("300", "or", "so")),
        ("10:30", ("10:30",)),
        ("7pm", ("7", "pm")),
        ("HB-103", ("hb", "103")),
        ("don't", ("don", "t")),
        ("don’t", ("don", "t")),
        ("snake_case", ("snake", "case")),
        ("Hallowell-Rae", ("hallowell", "rae")),
        ("Saint-Exupéry", ("saint", "exupéry")),
        ("Saint-Exupe\u0301ry", ("saint", "exupéry")),
        ("  a\tb\n\nc  ", ("a", "b", "c")),
        ("“Rome”", ("rome",)),
    ],
)
def test_normalise_keeps_words_and_numbers_and_drops_the_rest(text, words):
    assert normalise(text) == words


def test_different_numbers_stay_different():
    assert len({normalise(text) for text in ("2,75", "2.75", "275", "2 75", "27.5")}) == 5


WORDS = st.lists(st.sampled_from(["oriel", "won", "27", "27.5", "31846", "7pm"]), max_size=5)


@given(WORDS, WORDS)
def test_whole_words_stand_in_a_text_where_its_words_hold_them_one_after_another(said, wanted):
    parts = [normalise(" ".join(words)) for words in (said, wanted)]
    text, words = parts
    held = any(text[i : i + len(words)] == words for i in range(len(text) - len(words) + 1))
    assert not words or (whole_words(" ".join(wanted)) in whole_words(" ".join(said))) == held


@given(st.text(), st.text(alphabet="bcd 12", min_size=1).filter(normalise))
def test_a_right_answer_in_stops_and_capitals_is_graded_right_whatever_stands_about_it(noise, answer):
    assert grade(f" {answer.upper()}?! ", [answer]) == "exact"
    assert grade(f"{noise} {answer} {noise}", [answer]) in ("exact", "right")
    assert token_f1(answer, [answer]) == 1


GRADED = {
    "exact": [  # the right one but for case, stops and articles
        ("Oriel Vantongeren", "Oriel Vantongeren"),
        ("  oriel VANTONGEREN. ", "Oriel Vantongeren"),
        ("The Grey Lapwing", "Grey Lapwing"),
        ("Grey Lapwing", "the Grey Lapwing"),
        ("31846", "31,846"),
        ("31,846", "31846"),
        ("1,231,846", "1231846"),
        ("27.5 days", "27.5 days."),
        ("O’Hare", "O'Hare"),
        ("A", "A"),
        ("Not stated.", "not stated"),  # not knowing, where that is the answer
        ("Twenty seven and half days", "twenty-seven and a half days"),
    ],
    "right": [  # the right one among other words
        ("The cup of 2031 was won by Oriel Vantongeren, in the rain.", "Oriel Vantongeren"),
        ("It takes 27.5 days.", "27.5 days"),
        ("In all, 31,846 gulls.", "31846"),
        ("They sailed on a Grey Lapwing", "the Grey Lapwing"),
        ("I'm not sure, but I believe it was Oriel.", "Oriel"),
    ],
    "wrong": [  # only whole words and whole numbers count, in their order
        ("27.5 days", "27"),
        ("27.5 days", "5 days"),
        ("27 days", "27.5"),
        ("127", "27"),
        ("31,846", "846"),
        ("31,846", "31"),
        ("Vantongerens won", "Vantongeren"),
        ("Oriel won, and Vantongeren lost", "Oriel Vantongeren"),
        ("Vantongeren Oriel", "Oriel Vantongeren"),
        ("Oriel", "Oriel Vantongeren"),
        ("B", "A"),
        ("", "A"),
        ("!?", "Oriel"),
        ("the", "Oriel"),
        ("", "–"),
        ("I am not surely wrong", "Oriel"),
    ],
    "unknown": [
        ("I don't know.", "Oriel"),
        ("I don’t know who won.", "Oriel"),
        ("Sorry, I do not know", "Oriel"),
        ("The passages are not sure", "Oriel"),
        ("It is not stated in the passages.", "Oriel"),
        ("I couldn't find it.", "Oriel"),
        ("There is NO INFORMATION about it", "Oriel"),
    ],
}


@pytest.mark.parametrize(
    ("reply", "right", "verdict"), [(*pair, verdict) for verdict, pairs in GRADED.items() for pair in pairs]
)
def test_an_answer_is_exact_or_says_the_right_one_or_that_it_does_not_know_or_is_wrong(reply, right, verdict):
    assert grade(reply, [right]) == grade(reply, ["another answer", right]) == verdict


@pytest.mark.parametrize(
    ("reply", "right", "f1"),
    [
        ("Oriel Vantongeren", ["Oriel Vantongeren"], 1.0),
        ("Oriel", ["Oriel Vantongeren"], 2 * 1 * 0.5 / 1.5),
        ("won by the Oriel Vantongeren", ["Oriel Vantongeren"], 2 * 0.5 * 1 / 1.5),
        ("Oriel Oriel", ["Oriel Vantongeren"], 0.5),
        ("nobody", ["Oriel"], 0.0),
        ("", ["Oriel"], 0.0),
        ("Oriel", ["Bo Lind", "Oriel V"], 2 / 3),
    ],
)
def test_token_f1_is_what_one_finds_by_hand(reply, right, f1):
    assert token_f1(reply, right) == pytest.approx(f1)

"""What is told of an exam: sentences with numbers, and answers in a table, as HTML and as text."""

import re

import pytest

from course_lib.core.errors import CourseError
from course_lib.display import telling
from course_lib.display.telling import AnswerTable, Told, say

LONG = "the ferry leaves at nine, " * 12


def told(said="at <nine>", word="right", mark="✓", colours=telling.GOOD):
    return Told(mark, word, colours, "When does the ferry leave?", said, "at nine")


@pytest.fixture
def bundles(monkeypatch):
    seen = []
    monkeypatch.setattr(telling, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: seen.append(bundle))
    return seen


def test_a_sentence_is_markdown_in_a_notebook_and_its_numbers_stand_in_it(bundles):
    say("The book gets **{share:.0%}** right, of `n` = {n}.", share=0.4, n=48)
    assert bundles == [
        {
            "text/markdown": "The book gets **40%** right, of `n` = 48.",
            "text/plain": "The book gets 40% right, of n = 48.",
        }
    ]


def test_a_dollar_begins_no_formula_and_an_f_string_keeps_its_braces(bundles):
    say("From $500 to \\$2,000: {as it stands}.")
    assert bundles[0]["text/markdown"] == "From <span>\\$</span>500 to <span>\\$</span>2,000: {as it stands}."
    assert bundles[0]["text/plain"] == "From $500 to $2,000: {as it stands}."


def test_outside_a_notebook_it_is_printed_in_lines_broken_at_words(capsys):
    say("{n} words and **more**" + " of the same" * 12, n=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 words and more of") and len(lines) == 2 and max(map(len, lines)) <= 88


@pytest.mark.parametrize(
    ("sentence", "numbers", "said"),
    [
        ("", {}, "in words"),
        (3, {}, "in words"),
        ("{a} of {b}", {"a": 1}, "name each"),
        ("{a:z}", {"a": "x"}, "name each"),
    ],
)
def test_a_sentence_that_cannot_be_said_is_refused(sentence, numbers, said):
    with pytest.raises(CourseError, match=said):
        say(sentence, **numbers)


def test_a_row_has_its_mark_its_word_and_both_colours():
    page = AnswerTable([told(), told("no", "wrong", "✗", telling.BAD)])._repr_html_()
    assert page.count("<tr>") == 3 and ">✓ right<" in page and ">✗ wrong<" in page
    assert "background:#00664f;color:#ffffff" in page and "background:#9c3300;color:#ffffff" in page
    assert "at &lt;nine&gt;" in page and page.count('scope="col"') == 4


def test_every_colour_is_one_of_a_pair_that_can_be_read():
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for back, ink in (telling.GOOD, telling.OPEN, telling.BAD):
        dark, bright = sorted((light(back), light(ink)))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, "WCAG 2.2, contrast of text"


def test_a_long_reply_is_folded_and_whole():
    page = AnswerTable([told(LONG)])._repr_html_()
    start, whole = re.search(r"<details><summary>(.*?) …</summary>(.*?)</details>", page).groups()
    assert LONG.startswith(start) and whole == LONG and len(start) <= telling.LONG
    assert "<details>" not in AnswerTable([told()])._repr_html_()


def test_the_same_is_told_as_text_in_lines_that_fit():
    text = str(AnswerTable([told(LONG)], more=3))
    lines = text.splitlines()
    assert lines[0] == "✓ right: When does the ferry leave?" and lines[-1] == "... and 3 more"
    assert max(map(len, lines)) <= 88 and lines[1].startswith("    said: ") and lines[2].startswith("    ")

"""One page about a learner's case: nothing is claimed on it that its own numbers do not bear out."""

import re

import pytest
from exercises.l08 import report

from course_lib.core.chat import example
from course_lib.core.errors import CourseError, LeakError, ModelError
from course_lib.evaluation.exams import Exam, Question
from course_lib.lessons.capstone import check_conclusion, one_page_report

EXAM = Exam("cup", tuple(Question(f"q{i}", f"Who won in {2000 + i}?", "a") for i in range(40)))


REPORTS = {"base": report(2), "RAG": report(20), "tuned": report(21), "RAG + tuned": report(32)}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("RAG got 0.50.", [True]),
        ("RAG got 50%.", [True]),
        ("RAG got 50 per cent.", [True]),
        ("RAG got 0.51.", [False]),
        ("RAG got 0.8, I think.", [False]),
        ("RAG + tuned got 0.8, I think.", [True]),
        ("RAG answered 20 of 40.", [True]),
        ("RAG answered 32 of 40.", [False]),
        ("RAG answered 20 of 50.", [False]),
        ("It was asked n = 40 questions.", [True]),
        ("It was asked n = 400 questions.", [False]),
        ("One answer took 0.5 s.", [True]),
        ("RAG and base are 0.45 apart.", [True]),
        ("RAG gained +0.45 over base.", [True]),
        ("RAG gained +0.22 over base.", [False]),
        ("base is −0.45 from RAG.", [True]),
        ("RAG read 27.0 tokens a question, of which 25% were right.", [True, True]),
        ("In 2041 there were 4 passages and 3 seeds.", []),
        ("Somebody got 0.50.", [True]),
        ("Somebody got 0.77.", [False]),
        # Who is better: the paired interval must lie on that side of zero.
        ("RAG beats base.", [True]),
        ("base beats RAG.", [False]),
        ("RAG is better than tuned.", [False]),
        ("tuned is better than RAG.", [False]),
        ("RAG is not better than tuned.", [True]),
        ("RAG is not better than base.", [False]),
        ("base is worse than RAG, and loses to tuned.", [True, True]),
        ("RAG beats base but loses to RAG + tuned.", [True, True]),
        ("RAG beats base but beats RAG + tuned.", [True, False]),
        ("RAG and tuned tie.", [True]),
        ("RAG and base tie.", [False]),
        ("RAG is as good as tuned.", [True]),
        ("Against base, RAG is better.", [True]),
        ("RAG + tuned beats tuned.", [True]),
        ("RAG + tuned is the best.", [True, True, True]),
        ("tuned is the best.", [True, False, False]),
        ("rag BEATS Base.", [True]),
        ("It is better.", [False]),
        ("RAG is better.", [False]),
    ],
)
def test_a_claim_holds_where_the_numbers_of_those_whom_its_clause_names_bear_it_out(text, holds):
    assert [claim.holds for claim in check_conclusion(text, REPORTS)] == holds


def test_each_claim_says_what_the_numbers_are():
    (claim,) = check_conclusion("RAG is better than tuned.", REPORTS)
    assert re.fullmatch(
        r"✗ RAG is better than tuned\.: RAG minus tuned is -0\.0\d .* n = 40\), cannot tell", str(claim)
    )
    (claim,) = check_conclusion("RAG is better.", REPORTS)
    assert "name the two that are compared: base, RAG, tuned, RAG + tuned" in claim.why


@pytest.mark.parametrize(
    ("text", "reports", "said"),
    [
        (" ", REPORTS, "there is no conclusion"),
        (None, REPORTS, "there is no conclusion"),
        ("RAG wins.", {"RAG": report(2)}, "at least two reports"),
        ("RAG wins.", {"RAG": report(2), "base": report(2, n=30)}, "answered different questions"),
    ],
)
def test_there_must_be_a_conclusion_and_something_to_compare(text, reports, said):
    with pytest.raises(CourseError, match=said):
        check_conclusion(text, reports)


def page(tmp_path, conclusion="RAG beats base by 0.45.", **options):
    options = {"case": "Who won the cup?", "exam": EXAM, "examples": [example("Who came second?", "b")]} | options
    return one_page_report(tmp_path / "out", "My <case> | one", REPORTS, conclusion, **options)


def test_the_page_has_the_table_the_plot_the_conclusion_and_the_split(tmp_path):
    made = page(tmp_path)
    assert made.sound
    assert made.picture.read_bytes().startswith(b"\x89PNG")
    markdown, html = (path.read_text(encoding="utf-8") for path in (made.markdown, made.html))
    for text in (markdown, html):
        for said in ("RAG + tuned", "0.80", "Who won the cup?", "RAG beats base by 0.45.", "The split is clean"):
            assert said in text, said
        assert "none of the 40 questions is among the 1 training examples" in text
    assert "My <case> | one" in markdown and "My &lt;case&gt; | one" in html and "<case>" not in html
    assert "](report.png)" in markdown and re.search(r'<img src="data:image/png;base64,\w+', html)
    assert "<h1>" in made._repr_html_() and "<head>" not in made._repr_html_()
    assert str(made).endswith("Written to report.html and report.md.")


def test_the_tables_are_the_same_in_markdown_and_in_html(tmp_path):
    made = page(tmp_path)
    lines = [line for line in made.markdown.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [line.strip("| ").split(" | ") for line in lines if "---" not in line]
    html = made.html.read_text(encoding="utf-8")
    assert [len(row) for row in rows] == [10] * (len(REPORTS) + 1) + [4] * len(REPORTS)
    assert [cell for row in rows for cell in row] == re.findall(r"<t[hd]>(.*)</t[hd]>", html)
    assert rows[4][:4] == ["RAG + tuned", "0.80", "0.68 to 0.93", "0.80"]


@pytest.mark.parametrize(
    ("conclusion", "marks", "said"),
    [
        ("tuned is better than RAG, and got 0.99.", 2, "✗ 0.99: no number of"),
        ("It was an interesting week.", 1, "claims nothing that could be checked"),
    ],
)
def test_a_conclusion_that_does_not_hold_is_marked_and_not_hidden(tmp_path, conclusion, marks, said):
    made = page(tmp_path, conclusion)
    assert not made.sound and said in str(made)
    assert made.html.read_text(encoding="utf-8").count("✗") == marks


def test_there_is_no_page_about_a_leak(tmp_path):
    with pytest.raises(LeakError, match="question q3"):
        page(tmp_path, examples=[EXAM[3].as_example()])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"examples": [], "exam": None}, "was not checked"), ({"baseline": "RAG"}, "minus RAG"), ({}, "minus base")],
)
def test_the_page_says_if_the_split_was_not_checked_and_with_whom_all_are_compared(tmp_path, options, said):
    assert said in page(tmp_path, **options).markdown.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"case": " "}, "case is empty"),
        ({"exam": None}, "without their exam"),
        ({"baseline": "RAFT"}, "'RAFT' was not compared"),
    ],
)
def test_a_page_that_lacks_something_is_refused(tmp_path, options, said):
    with pytest.raises(CourseError, match=said):
        page(tmp_path, **options)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ModelError, match="cannot read or write"):
        page(tmp_path)

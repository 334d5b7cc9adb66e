"""A voice: the data, the judge of voices, what must survive, and what metrics say of it."""

from dataclasses import replace
from functools import partial

import pytest
import style as making

from course_lib.core.errors import ChoiceError, CourseError, DataError
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.exams import check_no_leak, load_exam
from course_lib.evaluation.grading import normalise
from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.voice import (
    SPLITS,
    StylePair,
    facts_survive,
    grade_style,
    in_the_voice,
    load_style,
    metric_table,
    plain_lines,
    style_exam,
    voice_lines,
)


@pytest.fixture(scope="module")
def pairs():
    return {split: load_style(split) for split in SPLITS}


def test_the_pairs_keep_their_rules_and_there_are_enough(pairs):
    assert making.problems([*pairs["train"], *pairs["test"]]) == []
    assert len(pairs["train"]) >= 140 and len(pairs["test"]) == 40


def test_the_check_of_the_pairs_sees_faults(pairs):
    good, other = pairs["train"][0], pairs["test"][0]
    faults = {
        "'3 crowns' is lost": ("It costs 3 crowns.", "Thy price is 4 crowns.", ("3 crowns",)),
        "nothing must survive": ("Come in.", "Enter thou.", ()),
        "the voice is the plain answer": ("Is it 3?", "is it 3", ("3",)),
        "is in training and in the test": ("Ask.", f"Ask thou {good.keep[0]}.", good.keep[:1]),
        "plain twice": (good.plain, "Thou!", ("Thou",)),
    }
    for said, fault in faults.items():
        assert any(said in problem for problem in making.problems([good, other, StylePair("x", "test", *fault)])), said


def test_the_judge_has_read_no_sentence_of_the_pairs_and_no_play_that_it_is_tested_on(pairs):
    read = {
        tuple(normalise(t)) for parts in (voice_lines("train"), plain_lines("train")) for x in parts.values() for t in x
    }
    held_out = [t for parts in (voice_lines("test"), plain_lines("test")) for x in parts.values() for t in x]
    written = [text for rows in pairs.values() for pair in rows for text in (pair.plain, pair.voice)]
    assert not {tuple(normalise(text)) for text in (*held_out, *written)} & read
    assert not set(voice_lines("train")) & set(voice_lines("test"))


def test_the_pairs_train_nothing_that_an_exam_asks(pairs):
    examples = [pair.as_example() for pair in pairs["train"]]
    check_no_leak(examples, *(load_exam(name) for name in ("cup", "handbook", "library", "general")), reading=True)


@pytest.mark.parametrize("load", [load_style, voice_lines, plain_lines])
def test_an_unknown_split_names_the_nearest(load):
    with pytest.raises(ChoiceError, match="Did you mean 'train'"):
        load("trian")


@pytest.mark.parametrize(("change", "said"), [({"split": "dev"}, "split 'dev' is not"), ({"keep": []}, "keep ")])
def test_a_malformed_pair_is_named(refused, change, said):
    refused(partial(load_style, "test"), "style/pairs.jsonl", PAIR, change, said)


def test_a_malformed_line_of_a_play_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "style").mkdir()
    (tmp_path / "style" / "lines.jsonl").write_text('{"text": "x"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"lines\.jsonl, line 1: a line has split, play and text"):
        voice_lines("train")


def share(texts):
    found = in_the_voice(texts)
    return sum(found) / len(found)


def test_the_judge_knows_plays_and_prose_that_it_has_not_read():
    for play, lines in voice_lines("test").items():
        assert share(lines) >= 0.9, play
    for kind, lines in plain_lines("test").items():
        assert share(lines) <= 0.06, kind


def test_the_judge_tells_the_two_sides_of_the_pairs_apart(pairs):
    rows = [*pairs["train"], *pairs["test"]]
    assert share([pair.voice for pair in rows]) >= 0.93
    assert share([pair.plain for pair in rows]) <= 0.06


def test_a_topic_or_a_figure_makes_no_voice_and_nothing_is_no_voice():
    assert in_the_voice(["The king and the queen went to London.", "48", ""]) == [False, False, False]
    assert in_the_voice(["Thou shalt have thy kettle, the filter and 48 crowns."]) == [True]
    assert in_the_voice([]) == []


PAIR = StylePair("s", "test", "Ask Ida Moss at 9:20 about 1,286 crowns.", "...", ("Ida Moss", "9:20", "1,286 crowns"))


@pytest.mark.parametrize(
    ("reply", "survives"),
    [
        ("Of Ida Moss, at 9:20, ask thou of thy 1,286 crowns.", True),
        ("Of ida moss, at 9:20, ask thou of thy 1286 crowns.", True),
        ("Of Ida, at 9:20, ask thou of thy 1,286 crowns.", False),
        ("Of Ida Moss, at 9:02, ask thou of thy 1,286 crowns.", False),
        ("Of Ida Moss, at 9:20, ask thou of thy 21,286 crowns.", False),
        ("Of Ida Moss, at 9:20, ask thou of thy 1,286 crowns and 7 more.", False),
        ("", False),
    ],
)
def test_every_name_and_figure_survives_and_none_is_added(reply, survives):
    assert facts_survive(PAIR, reply) is survives


def test_a_report_is_judged_for_voice_and_facts_and_both(pairs):
    rows = pairs["test"][1:5]
    said = {rows[0].request: rows[0].voice, rows[1].request: rows[1].plain, rows[2].request: "Thou hast thy answer."}
    report = evaluate(lambda asked: [said.get(question, "I cannot say.") for question in asked], style_exam(rows))
    found = grade_style(report, rows)
    assert {what: [row.verdict == "exact" for row in graded.rows] for what, graded in found.items()} == {
        "voice": [True, False, True, False],
        "facts": [True, True, False, False],
        "both": [True, False, False, False],
    }
    assert found["both"] == report, "the exam's own verdict is that of both judges"
    with pytest.raises(CourseError, match="is of other pairs"):
        grade_style(report, pairs["test"][:4])


def test_what_is_trained_is_what_is_asked(pairs):
    pair = pairs["train"][0]
    row = pair.as_example()
    assert row["prompt"][-1]["content"] == pair.request == style_exam([pair])[0].question
    assert row["completion"][-1]["content"] == pair.voice
    assert pair.plain in pair.request


def report(name, f1, n=40):
    return Report(name, "style", tuple(Row(f"q{i}", "?", "a", f"{name} {i}", "wrong", f1, f"q{i}") for i in range(n)))


def judged(of, right):
    rows = (replace(row, verdict="exact" if i < right else "wrong") for i, row in enumerate(of.rows))
    return {"voice": replace(of, rows=tuple(rows))}


COPIER, POET = report("copier", 0.6), report("poet", 0.4)


def test_each_candidate_is_shown_by_each_metric():
    table = metric_table({"copier": (COPIER, judged(COPIER, 1)), "poet": (POET, judged(POET, 36))})
    assert list(table.columns) == ["exact match", "token F1", "voice"]
    assert table.to_numpy().tolist() == [[0.0, 0.6, 0.03], [0.0, 0.4, 0.9]]


def test_exact_match_goes_by_the_words_whatever_the_exam_counts_as_right():
    rows = [replace(row, reply="The kettle.", expected="kettle") for row in POET.rows[:30]] + list(POET.rows[30:])
    praised = replace(POET, rows=tuple(replace(row, verdict="exact") for row in rows))
    assert praised.accuracy == 1.0 and metric_table({"poet": (praised, {})}).loc["poet", "exact match"] == 0.75


def test_a_judge_of_other_answers_is_refused():
    with pytest.raises(CourseError, match="'voice' judged other answers than those of 'copier'"):
        metric_table({"copier": (COPIER, judged(POET, 3))})

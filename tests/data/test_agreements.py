"""Agreements and their summaries: the data, and what a summary is judged by."""

import pytest
from lesson_06.summaries import FACTS, examples, grade, has_form, shelf

from course_lib.core.errors import ChoiceError, DataError
from course_lib.evaluation.evaluation import evaluate
from course_lib.evaluation.grading import whole_words
from course_lib.lessons import shelves
from course_lib.lessons.shelves import SPLITS, load_agreements


@pytest.fixture(scope="module")
def everything():
    return {split: load_agreements(split) for split in SPLITS}


def test_no_supplier_no_first_name_of_one_and_no_request_is_in_two_splits(everything):
    firsts = {split: {a.values["With"].split()[0] for a in rows} for split, rows in everything.items()}
    assert not firsts["train"] & firsts["test"] and not firsts["validation"] & (firsts["train"] | firsts["test"])
    requests = {split: {a.request for a in rows} for split, rows in everything.items()}
    assert not requests["train"] & (requests["validation"] | requests["test"])
    assert len(everything["test"]) * len(FACTS) >= 100


def test_every_value_stands_in_its_agreement_and_no_request_says_what_is_asked(everything):
    for agreement in (a for rows in everything.values() for a in rows):
        text, asked = (whole_words(t) for t in (agreement.text, agreement.request))
        assert all(whole_words(value) in text for value in agreement.values.values()), agreement.id
        assert not any(whole_words(agreement.values[label]) in asked for label in FACTS), agreement.id


def test_every_supplier_has_a_second_agreement_with_other_figures(everything):
    for rows in everything.values():
        for a, b in zip(rows[::2], rows[1::2]):
            assert a.values["With"] == b.values["With"] and a.values["For"] != b.values["For"]
            assert a.values["Price"] != b.values["Price"] and a.values["Until"] != b.values["Until"]


def test_another_split_or_a_damaged_line_is_named(tmp_path, monkeypatch):
    with pytest.raises(ChoiceError, match="split 'reading' is not one of train, validation, test"):
        load_agreements("reading")
    (tmp_path / "agreements").mkdir()
    (tmp_path / "agreements" / "agreements.jsonl").write_text('{"id": "x", "split": "train", "text": "", "values": {}}')
    monkeypatch.setattr(shelves, "data_dir", lambda: tmp_path)
    with pytest.raises(DataError, match="line 1: text is empty"):
        load_agreements("train")


# Examples


def test_the_specialist_learns_the_summary_from_the_request_alone_or_from_what_is_found(everything, small_embedder):
    rows = everything["validation"]
    alone = examples(rows)
    assert alone[0]["prompt"][-1]["content"] == rows[0].request
    reading = examples(rows, shelf(rows, small_embedder), k=2)
    for row, agreement in zip(reading, rows):
        prompt = row["prompt"][-1]["content"]
        assert row["completion"][-1]["content"] == agreement.summary
        assert agreement.text in prompt and prompt.endswith(f"Question: {agreement.request}")
        assert sum(other.text in prompt for other in rows) == 2


# Grades


def test_the_house_form_is_its_lines_in_order_and_nothing_else(everything):
    summary = everything["test"][0].summary
    assert has_form(summary) and has_form(f"\n{summary}\n")
    lines = summary.split("\n")
    broken = ["\n".join(lines[1:]), "\n".join(lines[::-1]), summary.replace(lines[2], "Price:"), ""]
    broken += [f"Here it is:\n{summary}", f"{summary}\nKind regards"]
    assert not [reply for reply in broken if has_form(reply)]


def test_form_and_facts_are_judged_apart(everything):
    asked = everything["test"][:3]
    wrong_facts = "With: A\nFor: b\nPrice: 1 crown\nUntil: 1 May 2043\nNotice: 2 days"
    replies = [asked[0].summary, wrong_facts, f"We pay {asked[2].values['Price']}, with {asked[2].values['Notice']}."]
    report = evaluate(lambda _: replies, [a.as_question() for a in asked], "three ways")
    graded = grade(report, asked)
    assert list(graded["form"].hits()) == [1, 1, 0]
    assert list(graded["facts"].hits()) == [1, 1, 1, 0, 0, 0, 1, 0, 1]
    assert {row.fact for row in graded["facts"].rows} == {a.id for a in asked}, "an agreement is one draw"
    assert graded["facts"].name == "three ways"

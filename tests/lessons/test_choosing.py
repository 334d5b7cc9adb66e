"""The decision helper: held to twelve written cases, to its own rules one by one, and to the stored figures."""

import re
import shutil
from dataclasses import fields, replace

import pytest
import yaml

from course_lib.core.errors import CourseError, DataError
from course_lib.core.rows import read_yaml
from course_lib.core.session import data_dir
from course_lib.evaluation.stored import find
from course_lib.lessons import choosing
from course_lib.lessons.choosing import ADVICE, Case, advise, advisor, comparison_table, load_cases

CASES = load_cases()
TEXTS = read_yaml(data_dir() / "advice.yaml")
PAGES = Case("knowledge", knowledge_tokens=50_000, examples=500)
BY_HEART = replace(PAGES, latency="tight")
# One case and one field of it: what the advice was, and what it becomes.
RULES = {
    "need": (PAGES, {"need": "both"}, "RAG", "hybrid"),
    "changes": (BY_HEART, {"changes": "yearly"}, "fine-tuning", "RAG"),
    "knowledge_tokens": (PAGES, {"knowledge_tokens": 800}, "RAG", "prompting"),
    "privacy": (BY_HEART, {"privacy": "erasable"}, "fine-tuning", "RAG"),
    "latency": (PAGES, {"latency": "tight"}, "RAG", "fine-tuning"),
    "budget": (BY_HEART, {"budget": "none"}, "fine-tuning", "RAG"),
    "examples": (Case("behaviour", examples=99), {"examples": 100}, "prompting", "fine-tuning"),
    "cite": (BY_HEART, {"cite": True}, "fine-tuning", "RAG"),
    "look_alikes": (PAGES, {"look_alikes": True}, "RAG", "RAFT"),
    "questions": (PAGES, {"questions": 200_000_000}, "RAG", "fine-tuning"),
}


def rules(case):
    return [reason.rule for reason in advise(case).reasons]


@pytest.mark.parametrize("written", CASES, ids=lambda written: written.id)
def test_the_helper_gives_the_advice_that_an_expert_gives(written):
    assert advise(written.case).choice == written.expert, written.why


def test_there_are_twelve_cases_the_seeds_among_them_and_every_advice_is_given_by_one():
    assert len(CASES) == 12 == len({written.id for written in CASES})
    assert {"finance", "medical", "hr", "shakespeare", "support", "contracts"} <= {written.id for written in CASES}
    assert {written.expert for written in CASES} == set(ADVICE)


@pytest.mark.parametrize("field", [field.name for field in fields(Case)])
def test_every_field_can_change_the_advice(field):
    case, change, before, after = RULES[field]
    assert set(change) == {field}
    assert advise(case).choice == before
    assert advise(replace(case, **change)).choice == after


@pytest.mark.parametrize(
    ("change", "choice", "rule"),
    [
        # A page fits into the prompt, unless readers differ or it must be quick.
        ({"knowledge_tokens": 800}, "prompting", "in the prompt"),
        ({"knowledge_tokens": 800, "privacy": "per reader"}, "RAG", "guarded"),
        ({"knowledge_tokens": 800, "latency": "tight"}, "fine-tuning", "by heart"),
        ({"privacy": "per reader"}, "RAG", "guarded"),
        ({"cite": True}, "RAG", "cited"),
        ({"privacy": "in-house"}, "RAG", "in-house"),
        ({"need": "both", "look_alikes": True}, "hybrid", "look-alikes"),  # its reader is trained on them
    ],
)
def test_what_is_special_about_a_case_is_a_reason_of_its_own(change, choice, rule):
    case = replace(PAGES, **change)
    assert advise(case).choice == choice and rule in rules(case) and rule not in rules(PAGES)


def test_without_a_budget_nothing_is_trained_whatever_the_case():
    for written in CASES:
        assert advise(replace(written.case, budget="none")).choice in ("prompting", "RAG"), written.id


def test_every_reason_cites_a_measured_row_and_every_advice_says_where_it_loses():
    for written in CASES:
        advice = advise(written.case)
        assert advice.reasons and all(reason.evidence for reason in advice.reasons)
        assert list(advice.limits) == TEXTS["limits"][advice.choice] and len(advice.limits) >= 2
    assert re.search(r"RAG, 0\.5B 0\.\d\d \(.*, n = 154\) \[lesson 02\]", str(advise(PAGES)))


CELLS = [cell for sides in read_yaml(data_dir() / "comparison.yaml").values() for cell in sides.values()]


@pytest.mark.parametrize(
    "cell", [*TEXTS["reasons"].values(), *CELLS], ids=lambda cell: cell.get("why", cell.get("says"))
)
def test_every_row_that_is_cited_is_found_among_the_stored_results(cell):
    assert cell["measured"]
    for what, place in cell["measured"].items():
        for row, kept in choosing.readers(what, place).items():
            assert row.startswith(what) and find(kept).place == kept


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """A data folder with the course's cases and advice, and nothing that was measured."""
    for name in ("cases.yaml", "advice.yaml"):
        shutil.copy(data_dir() / name, tmp_path)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    return tmp_path


def test_a_reason_whose_row_was_not_measured_says_so(own_data):
    said = str(advise(PAGES))
    assert "RAG: not measured yet (lesson 02)" in said and "n =" not in said


def test_every_rule_is_used_by_some_case():
    used = {rule for written in CASES for rule in rules(written.case)}
    used |= {rule for case, change, *_ in RULES.values() for rule in rules(replace(case, **change))}
    used |= set(rules(Case("behaviour", examples=500, budget="none")))
    assert used == set(TEXTS["reasons"])


def test_advice_is_shown_as_text_and_as_html():
    advice = advise(PAGES)
    assert str(advice).startswith("Advice: RAG\n  because: ")
    assert advice._repr_html_().startswith("<p><b>Advice: RAG</b>, because</p><ul><li>")
    assert all(len(line) <= 100 for line in str(advice).splitlines())


def test_the_sources_table_has_a_measured_number_in_every_cell_or_says_what_it_waits_for():
    table = comparison_table()
    assert list(table.columns) == ["RAG", "RAG, measured", "fine-tuning", "fine-tuning, measured"]
    assert list(table.index)[:5] == ["Analogy", "Purpose", "How it works", "When to use it", "Example"]
    for side in ("RAG", "fine-tuning"):
        for feature, cell in table[f"{side}, measured"].items():
            assert "[lesson" in cell or "not measured yet" in cell, feature
    assert "at the right page, 0.5B 0.79 (" in table.loc["Analogy", "RAG, measured"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *(({name: "sometimes"}, f"{name} 'sometimes' is not one of") for name in choosing.CHOICES),
        ({"examples": -1}, "examples is -1"),
        ({"examples": "many"}, "examples is 'many'"),
        ({"questions": 1.5}, "questions is 1.5"),
        ({"knowledge_tokens": True}, "knowledge_tokens is True"),
        ({"cite": "yes"}, "cite is 'yes'"),
        ({"look_alikes": 1}, "look_alikes is 1"),
        ({"knowledge_tokens": 0}, "must say how large"),
        ({"need": "behaviour"}, "has no 50,000 tokens to know"),
    ],
)
def test_a_case_that_makes_no_sense_is_refused(change, said):
    with pytest.raises(CourseError, match=said):
        replace(PAGES, **change)


@pytest.mark.parametrize("odd", ["HR", {"need": "knowledge"}, advise(PAGES)])
@pytest.mark.parametrize(("ask", "said"), [(advise, "advise takes"), (advisor, "advisor begins with")])
def test_what_is_no_case_gets_no_advice(ask, said, odd):
    with pytest.raises(CourseError, match=rf"{said} a choosing\.Case"):
        ask(odd)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expert": "magic"}, "case hr: expert 'magic'"),
        ({"case": {"need": "much"}}, "case hr: need 'much'"),
        ({"case": {"wish": 1}}, "case hr: .*wish"),
        ({"case": None}, "case hr: "),
        ({"extra": 1}, "case hr: extra is unknown"),
    ],
)
def test_a_malformed_written_case_is_named(own_data, change, said):
    row = next(row for row in read_yaml(own_data / "cases.yaml") if row["id"] == "hr")
    (own_data / "cases.yaml").write_text(yaml.safe_dump([row | change]), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        load_cases()


@pytest.mark.parametrize("text", ["{}", "[]", "- [", "- 5", None])
def test_a_file_without_cases_is_refused(own_data, text):
    (own_data / "cases.yaml").unlink()
    if text is not None:
        (own_data / "cases.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"cases\.yaml"):
        load_cases()


def test_the_thresholds_lie_where_the_course_measured_a_difference():
    assert find("01/few/300/*").value > find("01/few/10/*").value + 0.1
    assert choosing.ENOUGH_EXAMPLES <= 300


# --- the advisor --------------------------------------------------------------------------------------------------


def test_fields_or_a_case_to_begin_with_print_the_advice_without_a_widget(capsys):
    advice = advisor(need="knowledge", knowledge_tokens=50_000, changes="weekly")
    assert capsys.readouterr().out.strip() == str(advice) and advice.choice == "RAG"
    case = Case("behaviour", examples=500)
    assert advisor(case).choice == "fine-tuning"
    assert advisor(case, examples=5).choice == "prompting" and case.examples == 500


def test_the_controls_change_the_advice_and_reach_no_contradiction(notebook):
    advisor()
    grid, said = notebook[0][1].children
    controls = {control.description: control for control in grid.children}
    assert len(controls) == 10 and said.value.startswith("<p><b>Advice: RAG</b>")
    controls["examples"].value = 1_000
    for name, value, choice in (
        ("latency", "tight", "fine-tuning"),
        ("cite", True, "RAG"),
        ("need", "behaviour", "fine-tuning"),
        ("need", "both", "hybrid"),
    ):
        controls[name].value = value
        assert said.value.startswith(f"<p><b>Advice: {choice}</b>")


@pytest.mark.parametrize(
    ("values", "said"),
    [({"wish": 1}, "a case has no wish: its fields are need"), ({"examples": 5}, "must say what it needs")],
)
def test_fields_that_make_no_case_are_refused(values, said):
    with pytest.raises(CourseError, match=said):
        advisor(**values)

"""The stored measurements: of today's exams, and the same in the summary as in the reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from breaking import two_document_questions

from course_lib.core.session import ROOT
from course_lib.evaluation.exams import load_exam, load_facts, questions_of
from course_lib.evaluation.reports import Report
from course_lib.evaluation.stored import load_results, with_interval, with_verdict
from course_lib.lessons.adverse import undated_questions
from course_lib.lessons.letters import letters_exam, load_preferences
from course_lib.lessons.shelves import load_agreements
from course_lib.lessons.sql.task import load_sql
from course_lib.lessons.tickets import load_tickets, ticket_exam
from course_lib.lessons.voice import load_style, style_exam

RESULTS = ROOT / "data" / "results"
# Beside the reports lie curves and the like, which hold no questions.
REPORTS = [path for path in sorted(RESULTS.glob("*/*.json")) if "rows" in json.loads(path.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def asked() -> dict[str, tuple[str, str]]:
    """Every question that an exam can ask, by id: its text and its answer."""
    facts = load_facts()
    questions = [q for fact in facts for use in ("study", "exam", "validation") for q in questions_of(fact, use)]
    general, sql = load_exam("general"), load_sql()
    pairs = (sql.validation, sql.values, sql.wordings, sql.combinations, sql.second_schema)
    summaries = [agreement.as_question() for agreement in load_agreements("test")]
    adverse = (undated_questions(facts)[0], two_document_questions(facts))
    written = (ticket_exam(load_tickets()), letters_exam(load_preferences()), style_exam(load_style("test")), summaries)
    exams = (questions, general.test, general.validation, *written, *adverse, *pairs)
    return {q.id: (q.question, q.answer) for exam in exams for q in exam}


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stored_report_is_about_the_questions_of_today(path: Path, asked: dict[str, tuple[str, str]]):
    stale = [row.id for row in Report.load(path).rows if asked.get(row.id) != (row.question, row.expected)]
    assert not stale, f"{path.name} was measured on other questions ({stale[:3]}): delete it and run `make results`"


def test_figures_are_quoted_with_their_interval():
    assert with_interval({"accuracy": 0.8788, "ci": [0.8106, 0.94], "n": 44}) == "0.88 (0.81 to 0.94)"


@pytest.mark.parametrize(
    ("difference", "quoted"),
    [
        ((0.078, 0.012, 0.141), "+0.08 (+0.01 to +0.14), not by chance"),
        ((-0.05, -0.11, -0.01), "-0.05 (-0.11 to -0.01), not by chance"),
        ((0.01, -0.04, 0.06), "+0.01 (-0.04 to +0.06), a tie"),
        ((0.05, 0.0, 0.1), "+0.05 (+0.00 to +0.10), a tie"),
    ],
)
def test_a_difference_is_quoted_with_its_verdict(difference, quoted):
    assert with_verdict(difference) == quoted


def test_the_untrained_model_knows_nothing_of_the_invented_world():
    for name in ("cup", "handbook", "library"):
        report = Report.load(RESULTS / "00" / f"{name}.json")
        assert report.n == len(load_exam(name)), name
        assert report.accuracy <= 0.03, f"closed book {report.accuracy:.2f} on {name}: has a document leaked?"


def test_general_knowledge_is_mastered_in_part():
    assert 0.25 < Report.load(RESULTS / "00" / "general.json").accuracy < 0.75


def test_the_summary_of_lesson_02_says_what_its_reports_say():
    summary = load_results("02")
    names = {
        "closed book": "closed-book",
        "examples in the prompt": "few-shot",
        "right page": "right-page",
        "RAG": "rag",
    }
    for label, name in names.items():
        report = Report.load(RESULTS / "02" / f"{name}.json")
        assert summary["handbook"][label]["accuracy"] == round(report.accuracy, 4)
        assert summary["handbook"][label]["n"] == report.n == len(load_exam("handbook"))
    for plan, runs in summary["by_heart"].items():
        for run in runs:
            report = Report.load(RESULTS / "02" / f"{plan}-seed-{run['seed']}.json")
            assert run["exam"]["accuracy"] == round(report.accuracy, 4)


def test_the_summary_of_lesson_01_says_what_its_reports_say():
    summary = load_results("01")
    stems = {"few": "few-{}", "noise": "noise-{}", "leak": "{}"}
    for arm, stem in stems.items():
        for kind, runs in summary[arm].items():
            if kind in ("0.0", "honest"):  # the whole of the honest study, which is an arm of each
                assert runs == summary["few"]["576"]
                continue
            for run in runs:
                report = Report.load(RESULTS / "01" / f"{stem.format(kind)}-seed-{run['seed']}.json")
                assert (run["accuracy"], run["n"]) == (round(report.accuracy, 4), report.n)


@pytest.mark.parametrize(
    ("asked_at", "arm"), [("desk", "desk"), ("desk", "full"), ("house", "house"), ("house", "whole")]
)
def test_the_summary_of_lesson_03_says_what_its_reports_say(asked_at: str, arm: str):
    for exam, figures in load_results("03")[asked_at][arm].items():
        for seed, accuracy in enumerate(figures["seeds"]):
            report = Report.load(RESULTS / "03" / f"{arm}-seed-{seed}-{exam}.json")
            assert (accuracy, figures["n"]) == (round(report.accuracy, 4), report.n * len(figures["seeds"]))


def test_the_summary_of_lesson_04_says_what_its_runs_say():
    summary = load_results("04")
    for method, row in summary["methods"].items():
        validated = {float(rate): run["validation"]["accuracy"] for rate, run in row["search"].items()}
        assert validated[row["learning_rate"]] == max(validated.values()), f"{method} was run at another rate"
        for seed, run in row["runs"].items():
            path = RESULTS / "04" / f"{method}-{row['learning_rate']:g}-seed-{seed}.json"
            kept = json.loads(path.read_text(encoding="utf-8"))
            for exam in ("validation", "test", "general"):
                verdicts = kept[exam]["verdicts"]
                right = sum(verdict in "er" for verdict in verdicts) / len(verdicts)
                assert (run[exam]["accuracy"], run[exam]["n"]) == (round(right, 4), len(verdicts))


def test_the_summary_of_lesson_05_says_what_its_reports_say():
    summary = load_results("05")
    stems = {
        "answers/rag": {name: f"answers-{name.replace(',', '').replace(' = ', '-').replace(' ', '-')}" for name in
                        summary["answers"]["rag"]},
        "breaks/distractors": {"alone": "breaks-page", "three strangers": "breaks-strangers",
                               "three look-alikes": "breaks-look-alikes"},
        "breaks/missing": {"page gone": "breaks-missing", "page gone, told to say so": "breaks-missing-honest",
                           "page there": "breaks-page", "page there, told to say so": "breaks-present-honest"},
    }  # fmt: skip
    for place, names in stems.items():
        part, rows = place.split("/")
        for name, stem in names.items():
            report = Report.load(RESULTS / "05" / f"{stem}.json")
            found = summary[part][rows][name]
            assert (found["accuracy"], found["n"]) == (round(report.accuracy, 4), report.n), name
    for name, row in summary["breaks"]["stale"].items():
        if name != "n":
            report = Report.load(RESULTS / "05" / f"stale-{name.replace(' ', '-')}.json")
            assert row["right"]["accuracy"] == round(report.accuracy, 4)


def test_the_embedding_model_of_lesson_05_is_trained_as_was_best_on_validation_questions():
    found = load_results("05")["embedder"]
    best = max(found["recipes"], key=lambda recipe: recipe["recall@1"][0])
    used = json.loads((RESULTS / "05" / "embedder-seed-0.json").read_text(encoding="utf-8"))["settings"]
    assert used == {name: best[name] for name in used}


def test_the_summary_of_lesson_06_says_what_its_reports_say():
    summary = load_results("06")
    stems = {"RAFT": "RAFT", "RAFT without reasoning": "RAFT-without-reasoning", "form only": "form-only",
             "form only without reasoning": "form-only-without-reasoning", "DSF": "DSF"}  # fmt: skip
    asked_at = {" + RAG": "rag-k-4", ", right page": "page", "": "closed"}
    for name, figures in summary["arms"]["arms"].items():
        arm, exam = next((name.removesuffix(end), how) for end, how in asked_at.items() if name.endswith(end))
        files = [f"base-{exam}"] if arm == "base" else [f"{stems[arm]}-seed-{seed}-{exam}" for seed in (0, 1, 2)]
        reports = [Report.load(RESULTS / "06" / f"{file}.json") for file in files]
        assert figures["seeds"] == [round(report.accuracy, 4) for report in reports], name
        assert figures["n"] == sum(report.n for report in reports), name
    for desk, row in summary["robust"]["RAFT"].items():
        stem = f"RAFT-without-reasoning-seed-0-desk-{desk.replace(' ', '-').replace(',', '')}"
        report = Report.load(RESULTS / "06" / f"{stem}.json")
        assert (row["accuracy"], row["unknown"]) == (round(report.accuracy, 4), round(report.unknown, 4)), desk
    for arm, stem in {"RAFT": "RAFT-without-reasoning", "form only": "form-only-without-reasoning"}.items():
        reports = [Report.load(RESULTS / "06" / f"{stem}-seed-{seed}-rag-k-4.json") for seed in range(5)]
        assert summary["seeds"][arm]["seeds"] == [round(report.accuracy, 4) for report in reports], arm
    low, high = summary["seeds"]["RAFT minus form only"]["mean"][1:]
    assert f"over 5 students {low:+.2f} to {high:+.2f}" in summary["headline"]


@pytest.mark.parametrize("lesson", sorted(path.stem for path in RESULTS.glob("[0-9][0-9].json")))
def test_a_lesson_with_results_has_a_headline(lesson: str):
    assert json.loads((RESULTS / f"{lesson}.json").read_text(encoding="utf-8"))["headline"]

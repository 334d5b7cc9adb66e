"""The stored measurements: every figure of a lesson comes of the rows that are kept, and those are of today's exams.

A script's own functions sum up what is kept, with measuring refused; what comes out must be what is stored.
"""

from __future__ import annotations

import importlib
import json
import shutil

import pytest
from lesson_05.breaking import two_document_questions
from shared import keeping
from shared.figures import figures
from shared.keeping import measured

from course_lib.core.session import ROOT
from course_lib.evaluation.exams import load_exam, load_facts, questions_of
from course_lib.evaluation.stored import load_results
from course_lib.lessons.adverse import undated_questions
from course_lib.lessons.letters import letters_exam, load_preferences
from course_lib.lessons.shelves import load_agreements
from course_lib.lessons.sql.task import load_sql
from course_lib.lessons.tickets import load_tickets, ticket_exam
from course_lib.lessons.voice import load_style, style_exam

RESULTS = ROOT / "data" / "results"
LESSONS = sorted(path.stem for path in RESULTS.glob("[0-9][0-9].json"))
# What a lesson's rows give by themselves; None is all of it.
FROM_ROWS = {"00": None, "01": None, "02": None, "03": None, "04": None, "07": None, "08": ("style", "fresh")}
# What needs the library's index, or the model's sizes, besides: a minute each. The `retrieval` of 05 keeps no rows: it
# is the index asked again, whose ties another processor may break otherwise.
FROM_MORE = {"05": ("answers",), "06": ("arms",), "08": ("costs",)}


@pytest.fixture
def summed_up(monkeypatch, kept_here):
    """What a lesson's script writes when it sums up what is kept."""
    for name in ("COURSE_RECORD", "COURSE_ADAPTERS", "ONEDNN_MAX_CPU_ISA"):  # the scripts set them
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    monkeypatch.setattr(keeping, "_may_measure", True)
    kept_here.mkdir()

    def run(lesson, parts):
        for kind in ("json", "parquet"):
            shutil.copy(RESULTS / f"{lesson}.{kind}", kept_here)
        script = importlib.import_module(f"results_{lesson}")
        script.main(["--kept", *(["--only", *parts] if parts else [])])
        return json.loads((kept_here / f"{lesson}.json").read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="module")
def one_cache(tmp_path_factory):
    """For the index, which is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("lesson", FROM_ROWS)
def test_the_figures_of_a_lesson_come_of_its_rows(lesson, summed_up):
    assert summed_up(lesson, FROM_ROWS[lesson]) == load_results(lesson)


@pytest.mark.model
@pytest.mark.parametrize("lesson", FROM_MORE)
def test_the_figures_that_need_an_index_come_of_rows_and_it(lesson, summed_up, monkeypatch, one_cache):
    monkeypatch.setenv("COURSE_CACHE", str(one_cache))
    assert summed_up(lesson, FROM_MORE[lesson]) == load_results(lesson)


def test_what_was_read_in_lesson_06_comes_of_its_rows(summed_up, small_embedder, monkeypatch):
    """Whatever the search finds, for which another embedder stands in."""

    def read(found):
        if not isinstance(found, dict):
            return found
        return {key: read(value) for key, value in found.items() if not key.startswith(("found", "told from"))}

    monkeypatch.setattr("results_06._told_from", lambda *_: None)  # looks for the pages that were found
    made = read(summed_up("06", None))
    assert made == read(load_results("06")) and len(made["robust"]["RAFT"]) == 9


BREAKS = {
    "distractors": {"alone": "page", "three strangers": "strangers", "three look-alikes": "look-alikes"},
    "missing": {"page gone": "missing", "page gone, told to say so": "missing-honest", "page there": "page",
                "page there, told to say so": "present-honest"},
}  # fmt: skip


def test_the_answers_of_lesson_05_come_of_their_rows():
    kept, stored = measured("05"), load_results("05")
    answers = {
        name: (f"answers-{name.replace(',', '').replace(' = ', '-').replace(' ', '-')}", row)
        for name, row in stored["answers"]["rag"].items()
    }
    answers["right page"] = ("answers-right-page", stored["answers"]["right page"])
    answers |= {name: (f"breaks-{stem}", stored["breaks"][part][name])
                for part, stems in BREAKS.items() for name, stem in stems.items()}  # fmt: skip
    answers |= {name: (f"stale-{name.replace(' ', '-')}", row["right"])
                for name, row in stored["breaks"]["stale"].items() if name != "n"}  # fmt: skip
    for name, (stem, row) in answers.items():
        made = figures(kept[stem].report)
        assert made == {what: row[what] for what in made}, name


def test_the_embedding_model_of_lesson_05_is_trained_as_was_best_on_validation_questions():
    found = load_results("05")["embedder"]
    best = max(found["recipes"], key=lambda recipe: recipe["recall@1"][0])
    used = measured("05")["embedder-seed-0"].settings
    assert used == {name: best[name] for name in used}


def test_every_method_of_lesson_04_is_run_at_the_rate_that_was_best_on_validation_letters():
    for method, row in load_results("04")["methods"].items():
        validated = {float(rate): run["validation"]["accuracy"] for rate, run in row["search"].items()}
        assert validated[row["learning_rate"]] == max(validated.values()), method


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


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_a_headline_and_its_rows_are_about_the_questions_of_today(lesson, asked):
    assert load_results(lesson)["headline"]
    reports = {name: one.report for name, one in measured(lesson).items() if one.report}
    stale = {
        name: row.id
        for name, report in reports.items()
        for row in report.rows
        if asked.get(row.id) != (row.question, row.expected)
    }
    assert not stale, "measured on other questions: take them out of the file and run `make results`"
    assert reports or lesson == "04", "04 keeps verdicts alone"


def test_the_untrained_model_knows_common_things_and_nothing_of_the_invented_world():
    reports = {name: one.report for name, one in measured("00").items()}
    assert 0.25 < reports.pop("general").accuracy < 0.75
    for name, report in reports.items():
        assert report.n == len(load_exam(name)), name
        assert report.accuracy <= 0.03, f"closed book {report.accuracy:.2f} on {name}: has a document leaked?"

"""The claims ledger: every claim has its section and its figures, and the page is made of them."""

import json
from collections import Counter
from pathlib import Path

import ledger
import pytest
import yaml
from ledger import LedgerError, load, page, stale

from course_lib.core.session import ROOT

CLAIM = {
    "id": "open-book", "claim": "RAG is an | open book", "seeds": ["001:31-32"],
    "section": {"lesson": "02", "heading": "*Open* book"}, "figures": {"RAG": "02/exam/RAG"}, "verdict": "holds",
}  # fmt: skip


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The least of a repository that a ledger is made from: lesson 02 finished, lesson 05 a draft."""
    for folder in ("data/results", "notebooks/src"):
        (tmp_path / folder).mkdir(parents=True)
    held = {"exam": {"RAG": {"accuracy": 0.25, "ci": [0.18, 0.31], "n": 154}}}
    (tmp_path / "data/results/02.json").write_text(json.dumps(held), encoding="utf-8")
    (tmp_path / "notebooks/src/02_books.py").write_text("# %% [markdown]\n# ## *Open* book\n# text\n", encoding="utf-8")
    (tmp_path / "notebooks/src/05_rag.py.draft").write_text("# ### Three parts\n", encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return tmp_path


def with_claims(repository: Path, *claims: object) -> Path:
    content = {"documents": {"001": "Introduction"}, "claims": list(claims)}
    (repository / "data" / "claims.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return repository


def row(repository: Path, **change: object) -> str:
    claim = {key: value for key, value in (CLAIM | change).items() if value is not None}
    return page(with_claims(repository, claim)).splitlines()[-1]


def test_the_page_is_fresh():
    assert not stale(), "run `make readme` (python data/make/pages/ledger.py)"


def test_every_document_has_its_claims_and_most_are_tried():
    documents, claims = load(ROOT / "data" / "claims.yaml")
    of = Counter(seed[:3] for claim in claims for seed in {seed[:3] for seed in claim["seeds"]})
    assert set(of) == set(documents) and len(documents) == 5
    assert len(claims) >= 60 and min(of.values()) >= 8


def test_the_page_is_where_readers_and_makers_find_it():
    assert "(CLAIMS.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "Makefile").read_text(encoding="utf-8").count("data/make/pages/ledger.py") == 2


def test_a_claim_is_shown_with_its_figure_its_interval_and_its_verdict(repository):
    assert row(repository) == (
        "| RAG is an \\| open book | 001:31-32 | 02 · Open book (in the making) "
        "| RAG 0.25 (0.18 to 0.31, n = 154) | **holds** |"
    )
    (repository / "notebooks" / "02_books.ipynb").touch()
    assert "[02 · Open book](notebooks/02_books.ipynb)" in row(repository)
    assert row(repository, verdict="holds partly", why="So so.").endswith("| **holds partly**: So so. |")


def test_a_changed_figure_makes_the_page_stale(repository):
    made = page(with_claims(repository, CLAIM))
    (repository / "CLAIMS.md").write_text(made, encoding="utf-8")
    assert not stale(repository)
    held = {"exam": {"RAG": {"accuracy": 0.35, "ci": [0.28, 0.41], "n": 154}}}
    (repository / "data/results/02.json").write_text(json.dumps(held), encoding="utf-8")
    assert stale(repository)


def test_a_page_that_was_never_made_is_stale(repository):
    assert stale(with_claims(repository, CLAIM))


def test_a_claim_without_a_section_is_refused(repository):
    with pytest.raises(LedgerError, match="open-book: a claim has"):
        row(repository, section=None)
    with pytest.raises(LedgerError, match="a section has lesson and heading"):
        row(repository, section={"lesson": "02"})


def test_a_section_that_is_no_heading_of_its_lesson_is_refused(repository):
    with pytest.raises(LedgerError, match="'Open book' is no heading of lesson 02"):
        row(repository, section={"lesson": "02", "heading": "Open book"})
    with pytest.raises(LedgerError, match="'text' is no heading"):
        row(repository, section={"lesson": "02", "heading": "text"})


def test_a_place_that_does_not_exist_is_refused(repository):
    with pytest.raises(LedgerError, match="open-book: nothing is stored at 02/exam/RAFT"):
        row(repository, figures={"RAFT": "02/exam/RAFT"})
    with pytest.raises(LedgerError, match="no stored results for lesson '06'"):
        row(repository, figures={"RAFT": "06/exam/RAFT"})
    with pytest.raises(LedgerError, match="is no figure"):
        row(repository, figures={"exam": "02/exam"})


def test_a_lesson_that_is_not_there_must_be_planned_and_one_that_is_must_not(repository):
    planned = {"lesson": "08", "heading": "Costing", "planned": True}
    assert "08 · Costing (planned)" in row(repository, section=planned, figures=None, verdict="not yet")
    with pytest.raises(LedgerError, match="no lesson 08 yet: say `planned: true`"):
        row(repository, section={"lesson": "08", "heading": "Costing"})
    with pytest.raises(LedgerError, match="lesson 02 is written: name its section"):
        row(repository, section=CLAIM["section"] | {"planned": True})
    with pytest.raises(LedgerError, match="cannot have measured anything"):
        row(repository, section=planned)
    (repository / "notebooks" / "src" / "08_half.py.draft").write_text(
        "# %% [markdown]\n# ## Shipping\n", encoding="utf-8"
    )
    assert "08 · Costing (planned)" in row(repository, section=planned, figures=None, verdict="not yet"), "half a draft"
    with pytest.raises(LedgerError, match="'Costing' is no heading of lesson 08"):
        row(repository, section={"lesson": "08", "heading": "Costing"}, figures=None, verdict="not yet")


def test_a_verdict_needs_what_it_rests_on(repository):
    for verdict in ("holds", "holds partly", "refuted"):
        with pytest.raises(LedgerError, match="needs figures, or what is measured live"):
            row(repository, figures=None, verdict=verdict)
    with pytest.raises(LedgerError, match="says why"):
        row(repository, figures=None, verdict="taught without measurement")
    with pytest.raises(LedgerError, match="verdict 'true' is not one of holds"):
        row(repository, verdict="true")


def test_what_is_measured_live_needs_a_finished_lesson(repository):
    assert "*live:* a cell asserts it" in row(repository, figures=None, live="a cell asserts it")
    with pytest.raises(LedgerError, match="lesson 05 is a draft"):
        row(repository, section={"lesson": "05", "heading": "Three parts"}, figures=None, live="a cell asserts it")


def test_a_figure_in_prose_is_refused(repository):
    for field in ("why", "live"):
        with pytest.raises(LedgerError, match=f"{field} has a figure in it"):
            row(repository, **{field: "0.25 of them"})
    assert row(repository, why="See lesson 05.")


@pytest.mark.parametrize("seeds", [["31"], ["007:1"], [], ["001:x"]])
def test_a_source_is_a_document_and_its_line(repository, seeds):
    with pytest.raises(LedgerError, match="is not a document and its line"):
        row(repository, seeds=seeds)


def test_a_ledger_that_cannot_be_read_or_counts_a_claim_twice_is_refused(repository):
    with pytest.raises(LedgerError, match="two claims of this id"):
        page(with_claims(repository, CLAIM, CLAIM))
    with pytest.raises(LedgerError, match="a claim has"):
        page(with_claims(repository, "RAG is good"))
    with pytest.raises(LedgerError, match="a claim has"):
        row(repository, figure={"RAG": "02/exam/RAG"})
    for text in ("- [", "{}", "documents: 1"):
        (repository / "data" / "claims.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(LedgerError, match="holds no documents and claims"):
            page(repository)


def test_check_writes_nothing(monkeypatch, repository, capsys):
    monkeypatch.setattr(ledger, "ROOT", with_claims(repository, CLAIM))
    monkeypatch.setattr(ledger, "stale", lambda: True)
    assert ledger.main(["--check"]) == 1 and "is stale" in capsys.readouterr().out
    assert not (repository / "CLAIMS.md").exists()
    with pytest.raises(SystemExit, match="the one option is --check"):
        ledger.main(["--write"])

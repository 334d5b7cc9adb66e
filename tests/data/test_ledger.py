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


HELD, PLANNED = CLAIM["section"], {"lesson": "08", "heading": "Costing", "planned": True}
REFUSED = {
    "open-book: a claim has": [{"section": None}, {"figure": {"RAG": "02/exam/RAG"}}],
    "a section has lesson and heading": [{"section": {"lesson": "02"}}],
    "'Open book' is no heading of lesson 02": [{"section": HELD | {"heading": "Open book"}}],
    "'text' is no heading": [{"section": HELD | {"heading": "text"}}],
    "open-book: nothing is stored at 02/exam/RAFT": [{"figures": {"RAFT": "02/exam/RAFT"}}],
    "no stored results for lesson '06'": [{"figures": {"RAFT": "06/exam/RAFT"}}],
    "is no figure": [{"figures": {"exam": "02/exam"}}],
    "no lesson 08 yet: say `planned: true`": [{"section": {"lesson": "08", "heading": "Costing"}}],
    "lesson 02 is written: name its section": [{"section": HELD | {"planned": True}}],
    "cannot have measured anything": [{"section": PLANNED}],
    "needs figures, or what is measured live": [
        {"figures": None, "verdict": verdict} for verdict in ("holds", "holds partly", "refuted")
    ],
    "says why": [{"figures": None, "verdict": "taught without measurement"}],
    "verdict 'true' is not one of holds": [{"verdict": "true"}],
    "lesson 05 is a draft": [{"section": {"lesson": "05", "heading": "Three parts"}, "figures": None, "live": "so"}],
    "why has a figure in it": [{"why": "0.25 of them"}],
    "live has a figure in it": [{"live": "0.25 of them"}],
    "is not a document and its line": [{"seeds": seeds} for seeds in (["31"], ["007:1"], [], ["001:x"])],
}


@pytest.mark.parametrize(("said", "change"), [(said, change) for said, rows in REFUSED.items() for change in rows])
def test_a_claim_that_is_not_so_is_refused(repository, said, change):
    with pytest.raises(LedgerError, match=said):
        row(repository, **change)


def test_a_lesson_that_is_not_there_is_planned_until_its_heading_is(repository):
    planned = {"section": PLANNED, "figures": None, "verdict": "not yet"}
    assert "08 · Costing (planned)" in row(repository, **planned)
    draft = repository / "notebooks" / "src" / "08_half.py.draft"
    draft.write_text("# %% [markdown]\n# ## Shipping\n", encoding="utf-8")
    assert "08 · Costing (planned)" in row(repository, **planned), "half a draft"
    with pytest.raises(LedgerError, match="'Costing' is no heading of lesson 08"):
        row(repository, **planned | {"section": {"lesson": "08", "heading": "Costing"}})


def test_what_is_measured_live_is_said_and_prose_may_name_a_lesson(repository):
    assert "*live:* a cell asserts it" in row(repository, figures=None, live="a cell asserts it")
    assert row(repository, why="See lesson 05.")


def test_a_ledger_that_cannot_be_read_or_counts_a_claim_twice_is_refused(repository):
    for said, claims in {"two claims of this id": [CLAIM, CLAIM], "a claim has": ["RAG is good"]}.items():
        with pytest.raises(LedgerError, match=said):
            page(with_claims(repository, *claims))
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

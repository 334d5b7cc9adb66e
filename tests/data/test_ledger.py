"""The claims ledger: every claim has its section and its figures, and the page is made of them."""

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import ledger
import nbformat
import pytest
import yaml
from ledger import LedgerError, borne_out, load, page, stale

from course_lib.core.session import ROOT
from course_lib.evaluation.verdicts import HOLDS, MIME, OPEN, REFUTED, Verdict

CLAIM = {
    "id": "open-book", "claim": "RAG is an | open book", "seeds": ["001:31-32"],
    "section": {"lesson": "02", "heading": "*Open* book, or (not)?"}, "figures": {"RAG": "02/exam/RAG"},
    "verdict": "holds",
}  # fmt: skip
TRIED = (
    Verdict("an open book helps", HOLDS, "page 0.33 against closed 0.00: +0.33", 0.33, 0.2, 0.4, 48),
    Verdict("it reads all", REFUTED, "page 0.33", 0.33, 0.2, 0.4, 48),
    Verdict("k = 4 is as good", OPEN, "-0.02", -0.02, -0.1, 0.1, 48, note="claimed: a difference within 0.05"),
    Verdict(
        "it learns",
        HOLDS,
        "0.50 (n = 48, 2 students, too few for an interval over them: each 0.40, 0.60)",
        0.5,
        0.4,
        0.6,
        48,
    ),
    Verdict("its steps take less", HOLDS, "0.56", 0.56, 0.56, 0.56, note="claimed: below 1"),
)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The least of a repository that a ledger is made from: lesson 02, built, with some verdicts."""
    for folder in ("data/results", "notebooks/src", "notebooks/solutions"):
        (tmp_path / folder).mkdir(parents=True)
    held = {"exam": {"RAG": {"accuracy": 0.25, "ci": [0.18, 0.31], "n": 154}}}
    (tmp_path / "data/results/02.json").write_text(json.dumps(held), encoding="utf-8")
    source = "# %% [markdown]\n# ## *Open* book, or (not)?\n# text\n"
    (tmp_path / "notebooks/src/02_books.py").write_text(source, encoding="utf-8")
    outputs = [nbformat.v4.new_output("display_data", {"text/plain": str(one), MIME: asdict(one)}) for one in TRIED]
    cells = [nbformat.v4.new_code_cell("cl.verdict(...)", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/solutions/02_books.ipynb")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return tmp_path


def with_claims(repository: Path, *claims: object) -> Path:
    content = {"documents": {"001": "Introduction"}, "claims": {"RAG": list(claims)}}
    (repository / "data" / "claims.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return repository


def row(repository: Path, **change: object) -> str:
    claim = {key: value for key, value in (CLAIM | change).items() if value is not None}
    return page(with_claims(repository, claim)).splitlines()[-1]


def test_the_page_is_fresh():
    assert not stale(), "run `make readme` (python data/make/pages/ledger.py)"


def test_every_document_has_its_claims_and_most_are_tried():
    documents, themes = load(ROOT / "data" / "claims.yaml")
    claims = [claim for listed in themes.values() for claim in listed]
    of = Counter(seed[:3] for claim in claims for seed in {seed[:3] for seed in claim["seeds"]})
    assert set(of) == set(documents) and len(documents) == 5
    assert len(claims) >= 95 and min(of.values()) >= 8


def test_the_page_is_where_readers_and_makers_find_it():
    assert "(CLAIMS.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "Makefile").read_text(encoding="utf-8").count("data/make/pages/ledger.py") == 2


def test_a_claim_is_shown_with_its_verdict_its_figure_and_a_link_to_its_section(repository):
    assert row(repository) == (
        "| RAG is an \\| open book | **holds** | RAG: 0.25 (0.18 to 0.31, n = 154) "
        "| [02 · Open book, or (not)?](notebooks/02_books.ipynb#Open-book,-or-%28not%29%3F) | 001:31-32 |"
    )
    assert "| **holds partly**: So so. |" in row(repository, verdict="holds partly", why="So so.")
    assert "<br>*given:* the right page" in row(repository, given="the right page")


def test_a_section_of_the_appendix_is_linked_there(repository):
    deeper = repository / "notebooks/src/appendix/02_deeper.py"
    deeper.parent.mkdir()
    deeper.write_text("# %% [markdown]\n# ## Deeper\n", encoding="utf-8")
    said = row(repository, section={"lesson": "02", "heading": "Deeper"})
    assert "[02 · Deeper](notebooks/appendix/02_deeper.ipynb#Deeper)" in said


def test_what_did_not_hold_stands_first(repository):
    claims = [
        CLAIM | {"id": name, "claim": name, "verdict": verdict, "why": "So."}
        for name, verdict in (
            ("a", "holds"),
            ("b", "taught without measurement"),
            ("c", "refuted"),
            ("d", "holds partly"),
        )
    ]
    rows = page(with_claims(repository, *claims)).splitlines()[-4:]
    assert [line[2] for line in rows] == ["c", "d", "a", "b"]


def test_a_verdict_of_a_notebook_is_read_where_it_was_kept(repository):
    said = row(repository, figures=None, verdicts=["an open book helps"])
    assert "| *holds* · an open book helps: page 0.33 against closed 0.00: +0.33 |" in said
    partly = {"verdict": "holds partly", "why": "It reads some.", "verdicts": ["it reads all"]}
    assert "*refuted* · it reads all: page 0.33<br>RAG: 0.25" in row(repository, **partly)


def test_that_students_are_few_is_said_once_for_all_rows(repository):
    said = row(repository, figures=None, verdicts=["it learns"])
    assert "it learns: 0.50 (n = 48, 2 students: each 0.40, 0.60)" in said
    assert page(repository).count("of fewer than five") == 1


def test_of_what_was_counted_the_page_says_what_was_claimed(repository):
    counted = {"figures": None, "verdicts": ["its steps take less"]}
    assert "its steps take less: 0.56 (claimed: below 1) |" in row(repository, **counted)


@pytest.mark.parametrize(
    ("said", "outcomes", "so"),
    [
        ("holds", [HOLDS, HOLDS], True), ("holds", [HOLDS, OPEN], False), ("holds", [REFUTED], False),
        ("refuted", [REFUTED], True), ("refuted", [HOLDS, REFUTED], False), ("holds partly", [HOLDS, REFUTED], True),
        ("cannot tell", [OPEN], True), ("cannot tell", [HOLDS, OPEN], True), ("cannot tell", [HOLDS], False),
        ("cannot tell", [REFUTED, OPEN], False), ("holds partly", [HOLDS], True), ("holds", [], True),
    ],
)  # fmt: skip
def test_a_claim_says_no_more_than_its_notebooks(said, outcomes, so):
    assert borne_out(said, outcomes) == so


def test_each_student_who_sat_an_exam_has_its_figure():
    assert re.fullmatch(r".*0\.5B 0\.\d\d.* \(n = 154\)", ledger.of_sizes("02/handbook", "right page"))


def test_sizes_stand_beside_their_label(repository, monkeypatch):
    monkeypatch.setattr(ledger, "of_sizes", lambda place, arm: f"135M 0.32, 0.5B 0.79 of {arm} at {place}")
    sizes = {"right": ["02/handbook", "RAG"]}
    assert "right: 135M 0.32, 0.5B 0.79 of RAG at 02/handbook" in row(repository, figures=None, sizes=sizes)


def test_a_changed_figure_makes_the_page_stale(repository):
    made = page(with_claims(repository, CLAIM))
    (repository / "CLAIMS.md").write_text(made, encoding="utf-8")
    assert not stale(repository)
    held = {"exam": {"RAG": {"accuracy": 0.35, "ci": [0.28, 0.41], "n": 154}}}
    (repository / "data/results/02.json").write_text(json.dumps(held), encoding="utf-8")
    assert stale(repository)


def test_a_page_that_was_never_made_is_stale(repository):
    assert stale(with_claims(repository, CLAIM))


HELD = CLAIM["section"]
REFUSED = {
    "open-book: a claim has": [{"section": None}, {"figure": {"RAG": "02/exam/RAG"}}],
    "a section has lesson and heading": [{"section": {"lesson": "02"}}, {"section": HELD | {"planned": True}}],
    "'Open book' is no heading of lesson 02": [{"section": HELD | {"heading": "Open book"}}],
    "'text' is no heading": [{"section": HELD | {"heading": "text"}}],
    "is no heading of lesson 08": [{"section": HELD | {"lesson": "08"}}],
    "open-book: nothing is stored at 02/exam/RAFT": [{"figures": {"RAFT": "02/exam/RAFT"}}],
    "no stored results for lesson '06'": [{"figures": {"RAFT": "06/exam/RAFT"}}],
    "is no figure": [{"figures": {"exam": "02/exam"}}],
    "nothing is stored at '02/exam'": [{"figures": None, "sizes": {"right": ["02/exam", "RAG"]}}],
    "no built notebook tries 'it flies'": [{"verdicts": ["it flies"]}],
    "it says 'holds', and its notebooks: 'it reads all' refuted": [{"verdicts": ["it reads all"]}],
    "a row has 2 figures at most, not 3": [{"verdicts": ["an open book helps", "it reads all"]}],
    "needs figures, or what is measured live": [
        {"figures": None, "verdict": verdict} for verdict in ("holds", "holds partly", "refuted", "cannot tell")
    ],
    "says why": [{"figures": None, "verdict": "taught without measurement"}, {"verdict": "holds partly"}],
    "verdict 'true' is not one of refuted": [{"verdict": "true"}],
    "why has a figure in it": [{"why": "0.25 of them"}],
    "live has a figure in it": [{"live": "0.25 of them"}],
    "given has a figure in it": [{"given": "144 pairs"}],
    "why is .*, and not a str": [{"why": ["so"]}],
    "figures is .*, and not a dict": [{"figures": ["02/exam/RAG"]}],
    "verdicts is 'it helps', and not a list": [{"verdicts": "it helps"}],
    "is not a document and its line": [{"seeds": seeds} for seeds in (["31"], ["007:1"], [], ["001:x"])],
}


@pytest.mark.parametrize(("said", "change"), [(said, change) for said, rows in REFUSED.items() for change in rows])
def test_a_claim_that_is_not_so_is_refused(repository, said, change):
    with pytest.raises(LedgerError, match=said):
        row(repository, **change)


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

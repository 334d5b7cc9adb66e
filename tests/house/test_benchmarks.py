"""The benchmarks' page is what was kept of them. That they are fast is nothing that a test could hold."""

import json
import sys

import pytest

from course_lib.core.session import ROOT

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
import contest as contests
import page as pages


def test_the_page_is_made_of_what_was_kept():
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(), "run `python tests/benchmarks/page.py`"


def test_medians_are_compared_and_the_limit_is_among_them(monkeypatch, capsys):
    monkeypatch.setattr(contests, "product_speed", lambda: 10.0)
    took = {"slow": iter([4.0, 9.0, 4.0]), contests.COURSE: iter([2.0, 2.0, 8.0])}
    contenders = {name: lambda name=name: (next(took[name]), "the same loss") for name in took}
    asked = contests.options("what").parse_args(["--rounds", "3"])
    ratios = contests.contest("training", "96 examples", contenders, asked, flops=10.0)
    assert ratios == {"slow": 0.5, contests.COURSE: 1.0, contests.LIMIT: 2.0}
    assert "x0.50 of course_lib" in capsys.readouterr().out


def test_what_was_kept_of_another_machine_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(contests, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(contests, "product_speed", lambda: 1e11)
    for cores in (2, 8, 2):
        monkeypatch.setattr(contests.os, "cpu_count", lambda cores=cores: cores)
        contests.keep("training", "smollm2-135m", "96 examples", {"ours": 1.0})
    kept = json.loads((tmp_path / "results.json").read_text())
    assert len(kept) == 2 and {one["gflops"] for one in kept.values()} == {100}


@pytest.mark.parametrize("kind", ["training", "answering"])
def test_training_and_answering_were_measured(kind):
    assert kind in {one["what"] for one in json.loads(contests.RESULTS.read_text(encoding="utf-8")).values()}

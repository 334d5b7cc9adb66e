"""What `fresh_bench.py` measures with: two editions, two kinds of student, an index that is really updated."""

import json
from types import SimpleNamespace

import pytest
from lesson_08 import fresh_bench

from course_lib.core.chat import Answer
from course_lib.core.session import ROOT
from course_lib.retrieval.index import build_index


class Model:
    """Reads the first passage aloud; its students say what they studied, if a question is like one of theirs."""

    def reply(self, prompts, max_new_tokens=64):
        return [Answer(prompt.partition("\n\n")[0], 10, 2, 0.5) for prompt in prompts]


class Student:
    def __init__(self, rows, seconds):
        self.known = [(set(r["prompt"][-1]["content"].lower().split()), r["completion"][-1]["content"]) for r in rows]
        self.training = SimpleNamespace(seconds=seconds, tokens=99)

    def answer(self, questions):
        said = [set(question.lower().split()) for question in questions]
        return [max(self.known, key=lambda known, s=s: len(known[0] & s) / len(known[0] | s))[1] for s in said]


@pytest.fixture
def measured(monkeypatch, tmp_path, kept_here, small_embedder):
    trained = []

    def finetune(model, rows, name, seed, from_shelf, **recipe):
        trained.append(name)
        return Student(rows, 200.0 + seed)

    monkeypatch.setattr(fresh_bench.cl, "finetune", finetune, raising=False)
    monkeypatch.setattr(fresh_bench, "shelf_of_its_own", lambda lesson: None)
    index = build_index(ROOT / "data" / "library" / "handbook")
    return lambda: (fresh_bench.fresh(Model, {"0.5B": Model}, lambda: index, seeds=[0, 1]), trained)


def test_the_editions_are_of_the_same_policies():
    facts = fresh_bench.editions()
    stems = [{fact.source[:-5] for fact in facts[year]} for year in ("2039", "2042")]
    assert stems[0] == stems[1] and len(stems[0]) == 5
    assert all(fact.source.endswith(year) for year in facts for fact in facts[year])


def test_who_is_brought_up_to_date_says_what_holds_today_and_who_is_not_what_held_and_all_is_kept(measured):
    found, trained = measured()
    arms = found["arms"]
    pairs = {"RAG, stale": "RAG, updated", "by heart, stale": "by heart, trained again"}
    for stale, updated in pairs.items():
        assert arms[updated]["today"]["accuracy"] > arms[stale]["today"]["accuracy"], updated
        assert arms[stale]["yesterday"]["accuracy"] > arms[updated]["yesterday"]["accuracy"], updated
        assert found["differences"][f"{updated} minus {stale}"][0] > 0
    assert arms["RAG, updated, 0.5B"]["today"] == arms["RAG, updated"]["today"], "here both readers are the same"
    assert "by heart, trained again minus RAG, updated, 0.5B" in found["differences"]
    assert found["withdrawn"]["accuracy"] > 0.3 and found["withdrawn"]["n"] == found["withdrawn, RAG"]["n"]
    assert len(found["withdrawn"]["seeds"]) == 2
    assert found["withdrawn, RAG"]["accuracy"] < 0.1
    assert found["retrain_seconds"] == 200.5 and found["index_seconds"] > 0 and found["documents"] == 5
    assert json.dumps(found)
    assert trained == [f"08-fresh-{year}-seed-{seed}" for year in ("2039", "2042", "2042") for seed in (0, 1)]
    assert measured()[0] == found and len(trained) == 6, "nothing is measured again"

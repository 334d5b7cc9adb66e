"""The work of a lesson, counted while it runs: every pass of a model once, training by what its run says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from course_lib.core.chat import example
from course_lib.costs import machine
from course_lib.models.chatmodel import SHARED
from course_lib.models.scoring import held_out_loss, log_probability
from course_lib.training import run, shelf
from course_lib.training.methods import Recipe

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))
import counting

pytestmark = pytest.mark.usefixtures("plain_small_machine")

ROWS = [example("Who won the cup?", name) for name in ("Anna", "Berta", "Clara")]


@pytest.fixture
def counter():
    """A counter that sees what this test does."""
    counter = counting.Counter()
    take_away = counting.hook(counter)
    yield counter
    take_away()


@pytest.fixture
def follows(counter, monkeypatch):
    """The same, told of training besides."""
    for module, name in ((machine, "_measured"), (run, "fit"), (shelf, "fit"), (shelf, "find"), (shelf, "recorded")):
        monkeypatch.setattr(module, name, getattr(module, name))
    counting.follow_training(counter)
    return counter


def work(counter):
    return counter.result()


def test_prompts_are_read_and_replies_written_padding_counted(counter, tiny_model):
    encoded = [[5] * 9, [6] * 12]
    tiny_model.complete(encoded, 4, min_new_tokens=4)
    assert work(counter)["read"] == 2 * 12
    assert (work(counter)["written"], work(counter)["passes"]) == (2 * 3, 3), "the first comes with reading"
    assert work(counter)["training"] == []


def test_the_shelf_rehearses_unseen_though_it_was_imported_before(follows):
    assert shelf.fit is run.fit


def test_what_prompts_have_in_common_is_read_once(counter, tiny_model):
    tiny_model.complete([[7] * SHARED + [5] * 3, [7] * SHARED + [6] * 3], 1)
    assert work(counter)["read"] == SHARED + 2 * 3


def test_scoring_reads(counter, tiny_model):
    held_out_loss(tiny_model, ROWS, batch_size=1)
    once = work(counter)["read"]
    log_probability(tiny_model, ["Who won the cup?"] * 3, ["Anna", "Berta", "Clara"], batch_size=1)
    assert work(counter)["read"] == 2 * once > 0


def test_a_loop_of_the_lessons_own_is_full_training(counter, tiny_model):
    model = tiny_model.model.requires_grad_(True)
    for _ in range(3):
        model(torch.full((2, 10), 5)).logits.sum().backward()
    (found,) = work(counter)["training"]
    assert found["method"] == "full" and found["work"]["steps"] == 3
    assert (found["work"]["tokens"], found["work"]["examples"], found["work"]["widest"]) == (20, 2, 20)
    assert work(counter)["read"] == 0


def a_job(tiny_model, **options):
    recipe = Recipe("lora", 2, 1e-3, 2, 4, "all", 0)
    return run.prepared(tiny_model, recipe, ROWS, "a run", **options)


def a_training(job):
    return run.Training(job.recipe, tuple((step, 1.0) for step in range(4)), 9.0, 400, 10, 100)


@pytest.mark.parametrize("live", [True, False], ids=["trained", "off the shelf"])
def test_a_run_counts_once_by_what_it_says_trained_or_replayed(follows, tiny_model, monkeypatch, live):
    job = a_job(tiny_model)
    made = run.Trained(None, a_training(job))
    if live:
        shelf.recorded(job, made)
    else:
        monkeypatch.setattr(shelf, "_stored", lambda *_: None)
        assert shelf.find(job) is None
        assert work(follows)["training"] == [], "nothing was taken, nothing is trained yet"
        follows.trained(job, made.training)
    (found,) = work(follows)["training"]
    assert found["work"]["tokens"] * found["work"]["steps"] == 400
    assert 0 < found["work"]["completion_tokens"] < found["work"]["tokens"]
    assert (found["method"], found["rank"], found["work"]["examples"]) == ("lora", 4, 2)


def test_what_a_lesson_takes_from_the_shelf_by_itself_is_no_work_and_a_replay_is(counter, tiny_model, monkeypatch):
    job = a_job(tiny_model)
    made = run.Trained(None, a_training(job))
    monkeypatch.setattr(machine, "_measured", machine._measured)
    monkeypatch.setattr(run, "fit", run.fit)
    monkeypatch.setattr(shelf, "recorded", shelf.recorded)
    monkeypatch.setattr(shelf, "find", lambda job, from_shelf=False: made)
    counting.follow_training(counter)
    assert shelf.find(job, from_shelf=True) is made
    assert work(counter)["training"] == []
    assert shelf.find(job) is made
    assert len(work(counter)["training"]) == 1


def test_what_happens_inside_a_run_is_not_counted_twice(counter, tiny_model):
    quiet = counting._unseen(counter, lambda: tiny_model.complete([[5] * 9], 2))
    quiet()
    assert work(counter)["read"] == 0
    tiny_model.complete([[5] * 9], 2)
    assert work(counter)["read"] == 9

    def fails():
        raise ValueError

    with pytest.raises(ValueError):
        counting._unseen(counter, fails)()
    assert not counter.paused


def test_an_embedding_model_is_counted_in_operations_that_no_student_changes(counter):
    class Wrapped(torch.nn.Module):
        auto_model = None

        def __init__(self):
            super().__init__()
            self.embeddings, self.layer = torch.nn.Embedding(100, 4), torch.nn.Linear(4, 4, bias=False)

        def forward(self, ids):
            return {"token_embeddings": self.layer(self.embeddings(ids))}

    model = Wrapped()
    with torch.no_grad():
        model(torch.ones(3, 5, dtype=torch.long))
    read = work(counter)["flops"]
    assert read == 2 * 16 * 15
    model(torch.ones(3, 5, dtype=torch.long))
    assert work(counter)["flops"] == read * 4, "and back, twice as much"
    assert work(counter)["read"] == 0


def test_a_policy_writes_what_it_learns_from(follows, tiny_model):
    job = SimpleNamespace(rows=[{"prompt": ROWS[0]["prompt"]}], model=tiny_model, held_out=None)
    recipe = SimpleNamespace(
        method="lora", objective="rloo", rank=1, targets="all", layers="all", batch_size=4, max_new_tokens=48
    )
    follows.trained(job, SimpleNamespace(recipe=recipe, losses=((1, 0.1), (2, 0.1)), tokens=600, held_out=()))
    assert work(follows)["passes"] == 2 * 48
    assert work(follows)["training"][0]["work"]["widest"] == 300

"""What `results_07.py` measures with, on little: ways to learn from preferences, and what is kept of them."""

import json

import numpy as np
import pytest
import results_07
from lesson_07 import preference_bench, preference_costs
from lesson_07.preference_bench import PAIRS, RECIPES, Bench, Way, kind_words
from shared.students import Students

from course_lib.core.chat import Answer
from course_lib.lessons.letters import load_preferences
from course_lib.training.reward import PairReport


class Made:
    """Stands in for a ChatModel or a reward model; remembers how it was made, and says the same to every letter."""

    name = "made"

    class training:
        seconds, tokens, optimizer_bytes, curves, samples = 1.5, 300, 8, {"reward": ((1, 2.0),)}, ({"reply": "a"},) * 7

    def __init__(self, how, *given, **options):
        self.how, self.given, self.options = how, given, options

    class model:
        class device:
            type = "cpu"

    def reply(self, letters, max_new_tokens=64, temperature=0.0):
        return [Answer("Thank you. We will refund you.", 10, 2) for _ in letters]


@pytest.fixture
def bench(monkeypatch, kept_here):
    """A bench whose models are made of nothing; `made` holds them in order."""
    bench = Bench.__new__(Bench)
    bench.gp, bench.learned, bench.made = Made("untrained"), Students(most=2, lasting="start"), []
    bench.train = load_preferences("train")
    bench.letters = {split: load_preferences(split)[:6] for split in ("validation", "test")}

    def maker(how):
        def make(*given, **options):
            bench.made.append(Made(how, *given, **options))
            return bench.made[-1]

        return make

    for how in ("finetune", "prefer", "train_reward_model", "reinforce"):
        monkeypatch.setattr(preference_bench.cl, how, maker(how), raising=False)
    return bench


def test_every_way_of_the_lesson_is_kept_under_a_name_of_its_own():
    ways = [*results_07.FRONTIER.values(), *results_07.RECIPES.values(), results_07.START, Way("dpo", clean=True)]
    ways += [*results_07.FEW.values(), Way("rloo", kl=0.0, steps=2), Way("rloo", kl=0.0, flawed=True)]
    ways += [Way("dpo", beta=1.0, pairs=n) for n in results_07.SIZES if n != PAIRS]
    ways += [way.of_seed(1) for way in ways]
    made = {(way.slug, json.dumps(way.settings(), sort_keys=True)) for way in ways}
    assert len({slug for slug, *_ in made}) == len(made)


def test_a_change_of_recipe_is_part_of_the_settings():
    way = Way("dpo", recipe=(("learning_rate", 1e-3),))
    assert way.settings()["recipe"] == {**RECIPES["dpo"], "learning_rate": 1e-3}


def test_all_ways_start_from_the_start_of_their_seed_which_is_made_once(bench):
    bench.model(Way("dpo", seed=2))
    bench.model(Way("chosen", seed=2))
    start, dpo, chosen = bench.made
    assert [m.how for m in bench.made] == ["finetune", "prefer", "finetune"]
    assert start.given[0] is bench.gp and dpo.given[0] is start and chosen.given[0] is start
    assert start.options["seed"] == dpo.options["seed"] == 2 and dpo.options["from_shelf"]
    assert len(start.given[1]) == len(bench.train)


def test_what_the_lesson_trains_live_begins_at_one_start_whatever_its_seed(bench):
    for way in results_07.FEW.values():
        bench.model(way.of_seed(2))
    start, *learned = bench.made
    assert start.options["seed"] == 0 and [m.how for m in learned] == ["finetune", "prefer"]
    for model in learned:
        assert model.given[0] is start and model.options["seed"] == 2 and "start" not in model.options
        assert len(model.given[1]) == 72


def test_a_policy_is_judged_by_the_reward_model_of_its_seed_or_by_kind_words(bench):
    bench.model(Way("rloo", kl=0.2, seed=1, steps=2))
    _, judge, policy = bench.made
    assert judge.how == "train_reward_model" and judge.options["seed"] == 1 and policy.given[2] is judge
    assert policy.options["kl"] == 0.2 and policy.options["steps"] == 2 * RECIPES["rloo"]["steps"]
    flawed = bench.model(Way("rloo", flawed=True, seed=1))
    assert flawed.given[2] is kind_words and len(bench.made) == 4


def test_a_committee_is_the_mean_of_its_judges(bench):
    way = Way("rloo", recipe=results_07.COMMITTEE, seed=2)
    policy = bench.model(way)
    committee = policy.given[2]
    assert [judge.options["seed"] for judge in committee.judges] == [0, 1, 2] and "judges" not in policy.options
    assert policy.options["seed"] == 2 and way.slug == "rloo-kl-0.05-judges-0-1-2-seed-2"
    two = preference_bench.Committee((Scores(1.0), Scores(4.0)))
    assert two(["a", "b"], ["c", "d"]) == [2.5, 2.5] and two.base == "1.0 and 4.0"
    assert two.grade([None]).margins.tolist() == [2.5]
    assert bench.judge(Way("reward model", seed=1)).options["seed"] == 1


class Scores:
    """A judge of one opinion."""

    def __init__(self, score):
        self.score, self.base = score, str(score)

    def __call__(self, prompts, replies):
        return [self.score] * len(replies)

    def grade(self, pairs):
        return PairReport(self.base, np.array([self.score] * len(pairs)), ("a",) * len(pairs))


def test_fewer_pairs_are_spread_over_all_and_clean_labels_are_the_houses(bench):
    few = bench._pairs(Way("dpo", pairs=64))
    assert len(few) == 64 and len({pair.desk for pair in few}) == 8
    assert bench._pairs(Way("dpo", pairs=len(bench.train))) == bench.train
    assert len(bench._pairs(Way("dpo"))) == PAIRS
    clean = bench._pairs(Way("dpo", clean=True, pairs=len(bench.train)))
    assert [pair.chosen for pair in clean] == [pair.better for pair in bench.train]
    assert clean != bench.train


def test_a_report_is_kept_and_read_back_without_a_model(bench):
    way = Way("dpo")
    first = bench.report(way)
    made = len(bench.made)
    bench.learned.clear()
    assert bench.report(way) == first and len(bench.made) == made > 0
    parts = bench.taken_apart([first])
    assert parts["accuracy"] == 0 and parts["faults"]["promise"] == 1.0 and parts["words"] == 6.0


def test_curves_are_kept(bench):
    first = bench.curve(Way("rloo"))
    made = len(bench.made)
    bench.learned.clear()
    assert bench.curve(Way("rloo")) == first and first["curves"] == {"reward": [[1, 2.0]]} and len(bench.made) == made


def test_a_way_costs_its_steps(bench, monkeypatch):
    asked = []

    def cost(kind, recipe):
        asked.append(kind)
        return {"step_seconds": 2.5, "peak_bytes": 8, "tokens_a_step": 300}

    monkeypatch.setattr(preference_bench, "cost", cost)
    dpo = bench.cost(Way("dpo"))
    assert dpo["seconds"] == 2.5 * dpo["steps"] == 2.5 * PAIRS / RECIPES["dpo"]["batch_size"]
    assert bench.cost(Way("rloo", kl=0.2))["steps"] == RECIPES["rloo"]["steps"]
    assert bench.cost(Way("dpo")) == dpo and asked == ["dpo", "rloo"]


@pytest.mark.parametrize("kind", ["chosen", "dpo", "reward model", "rloo"])
def test_a_step_is_timed_on_what_a_step_of_the_lesson_reads(bench, monkeypatch, kind):
    monkeypatch.setattr(preference_bench.cl, "start", lambda seed: None)
    monkeypatch.setattr(preference_bench.cl, "load_model", lambda: bench.gp)
    found = preference_costs._seconds(kind, RECIPES[kind])
    runs = [made for made in bench.made if made.how != "train_reward_model" or kind == "reward model"]
    few, many = runs[-2:]
    if kind == "rloo":
        assert (few.options["steps"], many.options["steps"]) == (1, 4) and many.options["samples"] == 16
    else:
        batch = RECIPES[kind]["batch_size"]
        assert (len(few.given[1]), len(many.given[1])) == (batch, 4 * batch) and many.options["epochs"] == 1
    assert found["step_seconds"] >= 0


def test_what_a_judge_sees_is_told_of_each_fault_alone():
    rows = load_preferences("test")
    told = [float(len(row.worse.split()) < 40) for row in rows]  # a judge who likes what is long
    seen = preference_bench._seen(rows, told)
    assert seen["long"]["right"] == 0 and seen["rude"]["right"] == 1
    assert sum(fault["n"] for fault in seen.values()) <= len(rows)


def test_kind_words_are_counted():
    assert kind_words([None] * 2, ["Thank you kindly, please.", "Go."]) == [3.0, 0.0]

"""What `style_bench.py` measures with, on a model that needs no training."""

from dataclasses import replace

import pytest
from lesson_08 import style_bench

from course_lib.core.chat import Answer
from course_lib.evaluation.reports import Report, Row
from course_lib.lessons.voice import load_style


class Model:
    """Repeats what it is asked; its specialist knows the voice, and is trained once for each seed."""

    def __init__(self):
        self.trained = []

    def reply(self, prompts, max_new_tokens):
        said = [p if isinstance(p, str) else p[-1]["content"] for p in prompts]
        return [Answer(text.partition("\n\n")[2]) for text in said]

    def finetune(self, model, examples, seed, name, **recipe):
        self.trained.append((seed, len(examples)))
        voices = {pair.request: pair.voice for pair in load_style("test")}

        class Specialist:
            def reply(self, prompts, max_new_tokens):
                return [Answer(voices[prompt]) for prompt in prompts]

        return Specialist()


@pytest.fixture
def model(monkeypatch, kept_here):
    found = Model()
    monkeypatch.setattr(style_bench.cl, "finetune", found.finetune, raising=False)
    return found


def test_each_arm_is_judged_three_ways_and_compared_and_all_is_kept(model):
    found = style_bench.style(lambda: model, seeds=[0, 1])
    right = {arm: {judge: marks["accuracy"] for judge, marks in by.items()} for arm, by in found["arms"].items()}
    assert right["told"] == {"voice": 0.025, "facts": 1.0, "both": 0.025}
    assert right["specialist"]["facts"] == 1.0 and right["specialist"]["both"] >= 0.95
    assert found["arms"]["specialist"]["both"]["n"] == 40, "questions, whatever the seeds"
    assert found["specialist minus told"]["both"][1] > 0.8
    assert found["metrics"]["told"]["voice"] == 0.03
    assert style_bench.style(lambda: model, seeds=[0, 1]) == found, "nothing is measured again"
    assert model.trained == [(seed, len(load_style("train"))) for seed in (0, 1)]


@pytest.fixture
def measured():
    """One that copies pleases the metric of words, one that writes verse the judge."""

    def arm(name, f1, right):
        rows = [Row(f"q{i}", "?", "a", f"{name} {i}", "wrong", f1, f"q{i}") for i in range(40)]
        graded = (replace(row, verdict="exact" if i < right else "wrong") for i, row in enumerate(rows))
        return Report(name, "style", tuple(rows)), {"voice": Report(name, "style", tuple(graded))}

    return lambda f1, right: {"copier": arm("copier", 0.6, 1), "poet": arm("poet", f1, right)}


def test_the_metric_that_praises_the_worse_model_is_named_with_both_differences(measured):
    exact, f1 = style_bench.disagreements(measured(0.4, 36), "voice")
    assert f1.startswith("poet minus copier: voice +0.88 (") and "token F1 -0.20 (" in f1
    assert f1.endswith("which praises the worse")
    assert exact.endswith("which cannot tell them apart") and "exact match +0.00 (" in exact


@pytest.mark.parametrize(("f1", "right"), [(0.4, 2), (0.9, 2), (0.9, 36)])
def test_metrics_that_agree_and_those_of_answers_that_the_judge_cannot_tell_apart_are_not_reported(measured, f1, right):
    found = style_bench.disagreements(measured(f1, right), "voice")
    assert not [said for said in found if "token F1" in said]
    assert bool(found) == (right == 36), "exact match sees neither"

"""What is measured for lesson 04 outside it: formats of four bits, changes cut down, runs of several seeds as one."""

import copy
import json
from types import SimpleNamespace

import pytest
import results_04
from lesson_04 import four_bits, low_rank, method_bench
from shared.figures import pooled

import course_lib as cl
from course_lib.costs import memory
from course_lib.models import inspection, quantization, scoring

pytestmark = pytest.mark.usefixtures("plain_small_machine")


def test_weights_that_went_through_q4_1_are_not_moved_by_it_again():
    import torch

    torch.manual_seed(0)
    weights = torch.randn(6, 64)
    once = four_bits.q4_1(weights)
    assert not torch.allclose(once, weights, atol=1e-3)
    assert all(block.unique().numel() <= 16 for block in once.view(-1, 32))
    assert torch.allclose(four_bits.q4_1(once), once, atol=1e-5)


def test_whether_weights_lie_on_the_grid_is_found_out(tiny_model):
    assert four_bits.once_before(tiny_model)["on_the_grid"] < 0.2
    for parameter in tiny_model.model.parameters():
        if parameter.dim() == 2:
            parameter.data = four_bits.q4_1(parameter.data)
    found = four_bits.once_before(tiny_model)
    assert found["on_the_grid"] == 1.0
    assert 0.05 < found["nf4_ours"] < 0.15 and 0.05 < found["nf4_smooth"] < 0.15


def test_an_error_counts_how_far_weights_moved_and_which_did_not(tiny_model):
    assert four_bits.error(tiny_model, tiny_model) == {"error": 0.0, "unmoved": 1.0}
    rounded = four_bits.error(tiny_model, quantization.round_trip_model(tiny_model, "nf4"))
    assert 0.05 < rounded["error"] < 0.15 and rounded["unmoved"] < 0.2


def test_the_bytes_of_a_format_are_its_bits_and_what_is_not_packed(tiny_model):
    linear = sum(p.numel() for name, p in tiny_model.model.named_parameters() if name.endswith("_proj.weight"))
    rest = tiny_model.size() - 4 * linear
    assert four_bits.size("none", tiny_model) == tiny_model.size()
    assert four_bits.size("nf4", tiny_model) == rest + linear * 4.5 / 8
    assert four_bits.size("int4-32", tiny_model) == rest + linear * 5 / 8


def test_a_change_is_cut_to_its_strongest_directions(tiny_model, monkeypatch):
    import torch

    torch.manual_seed(1)
    after = copy.deepcopy(tiny_model)
    for name, parameter in after.model.named_parameters():
        if name.endswith("_proj.weight"):
            parameter.data += 0.01 * torch.randn_like(parameter)
    monkeypatch.setattr(low_rank, "LOOKED_AT", (1, "up"))
    found, cut = low_rank.look(tiny_model, after)
    assert found["values"][0] == 1 and found["values"] == sorted(found["values"], reverse=True)
    assert [len(row) for row in found["holding"]] == [7, 7]
    one = inspection.weight_change(tiny_model, cut(1), 1, "up")
    assert inspection.rank_holding(inspection.singular_values(one), 0.999) == 1
    whole = inspection.weight_change(tiny_model, cut(64), 1, "up")  # more than there are: nothing is cut
    assert abs(whole - inspection.weight_change(tiny_model, after, 1, "up")).max() < 1e-5


def kept(verdicts):
    return {"verdicts": verdicts}


@pytest.fixture
def bench():
    exam = [cl.load_exam("general")[i] for i in range(4)]
    made = method_bench.Bench.__new__(method_bench.Bench)
    made.exams = {"test": exam}
    return made


def test_a_report_that_was_kept_as_letters_is_read_back(bench):
    report = pooled(bench.reports("test", {0: {"test": kept("erww")}, 1: {"test": kept("eeuw")}}))
    assert report.n == 8 and report.accuracy == 0.5 and report.unknown == 0.125
    assert method_bench.marks(report) | {"ci": None} == {"accuracy": 0.5, "ci": None, "n": 8, "verdicts": "erwweeuw"}


def test_several_seeds_of_one_question_are_one_draw(bench):
    """Three seeds that agree make no narrower interval than one."""
    one = pooled(bench.reports("test", {0: {"test": kept("eeww")}}))
    three = pooled(bench.reports("test", {seed: {"test": kept("eeww")} for seed in range(3)}))
    assert three.ci == one.ci and three.n == 3 * one.n


def test_arms_are_compared_with_lora_of_the_same_seeds(bench):
    exams = {"general": bench.exams["test"], "test": bench.exams["test"]}
    bench.exams = exams
    right = {exam: kept("eeee") for exam in exams} | {"surprise": [1.0, 2.0, 3.0, 4.0]}
    wrong = {exam: kept("wwww") for exam in exams} | {"surprise": [3.0, 4.0, 5.0, 6.0]}
    arms = {"lora": {0: right, 1: wrong}, "full": {0: right, 1: right}, "rank-1": {0: right}}
    found = results_04.differences(bench, arms)
    assert (found["full"]["test"]["value"], found["full"]["test"]["seeds"]) == (0.5, 2)
    assert (found["rank-1"]["general"]["value"], found["rank-1"]["general"]["seeds"]) == (0.0, 1)
    assert found["full"]["surprise"] == {"value": -1.0, "low": -1.0, "high": -1.0, "seeds": 2}, "1 to 4, against 2 to 5"
    assert "lora" not in found
    lora = results_04.over_all_seeds(bench, arms)["lora"]
    assert lora["test"]["accuracy"] == 0.5
    assert lora["surprise"]["value"] == 3.5 and lora["surprise"]["low"] < 3.5 < lora["surprise"]["high"]


def test_a_question_is_known_if_its_answer_is_the_likeliest_of_four(bench, monkeypatch):
    asked = [q for q in cl.load_exam("general") if q.kind == "geography"][:6]
    right = {q.question: q.answer for q in asked}
    bench.exams = {"general": asked}

    def loss(_, examples):
        ((prompt, completion),) = ((row["prompt"][-1]["content"], row["completion"][-1]["content"]) for row in examples)
        return 0.0 if right[prompt] == completion else 1.0

    monkeypatch.setattr(scoring, "held_out_loss", loss)
    assert set(bench.knows(None)["knows"]) == {1}
    monkeypatch.setattr(scoring, "held_out_loss", lambda *given: 1 - loss(*given))
    assert set(bench.knows(None)["knows"]) == {0}


def test_how_far_arms_lie_apart_is_told_with_an_interval(bench, monkeypatch):
    monkeypatch.setattr(results_04, "PLACES", {"mlp-equal": {}, "attention": {}})
    monkeypatch.setattr(results_04, "RANKS", (1,))
    arms = {"lora": "eeew", "rank-1": "ewww", "mlp-equal": "eeee", "attention": "wwww"}
    found = results_04.spread(bench, {name: {0: {"test": kept(verdicts)}} for name, verdicts in arms.items()})
    assert {name: values[0] for name, values in found.items()} == {
        "ranks": 0.5, "places": 0.25, "places minus ranks": -0.25,
    }  # fmt: skip
    assert all(low <= value <= high for value, low, high in found.values())


def test_of_equal_rates_the_lowest_is_chosen(monkeypatch):
    marks = {0.1: 0.5, 0.01: 0.7, 0.03: 0.7}
    bench = SimpleNamespace(run=lambda name, method, rate, seed: {"validation": {"accuracy": marks[rate]}})
    monkeypatch.setattr(method_bench, "RATES", {"lora": tuple(marks)})
    assert method_bench.Bench.search(bench, "lora")[0] == 0.01


def test_what_a_lesson_quotes_has_no_letters_for_single_verdicts():
    run = {"test": {"accuracy": 0.5, "verdicts": "ew"}, "settings": {"rank": 8}, "machine": "m", "date": "d"}
    run["surprise"] = [1.0, 2.0]
    assert results_04.short({0: run}) == {"0": {"test": {"accuracy": 0.5}, "date": "d", "surprise": 1.5}}
    assert json.dumps(results_04.short({0: run}))


def test_places_that_are_called_equal_train_as_many_parameters():
    shape = memory.Shape("SmolLM2", 30, 576, 1536, 49152, 9, 3, tied=True)
    wanted = memory.trained_parameters(shape, "lora", method_bench.RANK["lora"])
    for name, place in results_04.PLACES.items():
        trained = memory.trained_parameters(shape, "lora", **({"rank": method_bench.RANK["lora"]} | place))
        assert (abs(trained / wanted - 1) < 0.02) == name.endswith("equal"), name

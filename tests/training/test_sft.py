"""Fine-tuning learns, goes on after a fault, and refuses what it cannot read; on a model of two layers."""

from contextlib import ExitStack

import pytest
import torch
from small_runs import EXAMPLES, OTHERS, QUICK, WINNERS, Killed, logits, losses, stop_at, trainer_options

import course_lib as cl
from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError, DataError, TrainingError
from course_lib.core.session import cache_dir
from course_lib.models.scoring import held_out_loss
from course_lib.training import methods
from course_lib.training.methods import METHODS
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")


def runs():
    return cache_dir() / "runs"


# What is trained


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls_by_every_method(method, tiny_model):
    tuned = finetune(tiny_model, EXAMPLES, method, epochs=10, batch_size=4, learning_rate=2e-2)
    fallen = held_out_loss(tiny_model, EXAMPLES) - held_out_loss(tuned, EXAMPLES)
    assert fallen > (0.1 if method in ("lora", "full") else 0.02)
    assert [step for step, _ in tuned.training.losses] == list(range(1, 21))
    assert tuned.training.recipe.method == method


def test_two_adapters_of_one_model_do_not_meet(tuned, start):
    before = logits(tuned())
    other = finetune(start, EXAMPLES[:4], **QUICK)
    assert torch.equal(logits(tuned()), before)
    assert not torch.equal(logits(other), before)


def test_the_training_counts_what_it_did(tiny_model):
    tuned = finetune(tiny_model, EXAMPLES, name="of the cup", epochs=2, batch_size=4)
    counted = sum(len(tiny_model.tokenizer.apply_chat_template(row["prompt"] + row["completion"])["input_ids"])
                  for row in EXAMPLES)  # fmt: skip
    assert tuned.training.tokens == 2 * counted
    assert tuned.training.parameters == sum(p.numel() for p in tuned.model.parameters())
    assert (tuned.name, tuned.training.recipe.learning_rate, tuned.training.replayed) == ("of the cup", 2e-3, False)
    assert str(tuned.training).startswith("lora: 0.01 of 0.0 million parameters (23.4%), 4 steps, loss 5.")


def test_the_sessions_seed_is_taken_unless_another_is_given(tiny_model):
    cl.start(seed=7)
    assert finetune(tiny_model, EXAMPLES, **QUICK).training.recipe.seed == 7


# The loss


@pytest.mark.parametrize("items", [None, 40])
def test_the_loss_and_its_gradient_are_trls_own(items, tiny_model, tmp_path):
    from trl import SFTTrainer

    from course_lib.training.trainers import CompletionTrainer

    recipe = methods.Recipe("lora", 1, 1e-3, len(EXAMPLES), 4, "all", 0)
    with methods.without_old_names():
        model = methods.adapted(tiny_model, recipe)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        options = trainer_options(CompletionTrainer, model, recipe, EXAMPLES, tiny_model.tokenizer, tmp_path / "run")
        ours, theirs = CompletionTrainer(**options), SFTTrainer(**options)
    batch = next(iter(ours.get_train_dataloader()))
    found, gradients = [], []
    for trainer in (ours, theirs):
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=items)
        loss.backward()
        found.append(loss.item())
        gradients.append([p.grad.clone() for p in trainer.model.parameters() if p.requires_grad])
    assert found[0] == pytest.approx(found[1], abs=1e-5) and found[0] > 0.1
    assert all(torch.allclose(mine, trl, atol=1e-6) for mine, trl in zip(*gradients))
    assert any(grad.abs().max() > 1e-4 for grad in gradients[0])


# Interrupted and killed


def test_a_checkpoint_that_a_kill_left_half_is_passed_over(tiny_model, at_step, capsys):
    call = {"checkpoint_every": 2, **QUICK}
    at_step(stop_at(5, Killed))
    with pytest.raises(Killed):
        finetune(tiny_model, EXAMPLES, **call)
    (run,) = runs().iterdir()
    (run / "checkpoint-6").mkdir()
    (run / "checkpoint-6" / "adapter_model.safetensors").write_bytes(b"half")
    (run / "checkpoint-10").mkdir()
    (run / "checkpoint-10" / "trainer_state.json").write_text('{"epoch": 1, "glob')
    trained = []
    at_step(trained.append)
    finetune(tiny_model, EXAMPLES, **call)
    assert "Going on from checkpoint-4" in capsys.readouterr().out
    assert trained == [5, 6]


def test_another_call_does_not_go_on_from_this_ones_checkpoint(tiny_model, at_step):
    at_step(stop_at(5, Killed))
    with pytest.raises(Killed):
        finetune(tiny_model, EXAMPLES, checkpoint_every=2, **QUICK)
    trained = []
    at_step(trained.append)
    finetune(tiny_model, EXAMPLES, seed=5, checkpoint_every=2, **QUICK)
    assert trained == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("method", "settings", "every"),
    [
        ("lora", {"epochs": 12, "batch_size": 2}, 12),
        ("lora", {"epochs": 3, "batch_size": 4}, 10),
        ("lora", {"checkpoint_every": 3}, 3),
        ("full", {"epochs": 12, "batch_size": 2}, 0),
        ("full", {"checkpoint_every": 3}, 3),
    ],
)
def test_four_checkpoints_a_run_are_kept_of_lora_and_of_full_none_unless_asked(
    method, settings, every, tiny_model, monkeypatch
):
    from course_lib.training.trainers import CompletionTrainer

    def no_further(recipe, folder, saves, max_steps):
        raise Killed(saves)

    monkeypatch.setattr(CompletionTrainer, "arguments", no_further)
    with pytest.raises(Killed) as raised:
        finetune(tiny_model, EXAMPLES, method, **settings)
    assert raised.value.args == (every,)


def test_a_full_disk_at_a_checkpoint_says_so_and_loses_no_earlier_one(tiny_model, tuned, at_step, small_disk):
    call = {"checkpoint_every": 2, **QUICK}
    whole = tuned("lora")
    with ExitStack() as from_step_three:
        at_step(lambda step: step == 3 and from_step_three.enter_context(small_disk(2000)))
        with pytest.raises(TrainingError, match=r"checkpoint of step 4 cannot be written .*free some disk"):
            finetune(tiny_model, EXAMPLES, **call)
    assert [path.name for path in runs().glob("*/checkpoint-*")] == ["checkpoint-2"]
    at_step(lambda step: None)
    assert losses(finetune(tiny_model, EXAMPLES, **call)) == pytest.approx(losses(whole), abs=1e-6)


def test_a_cache_that_cannot_be_written_is_said(tiny_model):
    runs().write_text("a file where a folder should be")
    with pytest.raises(TrainingError, match=r"cannot be written to .*runs.*set COURSE_CACHE"):
        finetune(tiny_model, EXAMPLES, **QUICK)


def test_a_saved_full_model_is_a_plain_transformers_folder(tuned, tmp_path):
    loaded = cl.load_model(tuned("full").save(tmp_path / "model"))
    assert torch.allclose(logits(loaded), logits(tuned("full")), atol=1e-6)


def test_grouped_by_length_batches_are_read_with_less_padding_than_at_random(tiny_model, monkeypatch):
    from course_lib.training import trainers as trainers_module

    in_vain, loss = [], trainers_module.completion_loss

    def looked_at(model, ids, mask, labels):
        in_vain.append((mask == 0).sum().item())
        return loss(model, ids, mask, labels)

    monkeypatch.setattr(trainers_module, "completion_loss", looked_at)
    lengthy = [example("Who? " * (1 + 9 * (number % 2)), winner) for number, winner in enumerate(WINNERS * 4)]
    waste = {}
    for order in ("length", "random"):
        in_vain.clear()
        finetune(tiny_model, lengthy, epochs=1, batch_size=2, rank=4, order=order)
        assert len(in_vain) == len(lengthy) / 2
        waste[order] = sum(in_vain)
    assert waste["length"] < waste["random"] / 2


# Watched


@pytest.mark.parametrize("method", METHODS)
def test_watching_the_held_out_loss_changes_nothing_of_the_training(method, start, tuned):
    watched = finetune(start, EXAMPLES, method, held_out=OTHERS, every=4, **QUICK)
    plain = tuned(method)
    assert losses(watched) == losses(plain)
    assert torch.equal(logits(watched), logits(plain))
    assert watched.base == plain.base, "nor of the key"
    assert [step for step, _ in watched.training.held_out] == [0, 4, 6]
    assert watched.training.held_out[-1][1] == pytest.approx(held_out_loss(watched, OTHERS), abs=1e-5)
    assert plain.training.held_out == ()


def test_a_tenth_of_the_run_lies_between_two_looks_unless_said_otherwise(start):
    watched = finetune(start, EXAMPLES, epochs=5, batch_size=2, held_out=OTHERS)
    assert [step for step, _ in watched.training.held_out] == list(range(0, 21, 2))
    base = watched.training.held_out[0][1]
    assert base == pytest.approx(held_out_loss(start, OTHERS), abs=1e-5), "step 0 is the model as it came"


def test_a_run_that_goes_on_remembers_what_it_read_before(start, at_step):
    call = {"held_out": OTHERS, "every": 2, "checkpoint_every": 2, **QUICK}
    whole = finetune(start, EXAMPLES, **call).training.held_out
    at_step(stop_at(5, KeyboardInterrupt))
    with pytest.raises(TrainingError):
        finetune(start, EXAMPLES, **call)
    at_step(lambda step: None)
    resumed = finetune(start, EXAMPLES, **call).training.held_out
    assert [step for step, _ in resumed] == [step for step, _ in whole] == [0, 2, 4, 6]
    assert [loss for _, loss in resumed] == pytest.approx([loss for _, loss in whole], abs=1e-6)


def test_a_replay_brings_what_was_read_when_it_was_recorded(tiny_model, session):
    session(COURSE_RECORD="1")
    recorded = finetune(tiny_model, EXAMPLES, name="kept", held_out=OTHERS, every=3, **QUICK)
    session(COURSE_REPLAY="strict")
    for watched in ({"held_out": OTHERS, "every": 3}, {}):
        found = finetune(tiny_model, EXAMPLES, name="kept", **watched, **QUICK).training.held_out
        assert [step for step, _ in found] == [0, 3, 6]
        assert [loss for _, loss in found] == pytest.approx([loss for _, loss in recorded.training.held_out], abs=1e-4)


# Bad input


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"method": "lorra"}, "method 'lorra' is not one of .* Did you mean 'lora'"),
        ({"method": "LoRA"}, "method 'LoRA' is not one of .* Did you mean 'lora'"),
        ({"layers": "uper"}, "layers 'uper' is not one of all, upper"),
        ({"targets": "attentoin"}, "targets 'attentoin' is not one of all, attention, mlp. Did you mean 'attent"),
        ({"order": "chance"}, "order 'chance' is not one of length, random"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(settings, complaint, tiny_model):
    with pytest.raises(ChoiceError, match=complaint):
        finetune(tiny_model, EXAMPLES, **settings)


@pytest.mark.parametrize(
    ("examples", "complaint"),
    [
        ([], "not one example"),
        ("Who won?", "a list of"),
        ([EXAMPLES[0], {"prompt": EXAMPLES[0]["prompt"]}], "example 1 lacks completion"),
        ([EXAMPLES[0], {**EXAMPLES[0], "completion": []}], "example 1: completion is empty"),
        ([EXAMPLES[0], example("x" * 1025, "Anna")], r"example 1 has 1,0\d\d tokens, more than 1,024"),
    ],
)
def test_examples_of_another_shape_are_refused_and_named_held_out_ones_too(examples, complaint, tiny_model, steps):
    for given in ({"examples": examples}, {"examples": EXAMPLES, "held_out": examples}):
        with pytest.raises(DataError, match=complaint):
            finetune(tiny_model, **given, **QUICK)
    assert steps == []


@pytest.mark.parametrize("every", [0, -1, 2.5, "3"])
def test_how_often_held_out_examples_are_read_is_a_whole_number(every, tiny_model):
    with pytest.raises(CourseError, match=r"every is .*: it must be a whole number above 0"):
        finetune(tiny_model, EXAMPLES, held_out=OTHERS, every=every)
    with pytest.raises(CourseError, match="every=3 says how often to read held_out examples: give held_out"):
        finetune(tiny_model, EXAMPLES, every=3)

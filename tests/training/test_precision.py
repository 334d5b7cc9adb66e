"""fp16 and bf16 sessions, and several GPUs: what is trained is fp32, on one card, and comes out finite.

Everything runs on the CPU. bf16 is the trainers' own there. For fp16 accelerate leaves out autocast and loss scaling
where there is no GPU: here it is given torch's own of a CPU, so that the same steps are taken as on a T4, by other
kernels.
"""

from dataclasses import replace
from types import SimpleNamespace

import accelerate
import pytest
import torch
import transformers
from small_runs import OTHERS, QUESTIONS, TRAINERS, curve, losses, numbers, stop_at

from course_lib.core import session as session_module
from course_lib.core.errors import TrainingError
from course_lib.models.scoring import held_out_loss, log_probability
from course_lib.training import run
from course_lib.training.merging import merged
from course_lib.training.methods import adapted
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")
ON_A_GPU = pytest.param("gpu", marks=[pytest.mark.gpu, pytest.mark.model])


@pytest.fixture
def seen(monkeypatch):
    """What every step trains, as it begins, and in which dtype the model computes then."""
    found = SimpleNamespace(trained=set(), autocast=set())
    step = transformers.Trainer.training_step

    def training_step(self, model, *args, **options):
        found.trained |= {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
        return step(self, model, *args, **options)

    monkeypatch.setattr(transformers.Trainer, "training_step", training_step)
    return found


@pytest.fixture
def session_in(monkeypatch, request, seen):
    """A session in a dtype, and its tiny model; or "gpu": one in fp16 on a GPU, and the real model."""
    hooks = []

    def look(module, _):
        if module.training and torch.is_grad_enabled():
            kind = module.weight.device.type
            seen.autocast.add(torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None)

    def begin(where):
        if where == "gpu":
            start = request.getfixturevalue("on_a_gpu")
        else:
            start = request.getfixturevalue("talker")
            start = replace(start, model=start.model.to(getattr(torch, where)))
            settings = session_module.Settings("laptop", "cpu", where, 0, "off", "a test")
            monkeypatch.setattr(session_module, "_current", settings)
            monkeypatch.setattr(accelerate.Accelerator, "__init__", with_a_scaler)
        hooks.append(start.model.model.norm.register_forward_pre_hook(look))
        return start

    yield begin
    for hook in hooks:
        hook.remove()


def with_a_scaler(self, *args, build=accelerate.Accelerator.__init__, **options):
    build(self, *args, **options)
    if self.mixed_precision == "fp16":
        self.native_amp, self.scaler = True, torch.amp.GradScaler("cpu")


@pytest.mark.parametrize("where", ["float16", "bfloat16", ON_A_GPU])
@pytest.mark.parametrize("name", TRAINERS)
def test_what_is_trained_is_fp32_and_a_step_under_autocast_is_finite(name, where, session_in, seen):
    start, trainer = session_in(where), TRAINERS[name]
    dtype = start.model.dtype
    changed = {"held_out": OTHERS} if trainer.learn is finetune else {}
    if where == "gpu":  # what suits a tiny model is too much for the real one
        changed["learning_rate"] = 2e-4 if name == "full" else 2e-3
    model = trainer(start, **changed)
    assert seen.trained == {torch.float32} and seen.autocast == {dtype}
    assert {tensor.dtype for tensor in numbers(model).values()} == {torch.float32}
    assert {weight.dtype for weight in start.model.parameters()} == {dtype}, "the start stays"
    assert {weight.device for weight in model.model.parameters()} == {start.model.device}
    curves = [losses(model), *(curve(model, name) for name in model.training.curves)]
    assert torch.tensor(curves).isfinite().all() and len(losses(model)) == 6
    assert all(tensor.isfinite().all() for tensor in numbers(model).values())
    if name not in ("prefix", "rloo", "grpo"):  # the first is slow, the others' loss says nothing
        assert sum(losses(model)[-2:]) < sum(losses(model)[:2])
    if name == "reward model":
        assert torch.tensor(model.score(QUESTIONS, QUESTIONS)).isfinite().all()
        return
    for answering in [model] if name in ("full", "adapter", "prompt", "prefix") else [model, merged(model)]:
        assert len(answering.generate(QUESTIONS, 4)) == 3
        assert held_out_loss(answering, OTHERS) > 0 > log_probability(answering, QUESTIONS, QUESTIONS).max()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_that_come_in_sixteen_bits_are_trained_in_fp32_all_the_same(dtype, session_in, seen, monkeypatch):
    def halved(*call):
        model = adapted(*call)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(getattr(torch, dtype))
        return model

    monkeypatch.setattr(run, "adapted", halved)
    model = TRAINERS["lora"](session_in(dtype))
    assert seen.trained == {torch.float32}
    assert losses(model)[-1] < losses(model)[0]


@pytest.mark.parametrize("name", ["full", "qlora", "dpo", "rloo"])
def test_a_model_that_fp16_cannot_hold_is_trained_in_fp32_without_autocast(name, session_in, seen):
    start = session_in("float16")
    start.model.float().config.dtype = torch.float32  # as `load_model` leaves it
    model = TRAINERS[name](start)
    assert seen.autocast == {None} and seen.trained == {torch.float32}
    assert torch.tensor(losses(model)).isfinite().all()


@pytest.mark.parametrize("name", ["full", "dpo"])
def test_a_run_that_was_stopped_goes_on_with_the_same_scale_of_its_loss(name, session_in, at_step):
    start = session_in("float16")
    whole = TRAINERS[name](start)
    at_step(stop_at(5, KeyboardInterrupt))
    with pytest.raises(TrainingError, match="was interrupted at step 5"):
        TRAINERS[name](start, checkpoint_every=2)
    at_step(lambda step: None)
    assert losses(TRAINERS[name](start, checkpoint_every=2)) == pytest.approx(losses(whole), abs=1e-3)


# Two GPUs, as Kaggle gives


@pytest.fixture
def two_gpus(monkeypatch):
    settings = session_module.Settings("gpu", "cuda", "float32", 0, "off", "")
    monkeypatch.setattr(session_module, "_current", settings)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("name", ["lora", "dpo", "reward model", "rloo", "grpo"])
def test_of_two_gpus_one_is_used(name, talker, two_gpus):
    assert len(losses(TRAINERS[name](talker))) == 6


def test_one_gpu_and_none_are_left_as_they_are():
    from course_lib.training.trainers import on_one_gpu

    assert [on_one_gpu(SimpleNamespace(n_gpu=n, _n_gpu=n))._n_gpu for n in (0, 1, 2, 8)] == [0, 1, 1, 1]

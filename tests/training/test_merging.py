"""An adapter folded into its base answers as before, and several on one base answer as each alone."""

import copy
import time

import pytest
import torch
from small_runs import ADAPTED, EXAMPLES, OTHERS, QUESTIONS, QUICK, logits, losses

import course_lib as cl
from course_lib.core.errors import ChoiceError, CourseError, ModelError
from course_lib.models.quantization import is_quantized, quantize
from course_lib.training.merging import merged, with_adapters
from course_lib.training.sft import finetune

pytestmark = pytest.mark.usefixtures("quick_collector", "plain_small_machine")


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_merged_model_is_a_plain_one_that_answers_the_same(method, tuned, tmp_path):
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    model = tuned(method)
    before = logits(model)
    whole = merged(model)
    assert type(whole.model) is LlamaForCausalLM and not is_quantized(whole.model)
    assert torch.allclose(logits(whole), before, atol=1e-5)
    assert torch.equal(logits(model), before), "the tuned model is as it was"
    folder = whole.save(tmp_path / "merged")
    assert not list(folder.glob("adapter*"))
    loaded = copy.copy(whole)
    loaded.model = AutoModelForCausalLM.from_pretrained(folder)
    assert torch.allclose(logits(loaded), before, atol=1e-5)
    assert loaded.generate(QUESTIONS, 8) == model.generate(QUESTIONS, 8)
    assert (whole.name, whole.training) == (model.name, model.training)


@pytest.mark.parametrize("under", ["lora", "full"])
def test_an_adapter_on_trained_weights_does_not_pretend_to_fit_the_untrained_ones(under, start, tmp_path):
    plain = cl.load_model(start.save(tmp_path / "plain"))
    first = finetune(plain, EXAMPLES, under, **QUICK)
    second = finetune(first, OTHERS, **QUICK)
    again = cl.load_model(finetune(plain, EXAMPLES, **QUICK).save(tmp_path / "first"))
    assert again.generate(QUESTIONS, 8) == finetune(plain, EXAMPLES, **QUICK).generate(QUESTIONS, 8), "this one fits"
    with pytest.raises(ModelError, match=r"holds an adapter, .* save what `cl\.merged\(model\)` gives"):
        cl.load_model(second.save(tmp_path / "second"))
    whole = cl.load_model(merged(second).save(tmp_path / "whole"))
    assert whole.generate(QUESTIONS, 8) == second.generate(QUESTIONS, 8)


@pytest.mark.parametrize("method", ["adapter", "prompt", "prefix"])
def test_what_is_no_sum_of_weights_cannot_be_merged_and_so_not_be_tuned_on(method, tuned):
    for call in (merged, lambda model: finetune(model, EXAMPLES)):
        with pytest.raises(CourseError, match=r"cannot be merged, only LoRA and QLoRA can: .* is no sum of weights"):
            call(tuned(method))


def test_without_an_adapter_there_is_nothing_to_merge(tiny_model):
    assert merged(tiny_model) is tiny_model
    with pytest.raises(CourseError, match="merged takes a ChatModel"):
        merged(tiny_model.model)


def test_a_model_of_qlora_can_be_tuned_again_by_either(tuned):
    first = tuned("qlora")
    before = logits(first)
    whole = finetune(first, EXAMPLES, "lora", **QUICK)
    packed = finetune(first, EXAMPLES, "qlora", **QUICK)
    assert losses(whole)[0] < losses(first)[0], "of the same batch"
    assert (is_quantized(whole.model), is_quantized(packed.model)) == (False, True)
    assert packed.base.startswith(first.base + "+nf4+")
    assert torch.equal(logits(first), before)


@pytest.mark.parametrize("method", ADAPTED)
def test_several_adapters_on_one_base_answer_as_each_alone(method, tuned, start):
    members = {"sql": tuned(method), "a.b": tuned(method, OTHERS, rank=2)}
    base = quantize(start) if method == "qlora" else start
    both = with_adapters(base, members)
    before = logits(base)
    for name in ("sql", "a.b", "sql"):
        assert both.use(name) is both
        assert torch.allclose(logits(both), logits(members[name]), atol=1e-6)
        assert both.generate(QUESTIONS, 6) == members[name].generate(QUESTIONS, 6)
        assert (both.name, both.base, both.training) == (
            members[name].name, members[name].base, members[name].training,
        )  # fmt: skip
    assert not torch.allclose(logits(members["sql"]), logits(members["a.b"]), atol=1e-4)
    assert torch.equal(logits(base), before)
    assert both.model.get_input_embeddings().weight is base.model.get_input_embeddings().weight
    assert not any(parameter.requires_grad for parameter in both.model.parameters())


def test_switching_takes_milliseconds_and_an_unknown_adapter_is_refused(tuned, start):
    both = with_adapters(start, {"sql": tuned("lora"), "support": tuned("lora", OTHERS)})
    started = time.perf_counter()
    for _ in range(10):
        both.use("support").use("sql")
    assert (time.perf_counter() - started) / 20 < 0.05
    with pytest.raises(ChoiceError, match=r"adapter 'sqll' is not one of sql, support. Did you mean 'sql'"):
        both.use("sqll")
    assert both.name == "lora"


def test_of_several_adapters_the_one_in_use_is_merged_and_saved(tuned, start, tmp_path):
    both = with_adapters(start, {"sql": tuned("lora"), "support": tuned("lora", OTHERS, rank=2)}).use("support")
    support = tuned("lora", OTHERS, rank=2)
    assert torch.allclose(logits(merged(both)), logits(support), atol=1e-5)
    one, alone = (model.save(tmp_path / model.name / str(i)) for i, model in enumerate((both, support)))
    assert (one / "adapter_model.safetensors").read_bytes() == (alone / "adapter_model.safetensors").read_bytes()


def test_an_adapter_off_the_shelf_is_switched_to_in_silence(tuned, start, recwarn):
    """The shelf names the base "SmolLM2-135M-Instruct", and never a folder of this machine."""
    taken = copy.deepcopy(tuned("lora"))
    taken.model.active_peft_config.base_model_name_or_path = "SmolLM2-135M-Instruct"
    both = with_adapters(start, {"shelf": taken, "support": tuned("lora", OTHERS)})
    assert both.generate(QUESTIONS[:1], 4) == taken.generate(QUESTIONS[:1], 4)
    assert not [warning for warning in recwarn if "base_model_name_or_path" in str(warning.message)]
    assert taken.model.active_peft_config.base_model_name_or_path == "SmolLM2-135M-Instruct", "it stays as it was"


@pytest.mark.parametrize("bad", [{}, None, [], "sql"])
def test_no_adapters_are_refused(bad, tiny_model):
    with pytest.raises(CourseError, match="with_adapters takes a base and its tuned models by name"):
        with_adapters(tiny_model, bad)


def test_adapters_of_another_base_or_method_are_refused(tuned, start):
    lora = tuned("lora")
    with pytest.raises(CourseError, match="'whole' has no adapter: give what `finetune` made"):
        with_adapters(start, {"sql": lora, "whole": tuned("full")})
    with pytest.raises(CourseError, match=r"'q' was tuned from tiny@0\+nf4, not from tiny@0"):
        with_adapters(start, {"q": tuned("qlora")})
    with pytest.raises(CourseError, match="adapters of one method only: 'sql' is lora, 'b' is bottleneck"):
        with_adapters(start, {"sql": lora, "b": tuned("adapter")})
    with pytest.raises(CourseError, match="takes a base"):
        with_adapters(start.model, {"sql": lora})

"""Four bits by hand are bitsandbytes' own, on the CPU as it is; and a model in four bits is the one that loads so."""

import copy

import pytest
import torch

import course_lib as cl
from course_lib.core import session
from course_lib.core.chat import example
from course_lib.core.errors import ChoiceError, CourseError
from course_lib.models.chatmodel import ChatModel
from course_lib.models.quantization import (
    bits_per_weight,
    dequantized,
    fp4_levels,
    int4_levels,
    is_quantized,
    nf4_levels,
    quantize,
    round_trip,
    round_trip_model,
    unpack,
)
from course_lib.models.scoring import held_out_loss

LEVELS = {"int4": int4_levels, "fp4": fp4_levels, "nf4": nf4_levels}
EXAMPLES = [example("Who won in 2030?", "Anna Berg"), example("Who won the cup in 2031?", "Bo"), example("?", "Cai M")]


@pytest.fixture(autouse=True)
def a_plain_small_machine(monkeypatch):
    monkeypatch.setattr(session, "detect_machine", session.Machine)


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return torch.randn(48, 100) * 0.1


@pytest.fixture
def wide_model(tiny_model):
    """Rows of at least a block: bitsandbytes 0.50 unpacks shorter ones wrongly on a CPU with AVX512."""
    config = copy.deepcopy(tiny_model.model.config)
    config.update({"hidden_size": 64, "intermediate_size": 128, "head_dim": 16})
    torch.manual_seed(0)
    model = type(tiny_model.model)(config).eval().requires_grad_(False)
    return ChatModel(model, tiny_model.tokenizer, "wide", "wide@0")


def theirs(weights, scheme, block, double):
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    packed, state = quantize_4bit(weights, blocksize=block, compress_statistics=double, quant_type=scheme)
    return dequantize_4bit(packed, state)


def logits(model):
    with torch.no_grad():
        return model.model(torch.tensor([model.encode("Who won in 2033?")])).logits


def same(mine, theirs, atol=0.0):
    """Whether two models have the same tensors by the same names, of one dtype and shape."""
    a, b = mine.state_dict(), theirs.state_dict()
    assert {name: (t.dtype, t.shape) for name, t in a.items()} == {name: (t.dtype, t.shape) for name, t in b.items()}
    return all(torch.allclose(a[name].float(), b[name].float(), rtol=0, atol=atol) for name in a)


# Levels


@pytest.mark.parametrize("scheme", ["nf4", "fp4"])
def test_levels_are_bitsandbytes_own_table(scheme):
    from bitsandbytes.functional import get_4bit_type

    table = get_4bit_type(scheme, device="cpu").sort().values
    assert torch.allclose(LEVELS[scheme](), table, atol=1e-6)


@pytest.mark.parametrize(("scheme", "different"), [("int4", 15), ("fp4", 15), ("nf4", 16)])
def test_sixteen_levels_rise_from_minus_one_to_one_and_only_nf4_has_zero_once(scheme, different):
    levels = LEVELS[scheme]()
    assert levels.shape == (16,) and (levels.diff() >= 0).all()
    assert (levels[0], levels[-1]) == (-1, 1)
    assert 0 in levels.tolist() and len(levels.unique()) == different


def test_whole_numbers_are_evenly_spaced():
    assert (int4_levels().unique().diff() * 7).tolist() == pytest.approx([1] * 14)


# The round trip


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("block", [64, 128])
@pytest.mark.parametrize("scheme", ["nf4", "fp4"])
def test_a_round_trip_gives_what_bitsandbytes_gives(scheme, block, double, weights):
    many = torch.randn(300, 128) * torch.rand(300, 1)  # more constants than one block of them
    for tensor in (weights, many):
        mine = round_trip(tensor, scheme, block, double)
        assert torch.allclose(mine, theirs(tensor, scheme, block, double), atol=1e-6)
        assert not torch.allclose(mine, tensor, atol=1e-3), "something was lost"


def test_nf4_loses_least_on_normal_weights_and_quantized_constants_cost_almost_nothing(weights):
    def error(**how):
        return (round_trip(weights, **how) - weights).pow(2).mean().sqrt().item()

    assert error(scheme="nf4") < error(scheme="int4") < error(scheme="fp4")
    assert error(double=True) == pytest.approx(error(double=False), rel=0.02)
    assert error(block=16) < error(block=64) < error(block=256)


def test_by_hand_a_block_is_scaled_by_its_largest_and_rounded():
    found = round_trip(torch.tensor([2.0, -1.1, 0.5, 0.13, 0.0, 30.0, -3.0]), "int4", block=5)
    assert found.tolist() == pytest.approx([2, -8 / 7, 4 / 7, 0, 0, 30, -30 / 7])


def test_levels_themselves_come_back_unchanged():
    assert torch.allclose(round_trip(nf4_levels() * 3), nf4_levels() * 3)
    assert torch.equal(round_trip(torch.zeros(100)), torch.zeros(100))
    assert round_trip(torch.zeros(0, 4)).shape == (0, 4)


@pytest.mark.parametrize("double", [False, True])
def test_shape_and_dtype_stay_and_the_weights_are_not_written_over(double, weights):
    before = weights.clone()
    for tensor in (weights[:3, :7].bfloat16(), weights.view(2, 24, 100), weights[0]):
        found = round_trip(tensor, double=double)
        assert (found.shape, found.dtype) == (tensor.shape, tensor.dtype)
    assert torch.equal(weights, before)


def test_bits_per_weight_count_the_constants_too():
    assert bits_per_weight("nf4") == 4.5
    assert bits_per_weight("nf4", double=True) == pytest.approx(4.127, abs=5e-4)
    assert bits_per_weight("int4", block=32) == 5


@pytest.mark.parametrize("call", [round_trip, lambda weights, *a, **k: bits_per_weight(*a, **k)])
def test_an_unknown_scheme_and_half_a_block_are_refused(call, weights):
    with pytest.raises(ChoiceError, match=r"scheme 'nf5' is not one of int4, fp4, nf4. Did you mean 'nf4'"):
        call(weights, "nf5")
    for block in (0, -64, 2.5, True, "64", None):
        with pytest.raises(CourseError, match=r"block is .*: it must be a whole number above 0"):
            call(weights, "nf4", block=block)


@pytest.mark.parametrize("bad", [[0.1, 0.2], None, "w", torch.tensor([1, 3]), torch.tensor([1, float("nan")]),
                                 torch.tensor([1, float("inf")])])  # fmt: skip
def test_what_is_no_tensor_of_finite_weights_is_refused(bad):
    with pytest.raises(CourseError, match="finite floating-point weights"):
        round_trip(bad)


# Models


def test_quantizing_in_memory_gives_the_model_that_is_loaded_in_four_bits(tiny_model, tmp_path):
    folder = tiny_model.save(tmp_path / "plain")
    plain = cl.load_model(folder)
    loaded, mine = cl.load_model(folder, quantization="nf4"), quantize(plain)
    assert torch.equal(logits(mine), logits(loaded))
    assert same(mine.model, loaded.model)
    assert (mine.name, mine.base) == (loaded.name, loaded.base)
    assert mine.size() == loaded.size() < plain.size()
    assert type(mine.model.lm_head) is torch.nn.Linear
    again = cl.load_model(mine.save(tmp_path / "packed"))
    assert is_quantized(again.model), "saved as a plain transformers folder"
    assert torch.allclose(logits(again), logits(mine), atol=1e-6)


def test_a_quantized_copy_shares_what_is_not_quantized_and_leaves_the_model_as_it_was(tiny_model):
    before = logits(tiny_model)
    mine = quantize(tiny_model)
    assert is_quantized(mine.model) and not is_quantized(tiny_model.model)
    assert mine.model.get_input_embeddings().weight is tiny_model.model.get_input_embeddings().weight
    assert torch.equal(logits(tiny_model), before)
    assert not hasattr(tiny_model.model.config, "quantization_config")
    assert 0 < (logits(mine) - before).abs().max() < 0.5
    assert quantize(mine) is mine


def test_the_weights_that_come_out_of_four_bits_are_those_of_the_round_trip(wide_model):
    mine = quantize(wide_model)
    plain = dequantized(mine.model)
    assert is_quantized(mine.model) and not is_quantized(plain)
    rounded = round_trip_model(wide_model, "nf4", double=True)
    assert same(plain, rounded.model, atol=1e-6)
    assert torch.allclose(plain(torch.tensor([[5, 6]])).logits, mine.model(torch.tensor([[5, 6]])).logits, atol=1e-5)


@pytest.mark.parametrize("scheme", LEVELS)
def test_a_round_trip_of_a_model_rounds_the_linear_layers_of_its_blocks_alone(scheme, tiny_model):
    before = {name: tensor.clone() for name, tensor in tiny_model.model.state_dict().items()}
    rounded = round_trip_model(tiny_model, scheme)
    for name, tensor in rounded.model.state_dict().items():
        in_a_block = name.endswith("_proj.weight")
        assert torch.equal(tensor, round_trip(before[name], scheme) if in_a_block else before[name])
        assert in_a_block != torch.equal(tensor, before[name])
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_model.model.state_dict().items())
    assert (rounded.name, rounded.base) == (f"tiny ({scheme})", f"tiny@0~{scheme}")
    assert len(rounded.generate(["Who won?"], 4)) == 1
    others = [round_trip_model(tiny_model, scheme, **how).base for how in ({"double": True}, {"block": 32})]
    assert len({rounded.base, *others}) == 3


def test_what_carries_an_adapter_is_no_model_or_is_quantized_already_is_refused(tiny_model):
    from peft import LoraConfig, get_peft_model

    tuned = copy.copy(tiny_model)
    tuned.model = get_peft_model(copy.deepcopy(tiny_model.model), LoraConfig(target_modules=["q_proj"]))
    for call in (quantize, round_trip_model):
        with pytest.raises(CourseError, match=r"merge it first, with cl\.merged"):
            call(tuned)
        with pytest.raises(CourseError, match="a ChatModel, such as"):
            call(tiny_model.model)
    with pytest.raises(CourseError, match="in 4 bits already"):
        round_trip_model(quantize(tiny_model))
    with pytest.raises(ChoiceError, match="nf4"):
        round_trip_model(tiny_model, "nf3")


def test_weights_in_four_bits_keep_their_layout_on_every_cpu(tiny_model, monkeypatch):
    import bitsandbytes.nn.modules

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    mine = quantize(tiny_model)
    before = mine.size()
    mine.generate(["Who won?"], 2)
    states = [p.quant_state for p in mine.model.parameters() if hasattr(p, "quant_state")]
    assert states and not any(getattr(state, "packing_format_for_cpu", False) for state in states)
    assert mine.size() == before


def test_weights_that_were_packed_for_answering_are_unpacked_for_training(tiny_model):
    """As a CPU with AVX512-BF16 packs them; the layout itself can be made on any."""
    from bitsandbytes.functional import _convert_weight_packed_for_cpu

    mine = quantize(tiny_model)
    before = mine.model.model.layers[0].mlp.down_proj.weight.data.clone()
    layer = mine.model.model.layers[0].mlp.down_proj
    layer.weight.data, layer.weight.quant_state = _convert_weight_packed_for_cpu(
        layer.weight.data, layer.weight.quant_state
    )
    assert layer.weight.quant_state.packing_format_for_cpu
    unpack(mine.model)
    assert not layer.weight.quant_state.packing_format_for_cpu
    assert torch.equal(layer.weight.data, before)
    assert not layer.support_avx512bf16_for_cpu


def test_four_bits_cost_some_loss_as_much_as_the_round_trip_says(wide_model):
    plain, packed = held_out_loss(wide_model, EXAMPLES), held_out_loss(quantize(wide_model), EXAMPLES)
    assert packed == pytest.approx(plain, abs=0.1)
    assert packed == pytest.approx(held_out_loss(round_trip_model(wide_model, double=True), EXAMPLES), abs=1e-5)

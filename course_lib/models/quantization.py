"""Four bits a weight: how the 16 levels of a format are chosen, what rounding to them costs, and the real thing.

Dettmers et al. 2023, *QLoRA* (arXiv 2305.14314). `round_trip` shows by hand, in full precision, what bitsandbytes
does in packed bits; `quantize` is bitsandbytes itself.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, choose, whole_above_zero
from course_lib.core.session import current
from course_lib.models.chatmodel import ChatModel, expect_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SCHEMES = ("int4", "fp4", "nf4")

# Weights that share one constant; with double quantization, constants that share one of their own.
BLOCK, CONSTANTS_BLOCK = 64, 256

# Tail mass that NF4 leaves out on either side, so that the outermost quantiles are finite: bitsandbytes' constant.
NF4_OFFSET = 0.9677083

SMALLEST_SCALE = 1e-38


def nf4_levels() -> torch.Tensor:
    """The 16 levels of NormalFloat, (16,), ascending from -1 to 1: quantiles of a normal distribution.

    Eight positive quantiles, seven negative ones and an exact zero, scaled so that the outermost is 1; each level is
    used about equally often where weights are normally distributed. Dettmers et al. 2023 (arXiv 2305.14314), section 3
    and appendix E.
    """
    import torch

    normal = torch.distributions.Normal(0.0, 1.0)
    positive = normal.icdf(torch.linspace(NF4_OFFSET, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(NF4_OFFSET, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive.flip(0)])
    return (levels / levels.abs().max()).float()


def fp4_levels() -> torch.Tensor:
    """The 16 levels of bitsandbytes' 4-bit float, (16,), ascending: a sign, two exponent bits, one mantissa bit.

    Zero is there twice, once of either sign. The levels are dense near zero, and a third apart at the ends.
    """
    import torch

    return _either_sign(torch.tensor([0, 0.0625, 2, 3, 4, 6, 8, 12]) / 12)


def int4_levels() -> torch.Tensor:
    """The 16 levels of a 4-bit whole number with a sign, (16,), ascending and evenly spaced: -7/7 to 7/7.

    Zero is there twice: the code that would be -8 is not used, so that both ends are reached.
    """
    import torch

    return _either_sign(torch.arange(8) / 7)


def round_trip(weights: torch.Tensor, scheme: str = "nf4", block: int = BLOCK, double: bool = False) -> torch.Tensor:
    """Weights as they come back from four bits: each block is scaled by its largest, and rounded to a level.

    Of any shape, read in rows; the last block may be shorter. With `double` the constants, the blocks' largest absolute
    values, are quantized too: to 8 bits, in blocks of 256, after their mean is taken off. With "fp4" and "nf4" it is
    what bitsandbytes' `quantize_4bit` and `dequantize_4bit` give. Dettmers et al. 2023 (arXiv 2305.14314), 2 and 3.
    """
    import torch

    levels = _levels(scheme)
    whole_above_zero(block=block)
    if not isinstance(weights, torch.Tensor) or not weights.is_floating_point() or not weights.isfinite().all():
        raise CourseError("round_trip takes a tensor of finite floating-point weights.")
    if weights.numel() == 0:
        return weights.clone()
    flat = weights.detach().reshape(-1).float()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % block))
    blocks = padded.view(-1, block)  # (number of blocks, block)
    scales = blocks.abs().amax(1, keepdim=True)  # (number of blocks, 1)
    shares = (blocks * (1 / scales.clamp(min=SMALLEST_SCALE))).clamp(-1, 1)
    levels = levels.to(flat.device)
    codes = torch.bucketize(shares, (levels[:-1] + levels[1:]) / 2)
    if double:
        scales = _eight_bits(scales.view(-1)).view(-1, 1)
    return (levels[codes] * scales).view(-1)[: len(flat)].view(weights.shape).to(weights.dtype)


def bits_per_weight(scheme: str = "nf4", block: int = BLOCK, double: bool = False) -> float:
    """Bits that a weight takes, its share of the constants included.

    4 + 32 / `block`; with `double` quantization 4 + 8 / `block` + 32 / (`block` · 256): 4.5 and 4.127 for blocks of 64.
    """
    choose("scheme", scheme, SCHEMES)
    whole_above_zero(block=block)
    return 4 + (8 / block + 32 / (block * CONSTANTS_BLOCK) if double else 32 / block)


def quantize(model: ChatModel) -> ChatModel:
    """A copy of a model with its linear layers in bitsandbytes' NF4, double quantized; embeddings and output stay.

    As `load_model(quantization="nf4")` gives it, from weights that are in memory. What is not quantized is shared
    with the model, not copied; products are computed in the session's dtype.
    """
    import bitsandbytes as bnb
    from transformers.quantizers import AutoHfQuantizer

    _check_plain("quantize", model)
    if is_quantized(model.model):
        return model
    dtype = compute_dtype(model.model)
    quantized = sharing_copy(model.model)
    layers = _linear_layers(quantized)
    if not layers:
        raise CourseError(
            f"{model.name} has no layers that are quantized in memory: use load_model(..., quantization='nf4')."
        )
    for name, layer in layers:
        packed = bnb.nn.Linear4bit(
            layer.in_features, layer.out_features, layer.bias is not None, dtype, compress_statistics=True,
            quant_type="nf4", device="meta",
        )  # fmt: skip
        packed.weight = bnb.nn.Params4bit(
            layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=packed
        ).to(layer.weight.device)  # quantized here
        packed.bias = layer.bias
        packed.source_cls = type(layer)
        quantized.set_submodule(name, packed)
    keep_layout(quantized)
    _mark_quantized(quantized, AutoHfQuantizer.from_config(nf4_config(dtype)))
    return replace(model, model=quantized.eval(), base=f"{model.base}+nf4")


def round_trip_model(model: ChatModel, scheme: str = "nf4", double: bool = False, block: int = BLOCK) -> ChatModel:
    """A copy of a model whose linear weights went through `round_trip`: as large as before, as wrong as four bits.

    For comparing formats that no kernel here computes in. Embeddings and the output layer stay as they are.
    """
    import torch

    _levels(scheme)
    _check_plain("round_trip_model", model)
    if is_quantized(model.model):
        raise CourseError(f"{model.name} is in 4 bits already: give the model that was loaded without quantization.")
    rounded = sharing_copy(model.model)
    for _, layer in _linear_layers(rounded):
        layer.weight = torch.nn.Parameter(round_trip(layer.weight.data, scheme, block, double), requires_grad=False)
    how = f"{scheme}{'+double' if double else ''}{'' if block == BLOCK else f'/{block}'}"
    return replace(model, model=rounded.eval(), name=f"{model.name} ({how})", base=f"{model.base}~{how}")


def is_quantized(model: Any) -> bool:
    """Whether a transformers or PEFT model has layers in 4 bits."""
    return any(hasattr(parameter, "quant_state") for parameter in model.parameters())


def dequantized(model: PreTrainedModel) -> PreTrainedModel:
    """A plain copy of a model in 4 bits, in the session's dtype: the weights that its products are computed with."""
    plain = copy.deepcopy(model)
    unpack(plain)
    return plain.dequantize(dtype=compute_dtype(plain)).requires_grad_(False)


def sharing_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules over the same weights: adapters go into the copy, and 540 MB are not held twice."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    states = [module.quant_state for module in model.modules() if getattr(module, "quant_state", None) is not None]
    return copy.deepcopy(model, shared | {id(state): state for state in states})


def keep_layout(model: Any) -> None:
    """Have 4-bit weights stay as they were quantized, so that they answer alike on every CPU.

    Where it has AVX512-BF16, bitsandbytes 0.50 lays them out anew when they first answer: in place, though the weights
    may be shared, with their constants rounded to bf16, and so that no gradient flows through them.
    """
    for module in _packable(model):
        module.support_avx512bf16_for_cpu = False


def nf4_config(dtype: Any) -> Any:
    """How transformers is told to load in 4 bits: NF4, double quantized, computing in a torch dtype."""
    from transformers import BitsAndBytesConfig

    # Computing in the session's dtype, not bitsandbytes' default: bf16 on a CPU without it is a trap (settings).
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def unpack(model: PreTrainedModel) -> None:
    """Undo the layout that `keep_layout` prevents, where a model that was loaded without the course has answered."""
    keep_layout(model)
    for module in _packable(model):
        module.state_dict()  # which unpacks the weights themselves


def _packable(model: Any) -> list[Any]:
    return [module for module in model.modules() if hasattr(module, "support_avx512bf16_for_cpu")]


def _levels(scheme: str) -> torch.Tensor:
    return {"int4": int4_levels, "fp4": fp4_levels, "nf4": nf4_levels}[choose("scheme", scheme, SCHEMES)]()


def _either_sign(magnitudes: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cat([-magnitudes.flip(0), magnitudes])


def _eight_bits(scales: torch.Tensor) -> torch.Tensor:
    """Constants (N,) as they come back from 8 bits: less their mean, in blocks of 256.

    By bitsandbytes, whose choice between two equally near levels would otherwise not be met; the levels are those of
    Dettmers et al. 2022, *8-bit Optimizers via Block-wise Quantization* (arXiv 2110.02861).
    """
    from bitsandbytes.functional import dequantize_blockwise, quantize_blockwise

    mean = scales.mean()
    codes, state = quantize_blockwise(scales - mean, blocksize=CONSTANTS_BLOCK)
    return dequantize_blockwise(codes, state) + mean


def _linear_layers(model: PreTrainedModel) -> list[tuple[str, Any]]:
    """Names and modules of the linear layers that bitsandbytes quantizes: not the output layer."""
    import torch
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = get_keys_to_not_convert(model)
    layers = [(name, module) for name, module in model.named_modules() if type(module) is torch.nn.Linear]
    return [(name, module) for name, module in layers if should_convert_module(name, kept)]


def _mark_quantized(model: PreTrainedModel, quantizer: Any) -> None:
    """Say what PEFT, the trainer and `save_pretrained` look for: as transformers does when it loads in 4 bits."""
    model.is_loaded_in_4bit = model.is_quantized = True
    model.hf_quantizer = quantizer
    model.quantization_method = quantizer.quantization_config.quant_method
    model.config.quantization_config = quantizer.quantization_config


def compute_dtype(model: PreTrainedModel) -> torch.dtype:
    """What a model computes in: the session's dtype, or fp32 where it was loaded so because fp16 cannot hold it."""
    import torch

    loaded_in = getattr(model.config, "dtype", None)
    return torch.float32 if loaded_in is torch.float32 else getattr(torch, current().dtype)


def _check_plain(caller: str, model: ChatModel) -> None:
    expect_model(caller, model)
    if hasattr(model.model, "peft_config"):
        raise CourseError(f"{model.name} has an adapter on it: merge it first, with cl.merged(model).")

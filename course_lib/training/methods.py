"""The methods of fine-tuning: how each adapts a model, what its rank counts, how fast it learns. One table."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, choose
from course_lib.models.chatmodel import ChatModel
from course_lib.models.quantization import is_quantized, sharing_copy, unpack

if TYPE_CHECKING:
    from peft import LoraConfig, PeftConfig, PeftModel
    from transformers import PreTrainedModel


LAYERS = ("all", "upper")


TARGETS = ("all", "attention", "mlp")


# How examples are put into batches, by the names that transformers gives to its samplers.
ORDERS = {"length": "group_by_length", "random": "random"}


# Where a linear layer stands in a block, by the names that transformers' models give.
PLACES = {"attention": r"\.(self_attn|attn|attention)\.", "mlp": r"\.(mlp|feed_forward|ffn)\."}


# The last linear layer of attention and of the MLP: what the bottleneck adapters of Houlsby et al. stand behind.
SUBLAYER_ENDS = ("o_proj", "down_proj")


VIRTUAL_TOKENS, MAX_VIRTUAL_TOKENS = "the number of virtual tokens", 256


@dataclass(frozen=True)
class Recipe:
    """All the settings of a training run; with the data and the base model, they are an adapter's key."""

    method: str
    epochs: float
    learning_rate: float
    batch_size: int
    rank: int
    layers: str
    seed: int
    targets: str = "all"
    order: str = "length"

    @property
    def called(self) -> str:
        """What a line about the run begins with."""
        return self.method

    def hashed(self) -> dict[str, Any]:
        """What is part of the key.

        A setting that the course has gained later has a default, and counts only where it differs from it: adapters
        that were made before keep their keys.
        """
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if default is MISSING or value != default}


@dataclass(frozen=True)
class Method:
    """One way to adapt a model.

    Attributes
    ----------
    build
        Makes the trainable model out of a ChatModel without adapters and a recipe.
    learning_rate
        Taken unless another is given.
    rank
        What the rank counts; None where it counts nothing. Virtual tokens are at most 256, a width the model's own.
    placed
        Whether `layers` and `targets` choose where in the model it goes.
    four_bit
        True if it needs a base in 4 bits, False if it must not be in 4 bits, None if it may be.
    """

    build: Callable[[ChatModel, Recipe], Any]
    learning_rate: float
    rank: str | None = None
    placed: bool = False
    four_bit: bool | None = None


def check_method(model: ChatModel, recipe: Recipe) -> None:
    """Refuse settings that are unknown, or that make no sense together.

    Raises
    ------
    ChoiceError
        For unknown layers, targets or order.
    CourseError
        Says what to do instead.
    """
    method = METHODS[recipe.method]
    choose("layers", recipe.layers, LAYERS)
    choose("targets", recipe.targets, TARGETS)
    choose("order", recipe.order, ORDERS)
    for what in ("layers", "targets"):
        if (value := getattr(recipe, what)) != "all" and not method.placed:
            why = (
                "full fine-tuning trains all layers" if recipe.method == "full" else f"{recipe.method!r} has no layers"
            )
            raise CourseError(f"{why}: leave out {what}={value!r}, or use method='lora'.")
    most = MAX_VIRTUAL_TOKENS if method.rank == VIRTUAL_TOKENS else model.model.config.hidden_size
    if method.rank and recipe.rank > most:
        raise CourseError(f"rank is {recipe.rank}: for {recipe.method!r} it is {method.rank}, at most {most} here.")
    if method.four_bit is False and is_quantized(model.model):
        way_out = "load it without quantization" if recipe.method == "full" else "LoRA on it is method='qlora'"
        raise CourseError(f"{model.name} is in 4 bits: {way_out}.")


def adapted(model: ChatModel, recipe: Recipe) -> Any:
    """A trainable copy of a model without adapters; for all methods but "full" the frozen weights are shared."""
    return METHODS[recipe.method].build(model, recipe)


def load_adapted(model: ChatModel, folder: str | Path) -> PeftModel:
    """An adapter out of its folder, on a copy of a model; the weights are shared."""
    from peft import PeftModel

    import course_lib.training.unusual  # noqa: F401  (PEFT knows bottleneck adapters from here on)

    base = sharing_copy(model.model)
    return _padding_proof(PeftModel.from_pretrained(base, folder, torch_device=str(model.model.device)))


def wrap(base: PreTrainedModel, config: PeftConfig, name: str = "default") -> PeftModel:
    """PEFT's `get_peft_model`, and for virtual tokens answers that do not depend on padding."""
    from peft import get_peft_model

    # PEFT fills in the base's own name; of another, such as an adapter of the shelf has, it would warn.
    config.base_model_name_or_path = None
    return _padding_proof(get_peft_model(base, config, adapter_name=name))


def _full(model: ChatModel, recipe: Recipe) -> Any:
    # fp32 whatever the session computes in: updates of 1e-4 vanish in bf16's three digits
    return copy.deepcopy(model.model).float().requires_grad_(True)


def lora_config(model: ChatModel, recipe: Recipe, task: str = "CAUSAL_LM") -> LoraConfig:
    """PEFT's configuration of LoRA as a recipe has it; alpha / rank is 2."""
    from peft import LoraConfig

    everywhere = (recipe.layers, recipe.targets) == ("all", "all")
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        target_modules="all-linear" if everywhere else _linear_names(model, recipe),
        task_type=task,
    )


def trainable_copy(model: ChatModel) -> PreTrainedModel:
    """The modules once more over the same weights, which may be trained on top of."""
    base = sharing_copy(model.model)
    unpack(base)
    return base


def _lora(model: ChatModel, recipe: Recipe) -> Any:
    return wrap(trainable_copy(model), lora_config(model, recipe))


def _adapter(model: ChatModel, recipe: Recipe) -> Any:
    from course_lib.training.unusual import BottleneckConfig

    names = [name for name in _linear_names(model, recipe) if name.endswith(SUBLAYER_ENDS)]
    if not names:
        raise CourseError(f"{model.name} has no layers named {' or '.join(SUBLAYER_ENDS)}: use method='lora'.")
    return wrap(
        trainable_copy(model), BottleneckConfig(r=recipe.rank, target_modules=names, task_type="CAUSAL_LM")
    )  # fmt: skip


def _prompt(model: ChatModel, recipe: Recipe) -> Any:
    import torch
    from peft import PromptTuningConfig

    base = trainable_copy(model)
    tuned = wrap(base, PromptTuningConfig(num_virtual_tokens=recipe.rank, task_type="CAUSAL_LM"))
    with torch.no_grad():  # random numbers are no words: the paper, too, begins with the embeddings of real ones
        words = base.get_input_embeddings()(_first_words(model, recipe.rank))  # (1, rank, D)
        tuned.prompt_encoder["default"].embedding.weight.copy_(words[0])
    return tuned


def _prefix(model: ChatModel, recipe: Recipe) -> Any:
    import torch
    from peft import PrefixTuningConfig
    from transformers import DynamicCache

    from course_lib.models.scoring import cache_name

    base = trainable_copy(model)
    cache = DynamicCache(config=base.config)
    with torch.no_grad():  # as in the paper: the activations of real words, where random keys would only disturb
        base(_first_words(model, recipe.rank), use_cache=True, **{cache_name(base): cache})
    # Keys and values, (1, heads, rank, d) each, of one layer after the other: (rank, layers · 2 · heads · d)
    states = [state[0].transpose(0, 1).flatten(1) for layer in cache.layers for state in (layer.keys, layer.values)]
    tuned = wrap(base, PrefixTuningConfig(num_virtual_tokens=recipe.rank, task_type="CAUSAL_LM"))
    with torch.no_grad():
        tuned.prompt_encoder["default"].embedding.weight.copy_(torch.cat(states, 1))
    return tuned


METHODS = {
    "full": Method(_full, 2e-4, four_bit=False),
    "lora": Method(_lora, 2e-3, "the rank of its two matrices", placed=True, four_bit=False),
    "qlora": Method(_lora, 2e-3, "the rank of its two matrices", placed=True, four_bit=True),
    "adapter": Method(_adapter, 2e-3, "the width of the bottleneck", placed=True),
    "prompt": Method(_prompt, 1e-2, VIRTUAL_TOKENS),
    "prefix": Method(_prefix, 1e-2, VIRTUAL_TOKENS),
}


def _linear_names(model: ChatModel, recipe: Recipe) -> list[str]:
    """Names of the linear layers in the transformer's blocks that the recipe's layers and targets choose."""
    import torch

    half = model.model.config.num_hidden_layers // 2 if recipe.layers == "upper" else 0
    linear = (name for name, module in model.model.named_modules() if isinstance(module, torch.nn.Linear))
    names = [name for name in linear if (found := re.search(r"\.(\d+)\.", name)) and int(found[1]) >= half]
    chosen = [name for name in names if recipe.targets == "all" or re.search(PLACES[recipe.targets], name)]
    if not chosen:
        raise CourseError(f"{model.name} has no linear layers that are named as {recipe.targets}: use targets='all'.")
    return chosen


def _first_words(model: ChatModel, n: int) -> Any:
    """Token ids of the system message, (1, n), over and over: what virtual tokens begin as."""
    import torch

    ids = model.tokenizer(model.system, add_special_tokens=False)["input_ids"] or [model.tokenizer.eos_token_id]
    return torch.tensor([(ids * n)[:n]], device=model.model.device)


def _padding_proof(tuned: PeftModel) -> PeftModel:
    """Give a model with virtual tokens a class of our own; PEFT itself chooses the class, by the task alone."""
    from course_lib.training.unusual import VirtualTokens

    if tuned.peft_type in ("PROMPT_TUNING", "PREFIX_TUNING"):
        tuned.__class__ = VirtualTokens
    return tuned

"""The methods of fine-tuning: how each adapts a model, what its rank counts, how fast it learns. One table."""

from __future__ import annotations

import contextlib
import copy
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.core.errors import CourseError, choose
from course_lib.models.chatmodel import ChatModel
from course_lib.models.quantization import is_quantized, sharing_copy, unpack

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel

LAYERS, TARGETS = ("all", "upper"), ("all", "attention", "mlp")
# How examples are put into batches, by the names that transformers gives to its samplers.
ORDERS = {"length": "group_by_length", "random": "random"}
# Where a linear layer stands in a block, by the names that transformers' models give.
PLACES = {"attention": r"\.(self_attn|attn|attention)\.", "mlp": r"\.(mlp|feed_forward|ffn)\."}
# The last linear layer of attention and of the MLP: what the bottleneck adapters of Houlsby et al. stand behind.
SUBLAYER_ENDS = ("o_proj", "down_proj", "c_proj")
VIRTUAL_TOKENS, MAX_VIRTUAL_TOKENS = "the number of virtual tokens", 256
REWARD_MODEL = "reward model"
REHEARSAL_BATCH = 4


@dataclass(frozen=True)
class Recipe:
    """All the settings of a training run; with the data and the base model, they are an adapter's key.

    `objective` is what is learned: "sft" from examples, "dpo" or "ipo" from pairs, and so on (`trainers.TRAINERS`).
    """

    method: str
    epochs: float
    learning_rate: float
    batch_size: int
    rank: int
    layers: str
    seed: int
    targets: str = "all"
    order: str = "length"
    objective: str = "sft"

    @property
    def called(self) -> str:
        """What a line about the run begins with."""
        return self.method if self.objective == "sft" else f"{self.objective}, {self.method}"

    def rehearsed(self, steps: int) -> Recipe:
        """The same, small enough that a few steps of it take a moment."""
        return replace(self, batch_size=min(REHEARSAL_BATCH, self.batch_size))

    def hashed(self) -> dict[str, Any]:
        """What is part of the key.

        A setting that the course has gained later has a default, and counts only where it differs from it: adapters
        that were made before keep their keys.
        """
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if default is MISSING or value != default}


@dataclass(frozen=True)
class Method:
    """One way to adapt a model."""

    build: Callable[[ChatModel, Recipe], Any]  # the trainable model, out of one without adapters
    learning_rate: float  # taken unless another is given
    rank: str | None = None  # what it counts; virtual tokens are at most 256, a width the model's own
    placed: bool = False  # whether `layers` and `targets` choose where in the model it goes
    four_bit: bool | None = None  # whether it needs a base in 4 bits; None: it may be


def check_method(model: ChatModel, recipe: Recipe) -> None:
    """Refuse settings that are unknown, or that make no sense together, and say what to do instead."""
    method = METHODS[recipe.method]
    choose("layers", recipe.layers, LAYERS)
    choose("targets", recipe.targets, TARGETS)
    choose("order", recipe.order, ORDERS)
    for what in ("layers", "targets"):
        if (value := getattr(recipe, what)) != "all" and not method.placed:
            full = recipe.method == "full"
            why = "full fine-tuning trains all layers" if full else f"{recipe.method!r} has no layers"
            raise CourseError(f"{why}: leave out {what}={value!r}, or use method='lora'.")
    most = MAX_VIRTUAL_TOKENS if method.rank == VIRTUAL_TOKENS else model.config.hidden_size
    if method.rank and recipe.rank > most:
        raise CourseError(f"rank is {recipe.rank}: for {recipe.method!r} it is {method.rank}, at most {most} here.")
    if method.rank == VIRTUAL_TOKENS and "mrope_section" in (getattr(model.config, "rope_parameters", None) or {}):
        raise CourseError(f"{model.name} counts places of pictures too: {recipe.method!r} cannot, use method='lora'.")
    if method.four_bit is False and is_quantized(model.model):
        way_out = "load it without quantization" if recipe.method == "full" else "LoRA on it is method='qlora'"
        raise CourseError(f"{model.name} is in 4 bits: {way_out}.")


@contextlib.contextmanager
def without_old_names() -> Iterator[None]:
    """PEFT asks transformers for checkpointing by its old name, which would be printed under the learner's cell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        yield


def adapted(model: ChatModel, recipe: Recipe) -> Any:
    """A trainable copy of a model without adapters; for all methods but "full" the frozen weights are shared."""
    return METHODS[recipe.method].build(model, recipe)


def trained_numbers(model: ChatModel, recipe: Recipe) -> int:
    """How many numbers a recipe trains, counted in the model that it makes of one without adapters."""
    with without_old_names():
        return sum(p.numel() for p in adapted(model, recipe).parameters() if p.requires_grad)


def load_adapted(model: ChatModel, folder: str | Path, recipe: Recipe) -> PeftModel:
    """An adapter out of its folder, on what it was trained on: the model's weights, which are shared."""
    from peft import PeftModel

    import course_lib.training.unusual  # noqa: F401  (PEFT knows bottleneck adapters from here on)

    base = classifier(model) if recipe.objective == REWARD_MODEL else sharing_copy(model.model)
    return _padding_proof(PeftModel.from_pretrained(base, folder, torch_device=str(model.model.device)))


def wrap(base: PreTrainedModel, config: PeftConfig, name: str = "default") -> PeftModel:
    """PEFT's `get_peft_model`, and for virtual tokens answers that do not depend on padding."""
    from peft import get_peft_model

    # PEFT fills in the base's own name; of another, such as an adapter of the shelf has, it would warn.
    config.base_model_name_or_path = None
    return _padding_proof(get_peft_model(base, config, adapter_name=name))


def classifier(model: ChatModel) -> PreTrainedModel:
    """The model's body over the same weights, under a new output layer of one number, begun at random and small."""
    import torch

    body = _decoder(_trainable_copy(model))
    config = copy.deepcopy(model.config)
    config.num_labels, config.pad_token_id = 1, model.tokenizer.pad_token_id
    with torch.device("meta"):  # weights that would be thrown away at once
        head = _classifier_class(body, config)(config)
    setattr(head, head.base_model_prefix, body)
    # fp32 whatever the body computes in: it is trained itself, and fp16's gradients cannot be scaled back
    head.score = torch.nn.Linear(config.hidden_size, 1, bias=False, device=body.device)
    head.score.register_forward_pre_hook(lambda module, hidden: tuple(states.float() for states in hidden))
    torch.nn.init.normal_(head.score.weight, std=config.initializer_range)
    return head.requires_grad_(False)


def _classifier_class(body: Any, config: Any) -> Any:
    """The architecture's own classifier, or where transformers has none, what most of its own are."""
    from transformers.modeling_layers import GenericForSequenceClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    if type(config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        return MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    family = next(kind for kind in type(body).__mro__ if kind.__name__.endswith("PreTrainedModel"))
    return type(f"{family.__name__}Judge", (GenericForSequenceClassification, family), {"config_class": type(config)})


def _decoder(base: PreTrainedModel) -> Any:
    """What reads text: of a model that sees pictures too, its language model alone."""
    return base.base_model if base.config is base.config.get_text_config() else base.get_decoder()


def _trainable_copy(model: ChatModel) -> PreTrainedModel:
    """The modules once more over the same weights, which may be trained on top of."""
    base = sharing_copy(model.model)
    unpack(base)
    return base


def _full(model: ChatModel, recipe: Recipe) -> Any:
    # fp32 whatever the session computes in: updates of 1e-4 vanish in bf16's three digits
    return copy.deepcopy(model.model).float().requires_grad_(True)


def _lora(model: ChatModel, recipe: Recipe) -> Any:
    from peft import LoraConfig

    judge = recipe.objective == REWARD_MODEL  # for a classifier PEFT trains and keeps the output layer besides
    base = classifier(model) if judge else _trainable_copy(model)
    language_alone = base.config is base.config.get_text_config()  # else what sees would be tuned too
    everywhere = (recipe.layers, recipe.targets) == ("all", "all") and language_alone
    names = "all-linear" if everywhere else _linear_names(base, model, recipe)
    task = "SEQ_CLS" if judge else "CAUSAL_LM"
    config = LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=names, task_type=task)
    return wrap(base, config)


def _adapter(model: ChatModel, recipe: Recipe) -> Any:
    from course_lib.training.unusual import BottleneckConfig

    base = _trainable_copy(model)
    names = [name for name in _linear_names(base, model, recipe) if name.endswith(SUBLAYER_ENDS)]
    if not names:
        raise CourseError(f"{model.name} has no layers named {' or '.join(SUBLAYER_ENDS)}: use method='lora'.")
    config = BottleneckConfig(r=recipe.rank, target_modules=names, task_type="CAUSAL_LM")
    return wrap(base, config)


def _prompt(model: ChatModel, recipe: Recipe) -> Any:
    from peft import PromptTuningConfig

    base = _trainable_copy(model)
    # Random numbers are no words: the paper, too, begins with the embeddings of real ones.
    words = base.get_input_embeddings()(_first_words(model, recipe.rank))  # (1, rank, D)
    return _begun_as(words[0], base, PromptTuningConfig(num_virtual_tokens=recipe.rank, task_type="CAUSAL_LM"))


def _prefix(model: ChatModel, recipe: Recipe) -> Any:
    import torch
    from peft import PrefixTuningConfig
    from transformers import DynamicCache

    from course_lib.models.chatmodel import cache_name

    base = _trainable_copy(model)
    cache = DynamicCache(config=base.config)
    with torch.no_grad():  # as in the paper: the activations of real words, where random keys would only disturb
        base(_first_words(model, recipe.rank), use_cache=True, **{cache_name(base): cache})
    # Keys and values, (1, heads, rank, d) each, of one layer after the other: (rank, layers · 2 · heads · d)
    states = [state[0].transpose(0, 1).flatten(1) for layer in cache.layers for state in (layer.keys, layer.values)]
    config = PrefixTuningConfig(num_virtual_tokens=recipe.rank, task_type="CAUSAL_LM")
    return _begun_as(torch.cat(states, 1), base, config)


def _begun_as(numbers: Any, base: PreTrainedModel, config: PeftConfig) -> PeftModel:
    """A model with virtual tokens that begin as these numbers, (rank, ...)."""
    import torch

    tuned = wrap(base, config)
    with torch.no_grad():
        tuned.prompt_encoder["default"].embedding.weight.copy_(numbers)
    return tuned


METHODS = {
    "full": Method(_full, 2e-4, four_bit=False),
    "lora": Method(_lora, 2e-3, "the rank of its two matrices", placed=True, four_bit=False),
    "qlora": Method(_lora, 2e-3, "the rank of its two matrices", placed=True, four_bit=True),
    "adapter": Method(_adapter, 2e-3, "the width of the bottleneck", placed=True),
    "prompt": Method(_prompt, 1e-2, VIRTUAL_TOKENS),
    "prefix": Method(_prefix, 1e-2, VIRTUAL_TOKENS),
}


def _linear_names(base: PreTrainedModel, model: ChatModel, recipe: Recipe) -> list[str]:
    """Names of the linear layers in the transformer's blocks that the recipe's layers and targets choose."""
    import torch
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layers

    half = model.config.num_hidden_layers // 2 if recipe.layers == "upper" else 0
    read_by = set(_decoder(base).modules())
    modules = ((name, module) for name, module in base.named_modules() if module in read_by)
    linear = (name for name, module in modules if isinstance(module, (torch.nn.Linear, Conv1D)))
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

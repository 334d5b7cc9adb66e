"""What PEFT 0.21 lacks: bottleneck adapters, and virtual tokens whose answers do not depend on a batch's padding.

Import this before PEFT loads a folder that holds a bottleneck adapter (Houlsby et al. 2019, *Parameter-Efficient
Transfer Learning for NLP*, arXiv 1902.00751): PEFT then knows them as its own.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING, PeftConfig, PeftModelForCausalLM
from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

from course_lib.models.chatmodel import NEW_NAME, OLD_NAME, cache_name

BOTTLENECK = "BOTTLENECK"


@dataclass
class BottleneckConfig(PeftConfig):
    """Which linear layers are followed by an adapter, and how narrow it is."""

    r: int = 8  # width of the bottleneck
    # Names, or ends of names, of the linear layers; in Houlsby's placement the last of attention and of the MLP.
    target_modules: list[str] | set[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = BOTTLENECK
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A linear layer, and behind it h + W_up·gelu(W_down·h), where h is what the layer gave.

    W_down is (r, D) and W_up (D, r). W_up begins at zero, so that the adapter begins as the identity.
    """

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: BottleneckConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: BottleneckConfig) -> None:
        """Add one more adapter behind the same layer."""
        base = self.get_base_layer()
        width = base.nf if hasattr(base, "nf") else base.out_features  # nf: GPT-2's linear layers
        self.bottleneck_down[adapter_name] = nn.Linear(width, config.r, bias=False)
        self.bottleneck_up[adapter_name] = nn.Linear(config.r, width, bias=False)
        nn.init.kaiming_uniform_(self.bottleneck_down[adapter_name].weight, a=math.sqrt(5))
        nn.init.zeros_(self.bottleneck_up[adapter_name].weight)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        h = self.base_layer(x, *args, **kwargs)  # (B, T, D)
        for name in [] if self.disable_adapters else self.active_adapters:
            if name in self.bottleneck_down:
                down, up = self.bottleneck_down[name], self.bottleneck_up[name]
                h = h + up(nn.functional.gelu(down(h.to(down.weight.dtype)))).to(h.dtype)
        return h


class BottleneckModel(BaseTuner):
    """What puts the layers into a model; made by PEFT."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012  (PEFT's own declaration)

    def _create_and_replace(
        self, peft_config: BottleneckConfig, adapter_name: str, target: nn.Module, target_name: str, parent: nn.Module,
        current_key: str, **_: Any,
    ) -> None:  # fmt: skip
        if isinstance(target, BottleneckLayer):
            target.update_layer(adapter_name, peft_config)
            return
        layer = BottleneckLayer(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)


# PEFT's `register_peft_method` does no more than this, for names that its own enumeration has.
PEFT_TYPE_TO_CONFIG_MAPPING[BOTTLENECK] = BottleneckConfig
PEFT_TYPE_TO_TUNER_MAPPING[BOTTLENECK] = BottleneckModel
PEFT_TYPE_TO_PREFIX_MAPPING[BOTTLENECK] = BottleneckModel.prefix


class VirtualTokens(PeftModelForCausalLM):
    """Virtual tokens that stand directly before the prompt's first token, whatever padding lies between them.

    In prompt tuning PEFT drops the position ids that transformers makes when it generates, and warns. Positions are
    then counted through the padding on the left, and one question has other answers in another batch. And PEFT knows
    the cache of keys and values under the name that transformers gave it until 5.23; under the new one it puts the
    virtual tokens before every single token that is generated.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", f".*{OLD_NAME}.* is deprecated", FutureWarning)
            return super().forward(*args, **kwargs)

    def prepare_inputs_for_generation(
        self, *args: Any, position_ids: torch.Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # What prefix tuning adds is in the cache, and PEFT keeps positions.
        embedded = self.peft_type == "PROMPT_TUNING"
        positions = {} if embedded or position_ids is None else {"position_ids": position_ids}
        prepare = self.base_model_prepare_inputs_for_generation
        self.base_model_prepare_inputs_for_generation = lambda *a, **k: _renamed(prepare(*a, **k), NEW_NAME, OLD_NAME)
        try:
            inputs = super().prepare_inputs_for_generation(*args, **positions, **kwargs)
        finally:
            self.base_model_prepare_inputs_for_generation = prepare
        inputs = _renamed(inputs, OLD_NAME, cache_name(self.get_base_model()))
        if not embedded or position_ids is None:
            return inputs
        virtual = self.active_peft_config.num_virtual_tokens
        if inputs.get("inputs_embeds") is not None:  # the prompt is read: (B, virtual + T)
            first = torch.arange(virtual, device=position_ids.device).expand(len(position_ids), -1)
            inputs["position_ids"] = torch.cat([first, position_ids + virtual], dim=1)
        else:  # one more token: (B, 1)
            inputs["position_ids"] = position_ids[:, -inputs["input_ids"].shape[1] :] + virtual
        return inputs


def _renamed(inputs: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in inputs.items()}

"""Prompt and prefix tuning as PEFT has them, with answers that do not depend on how a batch is padded.

PEFT 0.21 knows the cache of keys and values under the name that transformers gave it until 5.23; under the new one it
puts the virtual tokens before every single token that is generated.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import torch
from peft import PeftModelForCausalLM

__all__ = ["VirtualTokens", "cache_name"]

OLD_NAME, NEW_NAME = "past_key_values", "cache"


def cache_name(model: Any) -> str:
    """What a transformers model calls the keys and values of what it has read: "cache" since 5.24."""
    return NEW_NAME if NEW_NAME in inspect.signature(model.forward).parameters else OLD_NAME


class VirtualTokens(PeftModelForCausalLM):
    """Virtual tokens that stand directly before the prompt's first token, whatever padding lies between them.

    In prompt tuning PEFT drops the position ids that transformers makes when it generates, and warns. Positions are
    then counted through the padding on the left, and one question has other answers in another batch.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", f".*{OLD_NAME}.* is deprecated", FutureWarning)
            return super().forward(*args, **kwargs)

    def prepare_inputs_for_generation(
        self, *args: Any, position_ids: torch.Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        embedded = (
            self.peft_type == "PROMPT_TUNING"
        )  # what prefix tuning adds is in the cache, and PEFT keeps positions
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

"""Prompt tuning as PEFT has it, with answers that do not depend on how a batch is padded."""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModelForCausalLM


class PromptTuned(PeftModelForCausalLM):
    """Virtual tokens that stand directly before the prompt's first token, whatever padding lies between them.

    PEFT 0.21 drops the position ids that transformers makes when it generates, and warns. Positions are then counted
    through the padding on the left, and one question has other answers in another batch.
    """

    def prepare_inputs_for_generation(
        self, *args: Any, position_ids: torch.Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        inputs = super().prepare_inputs_for_generation(*args, **kwargs)
        if position_ids is None:
            return inputs
        virtual = self.active_peft_config.num_virtual_tokens
        if inputs.get("inputs_embeds") is not None:  # the prompt is read: (B, virtual + T)
            first = torch.arange(virtual, device=position_ids.device).expand(len(position_ids), -1)
            inputs["position_ids"] = torch.cat([first, position_ids + virtual], dim=1)
        else:  # one more token: (B, 1)
            inputs["position_ids"] = position_ids[:, -inputs["input_ids"].shape[1] :] + virtual
        return inputs

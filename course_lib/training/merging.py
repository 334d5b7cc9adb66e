"""After training: an adapter folded into its base's weights, or several on one base with a switch between them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, choose
from course_lib.models.chatmodel import ChatModel, expect_model
from course_lib.models.quantization import dequantized, is_quantized, sharing_copy
from course_lib.training.methods import without_old_names, wrap

if TYPE_CHECKING:
    import torch
    from peft import PeftModel


def merged(model: ChatModel) -> ChatModel:
    """A copy of a tuned model with its adapter folded into the weights: as fast as the base, and a plain model to save.

    For LoRA, W + alpha / rank · B·A takes the place of W (Hu et al. 2021, arXiv 2106.09685, section 4.1). QLoRA's base
    is dequantized first, to the session's dtype: to add in 4 bits would round most of the adapter away. A model
    without an adapter is returned as it is.
    """
    from peft import PeftModel, set_peft_model_state_dict

    expect_model("merged", model)
    tuned = model.model
    if not isinstance(tuned, PeftModel):
        return model
    if tuned.peft_type != "LORA":
        raise CourseError(
            f"{model.name} cannot be merged, only LoRA and QLoRA can: {tuned.peft_type.lower().replace('_', ' ')} is "
            "no sum of weights. Keep the adapter beside its base, or tune the base with method='lora'."
        )
    with without_old_names():
        if is_quantized(tuned):
            state = adapter_state(tuned)
            tuned = wrap(dequantized(sharing_copy(tuned).unload()), copy.deepcopy(tuned.active_peft_config))
            set_peft_model_state_dict(tuned, state)
        else:
            tuned = copy.deepcopy(tuned)
        plain = tuned.merge_and_unload().requires_grad_(False).eval()
    plain.name_or_path = ""  # these weights lie nowhere yet: no adapter on top may name the folder they came from
    return ChatModel(plain, model.tokenizer, model.name, model.base, model.system, model.training)


@dataclass
class AdapterSwitch(ChatModel):
    """A base with several adapters, one of which answers; made by `with_adapters`.

    `members` are the tuned models whose adapters it holds, by name; `using` is the name of the one that answers.
    """

    members: dict[str, ChatModel] = field(default_factory=dict, repr=False)
    using: str = ""

    def use(self, name: str) -> AdapterSwitch:
        """Let the adapter of that name answer from now on; milliseconds. Returns the model itself."""
        choose("adapter", name, self.members)
        chosen = self.members[name]
        self.model.set_adapter(_inner_name(list(self.members).index(name)), inference_mode=True)
        self.using, self.name, self.base, self.training = name, chosen.name, chosen.base, chosen.training
        return self

    def save(self, folder: str | Path) -> Path:
        """Save the adapter in use, as the tuned model itself would be saved."""
        return self.members[self.using].save(folder)


def with_adapters(base: ChatModel, tuned: Mapping[str, ChatModel]) -> AdapterSwitch:
    """Several adapters on one base, which is in memory once.

    Parameters
    ----------
    base
        What they were all tuned from; for QLoRA the model in 4 bits. Its weights are shared, and it stays as it was.
    tuned
        What `finetune` made, by the name to switch by: {"sql": ..., "support": ...}. All of one method.

    Returns
    -------
    A ChatModel; the first adapter answers until `.use(name)` says otherwise.
    """
    from peft import PeftModel, set_peft_model_state_dict

    if not isinstance(base, ChatModel) or not isinstance(tuned, Mapping) or not tuned:
        raise CourseError('with_adapters takes a base and its tuned models by name: with_adapters(gp, {"sql": ...}).')
    for name, member in tuned.items():
        if not isinstance(member, ChatModel) or not isinstance(member.model, PeftModel):
            raise CourseError(f"{name!r} has no adapter: give what `finetune` made, with any method but 'full'.")
        if (came_from := member.base.rpartition("+")[0]) != base.base:
            raise CourseError(
                f"{name!r} was tuned from {came_from}, not from {base.base}: give the base it started from."
            )
    kinds = {name: member.model.peft_type for name, member in tuned.items()}
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{name!r} is {kind.lower().replace('_', ' ')}" for name, kind in kinds.items())
        raise CourseError(f"one base holds adapters of one method only: {found}.")
    together = None
    with without_old_names():
        for number, member in enumerate(tuned.values()):
            config, inner = copy.deepcopy(member.model.active_peft_config), _inner_name(number)
            if together is None:
                together = wrap(sharing_copy(base.model), config, inner)
            else:
                together.add_adapter(inner, config)
            set_peft_model_state_dict(together, adapter_state(member.model), inner)
    model = together.requires_grad_(False).eval()
    switch = AdapterSwitch(model, base.tokenizer, base.name, base.base, base.system, members=dict(tuned))
    return switch.use(next(iter(tuned)))


def adapter_state(tuned: PeftModel) -> dict[str, torch.Tensor]:
    """The active adapter's tensors. Embeddings are never trained here; PEFT would look the base up on the hub."""
    from peft import get_peft_model_state_dict

    return get_peft_model_state_dict(tuned, adapter_name=tuned.active_adapter, save_embedding_layers=False)


def _inner_name(number: int) -> str:
    """What PEFT calls an adapter: it would trip over dots, and over names that are part of its own."""
    return f"adapter_{number}"

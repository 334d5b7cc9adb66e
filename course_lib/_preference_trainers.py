"""TRL's trainers of preferences and rewards, with what the course changes in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trl import DPOTrainer, GRPOTrainer, RewardTrainer, RLOOTrainer
from trl.trainer import utils as trl_utils

from course_lib._trainer import KeptSimple

REFERENCE = "ref"
KL_OF_A_REPLY = "kl of a reply"


@contextmanager
def replies_scored_alone() -> Iterator[None]:
    """The output layer at the tokens of replies alone, on a CPU as on a GPU.

    TRL 1.16 leaves the prompts out where it finds Triton. Elsewhere it goes through all 49,152 words of the vocabulary
    at every position, for the sake of devices that compile for one shape, and masks afterwards: with prompts as long as
    the replies that is a third of DPO's time (see tests/benchmarks).
    """
    decides = trl_utils._use_triton
    trl_utils._use_triton = lambda device: True
    try:
        yield
    finally:
        trl_utils._use_triton = decides


class ReplyTrainer(KeptSimple):
    """For trainers that ask how likely a reply is: of the model, and of its start, the same one without its adapter."""

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(model, **options)
        # TRL keeps a copy of the adapter to remember the start by. A new one adds nothing yet: without any, the frozen
        # weights say the same, and sooner.
        if REFERENCE in model.peft_config:
            model.delete_adapter(REFERENCE)

    def train(self, *args: Any, **options: Any) -> Any:
        """As TRL's, without the prompts' logits."""
        with replies_scored_alone():
            return super().train(*args, **options)


class PairTrainer(ReplyTrainer, DPOTrainer):
    """`DPOTrainer`, kept simple."""


class PairwiseRewardTrainer(KeptSimple, RewardTrainer):
    """`RewardTrainer`, kept simple."""


class RLOOPolicyTrainer(ReplyTrainer, RLOOTrainer):
    """`RLOOTrainer`, kept simple, with the KL of whole replies in its log."""

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        scored = super()._generate_and_score_completions(inputs)
        log = self._metrics["train"]
        if log["kl"]:  # a mean over tokens
            log[KL_OF_A_REPLY].append(log["kl"][-1] * log["completions/mean_length"][-1])
        return scored


class GRPOPolicyTrainer(ReplyTrainer, GRPOTrainer):
    """`GRPOTrainer`, kept simple, with the KL of whole replies in its log.

    Its own figure is that of its penalty, π₀/π − 1 − log π₀/π, which a few tokens can drive to any height.
    """

    def _get_per_token_logps_and_entropies(self, *args: Any, **options: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **options)
        self._last_read = found[0].detach()  # (B, T)
        return found

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        loss = super()._compute_loss(model, inputs)
        if "ref_per_token_logps" in inputs:
            log_ratios = (self._last_read - inputs["ref_per_token_logps"]) * inputs["completion_mask"]  # (B, T)
            self._metrics["train"][KL_OF_A_REPLY].append(log_ratios.sum(1).mean().item())
        return loss

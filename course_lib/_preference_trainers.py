"""TRL's trainers of preferences and rewards, with what the course changes in all of them."""

from __future__ import annotations

from typing import Any

from trl import DPOTrainer, GRPOTrainer, RewardTrainer, RLOOTrainer

from course_lib._trainer import KeptSimple

REFERENCE = "ref"
KL_OF_A_REPLY = "kl of a reply"


class WithReference(KeptSimple):
    """For trainers that hang a copy of the adapter on the model, to remember where it started."""

    def leave(self, model: Any) -> None:
        """Take that copy off again."""
        if REFERENCE in model.peft_config:
            model.delete_adapter(REFERENCE)


class PairTrainer(WithReference, DPOTrainer):
    """`DPOTrainer`, kept simple."""


class PairwiseRewardTrainer(KeptSimple, RewardTrainer):
    """`RewardTrainer`, kept simple."""


class RLOOPolicyTrainer(WithReference, RLOOTrainer):
    """`RLOOTrainer`, kept simple, with the KL of whole replies in its log."""

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        scored = super()._generate_and_score_completions(inputs)
        log = self._metrics["train"]
        if log["kl"]:  # a mean over tokens
            log[KL_OF_A_REPLY].append(log["kl"][-1] * log["completions/mean_length"][-1])
        return scored


class GRPOPolicyTrainer(WithReference, GRPOTrainer):
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

"""TRL's trainers of preferences and rewards, with what the course changes in all of them."""

from __future__ import annotations

from typing import Any

from trl import DPOTrainer, GRPOTrainer, RewardTrainer, RLOOTrainer

from course_lib._trainer import KeptSimple

REFERENCE = "ref"


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
    """`RLOOTrainer`, kept simple."""


class GRPOPolicyTrainer(WithReference, GRPOTrainer):
    """`GRPOTrainer`, kept simple."""

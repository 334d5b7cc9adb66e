"""TRL's trainers, with what the course changes in them. Loads torch: `run.fit` imports it late."""

from __future__ import annotations

import math
import numbers
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import trl
from transformers import TrainerCallback
from trl.trainer import utils as trl_utils

from course_lib.core.errors import CourseError, TrainingError
from course_lib.core.progress import Progress
from course_lib.core.session import current
from course_lib.models.chatmodel import unwrapped
from course_lib.models.quantization import compute_dtype
from course_lib.models.scoring import completion_loss
from course_lib.training.methods import ORDERS, REWARD_MODEL, Recipe

REFERENCE = "ref"  # what TRL calls its copy of a new adapter
KL_OF_A_REPLY = "kl of a reply"
# TRL measures KL only where it costs something. This costs nothing that fp32 could hold beside a reward.
FREE_KL = 1e-30


def on_one_gpu(arguments: Any) -> Any:
    """A trainer's settings, with one GPU for each process.

    Where there are several and no launcher such as accelerate's has begun a process for each, transformers would put
    the model into `nn.DataParallel`, which TRL refuses.
    """
    if arguments.n_gpu > 1:  # in a process that a launcher began it is 1
        arguments._n_gpu = 1  # as transformers itself says of a model that lies on several cards
    return arguments


class KeptSimple:
    """What the course changes in every trainer of TRL's: precision, the model card, and what a full disk says.

    To be put before the trainer among the bases of a class.
    """

    CONFIG: type  # TRL's, for this trainer
    READS: tuple[str, ...] = ()  # the columns of token ids that it trains on
    SHOWS = "loss"  # the figure of the log that stands beside the progress bar
    CURVES: dict[str, str] = {}  # noqa: RUF012  (what else is followed, and its name in TRL's log)
    samples: Iterable[dict[str, Any]] = ()

    def __init__(self, model: Any, **options: Any) -> None:
        trained = [(parameter, parameter.data) for parameter in model.parameters() if parameter.requires_grad]
        settings = options["args"]
        if settings.fp16 and compute_dtype(unwrapped(model)) is torch.float32:  # fp16 cannot hold what it computes
            settings.fp16, settings.mixed_precision = False, "no"
        super().__init__(model=model, **options)
        # What is trained is fp32 whatever the session computes in: AdamW's ε of 1e-8 is 0 in fp16, its steps vanish in
        # bf16, and a loss is scaled back in fp32 alone. TRL rounds the adapter of a model in 4 bits to bf16 besides.
        for parameter, data in trained:
            if parameter.dtype != torch.float32:
                parameter.data = data.to(parameter.device, torch.float32)

    @classmethod
    def arguments(cls, recipe: Recipe, folder: Path, saves: int = 0, max_steps: int = -1) -> Any:
        """TRL's settings for a recipe; `saves` is the steps between two checkpoints, 0 for none."""
        session = current()
        common = {
            "output_dir": str(folder),
            "max_steps": max_steps,
            "per_device_train_batch_size": recipe.batch_size,
            "learning_rate": recipe.learning_rate,
            "optim": "adamw_torch",
            "seed": recipe.seed,
            # TRL turns bf16 and checkpointing on by itself: the first is a trap on most CPUs, the second costs a third.
            "bf16": session.dtype == "bfloat16",
            "fp16": session.dtype == "float16",
            "activation_checkpointing": False,
            "use_cpu": session.device == "cpu",
            "dataloader_pin_memory": session.device == "cuda",
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "save_strategy": "steps" if saves else "no",
            "save_steps": saves or 500,
            "save_total_limit": 1,
            "report_to": "none",
            "disable_tqdm": True,
        }
        return on_one_gpu(cls.CONFIG(**common, **cls.settings(recipe)))

    @classmethod
    def settings(cls, recipe: Recipe) -> dict[str, Any]:
        """What this trainer alone is told: passes over rows, at a rate that falls to nothing, and no row is cut off."""
        return {"num_train_epochs": recipe.epochs, "lr_scheduler_type": "linear", "max_length": None}

    def tokens_read(self) -> int:
        """Tokens in one pass over what it trains on."""
        return sum(len(ids) for column in self.READS for ids in self.train_dataset[column])

    def optimizer_bytes(self) -> int:
        """What the optimizer keeps beside the weights: for AdamW two numbers for each that is trained."""
        state = self.optimizer.state if self.optimizer is not None else {}
        tensors = [value for kept in state.values() for value in kept.values() if isinstance(value, torch.Tensor)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: a checkpoint is ours alone, and is thrown away."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
        except Exception as error:  # safetensors and torch have kinds of their own for a full disk
            step = self.state.global_step
            shutil.rmtree(Path(self.args.output_dir) / f"checkpoint-{step}", ignore_errors=True)
            raise TrainingError(
                f"the checkpoint of step {step} cannot be written to {self.args.output_dir} ({error}): free some disk "
                "or set COURSE_CACHE, and run the cell again; it goes on from the checkpoint before."
            ) from error


class CompletionTrainer(KeptSimple, trl.SFTTrainer):
    """`SFTTrainer` that computes logits for completion tokens alone, whatever the method.

    TRL 1.16 applies the output layer to every position on a device without Triton and masks afterwards; on a CPU that
    costs half as much again as the rest (see tests/benchmarks). `replies_scored_alone` would do too, 2 to 7% slower.
    """

    CONFIG, READS = trl.SFTConfig, ("input_ids",)

    @classmethod
    def settings(cls, recipe: Recipe) -> dict[str, Any]:
        own = {"warmup_steps": 0.05, "completion_only_loss": True, "train_sampling_strategy": ORDERS[recipe.order]}
        return super().settings(recipe) | own

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if return_outputs or self.label_smoother is not None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with self.accelerator.autocast():
            loss, tokens = completion_loss(model, inputs["input_ids"], inputs["attention_mask"], inputs["labels"])
        return loss / (tokens if num_items_in_batch is None else num_items_in_batch)


class PairwiseRewardTrainer(KeptSimple, trl.RewardTrainer):
    """`RewardTrainer`, kept simple."""

    CONFIG, READS = trl.RewardConfig, ("chosen_ids", "rejected_ids")
    CURVES = {"margin": "margin", "accuracy": "accuracy"}  # noqa: RUF012


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


class PairTrainer(ReplyTrainer, trl.DPOTrainer):
    """`DPOTrainer`, kept simple."""

    CONFIG, READS = trl.DPOConfig, ("prompt_ids", "chosen_ids", "prompt_ids", "rejected_ids")
    CURVES = {  # noqa: RUF012
        "margin": "rewards/margins",
        "accuracy": "rewards/accuracies",
        "chosen": "rewards/chosen",
        "rejected": "rewards/rejected",
    }

    @classmethod
    def settings(cls, recipe: Any) -> dict[str, Any]:
        anchored = recipe.anchor > 0
        return super().settings(recipe) | {
            "beta": recipe.beta,
            "loss_type": ["sigmoid" if recipe.objective == "dpo" else recipe.objective, *["sft"] * anchored],
            "loss_weights": [1.0, recipe.anchor] if anchored else None,
        }


class PolicyTrainer(ReplyTrainer):
    """For trainers of policies: a reward as the course has it, and the KL of whole replies in the log."""

    SHOWS = "reward"
    CURVES = {"reward": "reward", "kl": KL_OF_A_REPLY, "length": "completions/mean_length"}  # noqa: RUF012

    def __init__(self, model: Any, reward: Callable[..., Any], **options: Any) -> None:
        scorer = Scorer(reward)
        self.samples = scorer.samples
        super().__init__(model, reward_funcs=scorer, **options)

    @classmethod
    def settings(cls, recipe: Any) -> dict[str, Any]:
        return {
            "lr_scheduler_type": "constant",  # so that ten steps are the first ten of a hundred
            "num_generations": recipe.group,
            "max_completion_length": recipe.max_new_tokens,
            "temperature": 1.0,
            "beta": recipe.kl or FREE_KL,
            "disable_dropout": True,  # GPT-2's would be taken for a step away from the start
            "use_vllm": False,
        }

    def tokens_read(self) -> int:
        return self.state.num_input_tokens_seen


class RLOOPolicyTrainer(PolicyTrainer, trl.RLOOTrainer):
    """`RLOOTrainer`, kept simple, with the KL of whole replies in its log."""

    CONFIG = trl.RLOOConfig

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        scored = super()._generate_and_score_completions(inputs)
        log = self._metrics["train"]
        if log["kl"]:  # a mean over tokens
            log[KL_OF_A_REPLY].append(log["kl"][-1] * log["completions/mean_length"][-1])
        return scored


class GRPOPolicyTrainer(PolicyTrainer, trl.GRPOTrainer):
    """`GRPOTrainer`, kept simple, with the KL of whole replies in its log.

    Its own figure is that of its penalty, π₀/π − 1 − log π₀/π, which a few tokens can drive to any height.
    """

    CONFIG = trl.GRPOConfig

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


# By what a recipe calls its objective.
TRAINERS: dict[str, type] = {
    "sft": CompletionTrainer,
    "dpo": PairTrainer,
    "ipo": PairTrainer,
    REWARD_MODEL: PairwiseRewardTrainer,
    "rloo": RLOOPolicyTrainer,
    "grpo": GRPOPolicyTrainer,
}


class Scorer:
    """A reward as TRL calls one, with its answers checked and each step's first reply kept."""

    __name__ = "reward"  # what TRL calls it in its log

    def __init__(self, reward: Callable[..., Any]) -> None:
        self.reward = reward
        self.samples: list[dict[str, Any]] = []

    def __call__(self, prompts: list[Any], completions: list[Any], trainer_state: Any, **_: Any) -> list[float]:
        replies = [completion[-1]["content"].strip() for completion in completions]
        rewards = _numbers(self.reward(prompts, replies), replies)
        first = {"prompt": prompts[0][-1]["content"], "reply": replies[0], "reward": round(float(rewards[0]), 4)}
        self.samples.append({"step": trainer_state.global_step + 1, **first})
        return rewards


def _numbers(rewards: Any, replies: list[str]) -> list[float]:
    if isinstance(rewards, (str, dict)) or not isinstance(rewards, Iterable):
        raise CourseError(f"the reward gave {rewards!r:.60}: it must give a list of numbers, one for each reply.")
    rewards = [value.item() if hasattr(value, "item") else value for value in rewards]  # NumPy's and torch's numbers
    if len(rewards) != len(replies):
        raise CourseError(f"the reward gave {len(rewards)} numbers for {len(replies)} replies: give one for each.")
    for reply, value in zip(replies, rewards):
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise CourseError(f"the reward of {reply!r:.60} is {value!r}: it must be a finite number.")
    return rewards


class ProgressCallback(TrainerCallback):
    """One figure of the log, live, beside the progress bar of a run; stops a run whose loss is no number.

    `shows` names the figure: what is learned from rewards has a loss that says nothing.
    """

    def __init__(self, progress: Progress, shows: str = "loss") -> None:
        self.progress, self.shows = progress, shows
        self.losses: list[tuple[int, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.losses = [(row["step"], row["loss"]) for row in state.log_history if "loss" in row]
        self.progress.total = state.max_steps
        self.progress.begin(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        self.losses.append((state.global_step, loss))
        self.progress.advance(state.global_step - self.progress.done, f"{self.shows} {logs[self.shows]:.3f}")
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {state.global_step}: the learning rate {args.learning_rate:g} is too "
                "high. Try a tenth of it."
            )


class HeldOutWatch(TrainerCallback):
    """Reads the held-out loss before the first step, every few steps, and after the last; the run goes on unchanged.

    What it read is kept in the trainer's log, and with it in every checkpoint.
    """

    def __init__(self, read: Callable[[], float], every: int) -> None:
        self.read, self.every = read, every
        self.losses: list[tuple[int, float]] = []
        self.seconds = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.losses = [(row["step"], row["held_out_loss"]) for row in state.log_history if "held_out_loss" in row]
        if state.global_step == 0:
            self._look(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._look(state)

    def _look(self, state: Any) -> None:
        started = time.perf_counter()
        self.losses.append((state.global_step, self.read()))
        state.log_history.append({"step": state.global_step, "held_out_loss": self.losses[-1][1]})
        self.seconds += time.perf_counter() - started

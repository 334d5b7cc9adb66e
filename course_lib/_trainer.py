"""TRL's SFTTrainer, with the output layer applied only where the loss looks."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTTrainer

from course_lib.errors import TrainingError
from course_lib.progress import Progress


class CompletionTrainer(SFTTrainer):
    """`SFTTrainer` that computes logits for completion tokens alone.

    28 of SmolLM2's 134 million parameters are the output layer. TRL 1.16 applies it to every position on a device
    without Triton and masks afterwards; on a CPU that costs half of the training time (see tests/benchmarks).
    """

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if return_outputs or self.label_smoother is not None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        # LoRA lives inside the base model's layers, so the base model's own parts are the adapted ones.
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        labels = inputs["labels"][:, 1:]  # (B, T - 1): position t predicts token t + 1
        wanted = labels != -100
        with self.accelerator.autocast():
            hidden = causal.base_model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).last_hidden_state[:, :-1]  # (B, T - 1, D)
            logits = causal.get_output_embeddings()(hidden[wanted])  # (completion tokens, V)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[wanted], reduction="sum")
        return loss / (wanted.sum() if num_items_in_batch is None else num_items_in_batch)

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


class ProgressCallback(TrainerCallback):
    """The live loss beside one progress bar; stops a run whose loss is no number."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.losses: list[tuple[int, float]] = []
        self.progress: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.losses = [(row["step"], row["loss"]) for row in state.log_history if "loss" in row]
        self.progress = Progress(self.what, state.max_steps)
        self.progress.done = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or self.progress is None:
            return
        self.losses.append((state.global_step, loss))
        self.progress.advance(state.global_step - self.progress.done, f"loss {loss:.3f}")
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {state.global_step}: the learning rate {args.learning_rate:g} is too "
                "high. Try a tenth of it."
            )

    def close(self) -> None:
        if self.progress is not None:
            self.progress.__exit__()

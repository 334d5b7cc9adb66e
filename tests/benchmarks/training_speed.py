"""Training speed: the course's trainer against TRL's, a bare PyTorch loop and the limit, as ratios in one run.

    python tests/benchmarks/training_speed.py [--student qwen-0.5b] [--examples 96] [--rounds 3] [--keep]

Every contender trains the same LoRA on the same examples. TRL's defaults keep its own batches, number format and
checkpointing of activations; at its best it has the course's. The limit is 4 N D (a frozen base is gone through
forward, and backward for the activations alone; Kaplan et al. 2020) over the speed of the machine's own matrix
products.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from contest import contest, options
from transformers import PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

import course_lib as cl
from course_lib.costs.bills import training_flops
from course_lib.costs.memory import model_shape
from course_lib.models.scoring import token_counts
from course_lib.training import run
from course_lib.training.methods import Recipe, adapted
from course_lib.training.trainers import CompletionTrainer

RECIPE = Recipe("lora", 1, 2e-3, 16, 8, "all", 0)


def with_trainer(kind: type, arguments: Any, model: cl.ChatModel, rows: list) -> tuple[float, str]:
    set_seed(0)
    trainer = kind(
        model=adapted(model, RECIPE), args=arguments, train_dataset=run.dataset_of(rows),
        processing_class=run.for_training(model.tokenizer),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    return time.perf_counter() - started, said([row["loss"] for row in trainer.state.log_history if "loss" in row])


def said(losses: list[float]) -> str:
    return f"first loss {losses[0]:.4f}  last {losses[-1]:.4f}"


def ours() -> Any:
    return CompletionTrainer.arguments(RECIPE, Path(tempfile.mkdtemp()))


def defaults() -> Any:
    """As TRL comes; what is learned, and for how long, is the same."""
    return SFTConfig(
        tempfile.mkdtemp(), num_train_epochs=1, per_device_train_batch_size=RECIPE.batch_size, use_cpu=True,
        learning_rate=RECIPE.learning_rate, report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True,
    )  # fmt: skip


def bare_loop(model: cl.ChatModel, rows: list) -> tuple[float, str]:
    """As little as there can be, in the trainer's batches: forward, loss on completion tokens, backward, step."""
    set_seed(0)
    probe = CompletionTrainer(
        model=adapted(model, RECIPE), args=ours(), train_dataset=run.dataset_of(rows),
        processing_class=run.for_training(model.tokenizer),
    )  # fmt: skip
    batches, net = list(probe.get_train_dataloader()), probe.model
    base = net.get_base_model()
    net.train()
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RECIPE.learning_rate)
    losses = []
    started = time.perf_counter()
    for batch in batches:
        labels = batch["labels"][:, 1:]
        wanted = labels != -100
        with torch.autocast("cpu", torch.bfloat16, enabled=model.model.dtype == torch.bfloat16):
            hidden = base.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False
            ).last_hidden_state[:, :-1]
            logits = base.lm_head(hidden[wanted])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return time.perf_counter() - started, said(losses)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--examples", type=int, default=96)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    cl.start()
    model = cl.load_model(asked.student)
    rows = cl.load_exam("handbook").train_examples()[: asked.examples]
    counts = token_counts(model, rows)
    tokens, completions = (sum(kind) for kind in zip(*((prompt + reply, reply) for prompt, reply in counts)))
    flops = training_flops(model_shape(model), tokens, "lora", RECIPE.rank, logits=completions / tokens)
    contenders = {
        "TRL's defaults": lambda: with_trainer(SFTTrainer, defaults(), model, rows),
        "TRL at its best": lambda: with_trainer(SFTTrainer, ours(), model, rows),
        "course_lib": lambda: with_trainer(CompletionTrainer, ours(), model, rows),
        "a bare PyTorch loop": lambda: bare_loop(model, rows),
    }
    work = f"{len(rows)} examples, {tokens:,} tokens, LoRA of rank {RECIPE.rank}"
    contest("training", work, contenders, asked, flops)


if __name__ == "__main__":
    main()

"""Training speed: our trainer against TRL's own loss and a bare PyTorch loop, as ratios in one run.

    python tests/benchmarks/training_speed.py [--examples 96] [--rounds 3]

Every contender trains the same LoRA on the same examples in the same batches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import torch
from contest import contest
from transformers import PrinterCallback, set_seed
from trl import SFTTrainer

import course_lib as cl
from course_lib.training import run
from course_lib.training.methods import Recipe, adapted
from course_lib.training.trainers import CompletionTrainer

RECIPE = Recipe("lora", 1, 2e-3, 16, 8, "all", 0)


def with_trainer(kind: type, model: cl.ChatModel, rows: list) -> tuple[float, list[float]]:
    set_seed(0)
    arguments = CompletionTrainer.arguments(RECIPE, Path(tempfile.mkdtemp()))
    trainer = kind(
        model=adapted(model, RECIPE),
        args=arguments,
        train_dataset=run.dataset_of(rows),
        processing_class=run.for_training(model.tokenizer),
    )
    trainer.remove_callback(PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    return seconds, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def bare_loop(model: cl.ChatModel, rows: list) -> tuple[float, list[float]]:
    """As little as there can be, in the trainer's batches: forward, loss on completion tokens, backward, step."""
    set_seed(0)
    probe = CompletionTrainer(
        model=adapted(model, RECIPE),
        args=CompletionTrainer.arguments(RECIPE, Path(tempfile.mkdtemp())),
        train_dataset=run.dataset_of(rows),
        processing_class=run.for_training(model.tokenizer),
    )
    batches = list(probe.get_train_dataloader())
    net = probe.model
    base = net.get_base_model()
    net.train()
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    losses = []
    started = time.perf_counter()
    for batch in batches:
        labels = batch["labels"][:, 1:]
        wanted = labels != -100
        hidden = base.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False
        ).last_hidden_state[:, :-1]
        loss = torch.nn.functional.cross_entropy(base.lm_head(hidden[wanted]), labels[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return time.perf_counter() - started, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cl.start()
    model = cl.load_model()
    rows = cl.load_exam("handbook").train_examples()[: options.examples]
    tokens = sum(len(model.encode(row["prompt"])) for row in rows)
    contenders = {
        "TRL's own loss": lambda: with_trainer(SFTTrainer, model, rows),
        "course_lib": lambda: with_trainer(CompletionTrainer, model, rows),
        "bare PyTorch loop": lambda: bare_loop(model, rows),
    }
    print(f"about {tokens:,} prompt tokens a round")
    contest(contenders, options.rounds, against="TRL's own loss")


if __name__ == "__main__":
    main()

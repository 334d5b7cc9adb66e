"""Counts what a lesson asks of its machine, while `build.py` runs it: tokens read, written and trained on.

Every kernel that `build.py` starts calls `begin` before the first cell, and as it ends what was counted is written. A
hook sees each pass through a transformer, whoever asks for it: `generate`, an exam, a loop written in the lesson. Only
training by the course's own calls is counted by what its run, or the card of its stored adapter, says; so a replay,
which trains nothing, counts as much as a live run.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BACKWARD = 2  # takes this many times as long as forward, where all weights are trained


class Counter:
    """The work of this process since it was made."""

    def __init__(self) -> None:
        self.read = self.written = self.passes = 0
        self.flops = 0.0  # of models that are no students
        self.runs: list[dict[str, Any]] = []
        self.loop = {"steps": 0, "examples": 0, "tokens": 0, "widest": 0}  # of training without the course's calls
        self.model_seconds = 0.0
        self.paused = False
        self._began = time.thread_time()

    def took(self, seconds: float, trains: bool) -> None:
        """A model took so long to read something; what was paused is taken as a whole."""
        if not self.paused:
            self.model_seconds += seconds * (1 + BACKWARD * trains)

    def passed(self, model: Any, rows: int, length: int, trains: bool) -> None:
        """A model has read `length` tokens of each of so many rows."""
        if self.paused:
            return
        if _embeds(model):
            numbers = sum(p.numel() for name, p in model.named_parameters() if "embeddings" not in name)
            self.flops += 2.0 * numbers * rows * length * (1 + BACKWARD * trains)
        elif trains:
            self.loop["steps"] += 1
            self.loop["tokens"] += rows * length
            self.loop["examples"] = max(self.loop["examples"], rows)
            self.loop["widest"] = max(self.loop["widest"], rows * length)
        elif length == 1:
            self.written += rows
            self.passes += 1
        else:
            self.read += rows * length

    def trained(self, job: Any, training: Any) -> None:
        """A run of `finetune` and the others: what a step of it reads."""
        recipe, steps = training.recipe, len(training.losses)
        parts = [part for part in ("completion", "chosen", "rejected") if part in job.rows[0]]
        lengths, completions = _lengths(job, parts)
        share = sum(completions) / sum(lengths) if parts else 0.5  # of a policy's own replies about half are prompts
        tokens = training.tokens / steps
        widest = recipe.batch_size * max(lengths) * max(1, len(parts)) if parts else tokens
        work = {
            "steps": steps, "examples": recipe.batch_size, "tokens": round(tokens, 1),
            "completion_tokens": round(tokens * share, 1), "widest": int(widest),
        }  # fmt: skip
        places = ("method", "objective", "rank", "targets", "layers")
        self.runs.append({"work": work, **{name: getattr(recipe, name) for name in places}})
        self.read += len(training.held_out) * sum(_lengths(job, ["completion"], job.held_out or [])[0])
        if writes := getattr(recipe, "max_new_tokens", 0):
            self.passes += steps * writes

    def result(self) -> dict[str, Any]:
        """As `course_lib.costs.machine.LessonWork` takes it."""
        import psutil

        runs = [*self.runs]
        if self.loop["steps"]:
            tokens = round(self.loop["tokens"] / self.loop["steps"], 1)
            loop = {**self.loop, "tokens": tokens, "completion_tokens": tokens}  # without the course's savings
            runs.append({"work": loop, "method": "full"})
        begun_by_us = psutil.Process().cpu_times()  # a server, once it has ended
        children = begun_by_us.children_user + begun_by_us.children_system
        seconds = time.thread_time() - self._began - self.model_seconds + children
        return {
            "read": self.read, "written": self.written, "passes": self.passes, "training": runs,
            "flops": round(self.flops), "seconds": round(max(seconds, 0.0), 1),
        }  # fmt: skip


def begin() -> Counter:
    """Count from now on, and write what was counted to the file that COURSE_WORK names as the process ends."""
    counter = Counter()
    hook(counter)
    follow_training(counter)
    place = Path(os.environ["COURSE_WORK"])
    atexit.register(lambda: place.write_text(json.dumps(counter.result()), encoding="utf-8"))
    return counter


def hook(counter: Counter) -> Callable[[], None]:
    """Have a counter see every pass through a transformer; what comes back takes the hooks away."""
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    begun: list[float] = []

    def before(module: Any, _: Any) -> None:
        if _whole(module):
            begun.append(time.thread_time())

    def after(module: Any, _: Any, output: Any) -> None:
        if not _whole(module):
            return
        states = output["token_embeddings"] if _embeds(module) else output[0]  # (B, T, D), or what is made of it
        if _reads(module) or _embeds(module):
            counter.passed(module, *states.shape[:2], states.requires_grad)
        seconds = time.thread_time() - begun.pop()
        if not begun:  # the output layer's time is the outermost model's
            counter.took(seconds, states.requires_grad)

    hooks = [register_module_forward_pre_hook(before), register_module_forward_hook(after)]
    return lambda: [one.remove() for one in hooks]


def follow_training(counter: Counter) -> None:
    """Have a counter told of every run; what a run reads on its way is part of it, and a rehearsal counts as none.

    Nor does it count when lesson 00 measures the machine, which it does only once.
    """
    from course_lib.costs import machine
    from course_lib.training import run, shelf

    machine._measured = _unseen(counter, machine._measured)
    run.fit = shelf.fit = _unseen(counter, run.fit)  # both: the import of `machine` brings the shelf along
    find, recorded = shelf.find, shelf.recorded

    @functools.wraps(find)
    def found(job: Any, from_shelf: bool = False) -> Any:
        made = find(job, from_shelf)
        if made is not None and not from_shelf:
            counter.trained(job, made.training)
        return made

    @functools.wraps(recorded)
    def kept(job: Any, made: Any) -> Any:
        counter.trained(job, made.training)
        return recorded(job, made)

    shelf.find, shelf.recorded = found, kept


def _unseen(counter: Counter, fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def quiet(*args: Any, **options: Any) -> Any:
        began, counter.paused = time.thread_time(), True
        try:
            return fit(*args, **options)
        finally:
            counter.paused = False
            counter.model_seconds += time.thread_time() - began

    return quiet


def _whole(module: Any) -> bool:
    """Whether it is a model of transformers, with or without an output layer, or an embedding model's wrapper."""
    return hasattr(type(module), "base_model_prefix") or _embeds(module)


def _reads(module: Any) -> bool:
    """Whether it is one of transformers' language models, without an output layer on top of it."""
    return hasattr(type(module), "base_model_prefix") and module.base_model is module and hasattr(module, "rotary_emb")


def _embeds(module: Any) -> bool:
    """Whether it is what sentence-transformers wraps an embedding model in."""
    return hasattr(type(module), "auto_model")


def _lengths(job: Any, parts: list[str], rows: Any = None) -> tuple[list[int], list[int]]:
    """Tokens of each row, and of its completion alone; of a pair, of both of its texts."""
    from course_lib.models.scoring import encode_example

    lengths, completions = [], []
    for row in job.rows if rows is None else rows:
        for part in parts:
            ids, begins = encode_example(job.model, "row", {"prompt": row["prompt"], "completion": row[part]})
            lengths.append(len(ids))
            completions.append(len(ids) - begins)
    return lengths, completions

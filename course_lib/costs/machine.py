"""What each lesson takes on this machine, with each of the three students: its work, counted, over a speed, measured.

How many tokens a lesson reads, writes and trains on stands in `data/results/NN.json` (notebooks/build.py counts them
while it runs the lesson); how fast a machine is, in shares of its matrix product, in `data/results/machine.json`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

from course_lib.core.errors import CourseError, above_zero
from course_lib.core.frames import frame_html
from course_lib.core.progress import Progress
from course_lib.core.session import MACHINE_FILE, cache_dir, current, data_dir, machine_key, memory_limit
from course_lib.core.text import write_text
from course_lib.costs.bills import forward_flops, kv_cache_bytes
from course_lib.costs.forecast import LOGITS_BYTES, Calibration, Work, step_needs
from course_lib.costs.memory import GB, Shape, training_memory
from course_lib.models.chatmodel import BATCH_TOKENS, ChatModel
from course_lib.models.loading import load_model
from course_lib.models.students import DEFAULT

KNOWN_GFLOPS = 135  # of fp32 matrix product: what the course states its minutes for
LESSONS = tuple(f"{number:02d}" for number in range(9))

# As their configurations say.
STUDENT_SHAPES = {
    shape.name: shape
    for shape in (
        Shape("smollm2-135m", 30, 576, 1536, 49152, 9, 3, tied=True),
        Shape("qwen-0.5b", 24, 896, 4864, 151936, 14, 2, tied=True),
        Shape("qwen-1.5b", 28, 1536, 8960, 151936, 12, 2, tied=True),
    )
}

# What is read without a gradient beside each token that is trained on: the start of the same model, as a reference;
# and of a policy its own replies, once as they are written and once to be scored.
READ_BESIDE = {"dpo": 1, "ipo": 1, "rloo": 3, "grpo": 3}

# Of the check: prompts, their tokens, and how many more tokens are written after one.
PROMPTS, PROMPT_TOKENS, NEW_TOKENS, SIDE = 8, 64, 16, 2048


@dataclass(frozen=True)
class Run:
    """A training run of a lesson: what a step reads, and how often."""

    work: Work
    method: str
    objective: str = "sft"
    rank: int = 8
    targets: str = "all"
    layers: str = "all"


@dataclass(frozen=True)
class LessonWork:
    """What a lesson asks of its machine, live, with the default student. Padding counts: it is computed too."""

    read: int  # tokens of prompts, what a batch has in common once
    written: int  # tokens of replies
    passes: int  # through all weights to write them: one for each token of the longest reply of a batch
    training: tuple[Run, ...] = ()
    flops: float = 0.0  # of the embedding model, which no student changes
    seconds: float = 0.0  # of everything else (loading, searching, drawing), where the lesson was counted

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> LessonWork:
        """Out of what `asdict` and JSON made of one."""
        runs = tuple(Run(**{**run, "work": Work(**run["work"])}) for run in stored["training"])
        return cls(**{**stored, "training": runs})


@dataclass(frozen=True)
class Speed:
    """What a machine does in a second, measured with the default student."""

    gflops: float  # of fp32 matrix product
    own: float  # of the same in the session's dtype
    read: float  # FLOP/s in reading prompts
    memory: float  # bytes/s of weights that one reply's tokens wait for
    prices: Calibration  # what training takes: `scaled` from where it was measured

    def tokens(self, shape: Shape, number_bytes: int) -> tuple[float, float]:
        """Tokens a second that a student reads in a batch, and writes in one reply."""
        return self.read / forward_flops(shape, 1, logits=0), 1 / self._written(shape, number_bytes, 1, 1)

    def seconds(self, work: LessonWork, shape: Shape, number_bytes: int = 4) -> float:
        """What a lesson takes with a student of this shape, whose weights take so many bytes a number."""
        reading = forward_flops(shape, work.read, logits=0) / self.read
        writing = self._written(shape, number_bytes, work.passes, work.written)
        training = sum(self._trained(run, shape, number_bytes) for run in work.training)
        return reading + writing + training + work.flops / self.read + work.seconds

    def _written(self, shape: Shape, number_bytes: int, passes: int, tokens: int) -> float:
        return passes * shape.parameters * number_bytes / self.memory + forward_flops(shape, tokens) / self.read

    def _trained(self, run: Run, shape: Shape, number_bytes: int) -> float:
        needs = step_needs(shape, run.work, run.method, run.rank, run.targets, run.layers)
        prices = (self.prices.flop, self.prices.step, self.prices.side, self.prices.trained, self.prices.packed)
        beside = READ_BESIDE.get(run.objective, 0) * forward_flops(shape, run.work.tokens) / self.read
        each = sum(price * need for price, need in zip(prices, needs)) + beside
        return self.prices.start + run.work.steps * each


def known_speed(gflops: float = KNOWN_GFLOPS) -> Speed:
    """The speed of a machine of so many GFLOP/s of fp32 matrix product that is like the one of `machine.json`."""
    above_zero(gflops=gflops)
    shares = stored_shares()
    product = gflops * 1e9
    return Speed(gflops, gflops, shares["read"] * product, shares["memory"] * product, _prices(shares, 1 / product))


def stored_shares() -> dict[str, Any]:
    """What was measured as shares of a matrix product's FLOP/s (`data/make/measure/machine.py`)."""
    path = data_dir() / "results" / "machine.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read ({error}): run data/make/measure/machine.py.") from error


def _prices(shares: Mapping[str, Any], unit: float) -> Calibration:
    """Stored prices, each in matrix-product FLOPs, in seconds: `unit` is what such a FLOP takes."""
    return Calibration(**{name: price * unit for name, price in shares["prices"].items()})


def lesson_works() -> dict[str, LessonWork]:
    """Each lesson's work, as far as it is counted."""
    found = {}
    for lesson in LESSONS:
        with suppress(OSError, ValueError, KeyError, TypeError):
            text = (data_dir() / "results" / f"{lesson}.json").read_text(encoding="utf-8")
            found[lesson] = LessonWork.of(json.loads(text)["work"])
    return found


def stated_minutes(work: LessonWork) -> float:
    """What the course states: with the default student, at 135 GFLOP/s, in fp32."""
    return known_speed().seconds(work, STUDENT_SHAPES[DEFAULT.name]) / 60


def lesson_memory(work: LessonWork, shape: Shape, number_bytes: int = 4) -> float:
    """Bytes that a lesson holds at its peak: libraries, the student, and the run or the batch that takes most beside.

    Of a run what `training_memory` says, and the logits of its completions; its weights are the student's own unless
    all of them are trained, in a copy. Of a batch of prompts keys and values, of `BATCH_TOKENS` at most.
    """
    weights = shape.parameters * number_bytes
    beside = [kv_cache_bytes(shape, min(BATCH_TOKENS, work.read + work.written)) * number_bytes / 2]
    for run in work.training:
        held = training_memory(
            shape, run.method, run.rank, run.targets, run.layers, tokens=run.work.widest, checkpointing=False,
            precision="fp32" if number_bytes == 4 or run.method == "full" else "mixed",
        )  # fmt: skip
        own = held.total if run.method == "full" else held.total - held.weights
        # In the widest step as many of the tokens are completions as in all of them.
        completions = run.work.widest * run.work.completion_tokens / run.work.tokens
        beside.append(own + completions * shape.vocabulary * LOGITS_BYTES)
    return stored_shares()["libraries"] + weights + max(beside)


# --- this machine -------------------------------------------------------------------------------------------------


def measured_speed(again: bool = False) -> Speed:
    """This machine's speed, measured once in some seconds and kept in the cache; `again` measures anew.

    It is measured again by itself where torch, the number format, the device or the number of threads is another.
    """
    kept, key = None if again else _kept(), machine_key(current())
    shares = stored_shares()
    if kept is None or kept["key"] != key:
        kept = {"key": key, "speed": _measured()}
        with suppress(CourseError):  # a cache that cannot be written: it is measured again the next time
            _keep(kept)
    speed = kept["speed"]
    # How training compares with reading is taken from the machine of `machine.json`.
    return Speed(**speed, prices=_prices(shares, shares["read"] / speed["read"]))


def _kept() -> dict[str, Any] | None:
    """What was measured before; None where nothing was, or what is there is damaged."""
    try:
        kept = json.loads((cache_dir() / MACHINE_FILE).read_text(encoding="utf-8"))
        names = {field.name for field in fields(Speed)} - {"prices"}
        above_zero(**{name: kept["speed"][name] for name in names})
        return {"key": kept["key"], "speed": {name: kept["speed"][name] for name in names}}
    except (OSError, ValueError, KeyError, TypeError, CourseError):
        return None


def _keep(kept: Mapping[str, Any]) -> None:
    write_text(cache_dir() / MACHINE_FILE, json.dumps(kept, indent=1) + "\n")


def _measured() -> dict[str, float]:
    """Matrix products in fp32 and in the session's dtype; the default student reads a batch, and writes a reply."""
    import torch

    settings = current()
    with Progress("Measuring this machine", 4) as progress:
        gflops = product_gflops()
        progress.advance()
        own = gflops if settings.dtype == "float32" else product_gflops(getattr(torch, settings.dtype))
        progress.advance()
        model = load_model(DEFAULT.name)
        speed = {"gflops": gflops, "own": own, **student_speed(model, STUDENT_SHAPES[DEFAULT.name])}
        progress.advance(2)
    return speed


def product_gflops(dtype: Any = None, repeats: int = 4, device: str | None = None) -> float:
    """GFLOP/s of a product of two square matrices, the best of some tries; fp32 on the session's device unless said."""
    import torch

    a = torch.rand(SIDE, SIDE, device=device or current().device).to(dtype or torch.float32)
    return 2 * SIDE**3 / _best(lambda: (a @ a)[0, 0].item(), repeats) / 1e9


def student_speed(model: ChatModel, shape: Shape, repeats: int = 2) -> dict[str, float]:
    """FLOP/s in which a model reads a batch of prompts, and bytes/s of its weights in writing one reply."""
    drawn = random.Random(0)
    prompts = [[drawn.randrange(model.config.vocab_size) for _ in range(PROMPT_TOKENS)] for _ in range(PROMPTS)]

    def completes(batch: Sequence[list[int]], tokens: int) -> float:
        return _best(lambda: model.complete(list(batch), tokens, min_new_tokens=tokens).cpu(), repeats)

    completes(prompts[:1], 2)  # what is loaded and chosen once
    read = forward_flops(shape, PROMPTS * PROMPT_TOKENS, logits=1 / PROMPT_TOKENS) / completes(prompts, 1)
    longer, first = completes(prompts[:1], 1 + NEW_TOKENS), completes(prompts[:1], 1)
    each = (longer - first) / NEW_TOKENS - forward_flops(shape, 1) / read
    return {"read": read, "memory": model.size() / max(each, 1e-6)}


def _best(call: Any, repeats: int) -> float:
    """The fewest seconds of some calls: what else a machine does makes none faster."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


# --- what is shown ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MachineReport:
    """Minutes and memory of every lesson with every student, here. Shown as a table; its text says the same."""

    speed: Speed
    dtype: str
    room: float  # bytes of memory that there are
    minutes: Mapping[str, Mapping[str, float]]  # by lesson and student
    memory: Mapping[str, Mapping[str, float]]  # bytes, likewise

    def fits(self, lesson: str, student: str) -> bool:
        """Whether there is memory enough."""
        return self.memory[lesson][student] <= self.room

    def table(self) -> Any:
        """One row a lesson, one column a student: minutes, and what memory lacks."""
        import pandas as pd

        rows = {
            lesson: {student: self._cell(lesson, student) for student in found}
            for lesson, found in self.minutes.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(STUDENT_SHAPES)).rename_axis("lesson")

    def _cell(self, lesson: str, student: str) -> str:
        minutes = self.minutes[lesson][student]
        said = "under 1 minute" if minutes < 1 else f"{minutes:.1f} minutes"
        if self.fits(lesson, student):
            return f"{said}, fits"
        return f"{said}; needs {self.memory[lesson][student] / GB:.1f} GB, there are {self.room / GB:.1f}"

    def caption(self) -> str:
        """The machine's speed in a sentence."""
        number_bytes = _number_bytes(self.dtype)
        reads, writes = self.speed.tokens(STUDENT_SHAPES[DEFAULT.name], number_bytes)
        own = "" if self.dtype == "float32" else f" ({self.speed.own:,.0f} in {self.dtype})"
        return (
            f"This machine multiplies fp32 matrices at {self.speed.gflops:,.0f} GFLOP/s{own}; the course states its "
            f"minutes for {KNOWN_GFLOPS}. {DEFAULT.name} reads {reads:,.0f} tokens a second here, and writes "
            f"{writes:,.0f} in one reply, more in many at once."
        )

    def __str__(self) -> str:
        return f"{self.caption()}\n\n{self.table().to_string()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{self.caption()}</p>{frame_html(self.table())}"


def lesson_times(again: bool = False) -> MachineReport:
    """What every lesson would take on this machine, live, with each of the students, and whether memory allows it.

    The speed is measured in some ten seconds the first time (`again` measures anew); from then on `cl.start` says what
    the lesson at hand takes here. Tokens are counted as the default student counts them.
    """
    speed, settings = measured_speed(again), current()
    number_bytes = _number_bytes(settings.dtype)
    minutes, memory = {}, {}
    for lesson, work in lesson_works().items():
        shapes = STUDENT_SHAPES.items()
        minutes[lesson] = {name: speed.seconds(work, shape, number_bytes) / 60 for name, shape in shapes}
        memory[lesson] = {name: lesson_memory(work, shape, number_bytes) for name, shape in shapes}
    kept = {"speed": {name: value for name, value in asdict(speed).items() if name != "prices"}}
    with suppress(CourseError):
        _keep({"key": machine_key(current()), **kept, "default": DEFAULT.name, "minutes": minutes})
    return MachineReport(speed, settings.dtype, memory_room(), minutes, memory)


def memory_room() -> float:
    """Bytes of memory for a lesson: what is free, of the GPU or here, and what this process holds already."""
    import psutil
    import torch

    if current().device == "cuda":
        return float(torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved())
    return min(float(psutil.virtual_memory().available + psutil.Process().memory_info().rss), memory_limit())


def _number_bytes(dtype: str) -> int:
    return 4 if dtype == "float32" else 2

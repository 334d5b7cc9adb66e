"""Lessons 01 and 04 on another machine, or with another model, than they were written on.

First lesson 01's loop where the model lies on another device than the CPU, and computes in fp16, as on a T4. No card is
needed: tensors of the device "meta" have a shape and no numbers, and a mode stands above torch that refuses,
as CUDA does, what lies on two devices. (torch's own fake CUDA tensors go backwards only where torch is built for CUDA.)
"""

from __future__ import annotations

import copy
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import course_lib as cl
from course_lib.evaluation.stored import load_results
from course_lib.lessons import tickets
from course_lib.models import inspection
from course_lib.training.sft import finetune

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402

# What the cells of the loop are known by: from one letter's tokens to sixteen steps.
LOOP = ("def encode(", "def surprise(", "loss.backward()\nlayer", "def batch(", "def train(", "by_hand =")
COPIES = ("aten::copy_", "aten::_to_copy")


class TwoDevicesRefused(TorchDispatchMode):
    """Operations on tensors of two devices are errors, but for copies and single numbers; "meta" reads as 0."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()]
        if len({t.device for t in tensors}) > 1 and func.name().split(".")[0] not in COPIES:
            raise RuntimeError("Expected all tensors to be on the same device")
        read = func.name() == "aten::_local_scalar_dense" and args[0].is_meta
        return 0 if read else func(*args, **(kwargs or {}))


@pytest.fixture
def gp(tiny_model):
    return replace(tiny_model, model=tiny_model.model.half().to("meta"))


def code(lesson: str) -> list[str]:
    (path,) = build.sources([lesson])
    return [cell.source for cell in build.read_source(path).cells if cell.cell_type == "code"]


def cells(*marks: str, lesson: str = "01") -> list[str]:
    """Code cells of a lesson, the one that each mark is found in."""
    return [next(source for source in code(lesson) if mark in source) for mark in marks]


def run(sources: list[str], gp: Any, **given: Any) -> dict[str, Any]:
    """What cells leave behind. They draw nothing."""
    plots = SimpleNamespace(**dict.fromkeys(("losses", "heatmap", "curve", "histogram"), lambda *_: None))
    cl = SimpleNamespace(
        plots=plots, predict=lambda *_, **__: None, reveal=lambda *_: None,
        verdict=lambda *_, **__: None, say=lambda *_: None,
    )  # fmt: skip
    study = tickets.load_tickets("train")
    names = {"gp": gp, "tickets": tickets, "study": study, "few": tickets.few(study, 192), "cl": cl, **given}
    for source in sources:
        exec(source, names)
    return names


def test_the_loop_keeps_every_tensor_on_the_models_device_and_trains_in_fp32(gp):
    with TwoDevicesRefused():
        left = run(cells(*LOOP), gp)
    assert len(left["by_hand"]) == 16
    assert {(w.device.type, w.dtype) for w in left["student"].parameters()} == {("meta", torch.float32)}
    assert next(gp.model.parameters()).dtype == torch.float16


@pytest.mark.parametrize(("mark", "device"), [("def surprise(", "student.device"), ("def batch(", "gp.model.device")])
def test_a_cell_that_left_its_tensors_on_the_cpu_would_be_found(mark, device, gp):
    left_behind = [source.replace(f", device={device}", "") if mark in source else source for source in cells(*LOOP)]
    with pytest.raises(RuntimeError, match="same device"), TwoDevicesRefused():
        run(left_behind, gp)


# Other models: fewer layers, another template


def test_the_appendix_of_lesson_01_looks_into_a_model_of_any_depth(tiny_model, plain_small_machine):
    rows, recipe = [t.as_example() for t in tickets.load_tickets("train")[:8]], {"epochs": 1, "batch_size": 4}
    specialist = finetune(tiny_model, rows, layers="upper", **recipe)
    beginner = finetune(tiny_model, rows, "full", **recipe)
    looks = ("moved_full =", "moved_lora =", "lower =", "changes =")
    given = {"inspection": inspection, "specialist": specialist, "beginner": beginner}
    left = run(cells(*looks, lesson="appendix/01"), tiny_model, **given)
    assert (left["layer"], list(left["layers"]), len(left["lower"])) == (1, [0], 1)


@pytest.mark.parametrize(("depth", "expected"), [(30, 20), (24, 16), (2, 1), (1, 0)])
def test_lesson_04_takes_the_matrix_at_the_same_height_in_a_model_of_any_depth(depth, expected, tiny_model):
    blocks = [SimpleNamespace(mlp=SimpleNamespace(up_proj=torch.nn.Linear(64, 128, False))) for _ in range(depth)]
    gp = replace(tiny_model, model=SimpleNamespace(model=SimpleNamespace(layers=blocks)))
    given = {"cl": cl, "change": load_results("04")["directions"], "torch": torch, "copy": copy, "math": math}
    marks = ("class LoRALinear", "up_proj =", "inject_adapter", "matrix =")
    left = run(cells(*marks, lesson="04"), gp, **given)
    assert left["up_proj"] is blocks[expected].mlp.up_proj


@pytest.mark.parametrize("path", build.sources(), ids=lambda path: path.stem)
def test_no_lesson_takes_one_models_template_or_layers_for_granted(path):
    found = [line for source in code(build.name_of(path)) for line in source.splitlines()
             if re.search(r"<\|\w+\|>|\blayers\[\d+\]|\bloc\[:\d+\]", line)]  # fmt: skip
    assert found == []

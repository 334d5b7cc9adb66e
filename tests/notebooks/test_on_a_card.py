"""Lesson 01's loop where the model lies on another device than the CPU, and computes in fp16, as on a T4.

No card is needed: tensors of the device "meta" have a shape and no numbers, and a mode stands above torch that refuses,
as CUDA does, what lies on two devices. (torch's own fake CUDA tensors go backwards only where torch is built for CUDA.)
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.lessons import tickets

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402

# What the cells of the loop are known by: from one letter's tokens to training from scratch.
LOOP = ("def encode(", "def surprise(", "loss.backward()\nlayer", "def batch(", "def train(", "by_hand =", "newborn =")
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


def cells(*marks: str) -> list[str]:
    """Code cells of lesson 01, the one that each mark is found in."""
    (path,) = build.sources(["01"])
    code = [cell.source for cell in build.read_source(path).cells if cell.cell_type == "code"]
    return [next(source for source in code if mark in source) for mark in marks]


def run(sources: list[str], gp: Any) -> dict[str, Any]:
    """What cells leave behind; they draw nothing."""
    plots = SimpleNamespace(losses=lambda *_: None)
    names = {"gp": gp, "tickets": tickets, "study": tickets.load_tickets("train"), "cl": SimpleNamespace(plots=plots)}
    with TwoDevicesRefused():
        for source in sources:
            exec(source, names)
    return names


def test_the_loop_keeps_every_tensor_on_the_models_device_and_trains_in_fp32(gp):
    left = run(cells(*LOOP), gp)
    assert [len(left[losses]) for losses in ("by_hand", "from_nothing")] == [16, 16]
    for trained in ("student", "newborn"):
        weights = list(left[trained].parameters())
        assert {(w.device.type, w.dtype) for w in weights} == {("meta", torch.float32)}, trained
    assert next(gp.model.parameters()).dtype == torch.float16


@pytest.mark.parametrize(("mark", "device"), [("def surprise(", "student.device"), ("def batch(", "gp.model.device")])
def test_a_cell_that_left_its_tensors_on_the_cpu_would_be_found(mark, device, gp):
    left_behind = [source.replace(f", device={device}", "") if mark in source else source for source in cells(*LOOP)]
    with pytest.raises(RuntimeError, match="same device"):
        run(left_behind, gp)

"""A tensor that is made without a device lies on the CPU, and beside a model on a GPU is an error: none is made so."""

from __future__ import annotations

import ast
from functools import reduce
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "course_lib").rglob("*.py"), *(ROOT / "notebooks").rglob("src/*.py")])

# Where it is right: page, function, and why.
LEVELS = "sixteen numbers of a format; `round_trip` takes them to the weights"
EXCEPTIONS = {
    ("course_lib/models/quantization.py", "nf4_levels"): LEVELS,
    ("course_lib/models/quantization.py", "fp4_levels"): LEVELS,
    ("course_lib/models/quantization.py", "int4_levels"): LEVELS,
    ("course_lib/training/unusual.py", "update_layer"): "PEFT then moves the adapter to its base layer",
}
# What they give lies on the CPU, though torch's own text says so of none of them.
OF_THE_CPU = {"from_numpy", "Generator", "Tensor", "FloatTensor", "LongTensor", "HalfTensor", "BoolTensor"}


def makers_without_a_device(source: str) -> list[tuple[str, str, int]]:
    """Calls of torch's that make a tensor, or a module with tensors, nowhere in particular: (function, call, line)."""
    tree = ast.parse(source)
    names = _names_of_torch(tree)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = _called(call, names)
        if name is None or not _makes(name):
            continue
        above = _above(call, parents)
        placed = any(k.arg is None or (k.arg == "device" and ast.unparse(k.value) != "None") for k in call.keywords)
        if not placed and not _moved(call, parents) and not any(_on_a_device(node) for node in above):
            within = next((node.name for node in above if isinstance(node, ast.FunctionDef)), "")
            found.append((within, name, call.lineno))
    return found


def _names_of_torch(tree: ast.AST) -> dict[str, str]:
    """What a page calls torch and its parts, and what each is within torch: {"nn": "nn", "torch": ""}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "torch":
                    names[alias.asname or "torch"] = alias.name[6:] if alias.asname else ""
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names |= {a.asname or a.name: f"{node.module[6:]}.{a.name}".strip(".") for a in node.names}
    return names


def _called(call: ast.Call, names: dict[str, str]) -> str | None:
    first, _, rest = ast.unparse(call.func).partition(".")
    return f"{names[first]}.{rest}".strip(".") if first in names else None


def _makes(name: str) -> bool:
    """Whether torch's function of that name makes a tensor where its `device` says; `zeros_like` knows without."""
    try:
        what = reduce(getattr, name.split("."), torch)
    except AttributeError:
        return False
    if isinstance(what, type) and issubclass(what, nn.Module):
        return "device" in what.__init__.__code__.co_varnames
    last = name.split(".")[-1]
    return last in OF_THE_CPU or ("device=" in (what.__doc__ or "") and not last.endswith("_like"))


def _moved(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether `.to(device)` follows at once; `.to(dtype)` moves nothing."""
    method = parents.get(call)
    move = parents.get(method)
    return isinstance(method, ast.Attribute) and method.attr == "to" and "device" in ast.unparse(move)


def _above(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> list[ast.AST]:
    return [] if (parent := parents.get(node)) is None else [parent, *_above(parent, parents)]


def _on_a_device(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any("torch.device(" in ast.unparse(item) for item in node.items)


def arrays_of_the_gpu(source: str) -> list[int]:
    """Lines with `.numpy()` of what was not brought to the CPU before."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return [c.lineno for c in calls if c.func.attr == "numpy" and ".cpu()" not in ast.unparse(c.func.value)]


def test_no_tensor_is_made_without_a_device_in_lessons_or_package():
    faults, used = [], set()
    for path in PAGES:
        page = path.relative_to(ROOT).as_posix()
        for within, name, line in makers_without_a_device(path.read_text(encoding="utf-8")):
            used.add((page, within))
            if (page, within) not in EXCEPTIONS:
                faults.append(f"{page}:{line} torch.{name}: give it device=, the model's")
    assert faults == []
    assert used == set(EXCEPTIONS), "an exception that is not needed any more"


def test_nothing_is_made_an_array_before_it_is_on_the_cpu():
    found = {path.name: arrays_of_the_gpu(path.read_text(encoding="utf-8")) for path in PAGES}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "faulty"),
    [
        ("torch.tensor([1])", True),
        ("torch.tensor([1], device=model.device)", False),
        ("torch.tensor([1], device=None)", True),
        ("torch.tensor([1]).to(model.device)", False),
        ("torch.tensor([1]).to(torch.float16)", True),
        ("torch.tensor([1], **place)", False),
        *((f"torch.{maker}", True) for maker in (
            "zeros(2)", "ones(2)", "full((2,), 3)", "empty(2)", "arange(3)", "rand(2)", "randn(2)", "randint(3, (2,))",
            "randperm(3)", "eye(2)", "linspace(0, 1, 3)", "as_tensor([1])", "from_numpy(a)", "Tensor([1])",
            "Generator()", "tril_indices(2, 2)", "nn.Linear(2, 3)", "nn.RMSNorm(2)",
        )),
        ("torch.nn.Linear(2, 3, device=base.device)", False),
        ("torch.zeros_like(x)", False),
        ("x.new_zeros(2)", False),
        ("torch.nn.functional.cross_entropy(x, y)", False),
        ("torch.cat([x, y])", False),
        ("torch.nn.Parameter(torch.empty(2))", True),
        ("torch.nn.Parameter(torch.empty(2, device=device))", False),
        ("with torch.device('cuda'):\n    torch.zeros(2)", False),
        ("with torch.no_grad():\n    torch.zeros(2)", True),
        ("import torch as t\nt.zeros(2)", True),
        ("from torch import nn, zeros as noughts\nnoughts(2)", True),
        ("from torch import nn\nnn.Linear(2, 3)", True),
        ("import torch.nn as layers\nlayers.Embedding(2, 3)", True),
        ("numpy.zeros(2)", False),
    ],
)  # fmt: skip
def test_the_rule_knows_what_makes_a_tensor_and_what_gives_it_a_place(line, faulty):
    assert bool(makers_without_a_device(f"import torch\n{line}")) == faulty


@pytest.mark.parametrize(
    ("line", "faulty"), [("x.numpy()", True), ("x.detach().cpu().numpy()", False), ("x.item()", False)]
)
def test_the_rule_knows_what_cannot_be_made_an_array(line, faulty):
    assert bool(arrays_of_the_gpu(line)) == faulty

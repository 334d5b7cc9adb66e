"""Lesson 04: numbers that LoRA trains, a merged matrix, and what fits on a card."""

from types import SimpleNamespace

import torch

from course_lib.costs.memory import Shape, trained_parameters

SHAPE = Shape("small", 30, 576, 1536, 49152, 9, 3, tied=True)
COUNT = trained_parameters(SHAPE, "lora", 4, "attention")
NEEDS = {"full": 160.0, "lora": 27.5, "qlora": 8.9}
DRAWN = torch.Generator().manual_seed(0)
W, A, B = (torch.randn(*shape, generator=DRAWN) for shape in ((6, 8), (2, 8), (6, 2)))
LAYER = SimpleNamespace(frozen=SimpleNamespace(weight=W), A=A, B=B, scale=2.0)
EXERCISES = {
    "04-count": ("count", {"shape": SHAPE, "rank": 4}),
    "04-merge": ("merged", {"layer": LAYER}),
    "04-fits": ("fitting", {"needs": NEEDS, "card": 24}),
}
RIGHT = {"04-count": [COUNT], "04-merge": [W + 2 * B @ A], "04-fits": [["QLoRA"], {"qlora"}, "qlora"]}
WRONG = {
    "04-count": [
        (COUNT // 30, "one layer's: the model has 30"),
        (COUNT // 4, "rank 1"),
        (30 * (2 * 576 * 576 + 2 * 576 * 192), "Those are the matrices"),
        (30 * 4 * 4 * 576, "A alone"),
        (30 * 4 * (2 * 576 + 2 * 192), "B alone"),
        (30 * 4 * 8 * 576, "keys and values"),
        (trained_parameters(SHAPE, "lora", 4), "MLP"),
        (COUNT + 1, "Fewer"),
        (COUNT - 1, "More"),
        (1.5, "One whole number"),
        (True, "One whole number"),
        ("many", "One whole number"),
    ],
    "04-merge": [
        (W, "what was learned is lost"),
        (2 * B @ A, "the change alone"),
        (B @ A, "the change alone"),
        (W + B @ A, "scales the change"),
        (W - 2 * B @ A, "not taken off"),
        ((W + 2 * B @ A).T, "turned over"),
        (A, "The shape is (2, 8)"),
        (W + 3, "other numbers"),
        ([1.0], "a list"),
    ],
    "04-fits": [
        (["lora", "qlora"], "does not make the frozen ones smaller"),
        (["full", "qlora"], "brings a gradient"),
        ([], "something else does too (1 more)"),
        (["qlorra"], "no method of the table"),
        (["prefix"], "a method, but not one of the table's"),
        (24, "Answer with a list"),
        ([24], "Answer with a list"),
    ],
}

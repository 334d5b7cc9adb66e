"""What fine-tuning needs, worked out from a model's shape: memory, by method, for models far too large to try here.

Everything is counted in bytes and shown in GB of 10**9 bytes, as the papers and the makers of cards count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, choose, whole_above_zero
from course_lib.models.chatmodel import ChatModel, expect_model
from course_lib.models.quantization import bits_per_weight
from course_lib.training.methods import LAYERS, METHODS, SUBLAYER_ENDS, TARGETS

if TYPE_CHECKING:
    import pandas as pd

GB = 10**9


@dataclass(frozen=True)
class Shape:
    """What a decoder's numbers are counted from."""

    name: str
    layers: int  # L
    hidden: int  # D, the width
    intermediate: int  # F, the width inside the MLP
    vocabulary: int  # V, tokens known
    heads: int  # of attention
    kv_heads: int  # fewer where heads share keys and values (Ainslie et al. 2023, arXiv 2305.13245)
    tied: bool = False  # whether the output layer is the embeddings once more
    gated: bool = True  # whether the MLP has three matrices (Shazeer 2020, arXiv 2002.05202) or two
    positions: int = 0  # that are learned; 0 where positions are turned into angles

    @property
    def key_width(self) -> int:
        """Numbers in the keys of one token in one block; its values have as many."""
        return self.hidden // self.heads * self.kv_heads

    def matrices(self) -> dict[str, tuple[str, int, int]]:
        """The linear layers of a block: name -> (attention or mlp, numbers in, numbers out)."""
        d, kv, f = self.hidden, self.key_width, self.intermediate
        attention = {"q_proj": (d, d), "k_proj": (d, kv), "v_proj": (d, kv), "o_proj": (d, d)}
        mlp = {"up_proj": (d, f), "down_proj": (f, d)} | ({"gate_proj": (d, f)} if self.gated else {})
        groups = {"attention": attention, "mlp": mlp}
        return {name: (group, *size) for group, sizes in groups.items() for name, size in sizes.items()}

    @property
    def linear(self) -> int:
        """Numbers in the blocks' linear layers: what a 4-bit format packs."""
        return self.layers * sum(into * out for _, into, out in self.matrices().values())

    @property
    def other(self) -> int:
        """Embeddings, output layer, norms; biases, a thousandth at most, are not counted."""
        words = self.vocabulary * self.hidden * (1 if self.tied else 2) + self.positions * self.hidden
        return words + (2 * self.layers + 1) * self.hidden

    @property
    def parameters(self) -> int:
        """All numbers of the model."""
        return self.linear + self.other


# Touvron et al. 2023, arXiv 2302.13971 (65B) and 2307.09288 (the others); Brown et al. 2020, arXiv 2005.14165.
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("7B", 32, 4096, 11008, 32000, 32, 32),
        Shape("13B", 40, 5120, 13824, 32000, 40, 40),
        Shape("70B", 80, 8192, 28672, 32000, 64, 8),
        Shape("65B", 80, 8192, 22016, 32000, 64, 64),
        Shape("GPT-3 175B", 96, 12288, 49152, 50257, 96, 96, tied=True, gated=False, positions=2048),
    )
}


@dataclass(frozen=True)
class Precision:
    """Bytes of one number that is trained."""

    weight: int  # itself, as it computes; a frozen one has nothing else
    gradient: int
    optimizer: int  # what AdamW keeps: two numbers, and with mixed precision a copy of the weight in fp32


PRECISIONS = {
    "fp32": Precision(4, 4, 8),  # the course, on most CPUs
    "mixed": Precision(2, 2, 12),  # Rajbhandari et al. 2020, ZeRO (arXiv 1910.02054), section 3.1: 16 bytes
    "16-bit": Precision(2, 2, 8),  # 12 bytes, which "more than 780 GB" for 65B come to (arXiv 2305.14314, section 1)
    "16-bit states": Precision(2, 0, 4),  # weights and Adam alone, which LoRA's "up to 2/3" compares (2106.09685, 4.2)
}


@dataclass(frozen=True)
class Memory:
    """Bytes that training holds at its peak, by what holds them."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations

    @property
    def gb(self) -> float:
        """The total, in GB."""
        return self.total / GB


def model_shape(model: ChatModel) -> Shape:
    """The shape of a loaded model built like Llama."""
    expect_model("model_shape", model)
    try:
        config = model.config
        return Shape(
            model.name, config.num_hidden_layers, config.hidden_size, config.intermediate_size, config.vocab_size,
            config.num_attention_heads, config.num_key_value_heads, config.tie_word_embeddings,
        )  # fmt: skip
    except AttributeError as error:
        raise CourseError(f"{model.name} is not built like Llama ({error}): write its memory.Shape by hand.") from error


def trained_parameters(
    shape: Shape, method: str = "lora", rank: int = 8, targets: str = "all", layers: str = "all"
) -> int:
    """How many numbers a method trains; rank, targets and layers are as `finetune` takes them.

    - full: all of them;
    - LoRA and QLoRA: rank · (in + out) for each adapted matrix (Hu et al. 2021, arXiv 2106.09685, section 4.1);
    - adapter: 2 · D · rank behind attention and behind the MLP (Houlsby et al. 2019, arXiv 1902.00751, section 2.1);
    - prompt: rank · D (Lester et al. 2021, arXiv 2104.08691);
    - prefix: rank · 2 · (width of keys) in each layer (Li & Liang 2021, arXiv 2101.00190).
    """
    choose("method", method, METHODS)
    choose("targets", targets, TARGETS)
    choose("layers", layers, LAYERS)
    whole_above_zero(rank=rank)
    if method == "full":
        return shape.parameters
    if method == "prompt":
        return rank * shape.hidden
    if method == "prefix":
        return rank * 2 * shape.layers * shape.key_width
    blocks = shape.layers if layers == "all" else shape.layers - shape.layers // 2
    chosen = {name: sizes for name, (group, *sizes) in shape.matrices().items() if targets in ("all", group)}
    if method == "adapter":
        return blocks * sum(2 * out * rank for name, (_, out) in chosen.items() if name in SUBLAYER_ENDS)
    return blocks * rank * sum(map(sum, chosen.values()))


def training_memory(
    shape: Shape,
    method: str = "lora",
    rank: int = 8,
    targets: str = "all",
    layers: str = "all",
    *,
    precision: str = "mixed",
    tokens: int = 2048,
    checkpointing: bool = True,
) -> Memory:
    """Bytes that training needs, from a model's shape alone.

    - weights: N · bytes of a weight, and the trained numbers beside them; with QLoRA the linear layers take
      4.127 / 8 bytes a number (NF4, double quantized; `bits_per_weight`);
    - gradients and optimizer: of trained numbers only, which is all that LoRA saves;
    - activations: for each token and block 34 · D numbers of a byte in 16 bits (twice that in fp32), or, with
      checkpointing, 2 · D for each block and 34 · D for one of them (Korthikanti et al. 2022, arXiv 2205.05198,
      sections 4.1 and 5; attention computed without its T x T matrix). Only blocks that a gradient flows through
      count: with `layers="upper"` half of them.

    What the formula leaves out: logits, what libraries and the card's driver take, and memory lost between blocks.
    Expect a tenth or more on top.

    Rank, targets and layers are as `finetune` takes them, `precision` is one of `PRECISIONS`, `tokens` are those of one
    step (examples times their length). With checkpointing a block's activations are computed a second time, not kept.
    """
    trained = trained_parameters(shape, method, rank, targets, layers)
    each = PRECISIONS[choose("precision", precision, PRECISIONS)]
    whole_above_zero(tokens=tokens)
    linear = shape.linear * (bits_per_weight("nf4", double=True) / 8 if method == "qlora" else each.weight)
    added = 0 if method == "full" else trained
    blocks = shape.layers - (shape.layers // 2 if layers == "upper" else 0)
    a_block = 34 * shape.hidden * tokens * each.weight / 2
    kept = 2 * shape.hidden * tokens * blocks * each.weight / 2 + a_block if checkpointing else a_block * blocks
    return Memory(
        weights=linear + (shape.other + added) * each.weight,
        gradients=trained * each.gradient,
        optimizer=trained * each.optimizer,
        activations=kept,
    )


def memory_table(shapes: Iterable[Shape]) -> pd.DataFrame:
    """GB that each model (some of `SHAPES`, or a `model_shape`) needs: one row a method, one column a model."""
    import pandas as pd

    methods = ("full", "lora", "qlora")
    table = {shape.name: [round(training_memory(shape, method).gb, 1) for method in methods] for shape in shapes}
    return pd.DataFrame(table, index=list(methods)).rename_axis("GB")

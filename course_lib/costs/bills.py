"""What computing costs, worked out from a model's shape: FLOPs, keys and values in memory, money.

A FLOP is one multiplication or one addition, so a matrix product counts two for each of the matrix's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from course_lib.core.errors import CourseError, above_zero, check_share, choose, not_below_zero
from course_lib.costs.memory import Shape, trained_parameters, training_memory
from course_lib.costs.prices import Card, Prices
from course_lib.training.methods import LAYERS, METHODS

if TYPE_CHECKING:
    import pandas as pd

# Of a card's peak, what training of large models reached: GPT-3 21%, Gopher 33%, Megatron-Turing 30%, PaLM 46%
# (Chowdhery et al. 2022, arXiv 2204.02311, table 3). Fine-tuning with short examples on one card can be far below.
UTILISATION = 0.3
# Seed 002, "Cost Involved": what it says a 7B model costs on 100k examples, in USD, from and to.
SEED_FIGURES = {"lora": (500, 2000), "full": (20000, None)}
SEED_EXAMPLES = 100_000
# What the seed does not say: on which card, how long an example is, and how often it is read.
SEED_CARDS, EXAMPLE_TOKENS, EPOCHS = ("A100 SXM 80 GB", "H100 SXM"), (250, 1000), (1, 3)


def forward_flops(shape: Shape, tokens: float, length: float = 0, logits: float = 1.0) -> float:
    """FLOPs of reading tokens once: 2 N a token, and attention (Kaplan et al. 2020, arXiv 2001.08361, table 1).

    N counts the matrices that a token is multiplied with: those of the blocks, and the output layer. Looking an
    embedding up costs nothing. `length` is that of the text which each token stands in: attention takes
    2 · L · D · length FLOPs a token more (0 leaves it out; below some thousand tokens it is little). `logits` is the
    share of the tokens that the output layer is applied to.
    """
    each = 2 * shape.linear + 2 * logits * shape.vocabulary * shape.hidden + 2 * shape.layers * shape.hidden * length
    return tokens * each


def training_flops(
    shape: Shape,
    tokens: float,
    method: str = "lora",
    rank: int = 8,
    targets: str = "all",
    layers: str = "all",
    *,
    length: float = 0,
    logits: float = 1.0,
    checkpointing: bool = False,
) -> float:
    """FLOPs of training on so many tokens, prompts included and all passes over the data counted.

    Forward is 2 N a token. Backward is 2 N for the gradients of activations and 2 N for those of weights: **6 N** in
    all for full fine-tuning (Kaplan et al. 2020, arXiv 2001.08361, section 2.1; Hoffmann et al. 2022, arXiv
    2203.15556, appendix F). Where the weights are frozen, their gradients are never computed: **4 N**, and 6 for each
    number that is trained beside them (LoRA: Hu et al. 2021, arXiv 2106.09685, measure a quarter less time on GPT-3,
    section 4.2). With `layers="upper"` nothing flows back through the lower half of the blocks. Checkpointing reads the
    blocks once more: 2 N (Korthikanti et al. 2022, arXiv 2205.05198).

    Not counted: the optimizer, which is bound by memory; QLoRA's unpacking of weights; the virtual tokens of "prompt"
    and "prefix".
    """
    choose("method", method, METHODS)
    choose("layers", layers, LAYERS)
    above_zero(tokens=tokens)
    forward = forward_flops(shape, tokens, length, logits)
    head = 2 * tokens * logits * shape.vocabulary * shape.hidden
    blocks = forward - head
    back = (1 - shape.layers // 2 / shape.layers if layers == "upper" else 1) * blocks + head
    total = forward + back + (blocks if checkpointing else 0)
    if method == "full":
        return total + forward
    beside = 0 if method in ("prompt", "prefix") else trained_parameters(shape, method, rank, targets, layers)
    return total + 6 * beside * tokens


def generation_flops(shape: Shape, prompt_tokens: float, completion_tokens: float) -> float:
    """FLOPs of one answer: 2 N for each token read or written, and attention to all before it."""
    read = forward_flops(shape, prompt_tokens, prompt_tokens, logits=1 / max(prompt_tokens, 1))
    return read + forward_flops(shape, completion_tokens, 2 * prompt_tokens + completion_tokens)


def kv_cache_bytes(shape: Shape, tokens: float) -> float:
    """Bytes of the keys and values of all texts answered at once: 2 · L · (width of keys) numbers of 2 bytes a token.

    Pope et al. 2022, arXiv 2211.05102, section 2.
    """
    return 2 * shape.layers * shape.key_width * tokens * 2


@dataclass(frozen=True)
class Bill:
    """What one training run costs on a kind of card."""

    flops: float  # of the whole run
    memory: float  # bytes at its peak: weights, optimizer and activations together
    cards: int  # how many are needed to hold that
    hours: float  # of one card: with two cards each works half of them
    usd: float  # hours at the price


def training_bill(
    shape: Shape,
    card: Card,
    tokens: float,
    method: str = "lora",
    *,
    usd_per_hour: float | None = None,
    utilisation: float = UTILISATION,
) -> Bill:
    """Memory, time and money of a run with checkpointing: seconds = FLOPs / (peak · utilisation).

    `tokens` are those read in all: examples times their length times epochs. A card's hour costs the cheapest that its
    prices know unless said otherwise; `utilisation` is the share of its peak that the run reaches.
    """
    flops = training_flops(shape, tokens, method, checkpointing=True)
    memory = training_memory(shape, method).total
    price = card.cheapest if usd_per_hour is None else usd_per_hour
    above_zero(usd_per_hour=price)
    hours = flops / (card.peak * check_share("utilisation", utilisation)) / 3600
    return Bill(flops, memory, math.ceil(memory / card.memory), hours, hours * price)


def seed_figures(prices: Prices, shape: Shape) -> pd.DataFrame:
    """The seeds' two prices beside what the arithmetic gives, for token counts that they do not state.

    What the arithmetic holds is one run, on rented cards, with everything ready, and with checkpointing, which costs a
    forward pass more and saves memory. One row for each method, card, length of an example and number of epochs: tokens
    in millions, cards, hours of one card, USD at the cheapest and the dearest price, what the seed says, and `runs for
    it`: how many such runs its (lower) figure buys at the dearest. That is the room in it for all else, such as
    settings that are tried, runs that fail, evaluation, storage, cards that wait, the examples themselves, and people.
    """
    import pandas as pd

    rows = []
    for (method, (low, high)), name, length, epochs in product(
        SEED_FIGURES.items(), SEED_CARDS, EXAMPLE_TOKENS, EPOCHS
    ):
        card, tokens = prices.card(name), SEED_EXAMPLES * length * epochs
        cheap, dear = (
            training_bill(shape, card, tokens, method, usd_per_hour=ask(card.hourly.values())) for ask in (min, max)
        )
        rows.append({
            "method": method, "card": name, "tokens an example": length, "epochs": epochs,
            "million tokens": tokens / 1e6, "cards": cheap.cards, "hours": round(cheap.hours, 1),
            "USD from": round(cheap.usd, 2), "USD to": round(dear.usd, 2),
            "the seed says": f"{low:,} to {high:,}" if high else f"over {low:,}",
            "runs for it": round(low / dear.usd, 1),
        })  # fmt: skip
    return pd.DataFrame(rows)


def question_cost(prompt_tokens: float, completion_tokens: float, usd_input: float, usd_output: float) -> float:
    """USD of one question; the prices are for a million tokens."""
    not_below_zero(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    above_zero(usd_input=usd_input, usd_output=usd_output)
    return (prompt_tokens * usd_input + completion_tokens * usd_output) / 1e6


def break_even_volume(rag: float, tuned: float, fixed_usd: float) -> float:
    """Questions from which a fine-tuned model is cheaper: its fixed cost over what each question saves.

    `rag` and `tuned` are USD a question (`question_cost`), `fixed_usd` what the fine-tuned model costs before its first
    one: training, as often as the facts change. Infinity where the fine-tuned model's question is no cheaper.
    """
    not_below_zero(rag=rag, tuned=tuned, fixed_usd=fixed_usd)
    return fixed_usd / (rag - tuned) if rag > tuned else math.inf


def annual_costs(
    volumes: Sequence[int], question_usd: Mapping[str, float], fixed_usd: Mapping[str, float]
) -> pd.DataFrame:
    """USD a year, labour included: one row for a number of questions a year, one column for each candidate.

    `question_usd` is what one question costs each (`question_cost`); `fixed_usd` what is paid in a year whoever asks:
    trainings, and people's hours (0 for whom it does not name). Whether all answer as well is the exams' business.
    """
    import pandas as pd

    if not len(volumes):
        raise CourseError("annual_costs needs at least one volume: a number of questions.")
    for volume in volumes:
        above_zero(volume=volume)
    if unknown := [name for name in fixed_usd if name not in question_usd]:
        raise CourseError(f"{unknown[0]!r} has fixed costs and no price of a question.")
    for usd in (*question_usd.values(), *fixed_usd.values()):
        not_below_zero(usd=usd)
    table = {name: [fixed_usd.get(name, 0) + volume * usd for volume in volumes] for name, usd in question_usd.items()}
    return pd.DataFrame(table, index=pd.Index(volumes, name="questions a year"))

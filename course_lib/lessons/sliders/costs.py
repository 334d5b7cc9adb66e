"""Sliders on what a training run costs: model, method, data, card; memory, hours and money beneath."""

from __future__ import annotations

from functools import partial

from course_lib.core.errors import above_zero, choose
from course_lib.costs.bills import UTILISATION, training_bill
from course_lib.costs.memory import GB, SHAPES
from course_lib.costs.prices import Prices
from course_lib.display.playground import panel, show
from course_lib.training.methods import METHODS

EXAMPLES = (100, 1_000, 10_000, 100_000, 1_000_000)
EXAMPLE_TOKENS = (50, 100, 250, 500, 1_000, 2_000)
EPOCHS = (1, 2, 3, 5)


def cost_slider(
    prices: Prices,
    model: str | None = None,
    method: str = "lora",
    card: str = "A100 SXM 80 GB",
    examples: int = 100_000,
    example_tokens: int = 500,
    epochs: int = 3,
) -> None:
    """Choose model, method, card and data; see memory, hours and money of one run.

    A `model`, one of `cl.SHAPES`, says it without a widget. There are so many examples of so many tokens, each read
    once in an epoch.
    """
    choose("method", method, METHODS)
    choose("card", card, prices.items("peak"))
    text = (
        "Choose model, method, card and data. Without widgets: "
        f'sliders.cost_slider(prices, model="7B", method="{method}", card="{card}", examples=100_000)'
    )
    controls = {
        "model": (list(SHAPES), next(iter(SHAPES))),
        "method": (list(METHODS), method),
        "card": (prices.items("peak"), card),
        "examples": (EXAMPLES, 100_000),
        "tokens each": (EXAMPLE_TOKENS, 500),
        "epochs": (EPOCHS, 3),
    }
    cost = partial(_one_run, prices)
    answer = None if model is None else cost(model, method, card, examples, example_tokens, epochs)
    show(lambda: panel(controls, cost, columns=3), text, answer)


def _one_run(
    prices: Prices, model: str, method: str, card: str, examples: int, example_tokens: int, epochs: int
) -> str:
    above_zero(examples=examples, example_tokens=example_tokens, epochs=epochs)
    shape, on = SHAPES[choose("model", model, SHAPES)], prices.card(card)
    tokens = examples * example_tokens * epochs
    cheap, dear = (
        training_bill(shape, on, tokens, method, usd_per_hour=price) for price in (on.cheapest, max(on.hourly.values()))
    )
    by = sorted(on.hourly, key=lambda name: on.hourly[name])
    usd = f"{cheap.usd:,.2f} to {dear.usd:,.2f} USD ({by[0]} to {by[-1]})"
    if len(by) == 1:
        usd = f"{cheap.usd:,.2f} USD ({by[0]}, the one price known)"
    cards = f"{cheap.cards} card{'s' * (cheap.cards > 1)} of {on.memory / GB:.0f} GB"
    return (
        f"{model}, {method}, {tokens / 1e6:,.0f} million tokens on {card}\n"
        f"compute:  {cheap.flops:.2g} FLOPs; {cheap.hours:,.1f} hours of one card at {UTILISATION:.0%} of its peak\n"
        f"memory:   {cheap.memory / GB:,.0f} GB: {cards}\n"
        f"money:    {usd}; one run, everything ready"
    )

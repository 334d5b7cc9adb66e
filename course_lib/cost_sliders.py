"""Sliders on what a training run costs: model, method, data, card; memory, hours and money beneath."""

from __future__ import annotations

import html
from typing import Any

from course_lib._amounts import above_zero
from course_lib.compute_costs import UTILISATION, training_bill
from course_lib.costs import GB, SHAPES
from course_lib.errors import choose
from course_lib.methods import METHODS
from course_lib.prices import Prices
from course_lib.progress import in_notebook
from course_lib.widgets import show_widget

__all__ = ["cost_slider"]

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
    utilisation: float = UTILISATION,
) -> None:
    """Choose model, method, card and data; see memory, hours and money of one run.

    Parameters
    ----------
    prices
        `cl.load_prices()`.
    model
        One of `cl.SHAPES`. A model says it without a widget, and prints.
    method, card
        One of the methods of `finetune`, and of the cards in the price file.
    examples, example_tokens, epochs
        How many there are, how long each is, and how often it is read.
    utilisation
        Share of the card's peak that the run reaches.

    Raises
    ------
    ChoiceError
        For an unknown model, method or card.
    CourseError
        For a number that makes no sense.
    """
    if model is not None:
        print(_described(prices, model, method, card, examples, example_tokens, epochs, utilisation))
        return
    choose("method", method, METHODS)
    choose("card", card, prices.items("peak"))
    text = (
        "Choose model, method, card and data. Without widgets: "
        f'cl.cost_slider(prices, model="7B", method="{method}", card="{card}", examples=100_000)'
    )
    show_widget(_sliders(prices, method, card, utilisation) if in_notebook() else None, text)


def _sliders(prices: Prices, method: str, card: str, utilisation: float) -> Any:
    import ipywidgets as w

    def slider(label: str, values: tuple[int, ...], start: int) -> Any:
        options = [(f"{value:,}", value) for value in values]
        return w.SelectionSlider(options=options, value=start, description=label, continuous_update=False)

    controls = [
        w.Dropdown(options=list(SHAPES), value=next(iter(SHAPES)), description="model"),
        w.Dropdown(options=list(METHODS), value=method, description="method"),
        w.Dropdown(options=prices.items("peak"), value=card, description="card"),
        slider("examples", EXAMPLES, 100_000),
        slider("tokens each", EXAMPLE_TOKENS, 500),
        slider("epochs", EPOCHS, 3),
    ]
    said = w.HTML()

    def describe(_: Any = None) -> None:
        text = _described(prices, *(control.value for control in controls), utilisation)
        said.value = "<br>".join(html.escape(line) for line in text.splitlines())

    for control in controls:
        control.observe(describe, "value")
    describe()
    return w.VBox([w.HBox(controls[:3]), w.HBox(controls[3:]), said])


def _described(
    prices: Prices, model: str, method: str, card: str, examples: int, example_tokens: int, epochs: int,
    utilisation: float,
) -> str:  # fmt: skip
    """One run in words."""
    above_zero(examples=examples, example_tokens=example_tokens, epochs=epochs)
    shape, on = SHAPES[choose("model", model, SHAPES)], prices.card(card)
    tokens = examples * example_tokens * epochs
    cheap, dear = (
        training_bill(shape, on, tokens, method, usd_per_hour=price, utilisation=utilisation)
        for price in (on.cheapest, max(on.hourly.values()))
    )
    by = sorted(on.hourly, key=lambda name: on.hourly[name])
    usd = f"{cheap.usd:,.2f} to {dear.usd:,.2f} USD ({by[0]} to {by[-1]})"
    if len(by) == 1:
        usd = f"{cheap.usd:,.2f} USD ({by[0]}, the one price known)"
    return "\n".join(
        [
            f"{model}, {method}, {tokens / 1e6:,.0f} million tokens on {card}",
            f"compute:  {cheap.flops:.2g} FLOPs; {cheap.hours:,.1f} hours of one card at {utilisation:.0%} of its peak",
            f"memory:   {cheap.memory / GB:,.0f} GB: {cheap.cards} card{'s' * (cheap.cards > 1)} of "
            f"{on.memory / GB:.0f} GB",
            f"money:    {usd}; one run, everything ready",
        ]
    )

"""What cards can do and what computing costs, each figure with where it was read and when: `data/prices.yaml`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.rows import Text, checked, one_of, read_yaml
from course_lib.core.session import data_dir

if TYPE_CHECKING:
    import pandas as pd

SPARSE = "TFLOP/s with sparsity"
# What a row may say, and in which units.
UNITS = {
    "peak": ("TFLOP/s", SPARSE),
    "memory": ("GB",),
    "bandwidth": ("GB/s",),
    "hour": ("USD per hour",),
    "input": ("USD per million tokens",),
    "cached input": ("USD per million tokens",),
    "output": ("USD per million tokens",),
    "training": ("USD per million tokens",),
}


@dataclass(frozen=True)
class Price:
    """One row: a figure, its unit, who asks it (`by`, for prices), where it was read, and when."""

    item: Text
    what: Annotated[str, one_of(UNITS)]
    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit: Text
    source: Text
    date: date
    by: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS[self.what]:
            raise DataError(f"unit is {self.unit!r}: for {self.what} it is {' or '.join(UNITS[self.what])}.")
        if self.is_price and not self.by.strip():
            raise DataError("a price needs `by`: who asks it.")

    @property
    def is_price(self) -> bool:
        """Prices go out of date; what a card can do does not."""
        return self.unit.startswith("USD")


@dataclass(frozen=True)
class Card:
    """A graphics card."""

    name: str
    peak: float  # FLOP/s of dense matrices in 16 bits
    memory: float  # bytes
    bandwidth: float  # bytes a second
    hourly: Mapping[str, float]  # who rents it out -> USD an hour

    @property
    def cheapest(self) -> float:
        """USD an hour, of those who were asked; a DataError if nobody was."""
        if not self.hourly:
            raise DataError(f"data/prices.yaml has no hourly price for {self.name}: add one, with its source and date.")
        return min(self.hourly.values())


@dataclass(frozen=True)
class Prices:
    """All rows of a price file."""

    rows: tuple[Price, ...]

    def get(self, item: str, what: str) -> Price:
        """The row for an item; of several askers the cheapest."""
        about = [row for row in self.rows if row.item == choose("item", item, self.items())]
        choose(f"{item}:", what, sorted({row.what for row in about}))
        return min((row for row in about if row.what == what), key=lambda row: row.value)

    def items(self, what: str | None = None) -> list[str]:
        """The items that there is a row about, or a row that says `what`; in the file's order."""
        return list(dict.fromkeys(row.item for row in self.rows if what in (None, row.what)))

    def card(self, name: str) -> Card:
        """A card with its prices."""
        choose("card", name, self.items("peak"))
        peak = self.get(name, "peak")
        dense = peak.value / 2 if peak.unit == SPARSE else peak.value
        memory, bandwidth = (self.get(name, what).value for what in ("memory", "bandwidth"))
        hourly = {row.by: row.value for row in self.rows if (row.item, row.what) == (name, "hour")}
        return Card(name, dense * 1e12, memory * 1e9, bandwidth * 1e9, hourly)

    def table(self) -> pd.DataFrame:
        """One line a row, with source and date."""
        import pandas as pd

        columns = ("item", "what", "by", "value", "unit", "date", "source")
        return pd.DataFrame([[getattr(row, name) for name in columns] for row in self.rows], columns=columns)


def load_prices(today: str | None = None, allow_old: bool = False) -> Prices:
    """Read `data/prices.yaml`; a DataError names the line that is malformed, or the oldest of prices out of date.

    Prices must not be older on the day `today` ("2026-11-25"; the real one unless said otherwise) than the file allows.
    With `allow_old` they are warned of instead of refused.
    """
    path = data_dir() / "prices.yaml"
    try:
        day = date.today() if today is None else date.fromisoformat(today)
    except (TypeError, ValueError) as error:
        raise CourseError(f"today is {today!r}: give a date such as '2026-11-25'.") from error
    days, rows = _read(path)
    prices = [checked(Price, row, f"{path}, line {line}", "Correct the row.") for line, row in rows]
    old = [row for row in prices if row.is_price and (day - row.date).days > days]
    if old:
        first = min(old, key=lambda row: row.date)
        said = (
            f"{len(old)} of the prices in {path} are out of date: that of {first.item} by {first.by} is of "
            f"{first.date}, more than {days} days before {day}"
        )
        if not allow_old:
            raise DataError(f"{said}; read their sources again, or pass allow_old=True.")
        warnings.warn(f"{said}.", stacklevel=2)
    return Prices(tuple(prices))


def _read(path: Path) -> tuple[int, list[tuple[int, Any]]]:
    """The days that a price may be old, and each row with its line."""
    import yaml

    whole = read_yaml(path)
    if not isinstance(whole, dict) or not isinstance(whole.get("rows"), list) or not whole["rows"]:
        raise DataError(f"{path} must hold max_age_days and a list of rows.")
    days = whole.get("max_age_days")
    if type(days) is not int or days < 1:
        raise DataError(f"{path}: max_age_days is {days!r}: it must be a whole number above 0.")
    nodes = yaml.compose(path.read_text(encoding="utf-8")).value
    lines = next(value for key, value in nodes if key.value == "rows").value
    return days, [(node.start_mark.line + 1, row) for node, row in zip(lines, whole["rows"])]

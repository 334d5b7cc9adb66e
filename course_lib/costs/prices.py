"""What cards can do and what computing costs, each figure with where it was read and when: `data/prices.yaml`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from course_lib.core.errors import CourseError, DataError, choose
from course_lib.core.rows import Text, checked, one_of
from course_lib.core.session import data_dir

if TYPE_CHECKING:
    import pandas as pd


SPARSE = "TFLOP/s with sparsity"


CORRECT = "Correct the row."


# What a row may say, and in which units.
UNITS = {
    "peak": ("TFLOP/s", SPARSE),
    "memory": ("GB",),
    "bandwidth": ("GB/s",),
    "hour": ("USD per hour",),
    "input": ("USD per million tokens",),
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
    """A graphics card.

    Attributes
    ----------
    peak
        FLOP/s of dense matrices in 16 bits.
    memory, bandwidth
        Bytes, and bytes a second.
    hourly
        Who rents it out -> USD an hour.
    """

    name: str
    peak: float
    memory: float
    bandwidth: float
    hourly: Mapping[str, float] = field(default_factory=dict)

    @property
    def cheapest(self) -> float:
        """USD an hour, of those who were asked.

        Raises
        ------
        DataError
            If nobody's price is known.
        """
        if not self.hourly:
            raise DataError(f"data/prices.yaml has no hourly price for {self.name}: add one, with its source and date.")
        return min(self.hourly.values())


@dataclass(frozen=True)
class Prices:
    """All rows of a price file."""

    rows: tuple[Price, ...]

    def get(self, item: str, what: str, by: str | None = None) -> Price:
        """The row for an item; of several askers the cheapest, unless one is named.

        Raises
        ------
        ChoiceError
            If no row is about that item, no row of it says that, or nobody of that name asks for it.
        """
        about = [row for row in self.rows if row.item == choose("item", item, self.items())]
        said = [row for row in about if row.what == choose(f"{item}:", what, sorted({row.what for row in about}))]
        if by is not None:
            choose(f"{what} of {item} by", by, [row.by for row in said])
        return min((row for row in said if by in (None, row.by)), key=lambda row: row.value)

    def items(self, what: str | None = None) -> list[str]:
        """The items that there is a row about, or a row that says `what`; in the file's order."""
        return list(dict.fromkeys(row.item for row in self.rows if what in (None, row.what)))

    def card(self, name: str) -> Card:
        """A card with its prices; raises ChoiceError for one that is not in the file."""
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


def load_prices(path: str | Path | None = None, today: date | str | None = None, allow_old: bool = False) -> Prices:
    """Read the price file.

    Parameters
    ----------
    path
        The course's own, `data/prices.yaml`, unless said otherwise.
    today
        The day on which prices must not be older than the file allows ("2026-11-25", or a date); the real one unless
        said otherwise.
    allow_old
        Warn of prices that are out of date instead of refusing them.

    Raises
    ------
    DataError
        For a file that is missing or no YAML; for a malformed row, by its line; for prices out of date.
    CourseError
        If `today` is no date.
    """
    path = Path(path) if path is not None else data_dir() / "prices.yaml"
    days, rows = _read(path)
    prices = Prices(tuple(checked(Price, row, f"{path}, line {line}", CORRECT) for line, row in rows))
    _check_age(path, prices, days, _day(today), allow_old)
    return prices


def _read(path: Path) -> tuple[int, list[tuple[int, dict[str, Any]]]]:
    """The days that a price may be old, and each row with its line."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        whole, nodes = yaml.safe_load(text), yaml.compose(text)
    except FileNotFoundError as error:
        raise DataError(f"there is no price file {path}: name another, or take the course's own.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read as YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("rows"), list) or not whole["rows"]:
        raise DataError(f"{path} must hold max_age_days and a list of rows.")
    days = whole.get("max_age_days")
    if not isinstance(days, int) or isinstance(days, bool) or days < 1:
        raise DataError(f"{path}: max_age_days is {days!r}: it must be a whole number above 0.")
    lines = next(value for key, value in nodes.value if key.value == "rows").value
    return days, [(node.start_mark.line + 1, row) for node, row in zip(lines, whole["rows"])]


def _day(today: date | str | None) -> date:
    if today is None:
        return date.today()
    try:
        return today if isinstance(today, date) else date.fromisoformat(today)
    except (TypeError, ValueError) as error:
        raise CourseError(f"today is {today!r}: give a date such as '2026-11-25'.") from error


def _check_age(path: Path, prices: Prices, days: int, today: date, allow_old: bool) -> None:
    old = [row for row in prices.rows if row.is_price and (today - row.date).days > days]
    if not old:
        return
    first = min(old, key=lambda row: row.date)
    said = (
        f"{len(old)} of the prices in {path} are out of date: that of {first.item} by {first.by} is of {first.date}, "
        f"more than {days} days before {today}"
    )
    if allow_old:
        warnings.warn(f"{said}.", stacklevel=3)
        return
    raise DataError(f"{said}; read their sources again, or pass allow_old=True.")

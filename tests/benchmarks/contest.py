"""What the benchmarks share: contenders take turns, because machines are noisy, and their medians are compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable

# A contender does its work once, and says for how many seconds and with which losses.
Contender = Callable[[], tuple[float, list[float]]]


def contest(contenders: dict[str, Contender], rounds: int, against: str) -> None:
    """Print what each does in each round, and its median as a multiple of the speed of one of them."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            elapsed, losses = run()
            seconds[name].append(elapsed)
            print(f"{name:20} {elapsed:6.1f} s  first loss {losses[0]:.4f}  last {losses[-1]:.4f}", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\nmedian of {rounds}")
    for name, value in medians.items():
        print(f"{name:20} {value:6.1f} s  x{medians[against] / value:.2f} of {against}")

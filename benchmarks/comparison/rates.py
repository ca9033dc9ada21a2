"""Rates of false alarms, their exact intervals, and settings that are matched to a rate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from benchmarks.comparison.contestant import WINDOW, Contestant, WindowContestant
from benchmarks.comparison.streams import NULLS, make_null

__all__ = ["TARGETS", "Rate", "match", "measure_rate", "poisson_interval"]

#: False alarms a million items at which contestants are compared.
TARGETS = (10, 1)
_PIECE = 100_000
#: Fewer alarms than this at a setting say too little of its rate to extrapolate from.
_ENOUGH = 5


def poisson_interval(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Exact bounds of a rate (Garwood 1936)."""
    tail = (1 - level) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - tail, 2 * count + 2) / 2
    return float(low) / exposure, float(high) / exposure


@dataclass
class Rate:
    """False alarms of `items` items, and the CPU seconds that they cost."""

    alarms: int = 0
    items: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """With the rate a million items and its interval."""
        low, high = poisson_interval(self.alarms, self.items / 1e6)
        return {
            "alarms": self.alarms,
            "items": self.items,
            "rate": self.alarms / self.items * 1e6,
            "low": low,
            "high": high,
            "ns": self.seconds / self.items * 1e9,
        }


def measure_rate(
    contestant: Contestant,
    setting: float | None,
    null: str,
    seconds: float,
    seed: int,
    most: int = 20_000_000,
) -> Rate:
    """Alarms on streams of 100,000 items, each with its own reference, till time is up."""
    rate = Rate()
    kind = NULLS[null][0]
    reference, values = make_null(null, 1_000_000 * seed, 2_000)
    # Compiling and starting a Java machine are no cost of a value.
    contestant.null_run(contestant.prepare(reference, kind), values, setting, math.inf)
    deadline = time.perf_counter() + seconds
    for piece in range(most // _PIECE):
        reference, values = make_null(null, 1_000_000 * seed + piece, _PIECE)
        prepared = contestant.prepare(reference, kind)
        start = time.process_time()
        run = contestant.null_run(prepared, values, setting, deadline)
        rate.seconds += time.process_time() - start
        rate.alarms += len(run.alarms)
        rate.items += run.items
        if time.perf_counter() > deadline:
            break
    return rate


def match(contestant: Contestant, null: str, seconds: float, seed: int) -> dict[int, float]:
    """Settings for `TARGETS`; empty where the contestant has none or is too slow."""
    if contestant.promised:
        return {target: contestant.promised[target] for target in TARGETS}
    if isinstance(contestant, WindowContestant):
        return _by_quantile(contestant, null, seconds, seed)
    if not contestant.ladder:
        return {}
    rates = [
        measure_rate(contestant, setting, null, seconds / len(contestant.ladder), seed)
        for setting in contestant.ladder
    ]
    return _by_line(contestant, rates)


def _by_quantile(
    contestant: WindowContestant, null: str, seconds: float, seed: int
) -> dict[int, float]:
    kind = NULLS[null][0]
    deadline = time.perf_counter() + seconds
    found: list[np.ndarray] = []
    piece = 0
    while time.perf_counter() < deadline and piece < 1_000:
        reference, values = make_null(null, 1_000_000 * seed + piece, 20 * WINDOW)
        found.append(contestant.statistics(contestant.prepare(reference, kind), values, deadline))
        piece += 1
    statistics = np.concatenate(found)
    tails = {target: target * WINDOW / 1e6 for target in TARGETS}
    return {
        target: float(np.quantile(statistics, 1 - tail))
        for target, tail in tails.items()
        if tail * statistics.size >= 1
    }


def _by_line(contestant: Contestant, rates: list[Rate]) -> dict[int, float]:
    """Poisson regression of the log rate, on the strictest settings that had enough alarms."""
    at = [math.log(s) if contestant.log else s for s in contestant.ladder]
    rich = [i for i, rate in enumerate(rates) if rate.alarms >= _ENOUGH]
    if len(rich) < 2:
        return {}
    use = sorted({*rich[-3:], *range(rich[-1] + 1, len(rates))})  # poor ones after them bound it
    x = np.array([at[i] for i in use])
    alarms = np.array([rates[i].alarms for i in use])
    items = np.array([rates[i].items for i in use]) / 1e6
    centre, scale = x.mean(), x.std() or 1.0
    z = (x - centre) / scale

    def loss(line: np.ndarray) -> float:
        log_mean = line[0] + line[1] * z
        return float((np.exp(log_mean) * items - alarms * log_mean).sum())

    start = np.array([math.log(alarms.sum() / items.sum()), -1.0 if z[-1] > z[0] else 1.0])
    a, b = optimize.minimize(loss, start, method="Nelder-Mead").x
    settings = {}
    for target in TARGETS:
        value = centre + scale * (math.log(target) - a) / b
        if math.isfinite(value) and (contestant.log or value > 0):
            settings[target] = math.exp(value) if contestant.log else value
    return settings

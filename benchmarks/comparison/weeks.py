"""False alarms a week and time in alarm on living streams, and what finding a shift takes."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.comparison.contestant import Contestant
from benchmarks.comparison.delays import summary
from benchmarks.comparison.living import AFTER, LIVING, QUIET, SHIFT, WATCHED, WEEK, Drawn, Living
from benchmarks.comparison.watched import Watch, Watcher, ours, trivial, tune, watchers_of
from benchmarks.gates.measured import mean_of, poisson, rate_of

__all__ = [
    "QUICK_PAINS",
    "TREATMENTS",
    "WITHOUT_LIBRARY",
    "Pains",
    "measure",
    "streams_of",
    "watchers",
]

#: How a contestant is used, and whether its setting is tuned and the season taken away before.
TREATMENTS = {
    "default": (False, False),
    "tuned": (True, False),
    "default, less season": (False, True),
    "tuned, less season": (True, True),
}
#: A run of some months takes them half a minute and more.
SLOW = ("river KSWIN", "frouros ADWIN")
#: Watchers that no library is imported for.
WITHOUT_LIBRARY = frozenset(w.name for w in (*ours(), *trivial()))
_NULL_SEED, _POWER_SEED = 40, 41


@dataclass(frozen=True)
class Pains:
    """CPU seconds of a cell, and the fewest and the most streams in it."""

    null: float = 1.0
    power: float = 1.0
    least: int = 3
    most: int = 20
    #: Of ours and the trivial ones: they are quick, and few alarms need many weeks.
    ours: int = 20

    def streams(self, setting: float | None) -> tuple[int, int]:
        """The fewest and the most; those without a setting are ours and the trivial ones."""
        return (self.ours, self.ours) if setting is None else (self.least, self.most)


QUICK_PAINS = Pains(null=0.1, power=0.1, least=2, most=2, ours=2)


def watchers(contestants: list[Contestant]) -> list[Watcher]:
    """Ours, the trivial ones, then those of the peers that take numbers and are quick enough."""
    quick = [contestant for contestant in contestants if contestant.name not in SLOW]
    return [*ours(), *trivial(), *(watcher for c in quick for watcher in watchers_of(c))]


def streams_of(watcher: Watcher) -> list[str]:
    """Those on which it differs from the others."""
    return [name for name, of in LIVING.items() if of.seasonal or not watcher.seasonal_only]


def measure(watcher: Watcher, pains: Pains, name: str) -> dict[str, Any]:
    """Every treatment of a stream that makes a difference to it."""
    warnings.simplefilter("ignore")
    stream = LIVING[name]
    cells: dict[str, Any] = {}
    for treatment, (tuned, less_season) in TREATMENTS.items():
        tunable = watcher.settings or watcher.statistics
        if ((tuned or less_season) and not tunable) or (less_season and not stream.seasonal):
            continue
        setting, watch = watcher.default, watcher.watch
        if tuned:
            setting, why = tune(watcher, stream, less_season)
            if setting is None:
                cells[treatment] = {"why_not": why}
                continue
            watch = watcher.tuned or watch
        cells[treatment] = {
            "setting": setting,
            "null": _null(watch, setting, stream, less_season, pains),
            "power": _power(watch, setting, stream, less_season, pains),
        }
    return cells


def _drawn(stream: Living, seed: int, run: int, less_season: bool, **more: Any) -> Drawn:
    made = stream.make(seed, run, **more)
    return made.less_season() if less_season else made


def _null(
    watch: Watch, setting: float | None, stream: Living, less_season: bool, pains: Pains
) -> dict[str, Any]:
    """Alarms a week where nothing changes, with an interval; one that is cut is the last."""
    start, least, most = time.process_time(), *pains.streams(setting)
    least = least if setting is None else 1  # weeks are many already
    counts: list[int] = []
    shares: list[float] = []
    items = 0
    for run in range(most):
        drawn = _drawn(stream, _NULL_SEED, run, less_season)
        seen = watch(drawn, setting, None, np.inf)
        cut = seen.items < drawn.values.size
        if cut and counts:
            break
        counts.append(seen.opened.size)
        items += seen.items
        shares += [] if seen.share is None else [seen.share]
        if cut or (run + 1 >= least and time.process_time() - start > pains.null):
            break
    weeks = items / WEEK
    if len(counts) == 1:
        rate, (low, high) = counts[0] / weeks, poisson(counts[0], weeks)
    else:
        rate, low, high = rate_of(np.array(counts), WATCHED)
    found = {
        "alarms": sum(counts),
        "weeks": weeks,
        "streams": len(counts),
        "rate": rate,
        "low": low,
        "high": high,
    }
    return found | ({"share": list(mean_of(np.array(shares)))} if shares else {})


def _power(
    watch: Watch, setting: float | None, stream: Living, less_season: bool, pains: Pains
) -> dict[str, Any] | None:
    """Items from a shift to the first alarm that opens after it; None if too slow.

    Where an alarm is open when the shift comes, it is neither found nor missed.
    """
    start, least, most = time.process_time(), *pains.streams(setting)
    at, end = QUIET * WEEK, (QUIET + AFTER) * WEEK
    delays: list[float] = []
    already = 0
    for run in range(most):
        drawn = _drawn(stream, _POWER_SEED, run, less_season, weeks=QUIET + AFTER, shift=SHIFT)
        seen = watch(drawn, setting, at, np.inf)
        after = seen.opened[seen.opened >= at]
        if not after.size and seen.items < end:
            break
        if seen.already:
            already += 1
        else:
            delays.append(float(after[0] - at + 1) if after.size else np.inf)
        if run + 1 >= least and time.process_time() - start > pains.power:
            break
    runs = len(delays) + already
    return summary(delays, runs=runs, already=already) if runs >= pains.least else None

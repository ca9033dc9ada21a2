"""Streams with seasons and memories: four weeks of history with times, then weeks that are watched.

An event a minute on average, so that a week is 10,080 items whatever the times are. The noise about
a season has the standard deviation 1, as have the streams without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import numpy.typing as npt

from benchmarks.gates import g10_memory as memory
from benchmarks.gates import g12_seasons as seasons

__all__ = ["AFTER", "HISTORY", "LIVING", "NIGHTLY", "QUIET", "SHIFT", "WEEK", "Drawn", "Living"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WEEK = 10_080
#: Weeks: the history, those watched without a change, those before and after a change.
HISTORY, WATCHED, QUIET, AFTER = 4, 8, 1, 3
SHIFT = 0.5
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
#: A nightly load: a day's events within five minutes from 02:00.
NIGHTLY = 300_000


@dataclass(frozen=True)
class Drawn:
    """One stream: `history` first, then `values`; `times` are of both."""

    history: Floats
    values: Floats
    times: Ints
    seed: int

    def less_season(self) -> Drawn:
        """What is left after the mean that each hour of the week has in the history."""
        hour = self.times // HOUR_MS % 168
        first = hour[: self.history.size]
        sums = np.bincount(first, self.history, 168)
        mean = sums / np.maximum(1, np.bincount(first, minlength=168))
        both = np.concatenate([self.history, self.values]) - mean[hour]
        return replace(self, history=both[: self.history.size], values=both[self.history.size :])


@dataclass(frozen=True)
class Living:
    """A kind of stream in which nothing changes but what always does."""

    name: str
    draw: Callable[[np.random.Generator, Ints], Floats]
    seasonal: bool = False
    nightly: bool = False

    def make(self, seed: int, run: int, weeks: int = WATCHED, shift: float = 0.0) -> Drawn:
        """Run number `run`; with a shift from the end of the quiet weeks on."""
        rng = np.random.default_rng([seed, crc32(self.name.encode()), run])
        minute = np.arange((HISTORY + weeks) * WEEK)
        times = seasons.START_MS + minute * MINUTE_MS
        if self.nightly:
            day, of_day = np.divmod(minute, 1_440)
            within = of_day * NIGHTLY // 1_440
            times = seasons.START_MS + day * DAY_MS + 2 * HOUR_MS + within
        values = np.asarray(self.draw(rng, times), np.float64)
        values[(HISTORY + QUIET) * WEEK :] += shift
        cut = HISTORY * WEEK
        return Drawn(values[:cut], values[cut:], times, run)


def _remembering(make: memory.Make) -> Callable[[np.random.Generator, Ints], Floats]:
    return lambda rng, times: np.asarray(make(rng, times.size), np.float64)


def _of_season(season: seasons.Rate, level: float = 0.0) -> Callable[..., Floats]:
    draw = seasons.of_season(season, level)
    return lambda rng, times: np.asarray(draw(rng, times), np.float64)


LIVING = {
    stream.name: stream
    for stream in (
        Living("independent", _remembering(memory.autoregressive(0.0))),
        Living("daily sine", _of_season(seasons.daily), seasonal=True),
        Living(
            "weekly pattern, day levels", _of_season(seasons.twice_at_weekends, 0.1), seasonal=True
        ),
        Living("AR .99", _remembering(memory.autoregressive(0.99))),
        Living("AR .999", _remembering(memory.autoregressive(0.999))),
        Living("noise + OU of 6 h", _remembering(memory.slow_part)),
        Living("nightly loads", _of_season(seasons.flat, 0.1), nightly=True),
        Living("regimes", _remembering(memory.regimes)),
    )
}

"""Streams with seasons in which nothing changes, and what changes in them: for gate 12."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY_MS",
    "HOLIDAYS",
    "HOUR_MS",
    "MINUTE_MS",
    "START_DAY",
    "WEEK_MS",
    "Column",
    "Draw",
    "Floats",
    "Ints",
    "Moved",
    "Rate",
    "arrivals",
    "at_night",
    "by_day",
    "daily",
    "evenly",
    "flat",
    "half_missing",
    "hours_later",
    "like_sunday",
    "missing_by_hour",
    "names_by_hour",
    "of_season",
    "office",
    "one_day",
    "step",
    "twice_at_weekends",
    "weekend",
    "with_holidays",
    "with_one_holiday",
]  # fmt: skip

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WEEK_MS = 7 * DAY_MS
START_DAY = date(2026, 1, 5)  # a Monday
#: Every second Wednesday of half a year.
HOLIDAYS = tuple(str(START_DAY + timedelta(days=2 + 14 * k)) for k in range(13))

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Column = npt.NDArray[np.generic]
Draw = Callable[[np.random.Generator, Ints], Column]
Rate = Callable[[Ints], Floats]
Moved = Callable[[Column, Ints, int], Column]


def daily(times: Ints) -> Floats:
    """A sine of a day."""
    return np.sin(2.0 * np.pi * times / DAY_MS)


def weekend(times: Ints) -> Floats:
    """Whether it is Saturday or Sunday."""
    return ((times // DAY_MS + 3) % 7 >= 5).astype(np.float64)


def of_season(season: Rate, level: float = 0.0) -> Draw:
    """Independent normal values about a season, and about levels of days of this sd."""

    def draw(rng: np.random.Generator, times: Ints) -> Column:
        values = season(times) + rng.normal(size=times.size)
        if level:
            day = times // DAY_MS - times[0] // DAY_MS
            values += level * rng.normal(size=int(day[-1]) + 1)[day]
        return np.asarray(values)

    return draw


def names_by_hour(rng: np.random.Generator, times: Ints) -> Column:
    """Six names whose mix turns with the hour."""
    turn = 2.0 * np.pi * times[:, None] / DAY_MS + np.arange(6) * np.pi / 3.0
    share = np.exp(0.8 * np.sin(turn))
    upto = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    return np.array(list("abcdef"))[(rng.random(times.size)[:, None] > upto[:, :-1]).sum(axis=1)]


def missing_by_hour(rng: np.random.Generator, times: Ints) -> Column:
    """Values that are missing mostly at night, on some days more."""
    day = times // DAY_MS - times[0] // DAY_MS
    busy = rng.gamma(4.0, 0.25, int(day[-1]) + 1)[day]
    gone = rng.random(times.size) < 0.03 * busy * (1.0 - 0.9 * daily(times))
    return np.where(gone, np.nan, rng.normal(size=times.size))


def office(times: Ints) -> Floats:
    """One more from 9 to 17 hours."""
    hour = times % DAY_MS // HOUR_MS
    return ((hour >= 9) & (hour < 17)).astype(np.float64)


def flat(times: Ints) -> Floats:
    """Nothing."""
    return np.zeros(times.size)


def evenly(times: Ints) -> Floats:
    """As many events at every time."""
    return np.ones(times.size)


def by_day(times: Ints) -> Floats:
    """Events mostly by day."""
    return 1.0 + 0.9 * daily(times)


def twice_at_weekends(times: Ints) -> Floats:
    """A daily sine, twice as large at weekends, and half more."""
    return daily(times) * (1.0 + weekend(times)) + 0.5 * weekend(times)


def with_holidays(times: Ints) -> Floats:
    """As `twice_at_weekends`; holidays are as Sundays."""
    free = np.array([(date.fromisoformat(d) - date(1970, 1, 1)).days for d in HOLIDAYS])
    to_sunday = np.where(np.isin(times // DAY_MS, free), 4 * DAY_MS, 0)
    return twice_at_weekends(times + to_sunday)


def with_one_holiday(times: Ints) -> Floats:
    """As `twice_at_weekends`; the second Wednesday is as a Sunday, and nobody named it."""
    free = (date.fromisoformat(HOLIDAYS[0]) - date(1970, 1, 1)).days + 7
    return twice_at_weekends(times + np.where(times // DAY_MS == free, 4 * DAY_MS, 0))


def arrivals(rng: np.random.Generator, start: int, end: int, a_minute: float, rate: Rate) -> Ints:
    """Times of a Poisson process whose rate varies."""
    grid = np.arange(start, end, 10 * MINUTE_MS)
    count = rng.poisson(10.0 * a_minute * rate(grid + 5 * MINUTE_MS))
    times = np.repeat(grid, count) + rng.integers(0, 10 * MINUTE_MS, int(count.sum()))
    return np.sort(times)


def step(size: float) -> Moved:
    """From then on so much more."""
    return lambda x, t, at: np.asarray(x, np.float64) + size * (t >= at)


def at_night(size: float) -> Moved:
    """From then on so much more between 22 and 6 hours."""
    night = lambda t: (t % DAY_MS >= 22 * HOUR_MS) | (t % DAY_MS < 6 * HOUR_MS)  # noqa: E731
    return lambda x, t, at: np.asarray(x, np.float64) + size * ((t >= at) & night(t))


def half_missing(x: Column, t: Ints, at: int) -> Column:
    """From then on a tenth more is missing."""
    gone = (t >= at) & (np.arange(t.size) % 10 == 0)
    return np.where(gone, np.nan, np.asarray(x, np.float64))


def hours_later(x: Column, t: Ints, at: int) -> Column:
    """From then on names come in another order."""
    other = np.array(list("defabc"))[np.searchsorted(list("abcdef"), x)]
    return np.where(t >= at, other, x)


def one_day(size: float) -> Moved:
    """For a day so much more."""
    return lambda x, t, at: np.asarray(x, np.float64) + size * ((t >= at) & (t < at + DAY_MS))


def like_sunday(x: Column, t: Ints, at: int) -> Column:
    """A Wednesday as a Sunday."""
    moved = twice_at_weekends(t + 4 * DAY_MS) - twice_at_weekends(t)
    return np.asarray(x, np.float64) + moved * ((t >= at) & (t < at + DAY_MS))

"""How often rows come, by the bulk of their times: a few wrong ones and long gaps do not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.units import DAY_MS, HOUR_MS, WEEK_MS

__all__ = ["Pace", "pace_of"]

Ints = npt.NDArray[np.int64]

#: Rows are far from the others where a gap is longer than so many times the middle half of them.
_FAR: Final = 2
#: A hole is so many times longer than any gap that recurs.
_MUCH_LONGER: Final = 10
#: And the rest is at least this share of the span for each hole: else gaps are how rows come.
_LEAST_COVERED: Final = 0.05
#: A day with so many times the rows of the middle day is a burst.
_BURST: Final = 10
_LEAST_DAYS: Final = 7
#: Times have a step if this share of them is on it.
_ON_STEP: Final = 0.99
_STEP_ROWS: Final = 100_000
_STEPS_MS: Final = (HOUR_MS, 600_000, 60_000)


@dataclass(frozen=True)
class Pace:
    """When rows come.

    Attributes
    ----------
    low_ms, high_ms : int
        Times outside are far from all others.
    holes_ms : int
        Length of the gaps in between that are no pause of the stream but missing data.
    burst : float
        Share of the rows that are above what the busiest day can be.
    step_ms : int
        Of times without a finer part: a day for dates, an hour for hourly stamps; 0 for none.
    """

    low_ms: int
    high_ms: int
    holes_ms: int = 0
    burst: float = 0.0
    step_ms: int = 0

    def odd(self, times_ms: Ints) -> npt.NDArray[np.bool_]:
        """Which times are far from all others."""
        far: npt.NDArray[np.bool_] = (times_ms < self.low_ms) | (times_ms > self.high_ms)
        return far


def pace_of(times_ms: Ints) -> Pace:
    """The pace of some rows, or of a sample of them.

    Parameters
    ----------
    times_ms : int64[n]
        In any order; at least one.
    """
    times = np.sort(times_ms)
    low, high = _bulk(times)
    reach = max(WEEK_MS, _FAR * int(_middle(times)))
    bulk = times[low : high + 1]
    first, last = int(bulk[0]), int(bulk[-1])
    return Pace(first - reach, last + reach, _holes(bulk), _burst(bulk), _step(bulk))


def _middle(times: Ints) -> int:
    """How long the middle half of the rows takes."""
    return int(times[times.size * 3 // 4] - times[times.size // 4])


def _bulk(times: Ints) -> tuple[int, int]:
    """First and last of the rows that belong together: outwards from the middle half."""
    far = np.flatnonzero(np.diff(times) > max(WEEK_MS, _FAR * _middle(times)))
    before = far[far < times.size // 4]
    after = far[far >= times.size * 3 // 4]
    low = int(before[-1]) + 1 if before.size else 0
    return low, int(after[0]) if after.size else times.size - 1


def _holes(times: Ints) -> int:
    """Length of all gaps that stand out, from the longest down to where they begin to recur."""
    gaps = np.sort(np.diff(times))[::-1]
    span = int(times[-1] - times[0])
    after = np.append(gaps[1:], 0)
    stands_out = (gaps > WEEK_MS) & (gaps > _MUCH_LONGER * after)
    for last in np.flatnonzero(stands_out)[::-1].tolist():
        holes = int(gaps[: last + 1].sum())
        if span - holes >= _LEAST_COVERED * (last + 1) * span:
            return holes
    return 0


def _burst(times: Ints) -> float:
    """Share of the rows by which some days exceed what is usual."""
    _, rows = np.unique(times // DAY_MS, return_counts=True)
    if rows.size < _LEAST_DAYS:
        return 0.0
    most = _BURST * float(np.median(rows))
    return float(np.maximum(rows - most, 0).sum() / times.size)


def _step(times: Ints) -> int:
    """The step of times: dates in a zone with summer time have two times of day, in UTC."""
    times = times[:: -(-times.size // _STEP_ROWS)]
    moments, rows = np.unique(times % DAY_MS, return_counts=True)
    often = np.argsort(rows)[::-1][:2]
    an_hour_apart = int(np.ptp(moments[often])) in (0, HOUR_MS, DAY_MS - HOUR_MS)
    of_day = rows[often].sum() if an_hour_apart else rows[often[0]]
    if of_day >= _ON_STEP * times.size and times[-1] - times[0] >= DAY_MS:
        return DAY_MS
    for step in _STEPS_MS:
        _, rows = np.unique(times % step, return_counts=True)
        if rows.max() >= _ON_STEP * times.size:
            return step
    return 0

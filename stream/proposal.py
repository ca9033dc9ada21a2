"""Pane and window that suit a reference's rate, and a look for a daily cycle.

Proposed by `fit`; pane and window are used by `replay` where there is no config.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import Reference

__all__ = ["daily_share", "model_toml", "propose"]

_WEEK_MS: Final = 604_800_000
_DAY_MS: Final = 86_400_000
#: Panes that divide a day, and so every cycle of whole days.
_PANES_MS: Final = (10_000, 60_000, 600_000, 3_600_000, _DAY_MS)
#: A pane should hold about this many events, for the sequential detectors to be worth their update.
_PANE_EVENTS: Final = 20
_WINDOW_EVENTS: Final = 1_000
#: Fewer days cannot show what repeats from day to day.
_LEAST_DAYS: Final = 4
_LABELS: Final = {10_000: "10s", 60_000: "1m", 600_000: "10m", 3_600_000: "1h", _DAY_MS: "1d"}


def propose(reference: Reference) -> tuple[int, int]:
    """Pane and largest age of a window in milliseconds.

    The window may wait for 1,000 events at half the reference's rate, at least a day.
    """
    rate = reference.events_per_week / _WEEK_MS
    pane = _PANES_MS[0]
    if not rate:
        return pane, _DAY_MS
    for pane in _PANES_MS:
        if rate * pane >= _PANE_EVENTS:
            break
    if reference.first_ms % _DAY_MS == 0 == reference.last_ms % _DAY_MS:
        pane = _DAY_MS  # dates without a time: all events of a day come at its start
    if reference.cycle_ms:
        while reference.cycle_ms % pane and pane > _PANES_MS[0]:
            pane = _PANES_MS[_PANES_MS.index(pane) - 1]
    days = -(-int(2 * _WINDOW_EVENTS / rate) // _DAY_MS)
    return pane, max(1, days) * _DAY_MS


def model_toml(reference: Reference) -> str:
    """Give the `[[models]]` of a config for this reference."""
    pane, max_age = propose(reference)
    lines = ["[[models]]", f'name = "{reference.model}"', 'reference = "..."  # this file']
    lines.append(f'pane = "{_LABELS[pane]}"')
    if max_age > _DAY_MS:
        lines.append(f'window = {{ max_age = "{max_age // _DAY_MS}d" }}')
    return "\n".join("  " + line for line in lines)


def daily_share(values: npt.NDArray[np.float64], times_ms: npt.NDArray[np.int64]) -> float:
    """Share of the variance between hours that the hour of the day explains, 0 to 1.

    Of the means of the values' ranks in every hour of every day: independent values over d days
    give about 1/d, a daily cycle nearly 1.
    """
    there = np.isfinite(values)
    if not there.any() or np.ptp(times_ms) < _LEAST_DAYS * _DAY_MS:
        return 0.0
    _, code, size = np.unique(values[there], return_inverse=True, return_counts=True)
    rank = (np.cumsum(size) - size / 2)[code]
    _, cell, count = np.unique(
        times_ms[there] // 3_600_000, return_inverse=True, return_counts=True
    )
    hour = np.zeros(count.size, np.int64)
    hour[cell] = times_ms[there] // 3_600_000 % 24
    means = np.bincount(cell, rank) / count
    total = float(np.average((means - np.average(means, weights=count)) ** 2, weights=count))
    if total <= 0:
        return 0.0
    by_hour = np.bincount(hour, means * count, 24) / np.maximum(np.bincount(hour, count, 24), 1)
    within = float(np.average((means - by_hour[hour]) ** 2, weights=count))
    return 1 - within / total

"""Delays and misses on streams with a known change."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.comparison.contestant import Contestant
from benchmarks.comparison.streams import BEFORE, Change

__all__ = ["measure_delay", "summary"]

#: A cell that takes this many times its share is cut.
_PATIENCE = 16.0


def summary(delays: list[float], **more: Any) -> dict[str, Any]:
    """Median and 95 % quantile over all changes, missed ones counted as infinite; misses."""
    values = np.array(delays)
    found = np.isfinite(values)
    median, late = (
        float(np.quantile(values, q, method="inverted_cdf")) if values.size else float("nan")
        for q in (0.5, 0.95)
    )
    return {
        "changes": int(values.size),
        "missed": int((~found).sum()),
        "median": median if np.isfinite(median) else None,
        "p95": late if np.isfinite(late) else None,
        **more,
    }


def measure_delay(
    contestant: Contestant,
    setting: float | None,
    change: Change,
    seconds: float,
    runs: int,
    seed: int,
    least: int = 3,
) -> dict[str, Any] | None:
    """Runs till time is up, at least `least`; None if so many did not come to their end.

    A run that is cut ends them all: to leave it out would leave out long delays.
    """
    start = time.perf_counter()
    patience = start + seconds * _PATIENCE
    once = len(change.departures) == 1
    delays: list[float] = []
    done = 0
    for k in range(runs):
        reference, values = change.make(1_000_000 * seed + k)
        prepared = contestant.prepare(reference, change.kind)
        run = contestant.run(
            prepared, values, setting, since=BEFORE if once else None, deadline=patience
        )
        cut = run.items < len(values) and not (
            once and run.alarms.size and run.alarms[-1] >= BEFORE
        )
        if cut:
            break
        done += 1
        for departure in change.departures:
            at = BEFORE + departure
            inside = run.alarms[(run.alarms >= at) & (run.alarms < at + change.span)]
            delays.append(float(inside[0] - at + 1) if inside.size else float("inf"))
        if done >= least and time.perf_counter() - start > seconds:
            break
    return summary(delays, runs=done) if done >= least else None

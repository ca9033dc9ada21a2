"""A histogram of seconds, as Prometheus wants it."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

__all__ = ["BOUNDS_S", "Delays"]

#: From one pane to a day: what is beyond is a replay of old events.
BOUNDS_S: Final = (
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    21_600.0,
    86_400.0,
)


class Delays:
    """Counts of delays by bucket, and their sum."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one delay; an event whose clock is ahead of ours is one of no delay."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum += seconds

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Buckets as (upper bound, delays up to it), and the sum of all delays."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), list(self._counts), strict=True):
            total += count
            buckets.append((bound, total))
        return buckets, self._sum

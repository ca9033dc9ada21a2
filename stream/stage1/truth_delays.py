"""How long after their predictions truths come, counted for a histogram of Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BOUNDS_S", "TruthDelays"]

_HOUR, _DAY = 3_600.0, 86_400.0
#: From seconds to a season: a click comes at once, a loan fails after months.
BOUNDS_S: Final = (
    1.0,
    60.0,
    600.0,
    _HOUR,
    6 * _HOUR,
    _DAY,
    3 * _DAY,
    7 * _DAY,
    14 * _DAY,
    30 * _DAY,
    90 * _DAY,
)


@dataclass(slots=True)
class TruthDelays:
    """Truths by their delay, up to each of `BOUNDS_S` and beyond, and the sum of delays."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    seconds: float = 0.0

    def add(self, delay_ms: npt.NDArray[np.float64]) -> None:
        """Count delays; where the prediction's clock is ahead, there was none."""
        seconds = np.maximum(delay_ms, 0.0) / 1000.0
        which = np.searchsorted(BOUNDS_S, seconds)
        for bucket, n in enumerate(np.bincount(which, minlength=len(self.counts)).tolist()):
            self.counts[bucket] += n
        self.seconds += float(seconds.sum())

    def add_all(self, other: TruthDelays) -> None:
        """Count those of another."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds, each with the truths up to it."""
        bounds = (*map(str, BOUNDS_S), "+Inf")
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))

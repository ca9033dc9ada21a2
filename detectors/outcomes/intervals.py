"""Intervals of 95 % of shares and of means, and of sums and differences of what has one.

Events that are like their neighbours are worth fewer than their count: callers divide counts by the
design effect first, so counts need not be whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "NO_INTERVAL",
    "Z95",
    "Interval",
    "mean_interval",
    "ratio_interval",
    "square_and_add",
    "wilson",
]

Interval = tuple[float, float]
Floats = npt.NDArray[np.float64]

#: Half the width of a normal 95 % interval in standard deviations.
Z95: Final = 1.959963984540054
#: Where none can be given that keeps what it promises.
NO_INTERVAL: Final[Interval] = (math.nan, math.nan)


def wilson(share: float, events: float, z: float = Z95) -> Interval:
    """Score interval of a share of so many events (Wilson 1927); events > 0.

    It is never empty, also at shares of 0 and 1. `z` standard deviations are half its width.
    """
    z2 = z * z
    middle = share + z2 / (2.0 * events)
    reach = z * math.sqrt(share * (1.0 - share) / events + z2 / (4.0 * events * events))
    scale = 1.0 + z2 / events
    # At 0 and 1 the share is an end of its interval but for rounding.
    low = min(share, max(0.0, (middle - reach) / scale))
    return low, max(share, min(1.0, (middle + reach) / scale))


def mean_interval(mean: float, variance: float, events: float) -> Interval:
    """Normal interval of a mean from the variance of one event; none where nothing varies."""
    if events < 2.0 or not variance > 0.0:
        return NO_INTERVAL
    reach = Z95 * math.sqrt(variance / events)
    return mean - reach, mean + reach


def square_and_add(
    weights: Sequence[float],
    values: Sequence[float],
    intervals: Sequence[Interval],
    correlation: Floats | None = None,
) -> Interval:
    """Interval of `sum w_i v_i` from those of its terms (Zou and Donner 2008).

    The distances from the values to their limits are added up as standard deviations are. Of the
    difference of two shares it is Newcombe's (1998, method 10).

    Parameters
    ----------
    weights : sequence of float
        Of the terms.
    values : sequence of float
        The terms.
    intervals : sequence of Interval
        Of the values.
    correlation : float64[n, n], optional
        Of the values; independent without.
    """
    w, v = np.asarray(weights, np.float64), np.asarray(values, np.float64)
    limits = np.asarray(intervals, np.float64)
    down, up = v - limits[:, 0], limits[:, 1] - v
    # Signed: what pulls the sum down is the upper limit of a term that is subtracted.
    below = w * np.where(w >= 0.0, down, up)
    above = w * np.where(w >= 0.0, up, down)
    both = np.eye(w.size) if correlation is None else correlation
    middle = float(w @ v)
    reach_low = math.sqrt(max(0.0, float(below @ both @ below)))
    reach_high = math.sqrt(max(0.0, float(above @ both @ above)))
    return middle - reach_low, middle + reach_high


def ratio_interval(a: float, of_a: Interval, b: float, of_b: Interval) -> Interval:
    """Interval of a / b from those of a >= 0 and b > 0, by the same rule (Donner and Zou 2012)."""
    # Limits l and u of a, and L and U of b, come in as l (2a - l), so that a may be 0.
    low_a, high_a = (limit * (2.0 * a - limit) for limit in of_a)
    low_b, high_b = (limit * (2.0 * b - limit) for limit in of_b)
    square = a * b * a * b
    reach = math.sqrt(max(0.0, square - low_a * high_b))
    low = low_a / (a * b + reach) if a > 0.0 else 0.0
    return low, (a * b + math.sqrt(max(0.0, square - high_a * low_b))) / low_b

"""Whether a single day is unlike the reference's days, by the ranks of its values in their slots.

A holiday or a storm lasts a day. Windows of many days drown it, and an e-detector that reckons with
days of levels of their own grows too slowly to see it. A day has one mean of x (location) and one
of y (spread of ranks, which is large where a day's values lie at either end of their slots), and
the reference tells how both vary from day to day:

- x follows Student's t, with a degree of freedom less than there are days;
- y, of which only more is looked at, goes with the square of a small level and saturates with a
  large one, so it is compared with what a level of so many standard deviations makes of it, were
  values and levels normal. What y varies by beyond that is added, as if it were normal, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.null_distributions.special import f_quantile, f_tail
from detectors.references.calibration import margin_of_few
from detectors.references.reference import SignalReference
from detectors.sequential.slot_scores import SlotScores

__all__ = ["LEAST_VALUES", "DayTests", "Days"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: A day with a smaller share of a usual day's values says nothing of days, nor do fewer values.
_WHOLE_DAY: Final = 0.25
LEAST_VALUES: Final = 20
#: Standard deviations of levels that y is tabulated for.
_GRID: Final = np.arange(0.0, 12.01, 0.05)
#: Tails of one score for both: x has two, y one.
_BOTH: Final = 1.5
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


class Days(NamedTuple):
    """One day of all numeric signals: of each score how unlike it is, [Sn, 2].

    `apart` are standard deviations of the reference's days, negative below them; `p` is the chance
    of a day as unlike by either score, [Sn], 1 where there are too few values.
    """

    apart: Floats
    p: Floats
    tested: Bools


class DayTests:
    """Tests of days of all numeric signals of a stream with slots.

    Parameters
    ----------
    signals : sequence of SignalReference
        The numeric ones, in the order of `scores`.
    scores : SlotScores

    Attributes
    ----------
    centre : float64[Sn, 2]
        Means of x and y of the reference.
    values : float64[Sn]
        Of a usual day.
    """

    def __init__(self, signals: Sequence[SignalReference], scores: SlotScores) -> None:
        count = len(signals)
        self.values = np.zeros(count)
        self._free = np.ones(count)
        self._level, self._short, self._known = (np.zeros((count, 2)) for _ in range(3))
        rows = np.where(scores.size > 0, scores.rows, 0.0)  # [K, Sn]
        weight = (rows / np.maximum(1.0, rows.sum(axis=0)))[..., None]
        self.centre = (weight * scores.mean).sum(axis=0)
        self._variance = (weight * scores.variance).sum(axis=0)
        # Which slots a day was of is not known any more: y's mean may go by slot, where it has
        # few values.
        between = (weight * np.square(scores.mean - self.centre)).sum(axis=0)
        for i, signal in enumerate(signals):
            slots = signal.slots
            assert slots is not None
            margin = margin_of_few(signal.calibration.batches)
            days = max(2, signal.calibration.batches)
            self._free[i] = days - 1
            self.values[i] = rows[:, i].sum() / days
            self._level[i] = np.square((slots.level_x, slots.level_y)) / margin
            self._level[i] *= 1.0 + 1.0 / days
            self._short[i] = (
                np.array((slots.short.phi_x, slots.short.phi_y))
                * self._variance[i]
                / margin_of_few(slots.short.batches)
            )
            self._known[i] = self._short[i] / max(1.0, float(rows[:, i].sum()))
        self._rest = self._known + between
        self._spread = [self._spread_by_level(i) for i in range(count)]

    def _of_days(self, i: int, n: float) -> Floats:
        """Variance of the means of a day of so many values."""
        found: Floats = self._level[i] + self._short[i] / n + self._rest[i]
        return found

    def _spread_by_level(self, i: int) -> Floats:
        """What y is more by, for levels of so many standard deviations."""
        n, variance = max(1.0, self.values[i]), max(1e-12, self._variance[i, 0])
        own = variance / n
        part = min(0.999, max(0.0, (self._of_days(i, n)[0] - own) / variance))
        # Latent values are N(level, 1 - part), and ranked among N(0, 1).
        at = _GRID[:, None] * math.sqrt(part) + _NODES * math.sqrt(1.0 - part)
        ranks = np.abs(np.vectorize(math.erf)(at / math.sqrt(2.0))) @ (_WEIGHTS / _WEIGHTS.sum())
        by_level: Floats = np.maximum.accumulate(np.maximum(0.0, ranks - self.centre[i, 1]))
        usual = np.exp(-np.square(_GRID) / 2.0)
        usual /= usual.sum()
        explained = float(usual @ np.square(by_level - usual @ by_level))
        self._rest[i, 1] += max(0.0, self._of_days(i, n)[1] - explained - self._short[i, 1] / n)
        self._level[i, 1] = 0.0
        return by_level

    def test(self, n: Floats, means: Floats) -> Days:
        """Test a day of n values each, float64[Sn], with these means of x and y, float64[Sn, 2]."""
        apart, p = np.zeros(means.shape), np.ones(n.size)
        tested = n >= np.maximum(LEAST_VALUES, _WHOLE_DAY * self.values)
        for i in np.flatnonzero(tested).tolist():
            of_x, noise = np.sqrt(self._of_days(i, float(n[i])))
            x, y = means[i] - self.centre[i]
            apart[i, 0] = x / max(1e-9, of_x)
            limits = np.sqrt(np.square(self._spread[i]) + np.square(_GRID * max(1e-9, noise)))
            apart[i, 1] = np.interp(y, limits, _GRID)
            worst = float(np.abs(apart[i]).max())
            p[i] = min(1.0, _BOTH * f_tail(worst * worst, 1.0, float(self._free[i])))
        return Days(apart, p, tested)

    def limit(self, i: int, alpha: float) -> float:
        """Standard deviations from which a signal's day has a p of at most alpha."""
        return math.sqrt(f_quantile(alpha / _BOTH, 1.0, float(self._free[i])))

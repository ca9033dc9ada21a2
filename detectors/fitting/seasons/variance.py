"""How much a signal varies about its slots: by short batches, and by days.

What a whole day has in common does not average out within it. So the variance has two parts: of
short batches, and of days' levels. Residuals are what a batch's scores sum to, less what its slots
make of as many rows (Rao and Scott 1984; variance components by Henderson's first method).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.fitting.seasons.adding import added
from detectors.references.batch_means import group_counts
from detectors.references.calibration import margin_of_few
from detectors.references.reference import SignalReference
from detectors.references.slots import SignalSlots, slot_scores

__all__ = ["Batching", "Residuals", "with_slots"]

#: Rows that cells are joined to for a short batch.
_SHORT_ROWS: Final = 100
#: Short batches a day from which what the day has in common is taken out of them.
_BATCHES_A_DAY: Final = 4
#: Days from which it is asked whether they follow each other, and standard errors that say so.
_FOLLOWING_FROM, _CLEAR, _MOST_CORRELATION = 14, 1.64, 0.9

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Batching:
    """Cells as short batches and as days.

    Attributes
    ----------
    slot, short, day : int64[C]
        Of each cell.
    rows : float64[C]
        Of each cell.
    """

    slot: Ints
    short: Ints
    day: Ints
    rows: Floats

    @classmethod
    def of(cls, slot: Ints, days: Ints, rows: Ints) -> Batching:
        """Join cells of one day to short batches."""
        _, day = np.unique(days, return_inverse=True)
        short = np.zeros(rows.size, np.int64)
        held = current = 0
        for i, n in enumerate(rows.tolist()):
            if i and (day[i] != day[i - 1] or held >= _SHORT_ROWS):
                current += 1
                held = 0
            short[i] = current
            held += n
        return cls(slot, short, day, rows.astype(np.float64))


class Residuals:
    """Sizes of batches and what they are worth: the same for all signals.

    Attributes
    ----------
    short_worth, day_worth : float
        Degrees of freedom of both variances.
    day_factor : float
        Variance of a day's level for each unit of (days' less short batches') design effect.
    fullest_day : float
        Largest share of a slot's rows that are of one day.
    """

    def __init__(self, batching: Batching) -> None:
        self.batching = b = batching
        slots, days, shorts = (int(of.max()) + 1 for of in (b.slot, b.day, b.short))
        in_day = np.zeros((days, slots))
        np.add.at(in_day, (b.day, b.slot), b.rows)
        in_short = np.zeros((shorts, slots))
        np.add.at(in_short, (b.short, b.slot), b.rows)
        in_slot = np.maximum(1.0, in_day.sum(axis=0))
        self._of_day, self._of_short = in_day.sum(axis=1), in_short.sum(axis=1)
        shared = (in_day / in_slot) @ in_day.T
        self.day_rows = max(1e-9, float(self._of_day.sum() - np.trace(shared)))
        spread = float(np.square(np.diag(self._of_day) - shared).sum())
        self.day_factor = self.day_rows / max(1e-9, spread)
        self.day_worth = _worth(np.diag(shared), self._of_day)
        own = (np.square(in_short) / in_slot).sum(axis=1)
        self._day_of_short = np.zeros(shorts, np.int64)
        self._day_of_short[b.short] = b.day
        self._within = shorts >= _BATCHES_A_DAY * days
        if self._within:
            own = own + np.square(self._of_short) / self._of_day[self._day_of_short]
        self.short_rows = max(1e-9, float((self._of_short - own).sum()))
        self.short_worth = _worth(own, self._of_short)
        self.fullest_day = float((in_day / in_slot).max())

    def by_day(self, residual: Floats) -> Floats:
        """Sums over days of what cells have, [C, ...]."""
        return added(residual, self.batching.day, self._of_day.size)

    def by_short(self, residual: Floats) -> Floats:
        """Sums over short batches, without what their day has in common."""
        out = added(residual, self.batching.short, self._of_short.size)
        if self._within:
            level = self.by_day(residual).T / np.maximum(1.0, self._of_day)
            out -= (level.T[self._day_of_short].T * self._of_short).T
        return out

    def following(self, residual: Floats) -> float:
        """Variance of a mean of many days over that of days that are independent."""
        days = self._of_day.size
        if days < _FOLLOWING_FROM:
            return 1.0
        mean = self.by_day(residual) / np.maximum(1.0, self._of_day)
        squares = max(1e-18, float((mean**2).sum()))
        r = float((mean[1:] * mean[:-1]).sum()) / squares * days / (days - 1)
        r += (1.0 + 3.0 * r) / days
        if r <= _CLEAR / math.sqrt(days):
            return 1.0
        r = min(_MOST_CORRELATION, r)
        return float((1.0 + r) / (1.0 - r))


def _worth(own: Floats, rows: Floats) -> float:
    return max(1.0, float((1.0 - own / np.maximum(1.0, rows)).sum()))


def with_slots(
    signal: SignalReference, table: npt.NDArray[np.int32], residuals: Residuals, slots: int
) -> SignalReference:
    """The signal with its counts by slot, calibrated by days; `table` has its counts by cell."""
    b = residuals.batching
    counts = added(table.astype(np.float64), b.slot, slots).astype(np.int64)
    groups = signal.calibration.groups
    coarse = group_counts(table.astype(np.int64), groups)
    rows = coarse.sum(axis=1).astype(np.float64)
    share = group_counts(counts, groups) / np.maximum(1, counts.sum(axis=1))[:, None]
    residual = coarse - rows[:, None] * share[b.slot]
    of_short, of_day = residuals.by_short(residual), residuals.by_day(residual)
    # Rows of a signal that some events lack are fewer than those of the batches.
    part = max(1e-9, float(rows.sum()) / float(b.rows.sum()))
    lower = np.tril_indices(coarse.shape[1])
    cov_short = (of_short.T @ of_short / (residuals.short_rows * part))[lower]
    cov_day = (of_day.T @ of_day / (residuals.day_rows * part))[lower]
    short = replace(
        signal.calibration,
        batches=max(2, round(residuals.short_worth) + 1),
        lower=cov_short,
        phi_x=1.0,
        phi_y=1.0,
    )
    days = replace(
        signal.calibration,
        batches=max(2, round(residuals.day_worth) + 1),
        lower=cov_day,
        phi_x=1.0,
        phi_y=1.0,
    )
    levels = (0.0, 0.0)
    if signal.kind == "numeric" and counts[:, : signal.binning.missing].any():
        values = signal.binning.missing
        effects = _effects(counts[:, :values], table[:, :values], residuals)
        (x, y) = effects
        short = replace(short, phi_x=x.short, phi_y=y.short)
        days = replace(days, phi_x=x.days, phi_y=y.days)
        levels = (x.level, y.level)
    return replace(
        signal,
        calibration=days,
        slots=SignalSlots(counts.astype(np.int32), short, *levels),
    )


@dataclass(frozen=True)
class _Effect:
    """Design effects of one score, with their margins, and the sd of a day's level."""

    short: float
    days: float
    level: float


def _effects(
    counts: Ints, cells: npt.NDArray[np.int32], residuals: Residuals
) -> tuple[_Effect, _Effect]:
    """Of location and spread."""
    x = slot_scores(counts) / SCORE_SCALE
    table = cells.astype(np.float64)
    rows = table.sum(axis=1)
    first, second = (
        _effect(counts, table, rows, score, residuals) for score in (x, np.abs(2 * x - 1))
    )
    return first, second


def _effect(
    counts: Ints, table: Floats, n: Floats, scores: Floats, residuals: Residuals
) -> _Effect:
    slot = residuals.batching.slot
    held = np.maximum(1, counts.sum(axis=1))
    mean = (counts * scores).sum(axis=1) / held
    variance = float((counts * np.square(scores - mean[:, None])).sum()) / float(counts.sum())
    if variance <= 0.0:
        return _Effect(1.0, 1.0, 0.0)
    residual = (table * scores[slot]).sum(axis=1) - n * mean[slot]
    part = float(n.sum()) / float(residuals.batching.rows.sum())
    short = float(np.square(residuals.by_short(residual)).sum())
    days = float(np.square(residuals.by_day(residual)).sum())
    short /= variance * residuals.short_rows * part
    days /= variance * residuals.day_rows * part
    short = max(1.0, short * margin_of_few(max(2, round(residuals.short_worth) + 1)))
    days = max(short, days * margin_of_few(max(2, round(residuals.day_worth) + 1)))
    level = math.sqrt(max(0.0, (days - short) * variance * residuals.day_factor))
    return _Effect(short, days * residuals.following(residual), level)

"""Coarse bins and the null law of distances for a window of any mixture of slots.

A window is compared with what its own hours and days make of the slots: shares `q = sum w_k q_k`
for shares w of its events. Without change a PSI between both follows `sum omega_j chi2_1` over
`chi2_df / df`, where omega has the variance of short batches, which averages out over events, and
that of days' levels, which averages out over days alone, each for the window and the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.merge_bins import LEAST_EXPECTED
from detectors.references.calendar import Calendar, Mixture
from detectors.references.calibration import margin_of_few
from detectors.references.reference import SignalReference
from detectors.windowed.coarsening import Coarse, even_enough, merged_groups
from detectors.windowed.rows import Scales

__all__ = ["SlotLevels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Expected counts are whole numbers of so many parts of an event.
_PARTS: Final = 64
#: As of windows without slots: a PSI that chance makes large exceeds its form (see `levels`).
_SECOND_ORDER, _MOST_SECOND_ORDER = 0.7, 0.5
#: Where days vary less than so many times as much as short batches, the batches' shape is taken.
_DAYS_STAND_OUT: Final = 1.5
_LEAST: Final = 1e-9


class _Shape(NamedTuple):
    """Both variances of a signal over that of independent events, and how they are spread."""

    short: float
    days: float
    short_spread: Floats  # shares of the variance by direction, descending
    days_spread: Floats
    short_df: float  # for one coarse bin less than there are, where all directions are alike
    days_df: float
    short_alike: bool
    days_alike: bool


class _Known(NamedTuple):
    """One signal's counts by slot and base group, and the shares of all slots together."""

    counts: Floats  # [K, G]
    rows: Floats  # [K]
    whole: Floats  # [K] share of each slot in the reference
    fine: Floats  # [K, n_bins]


@kernel
def _expected(shares: Floats, counts: Floats, rows: Floats) -> tuple[Floats, float]:
    """Shares of the groups in a mixture, and of how many events they are known as well."""
    q = np.zeros(counts.shape[1])
    error = 0.0
    for k in range(shares.size):
        if shares[k] > 0.0:
            for g in range(q.size):
                q[g] += shares[k] * counts[k, g] / rows[k]
            error += shares[k] * shares[k] / rows[k]
    return q, 1.0 / error


@kernel
def _trace_and_tilt(
    shares: Floats, counts: Floats, rows: Floats, merged: Ints, size: int
) -> tuple[float, float, Floats]:
    """Trace of the law of a stratified draw; what one level moves; shares of the coarse bins."""
    q = np.zeros(size)
    trace = float(size)
    by_slot = np.zeros((shares.size, size))
    for k in range(shares.size):
        if shares[k] <= 0.0:
            continue
        inside = 0.0
        for g in range(merged.size):
            if merged[g] >= 0:
                by_slot[k, merged[g]] += counts[k, g] / rows[k]
                inside += counts[k, g] / rows[k]
        if inside > 0.0:
            by_slot[k] /= inside
        q += shares[k] * by_slot[k]
    move = np.zeros(size)
    for k in range(shares.size):
        if shares[k] <= 0.0:
            continue
        below = 0.0
        for b in range(size):
            share = by_slot[k, b]
            if q[b] > 0.0:
                trace -= shares[k] * share * share / q[b]
            move[b] += shares[k] * share * (below + share / 2.0 - 0.5)
            below += share
    moved = 0.0
    for b in range(size):
        if q[b] > 0.0:
            moved += move[b] * move[b] / q[b]
    return trace, moved, q


class SlotLevels:
    """Laws of the distances of some signals whose reference has slots.

    Parameters
    ----------
    signals : sequence of SignalReference
        Each with slots.
    calendar : Calendar
    """

    def __init__(self, signals: Sequence[SignalReference], calendar: Calendar) -> None:
        self._signals, self._calendar = signals, calendar
        self._known = [_known(signal) for signal in signals]
        self._shapes: dict[tuple[int, int], _Shape] = {}

    def fine(self, i: int, mixture: Mixture) -> tuple[Floats, float]:
        """Expected shares of a signal's fine bins, and of how many events they are known as."""
        known = self._known[i]
        return _expected(mixture.shares, known.fine, known.rows)

    def ranks(self, i: int, mixture: Mixture, counts: Ints) -> tuple[Ints, Scales]:
        """Counts of a signal's fine bins that ranks are compared with, and the law for a window."""
        signal = self._signals[i]
        slots, values = signal.slots, signal.binning.missing
        assert slots is not None
        q, events = self.fine(i, mixture)
        fine = np.rint(q * events).astype(np.int64)
        rows, seen = float(fine[:values].sum()), int(counts[:values].sum())
        if not rows or not seen:
            return fine, Scales(0.0, 1.0, 1.0, 1.0)
        ties = max(0.0, 1.0 - float(((fine[:values] / rows) ** 3).sum()))
        level = self._calendar.day_factor * mixture.days + 1.0 / rows
        most = 1.0
        for short, days, part in (
            (slots.short.phi_x, signal.calibration.phi_x, 1.0),
            (slots.short.phi_y, signal.calibration.phi_y, 0.25),
        ):
            short = short / margin_of_few(slots.short.batches)
            days = days / margin_of_few(signal.calibration.batches)
            whole = short * (1.0 / seen + 1.0 / rows) + max(0.0, days - short) * level
            most = max(most, part * whole / (1.0 / seen + 1.0 / rows))
        df = float(signal.calibration.batches - 1)
        return fine, Scales(rows, math.sqrt(ties * most), math.sqrt(most), df)

    def coarsen(self, i: int, k: int, mixture: Mixture, counts: Ints) -> Coarse:
        """Coarse bins of a window of signal i with these counts, and the law for it.

        The weights are for 1/N + 1/n = 1, N being the counts of the given reference.
        """
        signal, known = self._signals[i], self._known[i]
        groups = signal.calibration.groups
        n = int(counts.sum())
        q, events = _expected(mixture.shares, known.counts, known.rows)
        expected = np.rint(q * (n * _PARTS)).astype(np.int64)
        merged = merged_groups(signal, expected, k, LEAST_EXPECTED * _PARTS)
        size = int(merged.max()) + 1
        of_bin = merged[groups]
        if size < 2 or not n:
            return Coarse(
                of_bin, np.zeros(max(0, size), np.int64), np.zeros((0, 0)), np.ones(0), math.inf
            )
        trace, moved, share = _trace_and_tilt(
            mixture.shares, known.counts, known.rows, merged, size
        )
        whole_trace, whole_moved, _ = _trace_and_tilt(
            known.whole, known.counts, known.rows, merged, size
        )
        inside = float(q[merged >= 0].sum())
        reference = np.maximum(0, np.rint(share * (events * inside))).astype(np.int64)
        of_reference = max(1.0, float(reference.sum()))
        seen = max(1, int(counts[of_bin >= 0].sum()))
        tilt = 1.0
        if signal.kind == "numeric" and whole_moved > 0.0 and trace > 0.0:
            tilt = max(1.0, (moved / whole_moved) / (trace / max(_LEAST, whole_trace)))
        weights, df = self._law(i, k, size, mixture, seen, of_reference, tilt)
        weights *= max(_LEAST, trace)
        # Events are whole, and so are those expected: where hours hold one value each nothing
        # varies, and less than an event in every bin is rounding.
        mean = float(weights.sum())
        rounding = size / seen * (1.0 / of_reference + 1.0 / seen)
        if mean < rounding:
            weights *= rounding / mean
            mean = rounding
        weights *= 1.0 + min(_SECOND_ORDER * mean, _MOST_SECOND_ORDER)
        weights /= 1.0 / of_reference + 1.0 / seen
        covariance = np.diag(share) - np.outer(share, share)
        return Coarse(of_bin, reference, covariance * weights.mean(), weights, df, scarce=False)

    def _law(
        self, i: int, k: int, size: int, mixture: Mixture, seen: int, events: float, tilt: float
    ) -> tuple[Floats, float]:
        """Weights for a stratified trace of 1, and how well they are known."""
        shape = self._shape(i, k)
        level = self._calendar.day_factor * mixture.days + 1.0 / events
        short = shape.short * (1.0 / seen + 1.0 / events)
        days = tilt * (shape.days - shape.short) * level
        free = size - 1
        weights = _resized(shape.short_spread, free) * short
        weights = weights + _resized(shape.days_spread, free) * days
        # A level that was estimated as 0 is uncertain as well: hence the days' own variance.
        uncertain = tilt * shape.days * level
        short_df = shape.short_df * (free if shape.short_alike else 1.0)
        days_df = shape.days_df * (free if shape.days_alike else 1.0)
        df = (short + days) ** 2 / (short**2 / short_df + uncertain**2 / days_df)
        return np.maximum(weights, 1e-12), df

    def _shape(self, i: int, k: int) -> _Shape:
        """From the covariances of batches and of days, on the coarse bins of all slots."""
        if (i, k) not in self._shapes:
            self._shapes[i, k] = self._make_shape(i, k)
        return self._shapes[i, k]

    def _make_shape(self, i: int, k: int) -> _Shape:
        signal, known = self._signals[i], self._known[i]
        slots = signal.slots
        assert slots is not None
        q, _ = _expected(known.whole, known.counts, known.rows)
        expected = np.rint(q * (100 * k * _PARTS)).astype(np.int64)
        merged = merged_groups(signal, expected, k, LEAST_EXPECTED * _PARTS)
        size = max(2, int(merged.max()) + 1)
        trace, _, share = _trace_and_tilt(known.whole, known.counts, known.rows, merged, size)
        select = (merged[None, :] == np.arange(size)[:, None]).astype(np.float64)
        inside = max(_LEAST, float(q[merged >= 0].sum()))
        project = (select - share[:, None] * (merged >= 0)) / math.sqrt(inside)
        root = 1.0 / np.sqrt(np.maximum(share, _LEAST))
        scaled = project * root[:, None]
        covariances = [c.covariance for c in (slots.short, signal.calibration)]
        of_short, of_days = (
            np.maximum(np.linalg.eigvalsh(scaled @ c @ scaled.T)[::-1][: size - 1], _LEAST)
            for c in covariances
            if c is not None
        )
        trace = max(_LEAST, trace)
        short = max(1.0, float(of_short.sum()) / trace)
        days = max(short, float(of_days.sum()) / trace)
        of_days = _above_noise(of_days, short * trace / (size - 1), self._calendar.days - 1)
        short_df = float(slots.short.batches - 1)
        days_df = float(signal.calibration.batches - 1)
        near_one = 1.0 + 3.0 * math.sqrt(2.0 / (short_df * (size - 1)))
        short_alike = short < near_one or even_enough(of_short, short_df)
        days_alike = even_enough(of_days, days_df)
        spread = np.full(size - 1, 1.0 / (size - 1)) if short_alike else of_short / of_short.sum()
        if not short_alike:
            short_df *= (1.0 / float(np.square(spread).sum())) ** (1 / 3)
        days_spread = of_days / of_days.sum()
        if not days_alike:
            days_df *= (1.0 / float(np.square(days_spread).sum())) ** (1 / 3)
        if days < _DAYS_STAND_OUT * short:
            days_spread = spread
        return _Shape(short, days, spread, days_spread, short_df, days_df, short_alike, days_alike)


def _known(signal: SignalReference) -> _Known:
    slots = signal.slots
    assert slots is not None
    fine = slots.known.astype(np.float64)
    groups = signal.calibration.groups.astype(np.int64)
    counts = fine @ np.eye(int(groups[-1]) + 1)[groups]
    rows = np.maximum(1.0, counts.sum(axis=1))
    held = slots.counts.sum(axis=1, dtype=np.int64)
    return _Known(counts, rows, held / max(1, int(held.sum())), fine)


def _above_noise(values: Floats, noise: float, df: int) -> Floats:
    """Eigenvalues beyond what noise makes of so few days (Marchenko and Pastur), less the noise.

    If none is, all.
    """
    noise = min(noise, float(np.median(values)))
    edge = noise * (1.0 + math.sqrt(values.size / max(1, df))) ** 2
    clear = values > edge
    return np.maximum(np.where(clear, values - noise, 0.0), _LEAST) if clear.any() else values


def _resized(spread: Floats, size: int) -> Floats:
    """Shares of the first so many directions; of more the last is repeated."""
    if spread.size >= size:
        cut = spread[:size]
    else:
        cut = np.concatenate([spread, np.full(size - spread.size, spread[-1])])
    result: Floats = cut / cut.sum()
    return result

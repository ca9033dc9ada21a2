"""One name that became frequent or rare: the share of each against the reference's, exactly.

PSI needs bins that are expected to hold five events and adds all of them up, so a rare class, or
one name of a thousand that takes over, is lost in it. Here the share of every name with a bin, of
every bin of the tail and of the tail as a whole is looked at by itself, both ways, by Fisher's test
(`fisher`); the least tail times the number of looks is the tail of all (Bonferroni). Counts are
divided by one design effect for all names, the mean over the coarse bins: that of a single rare
name is not known from its few events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import CategoricalBinning
from detectors.counting.counts import Layout
from detectors.null_distributions.fisher import fisher_tail
from detectors.references.calibration import margin_of_few
from detectors.references.reference import SignalReference
from detectors.windowed.rates import LEAST_RISE

__all__ = ["Held", "NameShares"]

#: A design effect that is clearly above 1 is taken for so much larger, as by sequential tests.
_CAUTION, _CLEAR = 1.25, 2.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class _Rows(NamedTuple):
    """The signals with this test as arrays: looks are at own names, tail bins, and all of these."""

    signal: Ints
    start: Ints  # of the signal's bins
    first: Ints  # the first own name that is looked at
    own: Ints  # names with a bin
    tail: Ints  # bins of names without one, as many of those never seen follow; 0 for no tail
    looks: Ints
    phi: Floats


class Held(NamedTuple):
    """What was seen of each signal: at which look, the events there, and its tail one way."""

    look: Ints
    seen: Ints
    tail: Floats


class NameShares:
    """The test of some signals' names.

    Parameters
    ----------
    signals : sequence of SignalReference
    layout : Layout
        Of the signals, in their order.
    tests : sequence of sequences of str
        For each signal the names of the tests that are on.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, tests: Sequence[Sequence[str]]
    ) -> None:
        rows = [
            row
            for i, signal in enumerate(signals)
            if "name_share" in tests[i] and (row := _row_of(i, signal, layout)) is not None
        ]
        signal, start, first, own, tail, looks = (
            np.array([row[k] for row in rows], np.int64) for k in range(6)
        )
        phi = np.array([row[6] for row in rows], np.float64)
        self._rows = _Rows(signal, start, first, own, tail, looks, phi)
        self.signal = self._rows.signal
        self._reference = np.concatenate([[0], *(s.counts for s in signals)]).astype(np.int64)
        #: Of signals with slots: design effects of short batches and of days.
        self.effects = [
            (_design_effect(replace(s, calibration=s.slots.short))[0], _design_effect(s)[0])
            for i in signal.tolist()
            if (s := signals[i]).slots is not None
        ]

    def compared_with(self, reference: Ints, phi: Floats) -> NameShares:
        """The same test against other counts, int64[width], with these design effects."""
        there = copy(self)
        there._reference, there._rows = reference, self._rows._replace(phi=phi)
        return there

    def test(self, counts: Ints, alpha: Floats, total: Ints, out: Floats, found: Bools) -> Held:
        """Test a window's counts, each signal at its own level, float64[R].

        Fills `total`, the names seen, 0 if there are none; `out`, float64[2, R], by how much the
        share moved that moved most clearly, twice; and `found`.
        """
        size = total.size
        held = Held(np.full(size, -1, np.int64), np.zeros(size, np.int64), np.ones(size))
        if size:  # a slice of nothing is another type of array, and another compilation
            _test(counts, self._reference, self._rows, alpha, held, total, out, found)
        return held

    def tails(self, held: Held) -> Floats:
        """How often chance alone moves some share as clearly."""
        return np.asarray(np.minimum(1.0, 2.0 * self._rows.looks * held.tail))

    def thresholds(self, held: Held, total: Ints, alpha: Floats) -> Floats:
        """By how much that share would have to move the same way to be a finding."""
        out = np.zeros(total.size)
        _thresholds(self._reference, self._rows, alpha, held, total, out)
        return out


def _row_of(
    index: int, signal: SignalReference, layout: Layout
) -> tuple[int, int, int, int, int, int, float] | None:
    binning = signal.binning
    if not isinstance(binning, CategoricalBinning):
        return None
    own = len(binning.categories)
    # Without names that have no bin in the reference, new ones are the business of their rate.
    tail = binning.tail if signal.counts[binning.other : binning.missing].any() else 0
    first = 1 if own == 2 and not tail else 0  # of two shares the rarer one's says all
    phi, is_clear = _design_effect(signal)
    # Where events depend on each other the names that are own were more frequent by chance than
    # their choice allows for: all of the tail together would come back in every window.
    looks = own - first + tail + (tail > 1 and not is_clear)
    if own + tail < 2 or not signal.counts[: binning.missing].any():
        return None
    return index, int(layout.start[index]), first, own, tail, looks, phi


def _design_effect(signal: SignalReference) -> tuple[float, bool]:
    """The mean over the coarse bins of names, each with the weight of what its share may vary.

    Also says whether it is clearly above 1.
    """
    calibration = signal.calibration
    covariance = calibration.covariance
    if covariance is None:
        return 1.0, False
    groups = int(calibration.groups[signal.binning.missing])  # those of names come first
    share = np.bincount(calibration.groups, signal.counts)[:groups] / max(1, signal.events)
    there = share > 0.0
    weight = float((1.0 - share[there]).sum())
    if weight <= 0.0:
        return 1.0, False
    effect = float((np.diag(covariance)[:groups][there] / share[there]).sum()) / weight
    effect *= margin_of_few(calibration.batches)
    clear = 1.0 + _CLEAR * math.sqrt(2.0 / (calibration.batches - 1))
    return max(1.0, effect * (_CAUTION if effect > clear else 1.0)), effect > clear


@kernel
def _count_at(counts: Ints, rows: _Rows, r: int, look: int) -> np.int64:
    """Events of a look; the one after all bins is the whole tail."""
    start, own, tail = rows.start[r], rows.own[r], rows.tail[r]
    at = start + look
    if look == own + tail:
        return np.int64(counts[start + own : at + tail].sum())
    return np.int64(counts[at] + (counts[at + tail] if look >= own else 0))


@kernel
def _one_way(b: float, n: float, a: float, of: float, phi: float) -> float:
    """The tail in the direction in which the share moved."""
    if b * of >= a * n:
        return fisher_tail(b, n, a, of, phi)
    return fisher_tail(a, of, b, n, phi)


@kernel
def _test(
    counts: Ints,
    reference: Ints,
    rows: _Rows,
    alpha: Floats,
    held: Held,
    total: Ints,
    out: Floats,
    found: Bools,
) -> None:
    for r in range(rows.signal.size):
        first = rows.start[r]
        until = first + rows.own[r] + 2 * rows.tail[r]
        n, of = counts[first:until].sum(), reference[first:until].sum()
        total[r] = n
        found[r] = False
        if n == 0:
            continue
        moved, least = -1.0, 2.0
        for k in range(rows.looks[r]):
            look = rows.first[r] + k
            b, a = _count_at(counts, rows, r, look), _count_at(reference, rows, r, look)
            by = abs(b / n - a / of)
            enough = by >= LEAST_RISE
            if moved >= LEAST_RISE and not enough:
                continue
            tail = _one_way(float(b), float(n), float(a), float(of), rows.phi[r])
            if tail < least or (enough and moved < LEAST_RISE):
                least, moved = tail, by
                held.look[r], held.seen[r], held.tail[r] = look, b, tail
        out[0, r] = out[1, r] = moved
        found[r] = moved >= LEAST_RISE and 2.0 * rows.looks[r] * least <= alpha[r]


@kernel
def _thresholds(
    reference: Ints, rows: _Rows, alpha: Floats, held: Held, total: Ints, out: Floats
) -> None:
    for r in range(rows.signal.size):
        n = total[r]
        if n == 0:
            continue
        first = rows.start[r]
        of = reference[first : first + rows.own[r] + 2 * rows.tail[r]].sum()
        a = _count_at(reference, rows, r, held.look[r])
        wanted = alpha[r] / (2.0 * rows.looks[r])
        expected = a / of
        rises = held.seen[r] / n >= expected
        # The count nearest to what is expected that is significant; one beyond all if none is.
        near, far = int(expected * n), n + 1 if rises else -1
        while abs(far - near) > 1:
            middle = (near + far) // 2
            if _one_way(float(middle), float(n), float(a), float(of), rows.phi[r]) <= wanted:
                far = middle
            else:
                near = middle
        out[r] = max(abs(far / n - expected), LEAST_RISE)

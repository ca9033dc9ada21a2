"""E-detectors of shares: the evidence that a share of zeros and ones left the reference's.

As those of ranks (`edetector`), with what is special of a share: growth has two values, so a pane's
is exact; the bound of the reference's share is Clopper and Pearson's, which holds for none at all;
and a rate, which is mostly rare, is bet on as far as one may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.counts import Layout
from detectors.null_distributions.special import binomial_upper, normal_tail
from detectors.references.calendar import STEPS, Calendar
from detectors.references.reference import SignalReference
from detectors.sequential.edetector import BETS, STARTS
from detectors.sequential.shares import Share, ShareTable

__all__ = ["RARE_BETS", "ShareGrowth", "grow"]

#: Bets on a rate, as they are: of a rare one 32 is less than one may bet and far more than `BETS`.
RARE_BETS: Final = (0.5, 2.0, 8.0, 32.0)
#: No more is bet than this part of what one may: an event must not lose everything.
_MOST: Final = 0.95
#: Beyond this a power of e is as good as infinite, or none.
_LARGEST: Final = 700.0
_LOG2_E: Final = 1.4426950408889634
#: Added to a number it leaves no room for what is behind the point.
_TO_WHOLE: Final = 6_755_399_441_055_744.0
#: The logarithm of 2 in two parts, so that multiples of the first are exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.4286068203094172e-06

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Processes(NamedTuple):
    """Those of one share: bets, which way each goes, and the most that a share may be off by."""

    bets: tuple[float, ...]
    signs: tuple[int, ...]
    tail: float


def _processes(share: Share, z: float) -> _Processes:
    bets = RARE_BETS if share.rate else BETS
    signs = (1, -1) if share.both else (1,)
    return _Processes(bets, signs, normal_tail(z) / share.looks)


def _growth(share: Share, known: float, z: float) -> tuple[list[float], list[float]]:
    """Log growth of each process for an event inside and one outside, at a known share."""
    of = _processes(share, z)
    inside, ones, zeros = known * share.total, [], []
    for sign in of.signs:
        if sign > 0:
            bound = binomial_upper(inside, share.total, of.tail)
        else:
            bound = 1.0 - binomial_upper(share.total - inside, share.total, of.tail)
        lost = bound if sign > 0 else 1.0 - bound  # what the worst event stakes of a bet of 1
        for bet in of.bets:
            stake = min(bet, _MOST / lost) if share.rate else bet * 0.5 / max(0.5, lost)
            ones.append(math.log1p(stake * sign * (1.0 - bound)) / share.cautious_phi)
            zeros.append(math.log1p(-stake * sign * bound) / share.cautious_phi)
    return ones, zeros


class ShareGrowth:
    """What e-detectors of shares read of the reference; subjects under one plan share it.

    With slots a share is compared with its slot's. The slot's own error averages out over slots,
    as that of ranks does: the bound is that of as many rows as all slots have.

    Parameters
    ----------
    table : ShareTable
    z : float
        Standard errors by which the reference's share may be off, in any of its looks.
    signals, layout
        As of the table.
    calendar : Calendar, optional
        Of a stream with slots.

    Attributes
    ----------
    share, sign : int64[P]
        Index of each process's share, and which way it bets.
    first : int64[S + 1]
        Where each signal's processes begin.
    rate : bool[P]
        Whether the process is of a rate.
    starts : float64[P]
        How much of the process starts for each event.
    numeric : int64
        Indices of the numeric signals.
    """

    def __init__(
        self,
        table: ShareTable,
        z: float,
        signals: Sequence[SignalReference],
        layout: Layout,
        calendar: Calendar | None = None,
    ) -> None:
        self.table, self.numeric = table, layout.numeric
        self._calendar, self._width = calendar, layout.width
        shares = table.shares
        of = [_processes(share, z) for share in shares]
        sizes = [len(each.bets) * len(each.signs) for each in of]
        self.first = np.cumsum([0, *sizes], dtype=np.int64)[table.first]
        self.share = np.repeat(np.arange(len(shares)), sizes)
        signs = [sign for each in of for sign in each.signs for _ in each.bets]
        self.sign = np.array(signs, np.int64)
        self.rate = np.repeat(np.array([bool(share.rate) for share in shares], np.bool_), sizes)
        starts = np.array([STARTS / share.cautious_phi for share in shares], np.float64)
        self.starts = np.repeat(starts, sizes)
        slots = 1 if calendar is None else calendar.slots
        self._one, self._zero = np.zeros((2, slots, self.share.size))
        at = 0
        for share, size in zip(shares, sizes, strict=True):
            known = _by_slot(share, signals[share.signal]) if calendar else [share.reference]
            for slot, each in enumerate(known):
                ones, zeros = _growth(share, each, z)
                self._one[slot, at : at + size], self._zero[slot, at : at + size] = ones, zeros
            at += size

    def growth(self, counts: Ints) -> tuple[Floats, Floats]:
        """Log growth of each process for an event inside and one outside, in this pane."""
        if self._calendar is None:
            return self._one[0], self._zero[0]
        place = self._calendar.place_of(counts[self._width :])
        one, zero = (
            (of[place.slot] * (STEPS - place.part) + of[place.other] * place.part) / STEPS
            for of in (self._one, self._zero)
        )
        return one, zero


def _by_slot(share: Share, signal: SignalReference) -> list[float]:
    """The share in each slot, with as many new values as chance brings at any time."""
    assert signal.slots is not None
    beyond = share.reference - share.of(signal.counts)
    return [min(1.0, max(0.0, share.of(counts) + beyond)) for counts in signal.slots.known]


@kernel
def grow(
    total: Ints,
    held: Ints,
    share: Ints,
    one: Floats,
    zero: Floats,
    starts: Floats,
    state: Floats,
    logs: Floats,
) -> None:
    """One pane: state is M of each process, 0 at the start; `logs` takes those beyond a number.

    A column of many names has hundreds of processes, so their exponentials are made side by side:
    e^x is 2^k e^r with |r| below half of log 2, and that a polynomial within 1e-14.
    """
    gain = np.empty(share.size)
    rest = np.empty(share.size)
    rounded = np.empty(share.size)
    for p in range(share.size):
        n, k = total[share[p]], held[share[p]]
        gain[p] = k * one[p] + (n - k) * zero[p]
    for p in range(share.size):
        x = min(max(gain[p], -_LARGEST), _LARGEST)
        rounded[p] = x * _LOG2_E + _TO_WHOLE
        power = rounded[p] - _TO_WHOLE
        r = x - power * _LN2_HIGH - power * _LN2_LOW
        e = 1.0 / 39_916_800.0
        e = e * r + 1.0 / 3_628_800.0
        e = e * r + 1.0 / 362_880.0
        e = e * r + 1.0 / 40_320.0
        e = e * r + 1.0 / 5_040.0
        e = e * r + 1.0 / 720.0
        e = e * r + 1.0 / 120.0
        e = e * r + 1.0 / 24.0
        e = e * r + 1.0 / 6.0
        e = e * r + 0.5
        e = e * r + 1.0
        rest[p] = e * r + 1.0
    bits = rounded.view(np.int64)  # whose last ones are the whole number
    for p in range(share.size):
        bits[p] = (bits[p] + 1023) << 52
    for p in range(share.size):
        n = total[share[p]]
        if n == 0:
            continue
        before = state[p] + min(1.0, n * starts[p])
        if gain[p] < _LARGEST:
            state[p] = before * (rest[p] * rounded[p]) if gain[p] > -_LARGEST else 0.0
        else:
            state[p] = np.inf
        if state[p] == np.inf:
            logs[p] = math.log(before) + gain[p]

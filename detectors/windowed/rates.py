"""Rates of missing, invalid and new values, tested exactly.

They are mostly near 0 and then in no coarse bin. An exact conditional binomial test says whether
the window has more than the reference (Przyborowski and Wilenski 1940), with counts divided by the
design effect. New values are categories never seen, and numbers outside the range or between the
few values known; as many as the reference's batches have for each other are expected (Good and
Turing's estimate, Good 1953).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.counts import Layout
from detectors.counting.merge_bins import special_bins
from detectors.null_distributions.special import beta_cdf
from detectors.references.calendar import Mixture
from detectors.references.calibration import margin_of_few, share_effect
from detectors.references.reference import SignalReference
from detectors.windowed.slot_rates import RateBins, SlotRates

__all__ = ["LEAST_RISE", "Rate", "Rates", "rates_of"]

#: A rate that rose by less than half a point is no finding, however significant.
LEAST_RISE: Final = 0.005

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Rate(NamedTuple):
    """A rate of one signal: its bins, and how many of the reference's rows are in them.

    `phi` is the design effect of both counts, `reference_phi` one more of the reference's.
    """

    signal: int
    test: str
    bins: Ints
    expected: int
    events: int
    phi: float
    reference_phi: float = 1.0


class _Arrays(NamedTuple):
    """The rates as arrays; those of one signal follow each other."""

    signal: Ints
    bins: Ints  # of all rates, one after the other
    end: Ints  # of each rate in `bins`
    expected: Floats
    events: Floats
    phi: Floats
    reference_phi: Floats


class Rates:
    """The rates of some signals.

    Parameters
    ----------
    signals : sequence of SignalReference
    layout : Layout
        Of the signals, in their order.
    tests : sequence of sequences of str
        For each signal the names of the tests that are on; names of other tests are passed over.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, tests: Sequence[Sequence[str]]
    ) -> None:
        rows = [
            rate
            for i, signal in enumerate(signals)
            for rate in rates_of(i, signal)
            if rate.test in tests[i]
        ]
        self.signal = np.array([rate.signal for rate in rows], np.int64)
        self.tests = tuple(rate.test for rate in rows)
        bins = [layout.start[rate.signal] + rate.bins for rate in rows]
        self._rates = _Arrays(
            self.signal,
            np.concatenate([np.zeros(0, np.int64), *bins]),
            np.cumsum([rate.bins.size for rate in rows], dtype=np.int64),
            np.array([rate.expected for rate in rows], np.float64),
            np.array([rate.events for rate in rows], np.float64),
            np.array([rate.phi for rate in rows], np.float64),
            np.array([rate.reference_phi for rate in rows], np.float64),
        )
        self._start, self._n_bins = layout.start, layout.n_bins
        self._slots: SlotRates | None = None
        if all(signal.slots is not None for signal in signals):
            self._slots = SlotRates(signals, _slot_rates(signals, rows))

    def of_mixture(self, mixture: Mixture, day_factor: float, counts: Ints) -> Rates:
        """The rates that are expected of a window with these counts and this mixture of slots."""
        assert self._slots is not None
        n = np.add.reduceat(counts, self._start)[self.signal]
        expected = self._slots.expected(mixture, day_factor, n)
        there = copy(self)
        there._rates = self._rates._replace(
            events=np.where(self._rates.events > 0.0, expected.events, 0.0),
            expected=expected.inside,
            phi=expected.phi,
            reference_phi=expected.reference_phi,
        )
        return there

    def test(
        self, counts: Ints, alpha: Floats, total: Ints, out: Floats, found: npt.NDArray[np.bool_]
    ) -> Ints:
        """Test a window's counts, each rate at its own level, float64[R].

        Fills `total`, of how many events a rate is, 0 if it cannot be tested; `out`, float64[2, R],
        the rate and its rise; and `found`. Returns the events in the bins of each rate.
        """
        held = np.empty(total.size, np.int64)
        _test(counts, self._start, self._n_bins, self._rates, alpha, held, total, out, found)
        return held

    def tails(self, held: Ints, total: Ints) -> Floats:
        """How often chance alone gives such a rate or more."""
        out = np.ones(held.size)
        _tails(held, total, self._rates, out)
        return out

    def thresholds(self, total: Ints, alpha: Floats) -> Floats:
        """The rate from which there is a finding."""
        out = np.zeros(total.size)
        _thresholds(total, self._rates, alpha, out)
        return out


def rates_of(index: int, signal: SignalReference) -> list[Rate]:
    """Rates that can be tested of a signal."""
    counts, calibration = signal.counts, signal.calibration
    news = calibration.novel + 1
    rates = []
    for name, bins in special_bins(signal.binning).items():
        expected = int(counts[bins].sum())
        if name == "unseen":
            both, own = calibration.phi_novel, 1.0
            if not calibration.batches:
                both, own = own, both
            rates.append(
                Rate(index, "unseen_rate", bins, expected + news, signal.events, both, own)
            )
        else:
            phi = _rate_effect(signal, int(bins[0]))
            rates.append(Rate(index, f"{name}_rate", bins, expected, signal.events, phi))
    if signal.kind == "numeric":
        new = np.flatnonzero(counts[: signal.binning.missing] == 0)
        phi = max(calibration.phi_novel, calibration.phi)  # extremes of a slow stream come in runs
        rates.append(Rate(index, "range_rate", new, news, signal.events, phi))
    return rates


def _slot_rates(signals: Sequence[SignalReference], rates: Sequence[Rate]) -> list[RateBins]:
    """The rates with their design effects of short batches and of days."""
    found = []
    for rate in rates:
        signal = signals[rate.signal]
        assert signal.slots is not None
        short = rates_of(rate.signal, replace(signal, calibration=signal.slots.short))
        of_short = next(other for other in short if other.test == rate.test)
        new = rate.expected - int(signal.counts[rate.bins].sum())
        novel = new / max(1, rate.events)
        found.append(RateBins(rate.signal, rate.bins, novel, of_short.phi, rate.phi))
    return found


def _rate_effect(signal: SignalReference, bin_: int) -> float:
    """Design effect of the share of one special bin."""
    lower = signal.calibration.lower
    share = float(signal.counts[bin_]) / max(1, signal.events)
    if lower is None or not 0.0 < share < 1.0:
        return 1.0
    group = int(signal.calibration.groups[bin_])
    effect = float(lower[group * (group + 3) // 2]) / (share * (1.0 - share))  # its variance
    effect = max(1.0, effect * margin_of_few(signal.calibration.batches))
    return share_effect(signal.calibration, effect, int(signal.counts[bin_]))


@kernel
def _tail(b: float, n: float, a: float, n_reference: float, phi: float) -> float:
    """P(at least b of the window's n, given a + b in all), by the beta function."""
    return beta_cdf(n / (n + n_reference), b / phi, a / phi + 1.0) if b > 0.0 else 1.0


@kernel
def _tail_of(rates: _Arrays, r: int, held: int, total: int) -> float:
    n, n_reference = float(total), float(rates.events[r])
    own = rates.reference_phi[r]
    return _tail(float(held), n, rates.expected[r] / own, n_reference / own, rates.phi[r])


@kernel
def _test(
    counts: Ints,
    start: Ints,
    n_bins: Ints,
    rates: _Arrays,
    alpha: Floats,
    held: Ints,
    total: Ints,
    out: Floats,
    found: npt.NDArray[np.bool_],
) -> None:
    last = -1
    n = 0
    first = 0
    for r in range(rates.signal.size):
        i = rates.signal[r]
        if i != last:
            n = counts[start[i] : start[i] + n_bins[i]].sum()
            last = i
        b = 0
        for at in range(first, rates.end[r]):
            b += counts[rates.bins[at]]
        first = rates.end[r]
        held[r] = b
        total[r] = n if rates.events[r] else 0
        found[r] = False
        if total[r] == 0:
            continue
        out[0, r] = b / n
        out[1, r] = b / n - rates.expected[r] / rates.events[r]
        if out[1, r] >= LEAST_RISE:  # only then is the tail worth its time
            found[r] = _tail_of(rates, r, b, n) <= alpha[r]


@kernel
def _tails(held: Ints, total: Ints, rates: _Arrays, out: Floats) -> None:
    for r in range(held.size):
        if total[r]:
            out[r] = _tail_of(rates, r, held[r], total[r])


@kernel
def _thresholds(total: Ints, rates: _Arrays, alpha: Floats, out: Floats) -> None:
    for r in range(total.size):
        if total[r] == 0:
            continue
        low, high = 0, int(total[r]) + 1  # the least count that is significant
        while high - low > 1:
            middle = (low + high) // 2
            if _tail_of(rates, r, middle, total[r]) <= alpha[r]:
                high = middle
            else:
                low = middle
        out[r] = max(high / total[r], rates.expected[r] / rates.events[r] + LEAST_RISE)

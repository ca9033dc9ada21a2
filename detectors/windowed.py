"""Windowed tests: the counts of a full window against the reference, all signals in one call.

**PSI** on coarse bins, `sum (q - p) log(q / p)`, with 1/2 added to every count of both histograms.
Without change it follows `(1/N + 1/n) chi2(bins - 1)` for independent events (Yurdakul 2018) and
`(1/N + 1/n) sum w_j chi2_1` for dependent ones, with the weights from the reference's batches.

**Rates** of missing, invalid and new values (categories never seen, numbers outside the range or
between the few values known), which are mostly near 0 and then in no coarse bin: an exact
conditional binomial test of whether the window has more than the reference (Przyborowski and
Wilenski 1940), with counts divided by the design effect. As many new values as the reference's
batches have for each other are expected (Good and Turing's estimate, Good 1953).

docs/statistics.md has the promise and what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors._special import beta_cdf, chi2_quantile, chi2_tail
from detectors.calibration import margin_of_few
from detectors.coarse import BASE_GROUPS, LEAST_EXPECTED, merge_neighbours, special_bins
from detectors.counts import Layout
from detectors.quadratic import form_quantile, form_tail
from detectors.reference import Reference, SignalReference

__all__ = ["LEAST_RISE", "WindowBank", "WindowResult"]

#: PSI from which a finding is a warning, and critical (the usual rule of thumb).
_PSI_STEPS: Final = (0.10, 0.25)
#: Rise of a rate from which a finding is a warning, and critical.
_RATE_STEPS: Final = (0.02, 0.10)
#: A rate that rose by less than half a point is no finding, however significant.
LEAST_RISE: Final = 0.005
_EVENTS_PER_BIN: Final = 100

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WindowResult:
    """A row for each test that could be made: parallel arrays.

    Attributes
    ----------
    signal : int64
        Index of the signal in the bank.
    tests : tuple of str
        psi, missing_rate, invalid_rate, and unseen_rate or range_rate.
    value, threshold : float64
        PSI or rate, and the value from which it is a finding.
    effect : float64
        Debiased PSI, or by how much the rate rose.
    p_value : float64
        How often chance alone gives this value or more.
    n : int64
        Events the test saw.
    found : bool
    """

    signal: Ints
    tests: tuple[str, ...]
    value: Floats
    effect: Floats
    threshold: Floats
    p_value: Floats
    n: Ints
    found: npt.NDArray[np.bool_]

    def test(self, row: int) -> str:
        """Name of the test of a row."""
        return self.tests[row]

    def severity(self, row: int) -> str:
        """Info, warning or critical by the size of the effect; "" if it is no finding."""
        if not self.found[row]:
            return ""
        warning, critical = _PSI_STEPS if self.tests[row] == "psi" else _RATE_STEPS
        effect = self.effect[row]
        if effect < warning:
            return "info"
        return "warning" if effect < critical else "critical"


class _Level(NamedTuple):
    """Coarse bins for windows of one size."""

    group: Ints  # [width] coarse bin within the signal, -1 for none
    size: Ints  # [S] coarse bins of the signal
    reference: Ints  # [S, most] counts of the reference
    weights: Floats  # [S, most] of the form, descending, 0 beyond
    df: Floats  # [S] of the weights' estimate; infinite for independent events


class WindowBank:
    """The windowed tests of some signals.

    Parameters
    ----------
    signals : sequence of SignalReference
        Those of `layout`, in its order.
    layout : Layout, optional
        Made from the signals if it is not given.
    """

    def __init__(self, signals: Sequence[SignalReference], layout: Layout | None = None) -> None:
        if isinstance(signals, Reference):
            signals = signals.signals
        self.signals = tuple(signals)
        self.layout = layout or Layout({s.name: s.binning for s in self.signals})
        if self.layout.names != tuple(s.name for s in self.signals):
            raise ValueError("layout must have the same signals in the same order.")
        self._levels: dict[int, _Level] = {}
        self._thresholds: dict[tuple[int, float], Floats] = {}
        rates = [(i, rate) for i, s in enumerate(self.signals) for rate in _rates_of(s)]
        self._rate_signal = np.array([i for i, _ in rates], np.int64)
        self._rate_test = tuple(rate.test for _, rate in rates)
        self._rate_bins = np.concatenate([self.layout.start[i] + rate.bins for i, rate in rates])
        sizes = np.array([rate.bins.size for _, rate in rates])
        self._rate_first = np.cumsum(sizes) - sizes
        self._rate_events = np.array([self.signals[i].events for i, _ in rates], np.int64)
        self._rate_reference = np.array([rate.expected for _, rate in rates], np.int64)
        self._rate_phi = np.array([rate.phi for _, rate in rates])
        self._tests_on = 1 + np.bincount(self._rate_signal, minlength=len(self.signals))

    def test(self, counts: Ints, alpha: float) -> WindowResult:
        """Test a window.

        Parameters
        ----------
        counts : int64[width]
            Of the window.
        alpha : float
            Chance of a false alarm for each signal, shared equally by its tests.
        """
        if not 0.0 < alpha < 0.5:
            raise ValueError(f"alpha must be between 0 and 0.5; got {alpha}.")
        k = min(BASE_GROUPS, max(2, int(counts[0]) // _EVENTS_PER_BIN))
        level = self._level(k)
        share = alpha / self._tests_on
        n, psi = _psi_of_all(counts, self.layout.start, self.layout.n_bins, level.group,
                             level.size, level.reference)  # fmt: skip
        scale = np.zeros(n.size)
        able = (n >= k * _EVENTS_PER_BIN // 2) & (level.size > 1)
        scale[able] = 1.0 / level.reference.sum(axis=1)[able] + 1.0 / n[able]
        p = _psi_tails(psi, scale, level.weights, level.size, level.df)
        threshold = np.where(able, scale, 1.0) * self._unit_thresholds(k, alpha)
        debiased = psi - scale * level.weights.sum(axis=1)
        total = np.add.reduceat(counts[1:], self.layout.start - 1)[self._rate_signal]
        held = np.add.reduceat(counts[self._rate_bins], self._rate_first)
        rate = _rates(held, total, self._rate_reference, self._rate_events,
                      self._rate_phi, share[self._rate_signal])  # fmt: skip
        some = total > 0
        keep = np.concatenate([able, some])
        value, effect, limit, tail, events, found = (
            np.concatenate(pair)[keep]
            for pair in (
                (psi, rate[0]),
                (debiased, rate[1]),
                (threshold, rate[2]),
                (p, rate[3]),
                (n, total),
                (
                    able & (psi > threshold),
                    (rate[3] <= share[self._rate_signal]) & (rate[1] >= LEAST_RISE),
                ),
            )
        )
        names = ("psi",) * n.size + self._rate_test
        return WindowResult(
            signal=np.concatenate([np.arange(n.size), self._rate_signal])[keep],
            tests=tuple(name for name, kept in zip(names, keep, strict=True) if kept),
            value=value, effect=effect, threshold=limit, p_value=tail,
            n=events.astype(np.int64), found=found.astype(bool),
        )  # fmt: skip

    def _unit_thresholds(self, k: int, alpha: float) -> Floats:
        """Thresholds of PSI for 1/N + 1/n = 1."""
        held = self._thresholds.get((k, alpha))
        if held is None:
            level = self._level(k)
            held = np.full(len(self.signals), np.inf)
            for i, size in enumerate(level.size.tolist()):
                if size < 2:
                    continue
                tail = alpha / self._tests_on[i]
                if np.isinf(level.df[i]):
                    held[i] = chi2_quantile(tail, size - 1)
                else:
                    held[i] = form_quantile(tail, level.weights[i, : size - 1], level.df[i])
            self._thresholds[k, alpha] = held
        return held

    def _level(self, k: int) -> _Level:
        """Coarse bins for windows of at least 100 k events, made at their first use."""
        if k not in self._levels:
            rows = [_coarsen(signal, k) for signal in self.signals]
            most = max(len(row.reference) for row in rows)
            group = np.full(self.layout.width, -1, np.int64)
            reference = np.zeros((len(rows), most), np.int64)
            weights = np.zeros((len(rows), most))
            for i, row in enumerate(rows):
                group[self.layout.slice(i)] = row.group
                reference[i, : len(row.reference)] = row.reference
                weights[i, : len(row.weights)] = row.weights
            size = [len(row.reference) for row in rows]
            df = [row.df for row in rows]
            self._levels[k] = _Level(group, np.array(size), reference, weights, np.array(df))
        return self._levels[k]


class _Coarse(NamedTuple):
    """One signal's part of a level."""

    group: Ints
    reference: Ints
    weights: Floats
    df: float


def _coarsen(signal: SignalReference, k: int) -> _Coarse:
    """Merge a signal's base groups for windows of 100 k events, with at least 5 expected each."""
    base = signal.calibration.groups
    n_special = len(special_bins(signal.binning))
    counts = np.bincount(base, signal.counts, minlength=int(base[-1]) + 1).astype(np.int64)
    least = max(LEAST_EXPECTED, -(-LEAST_EXPECTED * signal.events // (_EVENTS_PER_BIN * k)))
    values = counts[:-n_special]
    merged = np.full(counts.size, -1, np.int64)
    merged[: values.size] = merge_neighbours(values, k, least)
    if values.sum() < least:
        merged[: values.size] = -1
    following = merged.max() + 1
    for g in range(values.size, counts.size):
        if counts[g] >= least:
            merged[g] = following
            following += 1
    used = merged >= 0
    size = int(following)
    reference = np.bincount(merged[used], counts[used], minlength=size).astype(np.int64)
    weights = np.ones(max(size - 1, 0))
    df = np.inf
    covariance = signal.calibration.covariance
    if covariance is not None and size > 1:
        weights = _weights(covariance, merged, reference, signal.events)
        # The trace of the covariance is known to about (batches - 1) * spread degrees of freedom
        # (Thomas and Rao 1987), its largest part to batches - 1. Measured false alarms keep to
        # their level under strong dependence with this power, and stay low under none.
        spread = float(weights.sum()) ** 2 / float(np.square(weights).sum())
        df = float(signal.calibration.batches - 1) * spread ** (1 / 3)
    return _Coarse(merged[base], reference, weights, df)


def _weights(covariance: Floats, merged: Ints, reference: Ints, events: int) -> Floats:
    """Weights of the form: eigenvalues of the coarse shares' covariance over the shares.

    Shares are of the events in any coarse bin, so the covariance of all groups is first projected:
    an event outside them takes the same part from each. Independent events would give ones; the
    sum is never taken below theirs, since streams more even than chance are not to be relied on.
    """
    inside = int(reference.sum())
    shares = reference / inside
    select = (merged[None, :] == np.arange(shares.size)[:, None]).astype(np.float64)
    project = select - shares[:, None] * (merged >= 0)[None, :]
    cov = project @ covariance @ project.T * (events / inside)
    root = np.sqrt(shares)
    eigenvalues = np.linalg.eigvalsh(cov / root[:, None] / root[None, :])[::-1]
    df = shares.size - 1
    weights = np.maximum(eigenvalues[:df], 1e-6)
    result: Floats = weights * max(1.0, df / float(weights.sum()))
    return result


class _Rate(NamedTuple):
    """A rate of one signal: its bins, and how many of the reference's rows are in them."""

    test: str
    bins: Ints
    expected: int
    phi: float


def _rates_of(signal: SignalReference) -> list[_Rate]:
    """Rates that are tested of a signal."""
    counts, calibration = signal.counts, signal.calibration
    rates = []
    for name, bin_ in special_bins(signal.binning).items():
        bins = np.array([bin_])
        if name == "unseen":
            expected = int(counts[bin_]) + calibration.novel + 1
            rates.append(_Rate("unseen_rate", bins, expected, calibration.phi_novel))
        else:
            phi = _rate_effect(signal, bin_)
            rates.append(_Rate(f"{name}_rate", bins, int(counts[bin_]), phi))
    if signal.kind == "numeric":
        new = np.flatnonzero(counts[: signal.binning.missing] == 0)
        phi = max(calibration.phi_novel, calibration.phi)  # extremes of a slow stream come in runs
        rates.append(_Rate("range_rate", new, calibration.novel + 1, phi))
    return rates


def _rate_effect(signal: SignalReference, bin_: int) -> float:
    """Design effect of the share of one special bin."""
    covariance = signal.calibration.covariance
    share = float(signal.counts[bin_]) / max(1, signal.events)
    if covariance is None or not 0.0 < share < 1.0:
        return 1.0
    group = signal.calibration.groups[bin_]
    effect = float(covariance[group, group]) / (share * (1.0 - share))
    return max(1.0, effect * margin_of_few(signal.calibration.batches))


@kernel
def _psi_of_all(
    counts: Ints, start: Ints, n_bins: Ints, group: Ints, size: Ints, reference: Ints
) -> tuple[Ints, Floats]:
    """Events in coarse bins, and PSI, of each signal."""
    n_signals, most = reference.shape
    events = np.zeros(n_signals, np.int64)
    psi = np.zeros(n_signals)
    held = np.empty(most, np.int64)
    for i in range(n_signals):
        k = size[i]
        if k < 2:
            continue
        held[:k] = 0
        total = 0
        for b in range(start[i], start[i] + n_bins[i]):
            if group[b] >= 0:
                held[group[b]] += counts[b]
                total += counts[b]
        events[i] = total
        n = total + 0.5 * k
        n_reference = reference[i, :k].sum() + 0.5 * k
        for g in range(k):
            p = (reference[i, g] + 0.5) / n_reference
            q = (held[g] + 0.5) / n
            psi[i] += (q - p) * np.log(q / p)
    return events, psi


@kernel
def _psi_tails(psi: Floats, scale: Floats, weights: Floats, size: Ints, df: Floats) -> Floats:
    tails = np.ones(psi.size)
    for i in range(psi.size):
        if scale[i] > 0.0:
            x = psi[i] / scale[i]
            if np.isinf(df[i]):
                tails[i] = chi2_tail(x, float(size[i] - 1))
            else:
                tails[i] = form_tail(x, weights[i, : size[i] - 1], df[i])
    return tails


@kernel
def _rate_tail(b: float, n: float, a: float, n_reference: float, phi: float) -> float:
    """P(at least b of the window's n, given a + b in all), by the beta function."""
    return beta_cdf(n / (n + n_reference), b / phi, a / phi + 1.0) if b > 0.0 else 1.0


@kernel
def _rates(
    held: Ints, total: Ints, reference: Ints, events: Ints, phi: Floats, alpha: Floats
) -> Floats:
    """Rate, rise, threshold and tail of each rate: float64[4, R]."""
    out = np.zeros((4, held.size))
    for r in range(held.size):
        n, n_reference = float(total[r]), float(events[r])
        a = float(reference[r])
        if n == 0.0 or n_reference == 0.0:
            out[3, r] = 1.0
            continue
        out[0, r] = held[r] / n
        out[1, r] = held[r] / n - a / n_reference
        out[3, r] = _rate_tail(float(held[r]), n, a, n_reference, phi[r])
        low, high = 0, int(total[r]) + 1  # the least count that is significant
        while high - low > 1:
            middle = (low + high) // 2
            if _rate_tail(float(middle), n, a, n_reference, phi[r]) <= alpha[r]:
                high = middle
            else:
                low = middle
        out[2, r] = max(high / n, a / n_reference + LEAST_RISE)
    return out

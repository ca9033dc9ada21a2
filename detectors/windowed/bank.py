"""Windowed tests: the counts of a full window against the reference, all signals in one call.

**PSI** on coarse bins, `sum (q - p) log(q / p)`, with 1/2 added to every count of both histograms.
Without change it follows `(1/N + 1/n) chi2(bins - 1)` for independent events (Yurdakul 2018) and
`(1/N + 1/n) sum w_j chi2_1` for dependent ones, with the weights from the reference's batches.
Other distances on the same bins have the same law but for a factor: KL, JS, Hellinger, chi2, G;
where bins are expected to hold few events all have their own (`scarce`);
total variation is about a chi (`levels.norm_law`). **Wasserstein** and **KS** compare the fine
bins' ranks: laws of the Brownian bridge (`bridge`). **Rates** are in `rates`, the share of each
name in `name_share`.

docs/statistics.md has the promise and what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.counts import Layout
from detectors.references.reference import Reference, SignalReference
from detectors.windowed.catalogue import WINDOWED_TESTS, choose_tests
from detectors.windowed.coarsening import EVENTS_PER_BIN, coarsen, most_bins, rank_scales
from detectors.windowed.kernels import (
    FORM,
    Bins,
    Level,
    Rows,
    distances,
    found_by_tail,
    limit_rows,
    quantile,
    tails,
)
from detectors.windowed.name_share import NameShares
from detectors.windowed.rates import LEAST_RISE, Rates
from detectors.windowed.result import WindowResult
from detectors.windowed.rows import Scales, level_of

__all__ = ["LEAST_RISE", "Against", "WindowBank", "WindowResult"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NAMES = tuple(WINDOWED_TESTS)
#: Most columns hold nothing missing, invalid or new; there, chance does not bring the half point
#: that a rate must rise by, and its part of the level would be left over.
_PARTS_OF_DISTANCE = 3


class Against(NamedTuple):
    """What a window is compared with; `own` if that is made for this window alone."""

    level: Level
    bins: Bins
    rates: Rates
    names: NameShares
    own: bool


class WindowBank:
    """The windowed tests of some signals.

    Parameters
    ----------
    signals : sequence of SignalReference
        Those of `layout`, in its order.
    layout : Layout, optional
        Made from the signals if it is not given.
    tests : mapping of str to sequence of str, optional
        Names of a signal's tests (`WINDOWED_TESTS`); signals not in it have the default ones.

    Attributes
    ----------
    chosen : tuple of (int, str)
        The tests that are on: index of the signal, and name.

    Raises
    ------
    ValueError
        If a test is unknown or not for signals of that kind.
    """

    def __init__(
        self,
        signals: Sequence[SignalReference],
        layout: Layout | None = None,
        tests: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if isinstance(signals, Reference):
            signals = signals.signals
        self.signals = tuple(signals)
        self.layout = layout or Layout({s.name: s.binning for s in self.signals})
        if self.layout.names != tuple(s.name for s in self.signals):
            raise ValueError("layout must have the same signals in the same order.")
        wanted = {name: tuple(said) for name, said in (tests or {}).items()}
        chosen = [choose_tests(s.name, s.kind, wanted.get(s.name)) for s in self.signals]
        self.chosen = tuple((i, t) for i, names in enumerate(chosen) for t in names)
        rows = [
            (i, _NAMES.index(t))
            for i, names in enumerate(chosen)
            for t in names
            if WINDOWED_TESTS[t].code >= 0
        ]
        self._signal = np.array([i for i, _ in rows], np.int64)
        self._test = np.array([t for _, t in rows], np.int64)
        kinds = [WINDOWED_TESTS[_NAMES[t]] for _, t in rows]
        self._rows = Rows(
            self._signal,
            np.array([kind.code for kind in kinds], np.int64),
            np.array([kind.ranks for kind in kinds], np.bool_),
            np.array([kind.root for kind in kinds], np.bool_),
            np.array([kind.pivot for kind in kinds], np.bool_),
        )
        self._rates = Rates(self.signals, self.layout, chosen)
        self._names = NameShares(self.signals, self.layout, chosen)
        parts = np.bincount(self._signal, minlength=len(chosen)) * _PARTS_OF_DISTANCE
        parts += np.bincount(self._rates.signal, minlength=len(chosen))
        parts += np.bincount(self._names.signal, minlength=len(chosen))
        self._share = _PARTS_OF_DISTANCE / parts[self._signal]
        self._rate_share = 1.0 / parts[self._rates.signal]
        self._name_share = 1.0 / parts[self._names.signal]
        rate_tests = np.array([_NAMES.index(t) for t in self._rates.tests], np.int64)
        name_tests = np.full(self._names.signal.size, _NAMES.index("name_share"))
        self._all_signals = np.concatenate([self._signal, self._rates.signal, self._names.signal])
        self._all_tests = np.concatenate([self._test, rate_tests, name_tests])
        self._bins = Bins(
            self.layout.start,
            self.layout.n_bins,
            np.array([s.binning.missing for s in self.signals], np.int64),
            np.concatenate([[0], *(s.counts for s in self.signals)]).astype(np.int64),
        )
        self._levels: dict[int, Level] = {}
        self._units: dict[tuple[int, float], Floats] = {}
        self._quantiles: dict[tuple[float | bytes, ...], float] = {}

    def test(self, counts: Ints, alpha: float) -> WindowResult:
        """Test a window.

        Parameters
        ----------
        counts : int64[width]
            Of the window; other integers are converted.
        alpha : float
            Chance of a false alarm for each signal: three parts to each distance, one to each
            rate and to the shares of names.

        Raises
        ------
        ValueError
            If `alpha` is not between 0 and 0.5, or `counts` not of the layout's width.
        """
        if not 0.0 < alpha < 0.5:
            raise ValueError(f"alpha must be between 0 and 0.5; got {alpha}.")
        counts = np.asarray(counts, np.int64)
        k = most_bins(int(counts[0]))
        size = self._signal.size
        n = np.empty(self._all_tests.size, np.int64)
        out = np.empty((4, n.size))  # value, effect, threshold, scale
        found = np.empty(n.size, np.bool_)
        against = self._against(counts, k)
        counts = counts[: self.layout.width]
        units = np.zeros(size) if against.own else self._unit_thresholds(k, alpha)
        of_rows, level = alpha * self._share, against.level
        distances(
            counts, k * EVENTS_PER_BIN // 2, against.bins, self._rows, level, units, n, out, found
        )
        if against.own:
            found_by_tail(n[:size], out[:, :size], self._rows, level, of_rows, found)
        rates = slice(size, size + self._rates.signal.size)
        names = slice(rates.stop, n.size)
        share, of_names = alpha * self._rate_share, alpha * self._name_share
        held = against.rates.test(counts, share, n[rates], out[:2, rates], found[rates])
        looked = against.names.test(counts, of_names, n[names], out[:2, names], found[names])
        look = np.append(np.full(names.start, -1), looked.look)
        keep: Ints | slice = slice(None) if n.all() else np.flatnonzero(n)

        def thresholds() -> Floats:
            if against.own:
                limit_rows(n[:size], out[:, :size], self._rows, level, of_rows)
            limits = against.rates.thresholds(n[rates], share)
            moves = against.names.thresholds(looked, n[names], of_names)
            return np.asarray(np.concatenate([out[2, :size], limits, moves])[keep])

        def p_values() -> Floats:
            p = np.ones(size)
            tails(n[:size], out[:, :size], self._rows, level, p)
            of_rates = against.rates.tails(held, n[rates])
            return np.asarray(np.concatenate([p, of_rates, against.names.tails(looked)])[keep])

        return WindowResult(
            self._all_signals[keep],
            self._all_tests[keep],
            out[0, keep],
            out[1, keep],
            n[keep],
            found[keep],
            look[keep],
            thresholds,
            p_values,
        )

    def _against(self, counts: Ints, k: int) -> Against:
        """What a window is compared with."""
        return Against(self._level(k), self._bins, self._rates, self._names, own=False)

    def _unit_thresholds(self, k: int, alpha: float) -> Floats:
        """Thresholds for 1/N + 1/n = 1 and a factor of 1."""
        held = self._units.get((k, alpha))
        if held is None:
            level = self._level(k)
            held = np.zeros(self._signal.size)
            for r in np.flatnonzero(level.factor > 0.0).tolist():
                i = int(self._signal[r])
                weights = level.weights[i, : level.size[i] - 1]
                law, tail = int(level.law[r]), alpha * float(self._share[r])
                dimension, df = float(level.dimension[r]), float(level.df[r])
                key = (law, tail, dimension, df, weights.tobytes() if law == FORM else b"")
                if key not in self._quantiles:  # most signals of a bank are alike
                    self._quantiles[key] = quantile(law, tail, weights, dimension, df)
                held[r] = self._quantiles[key]
            self._units[k, alpha] = held
        return held

    def _level(self, k: int) -> Level:
        """Coarse bins for windows of at least 100 k events, made at their first use."""
        if k not in self._levels:
            self._levels[k] = self._make_level(k)
        return self._levels[k]

    def _make_level(self, k: int) -> Level:
        scales: dict[int, Scales] = {}
        for i in np.unique(self._signal[self._rows.ranks]).tolist():
            signal = self.signals[i]
            rows = float(signal.counts[: signal.binning.missing].sum())
            scales[i] = Scales(rows, *rank_scales(signal))
        coarse = [coarsen(signal, k) for signal in self.signals]
        return level_of(self._rows, self._test, coarse, scales, self.layout, k)

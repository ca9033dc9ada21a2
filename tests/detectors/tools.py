"""Counts of values over a signal's binning, and exact intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from detectors import CategoricalBinning, Layout, SignalReference


def counts_of(signal: SignalReference, values: Sequence[object] | np.ndarray) -> np.ndarray:
    binning = signal.binning
    if isinstance(binning, CategoricalBinning):
        bins = [binning.missing if v is None else binning.bin(str(v)) for v in values]
    else:
        bins = binning.bin(np.asarray(values, np.float64))
    return np.bincount(bins, minlength=binning.n_bins).astype(np.int64)


def window_of(layout: Layout, columns: Sequence[np.ndarray], events: int) -> np.ndarray:
    """A flat vector out of one vector of counts a signal."""
    return np.concatenate([[events], *columns]).astype(np.int64)


def binomial_interval(hits: int, n: int, confidence: float = 0.999) -> tuple[float, float]:
    """Clopper and Pearson."""
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, hits, n - hits + 1) if hits else 0.0
    high = stats.beta.isf(tail, hits + 1, n - hits)
    return float(low), float(high)

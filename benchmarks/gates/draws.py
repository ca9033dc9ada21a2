"""Counts of panes drawn directly over the bins of a fitted reference, and streams of values.

Where events are independent the counts of a pane are a multinomial over the bins; its events are
drawn by alias tables (Walker 1977), some nanoseconds each, without making values first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from detectors import Layout, SignalReference, accumulate
from detectors._jit import kernel

__all__ = ["AliasDraw", "ar1", "below_probabilities", "count_values", "factor_levels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: P(value < edge) for an array of edges.
Below = Callable[[Floats], Floats]


def below_probabilities(signal: SignalReference, below: Below) -> Floats:
    """Probability of each bin under a law that is never missing."""
    binning: Any = signal.binning
    cumulated = np.concatenate([[0.0], below(binning.edges), [1.0]])
    out = np.zeros(binning.n_bins)
    out[: binning.missing] = np.maximum(np.diff(cumulated), 0.0)
    result: Floats = out / out.sum()
    return result


class AliasDraw:
    """Draws flat vectors of counts of many signals.

    Parameters
    ----------
    layout : Layout
    laws : sequence of float64[L, n_bins]
        A signal's probabilities of bins at each of L levels. An event's level is common to all
        signals, which makes them correlated; L is a power of two, 1 for independent signals.
    seed : int
    """

    def __init__(self, layout: Layout, laws: Sequence[Floats], seed: int) -> None:
        levels, most = laws[0].shape[0], int(layout.n_bins.max())
        self._keep = np.ones((len(laws), levels, most))
        self._other = np.zeros((len(laws), levels, most), np.int64)
        for i, law in enumerate(laws):
            for level in range(levels):
                size = law.shape[1]
                keep, other = _alias(law[level])
                self._keep[i, level, :size], self._other[i, level, :size] = keep, other
        self._start, self._size = layout.start, layout.n_bins
        self._width = layout.width
        self._state = np.array([seed * 2_654_435_761 + 1], np.uint64)

    def pane(self, n: int) -> Ints:
        """Counts of n events of every signal."""
        out = np.zeros(self._width, np.int64)
        _draw(self._state, self._keep, self._other, self._start, self._size, n, out)
        return out


def _alias(p: Floats) -> tuple[Floats, Ints]:
    """Walker's tables: stay in a bin with this chance, else go to the other."""
    k = p.size
    keep, other = p * k, np.arange(k)
    small = [i for i in range(k) if keep[i] < 1.0]
    large = [i for i in range(k) if keep[i] >= 1.0]
    while small and large:
        s, g = small.pop(), large[-1]
        other[s] = g
        keep[g] -= 1.0 - keep[s]
        if keep[g] < 1.0:
            small.append(large.pop())
    for i in small + large:
        keep[i] = 1.0
    return keep, other


@kernel
def _draw(
    state: npt.NDArray[np.uint64],
    keep: Floats,
    other: Ints,
    start: Ints,
    size: Ints,
    n: int,
    out: Ints,
) -> None:
    s = state[0]
    levels = np.uint64(keep.shape[1] - 1)
    out[0] += n
    for _ in range(n):
        level = np.int64(0)
        if levels:
            s += np.uint64(0x9E3779B97F4A7C15)
            z = (s ^ (s >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            level = np.int64((z >> np.uint64(40)) & levels)
        for i in range(start.size):
            # splitmix64 (Steele, Lea, Flood 2014): high half the bin, low half the coin
            s += np.uint64(0x9E3779B97F4A7C15)
            z = (s ^ (s >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            b = np.int64(((z >> np.uint64(32)) * np.uint64(size[i])) >> np.uint64(32))
            coin = np.int64(z & np.uint64(0xFFFFFFFF)) * 2.3283064365386963e-10
            if coin >= keep[i, level, b]:
                b = other[i, level, b]
            out[start[i] + b] += 1
    state[0] = s


def count_values(layout: Layout, values: Floats) -> Ints:
    """Counts of float64[n, S], an event a row."""
    out = np.zeros((1, layout.width), np.int64)
    positions = layout.positions(values, np.empty((len(values), 0), np.int32))
    accumulate(positions, np.zeros(len(values), np.int32), out)
    result: Ints = out[0]
    return result


@kernel
def _follow(noise: Floats, last: Floats, rho: float) -> None:
    for i in range(noise.shape[0]):
        for j in range(noise.shape[1]):
            last[j] = rho * last[j] + noise[i, j]
            noise[i, j] = last[j]


def ar1(rng: np.random.Generator, n: int, last: Floats, rho: float) -> Floats:
    """The next n values of AR(1) streams of variance 1; `last` is where they are, and moves."""
    noise = rng.standard_normal((n, last.size))
    noise *= np.sqrt(1.0 - rho * rho)
    _follow(noise, last, rho)
    return noise


def factor_levels(levels: int) -> Floats:
    """A standard normal in equally likely steps, with variance 1."""
    cuts = stats.norm.ppf(np.linspace(0, 1, levels + 1))
    means = -np.diff(stats.norm.pdf(cuts)) * levels
    result: Floats = means / np.sqrt(np.square(means).mean())
    return result

"""Batches at least as long as the stream's memory, and what neighbours still have in common.

The variance of a long mean is that of a batch mean, if batches are independent (Law and Carson
1979). Batches of 100 to 200 rows are not, where a stream remembers for longer: they are merged by
twos while neighbours have more in common than a first-order autoregression of their means explains
(twice as long batches then correlate by r (1 + r) / 2; the variance ratio of Lo and MacKinlay
1988), and what is left is extrapolated by that autoregression, (1 + r) / (1 - r) (Andrews 1991).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["FEWEST_BATCHES", "BatchMeans", "batch_means", "group_counts", "residuals", "score_sums"]

#: Batches are not merged to fewer than this.
FEWEST_BATCHES: Final = 16
#: Standard errors from which the correlation of neighbours is clear, makes batches worth less, and
#: is extrapolated for a score; of all coarse bins together it is known well enough to be always.
_CLEAR, _SURE, _HINT = 2.0, 1.65, 1.5
#: Standard errors by which longer batches must show more than the autoregression explains.
_MORE: Final = 0.5
_MOST_CORRELATION: Final = 0.9
#: What is known from batches that have nearly everything in common is worth this many.
_LEAST_WORTH: Final = 4

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Correlation(NamedTuple):
    """Of neighbouring batches' means, and its standard error if there were none."""

    r: float
    error: float


@dataclass(frozen=True)
class BatchMeans:
    """Batches to measure dependence from.

    Attributes
    ----------
    table : int64[batches, n_bins]
        Counts of each batch.
    news : int64[batches]
        Rows of each batch with a value that occurs in no other.
    inflation : tuple of float
        Long-run variance over that of the batches: of the coarse bins, then of each score.
    worth : int
        How many independent batches tell as much.
    """

    table: Ints
    news: Ints
    inflation: tuple[float, ...]
    worth: int


def batch_means(
    table: Ints, news: Ints, groups: npt.NDArray[np.uint8], scores: Sequence[Ints]
) -> BatchMeans:
    """Merge batches until they are long enough, and reckon with what they still have in common.

    Parameters
    ----------
    table : int64[batches, n_bins]
        Counts of each batch, in the order of time.
    news : int64[batches]
        Rows with a value that occurs in no other batch.
    groups : uint8[n_bins]
        Coarse bin of each bin.
    scores : sequence of int64[first bins]
        Score of each bin, such as the mid-rank, whose mean is watched; all of the same bins.
    """
    found = _correlations(table, groups, scores)
    while len(table) >= 2 * FEWEST_BATCHES and any(map(_is_clear, found)):
        longer = _by_twos(table)
        of_longer = _correlations(longer, groups, scores)
        if not any(starmap(_shows_more, zip(found, of_longer, strict=True))):
            break
        table, news, found = longer, _by_twos(news), of_longer
    hints = [0.0] + [_HINT] * len(scores)
    r = [
        _unbiased(one.r, len(table)) if one.r > hint * one.error else 0.0
        for one, hint in zip(found, hints, strict=True)
    ]
    sure = max(
        (r for r, one in zip(r, found, strict=True) if one.r > _SURE * one.error), default=0.0
    )
    worth = max(_LEAST_WORTH, round(len(table) / _long_run(sure)))
    return BatchMeans(table, news, tuple(map(_long_run, r)), min(len(table), worth))


@kernel
def group_counts(table: Ints, groups: npt.NDArray[np.uint8]) -> Ints:
    """Counts of coarse bins by batch."""
    merged = np.zeros((table.shape[0], np.int64(groups[-1]) + 1), np.int64)
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            merged[row, groups[column]] += table[row, column]
    return merged


@kernel
def score_sums(table: Ints, scores: Ints) -> tuple[Ints, Ints]:
    """Sums of scores by batch, and how many events have one.

    Parameters
    ----------
    table : int64[batches, n_bins]
        Counts of each batch.
    scores : int64[k, first bins]
        Of each bin that has them.

    Returns
    -------
    tuple
        int64[k, batches] and int64[batches].
    """
    sums = np.zeros((scores.shape[0], table.shape[0]), np.int64)
    sizes = np.zeros(table.shape[0], np.int64)
    for row in range(table.shape[0]):
        for b in range(scores.shape[1]):
            sizes[row] += table[row, b]
        for k in range(scores.shape[0]):
            total = 0
            for b in range(scores.shape[1]):
                total += table[row, b] * scores[k, b]
            sums[k, row] = total
    return sums, sizes


@kernel
def residuals(sums: Ints, sizes: Ints) -> Floats:
    """What batches sum to, less what their sizes make of the whole; float64 of the sums' shape."""
    whole = np.zeros(sums.shape[1], np.int64)
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            whole[column] += sums[row, column]
    mean = whole / max(1, sizes.sum())
    left = np.empty(sums.shape)
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            left[row, column] = sums[row, column] - sizes[row] * mean[column]
    return left


def _by_twos(rows: Ints) -> Ints:
    """Neighbouring batches added up; the last of an odd number joins the two before."""
    pairs = len(rows) // 2 * 2
    added: Ints = rows[:pairs:2] + rows[1:pairs:2]
    added[-1] += rows[pairs:].sum(axis=0)
    return added


def _correlations(
    table: Ints, groups: npt.NDArray[np.uint8], scores: Sequence[Ints]
) -> list[_Correlation]:
    """Of neighbouring batches: of the coarse bins together, and of each score."""
    merged = group_counts(table, groups)
    share = np.maximum(merged.sum(axis=0), 1) / max(1, int(merged.sum()))
    residual, spread = _scattered(merged)
    found = [_correlation(residual * (1.0 / np.sqrt(share)) / spread)]
    if scores:
        residual, spread = _scattered(table[:, : scores[0].size])
        found += [_correlation(residual @ s[:, None].astype(np.float64) / spread) for s in scores]
    return found


def _scattered(table: Ints) -> tuple[Floats, Floats]:
    """Counts of batches less what their sizes make of the whole, and the roots of the sizes."""
    sizes = table.sum(axis=1)
    return residuals(table, sizes), np.sqrt(np.maximum(sizes, 1))[:, None]


def _correlation(residual: Floats) -> _Correlation:
    """Correlation of neighbouring batches' mean scores, from their scaled residuals.

    Of several scores each direction counts by its squared variance: those that vary most decide.
    """
    m = len(residual)
    now = residual.T @ residual
    size = float(np.square(now).sum())
    if size <= 0.0:
        return _Correlation(0.0, 1.0)
    r = float(((residual[:-1].T @ residual[1:]) * now).sum()) / size
    error = math.sqrt(float(np.square(now @ now).sum()) / m) / size
    return _Correlation(r + 1.0 / m, error)


def _is_clear(found: _Correlation) -> bool:
    return found.r > _CLEAR * found.error


def _shows_more(now: _Correlation, longer: _Correlation) -> bool:
    """Whether twice as long batches have more in common than an autoregression explains."""
    explained = now.r * (1.0 + now.r) / 2.0
    return _is_clear(now) and longer.r - explained > _MORE * longer.error


def _unbiased(r: float, m: int) -> float:
    """The correlation without the bias of few batches (Kendall 1954), at most .9."""
    return min(_MOST_CORRELATION, r + 3.0 * r / m)


def _long_run(r: float) -> float:
    """Variance of the mean of many batches over that of independent ones."""
    return (1.0 + r) / (1.0 - r)

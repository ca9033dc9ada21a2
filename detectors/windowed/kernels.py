"""The loops of the windowed tests over all signals, and the laws of their statistics."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.distances.divergences import statistic
from detectors.null_distributions.brownian_bridge import (
    bridge_quantile,
    bridge_tail,
    norm_quantile,
    norm_tail,
)
from detectors.null_distributions.special import chi2_quantile, chi2_tail
from detectors.null_distributions.weighted_chi2 import form_quantile, weighted_chi2_tail

__all__ = [
    "FORM", "NORM", "Bins", "Level", "Rows", "distances", "found_by_tail", "limit_rows", "quantile",
    "tails",
]  # fmt: skip

#: Laws beside those of the bridge, 1 and 2: a form of squares, and a norm.
FORM: Final = 0
NORM: Final = 3

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Rows(NamedTuple):
    """What is measured: a row for each distance of a signal; those of one follow each other."""

    signal: Ints  # [R]
    code: Ints  # [R] of the distance
    ranks: Bools  # [R] on fine bins
    root: Bools  # [R] its square has the law
    pivot: Bools  # [R] its law is free of sample sizes


class Bins(NamedTuple):
    """Where the counts are. S signals in a flat vector of `width` bins."""

    start: Ints  # [S]
    n_bins: Ints  # [S]
    n_values: Ints  # [S] of them bins of values
    fine: Ints  # [width] counts of the reference


class Level(NamedTuple):
    """Coarse bins for windows of one size, and what the rows need of them."""

    group: npt.NDArray[np.int8]  # [width] coarse bin within the signal, -1 for none
    size: Ints  # [S] coarse bins of the signal
    reference: Ints  # [S, most] counts of the reference
    weights: Floats  # [S, most] of the form, descending, 0 beyond
    events: Floats  # [R] of the reference in the bins of the row
    factor: Floats  # [R] of the null law; 0 where there is no test
    mean: Floats  # [R] of the unit statistic without change
    law: Ints  # [R]
    dimension: Floats  # [R] of a norm's law
    df: Floats  # [R] of the estimated variance; infinite for independent events


@kernel
def distances(
    counts: Ints,
    least: int,
    bins: Bins,
    rows: Rows,
    level: Level,
    units: Floats,
    n: Ints,
    out: Floats,
    found: Bools,
) -> None:
    """Events seen (0 if fewer than `least`), and value, effect, threshold, scale of each row.

    `out` is float64[4, R]: a value (its square if `root`) divided by its scale is the unit
    statistic, whose thresholds are `units`.
    """
    held = np.empty(level.reference.shape[1] + 1, np.int64)  # the last for bins in no group
    last = -1
    total = 0
    for r in range(rows.signal.size):
        i = rows.signal[r]
        first = bins.start[i]
        k = level.size[i]
        n[r] = 0
        found[r] = False
        if level.factor[r] <= 0.0:
            continue
        if rows.ranks[r]:
            seen = counts[first : first + bins.n_values[i]].sum()
        else:
            if i != last:
                last = i
                held[:] = 0
                here = counts[first : first + bins.n_bins[i]]
                group = level.group[first : first + bins.n_bins[i]]
                for b in range(here.size):
                    held[group[b]] += here[b]
                total = here.sum() - held[-1]
            seen = total
        if seen < least:
            continue
        if rows.ranks[r]:
            to = first + bins.n_values[i]
            value = statistic(rows.code[r], bins.fine[first:to], counts[first:to])
        else:
            value = statistic(rows.code[r], level.reference[i, :k], held[:k])
        chance = 1.0 / level.events[r] + 1.0 / seen
        scale = level.factor[r] * (1.0 if rows.pivot[r] else chance)
        threshold = scale * units[r]
        usual = scale * level.mean[r]
        if rows.root[r]:
            threshold = math.sqrt(threshold)
            usual = math.sqrt(usual)
        n[r] = seen
        out[0, r] = value
        out[1, r] = (value - usual) * (chance if rows.pivot[r] else 1.0)
        out[2, r] = threshold
        out[3, r] = scale
        found[r] = value > threshold


@kernel
def _tail_of_row(r: int, value: float, scale: float, rows: Rows, level: Level) -> float:
    i = rows.signal[r]
    law = level.law[r]
    unit = (value * value if rows.root[r] else value) / scale
    if law == NORM:
        return norm_tail(math.sqrt(unit), level.dimension[r], level.df[r])
    if law != FORM:
        return bridge_tail(law, math.sqrt(unit), level.df[r])
    free = level.size[i] - 1
    if np.isinf(level.df[r]):
        return chi2_tail(unit, float(free))
    return weighted_chi2_tail(unit, level.weights[i, :free], level.df[r])


@kernel
def tails(n: Ints, measured: Floats, rows: Rows, level: Level, out: Floats) -> None:
    """Tail of each row of what `distances` measured."""
    for r in range(n.size):
        if n[r] > 0:
            out[r] = _tail_of_row(r, measured[0, r], measured[3, r], rows, level)


@kernel
def found_by_tail(
    n: Ints, measured: Floats, rows: Rows, level: Level, alpha: Floats, found: Bools
) -> None:
    """Which rows of what `distances` measured have a tail of at most `alpha`, float64[R]."""
    for r in range(n.size):
        # What is not above its mean needs no tail.
        found[r] = n[r] > 0 and measured[1, r] > 0.0
        if found[r]:
            found[r] = _tail_of_row(r, measured[0, r], measured[3, r], rows, level) <= alpha[r]


def limit_rows(n: Ints, measured: Floats, rows: Rows, level: Level, alpha: Floats) -> None:
    """Set the thresholds of what was decided by tails."""
    for r in np.flatnonzero(n).tolist():
        weights = level.weights[rows.signal[r], : level.size[rows.signal[r]] - 1]
        unit = quantile(
            int(level.law[r]),
            float(alpha[r]),
            weights,
            float(level.dimension[r]),
            float(level.df[r]),
        )
        threshold = unit * measured[3, r]
        measured[2, r] = math.sqrt(threshold) if rows.root[r] else threshold


def quantile(law: int, tail: float, weights: Floats, dimension: float, df: float) -> float:
    """The unit statistic with this tail."""
    if law == NORM:
        return norm_quantile(tail, dimension, df) ** 2
    if law != FORM:
        return bridge_quantile(law, tail, df) ** 2
    if np.isinf(df):
        return chi2_quantile(tail, weights.size)
    return form_quantile(tail, weights, df)

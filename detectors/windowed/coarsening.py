"""Coarse bins for windows of one size, and the null law of distances on them.

Fine bins are merged until each is expected to hold enough events for the law to hold. The law's
weights are ones for independent events, else come from the batches of the reference.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning
from detectors.counting.merge_bins import (
    BASE_GROUPS,
    LEAST_EXPECTED,
    bins_apart,
    join_small,
    merge_neighbours,
)
from detectors.null_distributions.total_variation import (
    total_variation_chi,
    total_variation_moments,
)
from detectors.references.calibration import GOOD_BATCHES, margin_of_few
from detectors.references.reference import SignalReference

__all__ = [
    "EVENTS_PER_BIN", "MOST_BY_BIN", "Coarse", "NormLaw", "coarsen", "even_enough",
    "merged_groups", "most_bins", "norm_law", "rank_scales",
]  # fmt: skip

#: Windows have one coarse bin for each so many events, 20 at most.
EVENTS_PER_BIN: Final = 100
#: Larger windows have no more bins, nor rarer ones.
MOST_BY_BIN: Final = BASE_GROUPS * EVENTS_PER_BIN

#: The batches contradict one design effect for all directions where the shrinkage is less.
_ALIKE: Final = 0.75

#: Variance of the chi over that of total variation for dependent events, whose few strong
#: directions make the tail heavier (measured).
_TAIL_MARGIN: Final = 1.35
#: A PSI that chance makes large exceeds its quadratic form by this times its own mean, up to half
#: (measured on AR(1) streams of .97 to .999).
_SECOND_ORDER, _MOST_SECOND_ORDER = 0.7, 0.5

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Coarse(NamedTuple):
    """One signal's coarse bins.

    `group` is the coarse bin of each fine bin, -1 for none; `reference` the counts of each;
    `covariance` that of their shares for one event; `weights` those of the quadratic form that
    PSI follows, descending; `df` how well they are known, infinite for independent events;
    `scarce` whether the law minds bins of few events.
    """

    group: Ints
    reference: Ints
    covariance: Floats
    weights: Floats
    df: float
    scarce: bool = True


class NormLaw(NamedTuple):
    """Total variation over sqrt(1/N + 1/n) is about `scale` times a chi of this dimension.

    `mean` is that of the chi.
    """

    scale: float
    dimension: float
    mean: float


def most_bins(events: int) -> int:
    """How many coarse bins windows of so many events have at most."""
    return min(BASE_GROUPS, max(2, events // EVENTS_PER_BIN))


def coarsen(signal: SignalReference, k: int) -> Coarse:
    """Merge a signal's base groups for windows of 100 k events, with at least 5 expected each."""
    base = signal.calibration.groups
    counts = np.bincount(base, signal.counts, minlength=int(base[-1]) + 1).astype(np.int64)
    least = max(LEAST_EXPECTED, -(-LEAST_EXPECTED * signal.events // (EVENTS_PER_BIN * k)))
    merged = merged_groups(signal, counts, k, least)
    size = int(merged.max()) + 1
    used = merged >= 0
    reference = np.bincount(merged[used], counts[used], minlength=size).astype(np.int64)
    if size < 2:
        return Coarse(merged[base], reference, np.zeros((size, size)), np.ones(0), math.inf)
    if signal.calibration.covariance is None:
        shares = reference / reference.sum()
        independent = np.diag(shares) - np.outer(shares, shares)
        return Coarse(merged[base], reference, independent, np.ones(size - 1), math.inf)
    cov = _projected(signal.calibration.covariance, merged, reference, signal.events)
    weights = _weights(cov, reference)
    mean = float(weights.sum()) * (1.0 / signal.events + 1.0 / (EVENTS_PER_BIN * k))
    weights *= 1.0 + min(_SECOND_ORDER * mean, _MOST_SECOND_ORDER)
    batches = signal.calibration.batches
    if batches >= GOOD_BATCHES and even_enough(weights, batches - 1):
        # Eigenvalues of few batches are far apart even where the true ones are equal, which alone
        # made false alarms ten times too rare. Their mean is known well (ADR 0031).
        equal = np.full(weights.size, weights.mean())
        return Coarse(merged[base], reference, cov, equal, float((batches - 1) * weights.size))
    # The trace of the covariance is known to about (batches - 1) * spread degrees of freedom
    # (Thomas and Rao 1987), its largest part to batches - 1. Measured false alarms keep to
    # their level under strong dependence with this power, and stay low under none.
    spread = float(weights.sum()) ** 2 / float(np.square(weights).sum())
    df = float(batches - 1) * spread ** (1 / 3)
    return Coarse(merged[base], reference, cov, weights, df)


def merged_groups(signal: SignalReference, counts: Ints, k: int, least: int) -> Ints:
    """Coarse bin of each base group with these counts, -1 for those that hold too little."""
    base = signal.calibration.groups
    values = counts[: -bins_apart(signal.binning)]
    merged = np.full(counts.size, -1, np.int64)
    binning = signal.binning
    if isinstance(binning, CategoricalBinning):
        merged[: values.size] = join_small(values, least)  # in the order of hashes
    else:
        merged[: values.size] = merge_neighbours(values, k, least)
    if values.sum() < least:
        merged[: values.size] = -1
    following = merged.max() + 1
    one_for_others = isinstance(binning, CategoricalBinning) and binning.tail == 1
    if one_for_others and signal.counts[binning.missing - 2]:
        # Rare names come and go: what is other in the reference is unseen in many a window.
        merged[base[binning.missing - 1]] = merged[base[binning.missing - 2]]
    for g in range(values.size, counts.size):
        if counts[g] >= least and merged[g] < 0:
            merged[g] = following
            following += 1
    return merged


def _projected(covariance: Floats, merged: Ints, reference: Ints, events: int) -> Floats:
    """Covariance of the shares of coarse bins, out of the events in any of them.

    Shares are of the events in any coarse bin, so the covariance of all groups is projected: an
    event outside them takes the same part from each.
    """
    inside = int(reference.sum())
    shares = reference / inside
    select = (merged[None, :] == np.arange(shares.size)[:, None]).astype(np.float64)
    project = select - shares[:, None] * (merged >= 0)[None, :]
    result: Floats = project @ covariance @ project.T * (events / inside)
    return result


def _weights(cov: Floats, reference: Ints) -> Floats:
    """Weights of the form: eigenvalues of the coarse shares' covariance over the shares.

    Independent events would give ones; the sum is never taken below theirs, since streams more
    even than chance are not to be relied on.
    """
    root = np.sqrt(reference / int(reference.sum()))
    eigenvalues = np.linalg.eigvalsh(cov / root[:, None] / root[None, :])[::-1]
    df = root.size - 1
    weights = np.maximum(eigenvalues[:df], 1e-6)
    result: Floats = weights * max(1.0, df / float(weights.sum()))
    return result


def even_enough(weights: Floats, df: float) -> bool:
    """Whether so few batches are no reason to take the eigenvalues for different."""
    return _alike(weights, df) >= _ALIKE


def _alike(weights: Floats, df: float) -> float:
    """How far to shrink eigenvalues of a sample to their mean, 0 to 1.

    The oracle approximating shrinkage of Chen, Wiesel, Eldar and Hero 2010.
    """
    p, first, second = weights.size, float(weights.sum()), float(np.square(weights).sum())
    apart = second - first * first / p
    if apart <= 0.0:
        return 1.0
    return min(1.0, ((1 - 2 / p) * second + first * first) / ((df + 1 - 2 / p) * apart))


def norm_law(coarse: Coarse) -> NormLaw:
    """Law of `sum |d| / 2` for normal d with this covariance.

    For independent events it is known; for dependent ones its first two moments are, which a chi
    of a fractional dimension shares, with a lighter tail: hence a margin. Of two bins it is half a
    normal, a chi of dimension 1.
    """
    shares = coarse.reference / int(coarse.reference.sum())
    mean, second = total_variation_moments(coarse.covariance)
    if math.isinf(coarse.df) and shares.size > 2:
        scale, dimension = total_variation_chi(tuple(shares.tolist()))
        return NormLaw(scale, dimension, mean / scale)
    # Never below what independent events give, as for the weights of the form.
    least = 0.5 * math.sqrt(2.0 / math.pi) * float(np.sqrt(shares * (1.0 - shares)).sum())
    grow = max(1.0, least / mean)
    if shares.size > 2:
        second = mean * mean + _TAIL_MARGIN * (second - mean * mean)
    wanted = mean * mean / second
    low, high = 0.0, 12.0  # natural logarithm of the dimension
    while high - low > 1e-10:
        middle = 0.5 * (low + high)
        d = math.exp(middle)
        gamma = math.lgamma(0.5 * d + 0.5) - math.lgamma(0.5 * d)
        if 2.0 * math.exp(2.0 * gamma) / d < wanted:
            low = middle
        else:
            high = middle
    dimension = math.exp(high)
    scale = math.sqrt(second / dimension)
    return NormLaw(grow * scale, dimension, mean / scale)


def rank_scales(signal: SignalReference) -> tuple[float, float, float]:
    """Standard deviations of a numeric signal's Wasserstein and KS over a bridge's, and their df.

    The area under |Q - P| in its tail is that of a path of one sign, or of two halves of opposite
    ones: sums of x and of y, whose design effects are known. In units of reference ranks it
    varies less where values have ties. The maximum is as variable as its most variable point.
    """
    binning, calibration = signal.binning, signal.calibration
    shares = signal.counts[: binning.missing] / max(1, int(signal.counts[: binning.missing].sum()))
    ties = max(0.0, 1.0 - float((shares**3).sum()))
    if calibration.covariance is None:
        return math.sqrt(ties), 1.0, math.inf
    few = margin_of_few(calibration.batches)
    phi = max(1.0, calibration.phi_x / few, calibration.phi_y / few / 4.0)
    n_values = int(calibration.groups[binning.missing])
    merged = np.arange(len(calibration.covariance))
    merged[n_values:] = -1
    counts = np.bincount(calibration.groups, signal.counts).astype(np.int64)[:n_values]
    if not counts.sum():
        return math.sqrt(ties), 1.0, math.inf
    cov = _projected(calibration.covariance, merged, counts, signal.events)
    most = float(np.diag(np.cumsum(np.cumsum(cov, axis=0), axis=1)).max())
    return math.sqrt(ties * phi), math.sqrt(max(1.0, 4.0 * most)), float(calibration.batches - 1)

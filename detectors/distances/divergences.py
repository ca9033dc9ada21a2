"""Distances between two histograms over the same bins.

Each function takes two arrays of counts, int64[..., B], the reference first, and gives
float64[...]: one distance for each pair of rows (leading axes are broadcast). p and q are the
shares of the reference and of the window, P and Q their cumulative sums. Logarithms are natural.
Where the formula bends without bound at an empty bin (PSI, KL, JS, Hellinger), 1/2 is added to
every count of both histograms (Jeffreys' prior): an empty bin then costs something finite, the more
the larger the samples are, and the null law holds down to a few events a bin.
A histogram without any count has no shares: the distance is then NaN.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = [
    "bin_part",
    "chi2",
    "g",
    "hellinger",
    "js",
    "kl",
    "ks",
    "psi",
    "statistic",
    "total_variation",
    "wasserstein",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Codes of the distances in kernels.
PSI: Final = 0
KL: Final = 1
JS: Final = 2
HELLINGER: Final = 3
TOTAL_VARIATION: Final = 4
CHI2: Final = 5
G: Final = 6
WASSERSTEIN: Final = 7
KS: Final = 8


@kernel
def _psi_or_kl(a: Ints, b: Ints, n_a: float, n_b: float, symmetric: bool) -> float:
    n_a += 0.5 * a.size
    n_b += 0.5 * a.size
    total = 0.0
    for i in range(a.size):
        p = (a[i] + 0.5) / n_a
        q = (b[i] + 0.5) / n_b
        total += ((q - p) if symmetric else q) * math.log(q / p)
    return total if total > 0.0 else 0.0


@kernel
def _js(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    n_a += 0.5 * a.size
    n_b += 0.5 * a.size
    total = 0.0
    for i in range(a.size):
        p = (a[i] + 0.5) / n_a
        q = (b[i] + 0.5) / n_b
        m = 0.5 * (p + q)
        total += p * math.log(p / m) + q * math.log(q / m)
    return 0.5 * total if total > 0.0 else 0.0


@kernel
def _hellinger(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    n_a += 0.5 * a.size
    n_b += 0.5 * a.size
    total = 0.0
    for i in range(a.size):
        total += (math.sqrt((b[i] + 0.5) / n_b) - math.sqrt((a[i] + 0.5) / n_a)) ** 2
    return math.sqrt(0.5 * total)


@kernel
def _total_variation(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    total = 0.0
    for i in range(a.size):
        total += abs(b[i] / n_b - a[i] / n_a)
    return 0.5 * total


@kernel
def _chi2(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    total = 0.0
    for i in range(a.size):
        both = a[i] + b[i]
        if both:
            total += (b[i] / n_b - a[i] / n_a) ** 2 / both
    return total * n_a * n_b


@kernel
def _g(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    n = n_a + n_b
    total = 0.0
    for i in range(a.size):
        both = a[i] + b[i]
        if a[i]:
            total += a[i] * math.log(a[i] * n / (both * n_a))
        if b[i]:
            total += b[i] * math.log(b[i] * n / (both * n_b))
    return 2.0 * total if total > 0.0 else 0.0


@kernel
def _wasserstein(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    total = 0.0
    apart = 0.0
    for i in range(a.size - 1):
        apart += b[i] / n_b - a[i] / n_a
        total += abs(apart) * (a[i] + a[i + 1])
    return 0.5 * total / n_a


@kernel
def _ks(a: Ints, b: Ints, n_a: float, n_b: float) -> float:
    most = 0.0
    apart = 0.0
    for i in range(a.size - 1):
        apart += b[i] / n_b - a[i] / n_a
        most = max(most, abs(apart))
    return most


@kernel
def bin_part(code: int, a: float, b: float, n_a: float, n_b: float, bins: int) -> float:
    """What a bin with these counts adds to the distance (to its square for Hellinger's).

    A further distance that is a sum over bins is a branch here: `statistic` adds it up, and
    `small_counts` takes the law of few events from it.
    """
    if code in (CHI2, G):
        both = a + b
        if code == CHI2:
            return (b / n_b - a / n_a) ** 2 / both * n_a * n_b
        part = a * math.log(a * (n_a + n_b) / (both * n_a))
        if b > 0.0:
            part += b * math.log(b * (n_a + n_b) / (both * n_b))
        return 2.0 * part
    p = (a + 0.5) / (n_a + 0.5 * bins)
    q = (b + 0.5) / (n_b + 0.5 * bins)
    if code == PSI:
        return (q - p) * math.log(q / p)
    if code == KL:
        return q * math.log(q / p)
    if code == JS:
        m = 0.5 * (p + q)
        return 0.5 * (p * math.log(p / m) + q * math.log(q / m))
    return 0.5 * (math.sqrt(q) - math.sqrt(p)) ** 2


@kernel
def statistic(code: int, a: Ints, b: Ints) -> float:
    """The distance of this code between two rows of counts, int64[B]."""
    n_a = float(a.sum())
    n_b = float(b.sum())
    if n_a <= 0.0 or n_b <= 0.0:
        return math.nan
    if code <= KL:
        return _psi_or_kl(a, b, n_a, n_b, code == PSI)
    if code == JS:
        return _js(a, b, n_a, n_b)
    if code == HELLINGER:
        return _hellinger(a, b, n_a, n_b)
    if code == TOTAL_VARIATION:
        return _total_variation(a, b, n_a, n_b)
    if code == CHI2:
        return _chi2(a, b, n_a, n_b)
    if code == G:
        return _g(a, b, n_a, n_b)
    if code == WASSERSTEIN:
        return _wasserstein(a, b, n_a, n_b)
    if code == KS:
        return _ks(a, b, n_a, n_b)
    total = 0.0
    for i in range(a.size):
        total += bin_part(code, float(a[i]), float(b[i]), n_a, n_b, a.size)
    return total


@kernel
def _rows(code: int, a: Ints, b: Ints, out: Floats) -> None:
    for i in range(out.size):
        out[i] = statistic(code, a[i], b[i])


def _apply(code: int, reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    arrays = []
    for name, counts in (("reference", reference), ("window", window)):
        array = np.asarray(counts)
        if array.dtype.kind not in "iu" or array.ndim < 1:
            raise ValueError(
                f"{name} must be integer counts [..., bins]; got {array.dtype} {array.shape}. "
                "Count values per bin first."
            )
        if array.size and array.min() < 0:
            raise ValueError(f"{name} must be counts >= 0; got {array.min()}.")
        arrays.append(array.astype(np.int64))
    a, b = arrays
    if a.shape[-1] != b.shape[-1] or not a.shape[-1]:
        raise ValueError(
            f"both histograms must have the same bins, at least one; got {a.shape[-1]} and "
            f"{b.shape[-1]}."
        )
    a, b = np.broadcast_arrays(a, b)
    out = np.empty(a.shape[:-1])
    flat = out.reshape(-1)
    rows = (flat.size, a.shape[-1])
    _rows(code, np.ascontiguousarray(a).reshape(rows), np.ascontiguousarray(b).reshape(rows), flat)
    return flat.reshape(out.shape)


def psi(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Population stability index, `sum (q - p) log(q / p)`: 0 and up, symmetric (Lewis 1994).

    It is Jeffreys' divergence, KL in both directions added (Jeffreys 1946). Smoothed by 1/2.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.

    Examples
    --------
    >>> round(float(psi([500, 300, 200], [400, 300, 300])), 4)
    0.0627
    """
    return _apply(PSI, reference, window)


def kl(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Kullback and Leibler's divergence of the window from the reference, `sum q log(q / p)`.

    0 and up, not symmetric; smoothed by 1/2 (Kullback and Leibler 1951).

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(KL, reference, window)


def js(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Jensen-Shannon divergence in nats, `(KL(p, m) + KL(q, m)) / 2` with `m = (p + q) / 2`.

    0 to log 2, symmetric (Lin 1991); smoothed by 1/2. Its square root is a metric.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(JS, reference, window)


def hellinger(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Hellinger's distance, `sqrt(sum (sqrt q - sqrt p)^2 / 2)`: 0 to 1, a metric (1909).

    Smoothed by 1/2.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(HELLINGER, reference, window)


def total_variation(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Share of events that would have to change bin, `sum |q - p| / 2`: 0 to 1, a metric.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(TOTAL_VARIATION, reference, window)


def ks(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Kolmogorov and Smirnov's distance, `max |Q - P|` over ordered bins: 0 to 1, a metric.

    At most that of the values themselves, since it looks at the ends of bins only.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(KS, reference, window)


def wasserstein(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Wasserstein-1 on ranks over ordered bins: 0 to 1, not symmetric.

    How far the average event moved, where a bin is at its mid-rank in the reference:
    `sum |Q_b - P_b| (p_b + p_b+1) / 2` (Vallender 1974, one dimension). Any increasing change of
    the values' scale leaves it as it is.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(WASSERSTEIN, reference, window)


def chi2(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Pearson's chi2 of homogeneity of the 2 x B table: 0 and up, symmetric (Pearson 1911).

    `sum (o - e)^2 / e = N n sum (q - p)^2 / (c + d)` with counts c and d; empty bins count nothing.

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(CHI2, reference, window)


def g(reference: npt.ArrayLike, window: npt.ArrayLike) -> Floats:
    """Likelihood ratio of homogeneity, `2 sum o log(o / e)`: 0 and up, symmetric (Wilks 1935).

    Raises
    ------
    ValueError
        If counts are no integers, negative, or of different numbers of bins.
    """
    return _apply(G, reference, window)

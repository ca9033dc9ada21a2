"""Mean and quantiles of a number from its bins, and how far they are known.

A bin is known to hold values between its edges and no more. Most bins are narrow, so that it hardly
matters where in them the values are; the outermost may reach from 30 to an error code of 999,999,
and of what is outside the reference's range only the side is known. So a mean is given only if the
bins bound it well, and a quantile in a wide bin is given as the edge that it is surely beyond.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import NumericBinning
from detectors.references.reference import SignalReference

__all__ = [
    "QUANTILES",
    "Quantile",
    "bin_mean",
    "bin_quantiles",
    "is_typical",
    "known_quantiles",
    "outside",
]

#: Quantiles that a change of numbers is told by.
QUANTILES: Final = (0.05, 0.5, 0.95)
#: A bin is wide if it spans more than this share of the range of 90 % of the reference's values.
_WIDE: Final = 0.15
#: A mean is known if the bins leave no more than this share of that range open.
_OPEN: Final = 0.1
#: With more than one value in so many outside the range, the mean of the others says little.
_MOST_OUTSIDE: Final = 10

Ints = npt.NDArray[np.int64]


class Quantile(NamedTuple):
    """A quantile; `side` is 1 if it is that or more, -1 if that or less, else 0."""

    value: float
    side: int = 0


def outside(signal: SignalReference, counts: Ints) -> tuple[float, float]:
    """Shares of values below and above the reference's range."""
    binning = signal.binning
    n = max(1, int(counts[: binning.missing].sum()))
    below, above = counts[0], counts[binning.missing - 1]
    return int(below) / n, int(above) / n


def bin_mean(signal: SignalReference, counts: Ints) -> float | None:
    """Mean of the values within the reference's range; None if the bins do not bound it well.

    It is estimated from the middles of the bins. The same estimate on the reference is off by a
    known amount, which is taken away.
    """
    binning = signal.binning
    assert isinstance(binning, NumericBinning)
    inner, known = counts[1 : binning.above], signal.counts[1 : binning.above]
    n, n_known = int(inner.sum()), int(known.sum())
    n_outside = int(counts[: binning.missing].sum()) - n
    if signal.mean is None or not n or not n_known or n_outside * _MOST_OUTSIDE > n:
        return None
    low, high = binning.edges[:-1], binning.edges[1:]
    high = np.where(high == np.nextafter(low, np.inf), low, high)  # a value that fills a bin
    share, middles = inner / n, low / 2 + high / 2
    least, most = float(share @ low), float(share @ high)
    if most - least > _OPEN * min(_range(binning, signal.counts), _range(binning, counts)):
        return None
    off = signal.mean - float((known / n_known) @ middles)
    return min(most, max(least, float(share @ middles) + off))


def is_typical(mean: float | None, quantiles: tuple[Quantile, ...]) -> bool:
    """Whether a mean is among its values, and not drawn away by a few that are far off."""
    if mean is None or not quantiles:
        return False
    low, middle, high = (quantile.value for quantile in quantiles)
    return low == high or abs(mean - middle) <= high - low


def known_quantiles(signal: SignalReference) -> tuple[Quantile, ...]:
    """The reference's own at `QUANTILES`, of the values that it was fitted on."""
    kept = [signal.quantiles.get(f"p{100 * q:02.0f}") for q in QUANTILES]
    found = tuple(Quantile(value) for value in kept if value is not None)
    return found if len(found) == len(kept) else bin_quantiles(signal, signal.counts)


def bin_quantiles(
    signal: SignalReference, counts: Ints, which: tuple[float, ...] = QUANTILES
) -> tuple[Quantile, ...]:
    """Quantiles of values, taken to be spread evenly within narrow bins; empty without values."""
    binning = signal.binning
    assert isinstance(binning, NumericBinning)
    if not counts[: binning.missing].any():
        return ()
    wide, middle = np.inf, 0.0
    if signal.counts[: binning.missing].any():
        wide = _WIDE * _range(binning, signal.counts)
        middle = _even(binning, signal.counts, 0.5)[1]
    found = []
    for q in which:
        b, value = _even(binning, counts, q)
        if b == 0:
            found.append(Quantile(value, -1))
            continue
        if b == binning.above:
            found.append(Quantile(float(np.nextafter(binning.edges[-1], -np.inf)), 1))
            continue
        low, high = float(binning.edges[b - 1]), float(binning.edges[b])
        if high - low <= wide or high == np.nextafter(low, np.inf):
            found.append(Quantile(value))
        elif abs(low - middle) <= abs(high - middle):
            found.append(Quantile(low, 1))
        else:
            found.append(Quantile(high, -1))
    return tuple(found)


def _even(binning: NumericBinning, counts: Ints, q: float) -> tuple[int, float]:
    """Bin of a quantile, and its place if the bin's values are spread evenly."""
    values = counts[: binning.missing]
    n = int(values.sum())
    upto = np.cumsum(values)
    b = int(np.searchsorted(upto, q * n, side="left"))
    while not values[b]:  # of what is counted at exactly that rank
        b += 1
    # Of what is outside only the side is known.
    top = binning.edges.size - 1
    low, high = float(binning.edges[max(0, b - 1)]), float(binning.edges[min(b, top)])
    inside = (q * n - float(upto[b] - values[b])) / float(values[b])
    return b, float(f"{low * (1.0 - inside) + high * inside:.9g}")


def _range(binning: NumericBinning, counts: Ints) -> float:
    """Range of 90 % of the values, by the inner edges of the bins that they end in."""
    upto = np.cumsum(counts[: binning.missing])
    if not upto[-1]:
        return 0.0
    first = int(np.searchsorted(upto, 0.05 * upto[-1], side="left"))
    last = int(np.searchsorted(upto, 0.95 * upto[-1], side="left"))
    top = binning.edges.size - 1
    low, high = float(binning.edges[min(first, top)]), float(binning.edges[max(0, last - 1)])
    return max(0.0, high - low)

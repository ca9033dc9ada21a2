"""Frozen maps from values to bins; those of names are in `name_bins`.

A binning is fitted once, on a reference, and never changes: counts over it can be added in any
order, on any machine. What a reference cannot show has bins of its own: below and above its range,
categories it never saw, missing values, values of a wrong type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.name_bins import CategoricalBinning
from detectors.figures import figure, figures

__all__ = [
    "MAX_BINS",
    "SCORE_SCALE",
    "Binning",
    "CategoricalBinning",
    "NumericBinning",
]

#: Interior bins of a numeric binning: a branchless search of six steps finds one of 64.
MAX_BINS: Final = 64
_LARGEST: Final = float(np.finfo(np.float64).max)
#: By how much of itself a number changes at most when a float32 holds it.
_SINGLE_ROUNDING: Final = 2.0**-24
#: A rank of 1 as a score: scores are 16-bit integers.
SCORE_SCALE: Final = 65_535


@dataclass(frozen=True, eq=False)
class NumericBinning:
    """Bins between edges: `[below, [e0, e1), ..., [ek-1, ek), above, missing, invalid]`.

    Attributes
    ----------
    edges : float64[k + 1]
        Strictly increasing, 1 to 65 of them, finite. The first is just below the reference's least
        value, the last just above its greatest: both are inside, as float64 and as float32.

    Raises
    ------
    ValueError
        If edges are too many or none, not finite, or do not increase.
    """

    edges: npt.NDArray[np.float64]
    kind: ClassVar[str] = "numeric"

    def __post_init__(self) -> None:
        edges = self.edges
        if edges.ndim != 1 or not 1 <= edges.size <= MAX_BINS + 1:
            raise ValueError(f"edges must be 1 to {MAX_BINS + 1} numbers; got {edges.shape}.")
        if not np.isfinite(edges).all():
            raise ValueError("edges must be finite.")
        steps = np.flatnonzero(edges[1:] <= edges[:-1])
        if steps.size:
            at = int(steps[0])
            raise ValueError(
                f"edges must increase; got {edges[at]!r} then {edges[at + 1]!r} at [{at + 1}]."
            )

    @property
    def below(self) -> int:
        """Bin of values under the reference's least."""
        return 0

    @property
    def above(self) -> int:
        """Bin of values over the reference's greatest."""
        return int(self.edges.size)

    @property
    def missing(self) -> int:
        """Bin of missing values."""
        return int(self.edges.size) + 1

    @property
    def invalid(self) -> int:
        """Bin of values of a wrong type."""
        return int(self.edges.size) + 2

    @property
    def n_bins(self) -> int:
        """Length of a vector of counts over this binning."""
        return int(self.edges.size) + 3

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64], max_bins: int = MAX_BINS) -> NumericBinning:
        """Quantile bins of the finite values; a value that fills a whole bin gets its own.

        A value's own bin, and the range, reach as far as a float32 rounds it: .1 is one level,
        whoever sends it. Without any finite value the one edge is 0: all that comes later is below
        or above.
        """
        return cls.of_sorted(np.sort(values[np.isfinite(values)] + 0.0), max_bins)

    @classmethod
    def of_sorted(cls, finite: npt.NDArray[np.float64], max_bins: int = MAX_BINS) -> NumericBinning:
        """What `fit` gives, of finite values that are sorted."""
        if not finite.size:
            return cls(np.zeros(1))
        finite = np.minimum(finite, np.nextafter(_LARGEST, 0.0))  # so that an edge is above it
        distinct = finite[np.append(True, finite[1:] != finite[:-1])]
        if distinct.size <= max_bins // 2:
            # Few values are atoms, each with an edge on both sides: what is new falls between.
            return cls(np.unique(_around(distinct, np.arange(distinct.size))))
        cuts = finite[(np.arange(max_bins) * finite.size) // max_bins]
        values_at, times = np.unique(cuts, return_counts=True)
        heavy = np.searchsorted(distinct, values_at[times > 1])
        single = values_at[(times == 1) & (values_at > distinct[0])]
        own = _around(distinct, np.concatenate([[0], heavy, [distinct.size - 1]]))
        lower, upper = own[0, :-1], own[1, 1:]  # below the least value, above the greatest
        return cls(np.unique(np.concatenate([single, lower, upper])))

    def with_edge(self, value: float) -> NumericBinning:
        """These bins with an edge at this value: one more, or the nearest edge between moved."""
        edges = self.edges
        if value in edges:
            return self
        at = int(np.searchsorted(edges, value))
        if edges.size <= MAX_BINS:
            return NumericBinning(np.insert(edges, at, value))
        inner = np.arange(1, edges.size - 1)
        nearest = int(inner[np.argmin(np.abs(edges[inner] - value))])
        moved = np.insert(np.delete(edges, nearest), at - (nearest < at), value)
        return NumericBinning(moved)

    def bin(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Bins of values: NaN and +inf are missing, -inf is of a wrong type; int64[n]."""
        bins = np.searchsorted(self.edges, values, side="right")
        bins[np.isnan(values) | np.isposinf(values)] = self.missing
        bins[np.isneginf(values)] = self.invalid
        return bins

    def scores(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Mid-rank of each bin in the reference, 0 to 65535; -1 for missing and invalid.

        Parameters
        ----------
        counts : int64[n_bins]
            Of the reference.
        """
        present = counts[: self.missing]
        total = max(1, int(present.sum()))
        rank = (np.cumsum(present) - present / 2) / total
        scores = np.full(self.n_bins, -1, np.int64)
        scores[: self.missing] = np.rint(rank * SCORE_SCALE).astype(np.int64)
        return scores

    def label(self, b: int) -> str:
        """A bin in words."""
        if b == self.missing:
            return "missing"
        if b == self.invalid:
            return "wrong type"
        if b == self.below:
            return f"< {figure(self.edges[0])}"
        if b == self.above:
            return f">= {figure(self.edges[-1])}"
        low, high = figures(self.edges[b - 1], self.edges[b])
        return f"[{low}, {high})"


def _around(
    distinct: npt.NDArray[np.float64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Edges on both sides of the values at these places: what a float32 makes of one is between.

    Whole numbers have none to spare: those that a float32 rounds are other numbers. Where values
    are so near to each other that a float32 cannot tell them apart, they stay apart.
    """
    value = distinct[at]
    reach = np.where(value == np.rint(value), 0.0, np.abs(value) * _SINGLE_ROUNDING)
    for next_to in (at - 1, at + 1):
        there = (next_to >= 0) & (next_to < distinct.size)
        # In thirds, so that no difference overflows.
        gap = np.abs(value[there] / 3.0 - distinct[next_to[there]] / 3.0)
        reach[there] = np.minimum(reach[there], gap)
    return np.stack([value - reach, np.nextafter(value + reach, np.inf)])


Binning = NumericBinning | CategoricalBinning

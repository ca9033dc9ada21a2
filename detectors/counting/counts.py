"""Counts of all signals as one flat vector, and the kernels that fill it.

Position 0 is the number of events; each signal then has its bins in a row, and behind them all may
be cells of what is counted beside signals. Vectors of one layout are a commutative monoid under +,
so partial counts merge to the same bits in any order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import MAX_BINS, Binning, NumericBinning

__all__ = ["Layout", "accumulate"]


class Layout:
    """Where the bins of each signal are.

    Parameters
    ----------
    binnings : mapping of str to Binning
        Of the signals.
    cells : int
        Positions behind the bins.

    Attributes
    ----------
    names, kinds : tuple of str
        Signals in order, and "numeric" or "categorical".
    start, n_bins : int64[S]
    width : int
        Length of the flat vector.
    cells : slice
        The positions behind the bins.
    numeric, categorical : int64
        Indices of the signals of each kind, in order: the columns of a batch.
    """

    def __init__(self, binnings: Mapping[str, Binning], cells: int = 0) -> None:
        self.names = tuple(binnings)
        self.binnings: tuple[Binning, ...] = tuple(binnings.values())
        numeric = [isinstance(b, NumericBinning) for b in self.binnings]
        self.kinds = tuple("numeric" if n else "categorical" for n in numeric)
        self.n_bins = np.array([b.n_bins for b in self.binnings], np.int64)
        self.start = 1 + np.cumsum(self.n_bins) - self.n_bins
        bins = 1 + int(self.n_bins.sum())
        self.width = bins + cells
        self.cells = slice(bins, self.width)
        self.numeric = np.flatnonzero(numeric)
        self.categorical = np.flatnonzero(~np.array(numeric, bool))
        # Inner edges, padded with +inf to 63, are searched in six steps; the outer two compared.
        self._inner = np.full((self.numeric.size, MAX_BINS - 1), np.inf)
        self._n_edges = np.zeros(self.numeric.size, np.int64)
        self._low = np.zeros(self.numeric.size)
        self._high = np.zeros(self.numeric.size)
        for row, i in enumerate(self.numeric):
            binning = self.binnings[i]
            assert isinstance(binning, NumericBinning)
            edges = binning.edges
            self._inner[row, : max(0, edges.size - 2)] = edges[1:-1]
            self._n_edges[row] = edges.size
            self._low[row], self._high[row] = edges[0], edges[-1]

    @property
    def parts(self) -> npt.NDArray[np.int64]:
        """Where what is counted together begins: each signal, and the cells behind them."""
        behind = [self.cells.start] if self.cells.start < self.width else []
        return np.append(self.start, behind).astype(np.int64)

    def slice(self, i: int) -> slice:
        """Where signal i is in the flat vector."""
        return slice(int(self.start[i]), int(self.start[i] + self.n_bins[i]))

    def positions(
        self, numeric: npt.NDArray[np.float64], codes: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        """Flat positions of a batch of values, int32[n, S]; -1 for what is not counted.

        Parameters
        ----------
        numeric : float64[n, Sn]
            In either order of memory: columns are read one by one.
            NaN is missing, -inf of a wrong type, +inf not counted.
        codes : int32[n, Sc]
            Bins within the signal, -1 not counted.
        """
        out = np.empty((len(numeric), len(self.names)), np.int32)
        if not (numeric.flags.c_contiguous or numeric.flags.f_contiguous):
            numeric = np.ascontiguousarray(numeric)  # kernels are compiled for those two
        _place_numeric(
            numeric,
            self._inner,
            self._low,
            self._high,
            self._n_edges,
            self.start[self.numeric],
            self.numeric,
            out,
        )
        if self.categorical.size:
            place = codes + self.start[self.categorical].astype(np.int32)
            place[codes < 0] = -1
            out[:, self.categorical] = place
        return out


@kernel
def _place_numeric(
    values: npt.NDArray[np.float64],
    inner: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    n_edges: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    out: npt.NDArray[np.int32],
) -> None:
    for j in range(values.shape[1]):
        edges = inner[j]
        first = start[j]
        k = n_edges[j]
        lo = low[j]
        hi = high[j]
        to = column[j]
        for i in range(values.shape[0]):
            v = values[i, j]
            # The number of inner edges <= v, without a branch.
            b = 32 * (edges[31] <= v)
            b += 16 * (edges[b + 15] <= v)
            b += 8 * (edges[b + 7] <= v)
            b += 4 * (edges[b + 3] <= v)
            b += 2 * (edges[b + 1] <= v)
            b += edges[b] <= v
            b += 1
            if v < lo:
                b = 0
                if v == -np.inf:
                    b = k + 2
            elif v >= hi:
                b = k
                if v == np.inf:
                    b = -1 - first
            elif v != v:
                b = k + 1
            out[i, to] = first + b


@kernel
def accumulate(
    positions: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    out: npt.NDArray[np.int64] | npt.NDArray[np.int32],
) -> None:
    """Count events: `out[slot, p] += 1` for each position, and `out[slot, 0] += 1`.

    Parameters
    ----------
    positions : int32[n, S]
        From `Layout.positions`; negative ones are skipped.
    slots : int32[n]
        Row of `out` for each event; negative ones are skipped.
    out : int64[n_slots, width] or int32
        Changed in place.
    """
    for i in range(positions.shape[0]):
        slot = slots[i]
        if slot < 0:
            continue
        row = out[slot]
        row[0] += 1
        for j in range(positions.shape[1]):
            p = positions[i, j]
            if p >= 0:
                row[p] += 1

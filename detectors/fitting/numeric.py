"""A numeric signal in two passes: its range and a sample, then exact counts in batches."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import MAX_BINS, NumericBinning
from detectors.counting.once import counted_once
from detectors.fitting.order import Batches
from detectors.fitting.sampling import RowSample
from detectors.fitting.values import Column, numbers
from detectors.references.calibration import calibrate, joined
from detectors.references.reference import OF_TRUTH, SignalReference

__all__ = ["NumericFit"]

_ONE_SIGNAL: Final = np.zeros(0, np.int64)
_QUANTILES: Final = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
#: Of a number no more digits are kept; longer ones are ids.
_TO_ITS_DIGITS: Final = (
    " in its first 15 digits, and a number has no more. An id? --ignore it, or --categorical"
)
#: Odd factor of the rolling hash of a column's bins.
_HASH_FACTOR: Final = 6_364_136_223_846_793_005


@kernel
def _count(
    values: npt.NDArray[np.float64],
    piece: npt.NDArray[np.int32],
    pieces: int,
    inner: npt.NDArray[np.float64],
    n_edges: int,
    low: float,
    high: float,
    origin: float,
    factor: float,
    table: npt.NDArray[np.int64],
    highest: npt.NDArray[np.float64],
    lowest: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
    trace: npt.NDArray[np.int64],
    cell: npt.NDArray[np.int32],
    by_cell: npt.NDArray[np.int32],
    placed: npt.NDArray[np.int32],
) -> None:
    """One pass over a batch of values; sums run on, so how rows are cut changes no bit."""
    s1, s2, h = sums[0], sums[1], trace[0]
    for i in range(values.size):
        v = values[i]
        if math.isfinite(v):
            at = 0
            for step in (32, 16, 8, 4, 2, 1):
                at += step * (inner[at + step - 1] <= v)  # no branch to be guessed wrong
            b = 0 if v < low else n_edges if v >= high else at + 1
            k = piece[i] // pieces
            highest[k] = max(highest[k], v)
            lowest[k] = min(lowest[k], v)
            d = v * factor - origin
            s1 += d
            s2 += d * d
        else:
            b = n_edges + 2 if v < 0 else n_edges + 1
        placed[i] = b
        table[piece[i], b] += 1
        if cell.size and cell[i] >= 0:
            by_cell[cell[i], b] += 1
        h = h * _HASH_FACTOR + b
    sums[0], sums[1], trace[0] = s1, s2, h


class NumericFit:
    """One numeric signal. `survey` all batches, `prepare`, `count` them again, `finish`."""

    def __init__(self, sample: RowSample) -> None:
        self._sample = sample
        self._held = np.empty(sample.size)
        self._low, self._high = math.inf, -math.inf

    @property
    def sampled(self) -> npt.NDArray[np.float64]:
        """Values of the sampled rows."""
        return self._held[: self._sample.held]

    def survey(
        self, column: Column, slots: npt.NDArray[np.int64], sources: npt.NDArray[np.int64]
    ) -> None:
        """First pass over a batch, of which rows `sources` go to the sample's `slots`."""
        values = numbers(column)
        self._held[slots] = values[sources]
        wrong = np.isneginf(values)
        if wrong.any():
            values = values[~wrong]
        low, high = np.fmin.reduce(values, initial=np.nan), np.fmax.reduce(values, initial=np.nan)
        if low == low:
            self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    def prepare(self, batches: Batches, edge: float | None = None) -> None:
        """End the first pass: fix the bins; `by_cell` has no row unless it is set after this.

        `edge` is to be one of their edges.
        """
        values = self.sampled
        if self._sample.rows > self._sample.size and self._low <= self._high:
            values = np.append(values, [self._low, self._high])  # the range is that of all rows
        # Zeros without a sign: a sort leaves 0 and -0 in whatever order its machine finds best.
        finite = np.sort(values[np.isfinite(values)] + 0.0)
        self.binning = NumericBinning.of_sorted(finite)
        if edge is not None:
            self.binning = self.binning.with_edge(edge)
        self._quantiles: dict[str, float] = {}
        if finite.size:  # the least value that at least so large a share is not above
            at = {name: math.ceil(q * finite.size - 1.0) for name, q in _QUANTILES.items()}
            self._quantiles = {name: float(finite[max(0, k)]) for name, k in at.items()}
        del self._held
        edges = self.binning.edges
        self._inner = np.full(MAX_BINS - 1, np.inf)
        self._inner[: max(0, edges.size - 2)] = edges[1:-1]
        # Powers of two scale without loss: squares of huge or tiny values stay finite.
        largest = max(abs(self._low), abs(self._high)) if finite.size else 1.0
        self._exponent = min(1022, max(-1000, -math.frexp(largest)[1])) if largest else 0
        spans_zero = not finite.size or self._low <= 0.0 <= self._high
        nearest = 0.0 if spans_zero else min(self._low, self._high, key=abs)
        self._origin = math.ldexp(nearest, self._exponent)
        self._batches = batches
        rows = max(1, batches.count)
        self.table = np.zeros((rows * batches.pieces, self.binning.n_bins), np.int64)
        self.by_cell = np.zeros((0, self.binning.n_bins), np.int32)
        self._highest, self._lowest = np.full(rows, -np.inf), np.full(rows, np.inf)
        self._beyond = {1: np.zeros(0), -1: np.zeros(0)}
        self._sums = np.zeros(2)
        self.trace = np.zeros(1, np.int64)

    def count(
        self, column: Column, piece: npt.NDArray[np.int32], cell: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float64]:
        """Second pass over some rows, each of a piece of a batch and of a cell, -1 for none.

        `placed` is then the bin of each.
        """
        values = numbers(column)
        edges = self.binning.edges
        self.placed = np.empty(values.size, np.int32)
        _count(
            values,
            piece,
            self._batches.pieces,
            self._inner,
            edges.size,
            edges[0],
            edges[-1],
            self._origin,
            2.0**self._exponent,
            self.table,
            self._highest,
            self._lowest,
            self._sums,
            self.trace,
            cell,
            self.by_cell,
            self.placed,
        )
        for sign, best in ((1, self._highest), (-1, -self._lowest)):
            # What is beyond all batches but one, so far: later batches can only make that less.
            # Without batches, the two most extreme rows.
            held = self._beyond[sign]
            if self._batches.count:
                bound = np.partition(best, -2)[-2]
            else:
                bound = held[0] if held.size == 2 else -np.inf
            beyond = values[(values > bound) if sign > 0 else (values < -bound)]
            kept = np.concatenate([held, sign * beyond[np.isfinite(beyond)]])
            self._beyond[sign] = kept[kept > bound] if self._batches.count else np.sort(kept)[-2:]
        return values

    def finish(
        self, name: str, role: str, importance: float, warnings: list[str], factor: float = 1.0
    ) -> SignalReference:
        """End the second pass; rows came `factor` times each, and are counted once."""
        binning, table = self.binning, counted_once(self.table, factor, _ONE_SIGNAL)
        self.by_cell = counted_once(self.by_cell, factor, _ONE_SIGNAL)
        if role in OF_TRUTH:  # not known yet, which an event says by leaving it out
            table[:, binning.missing] = 0
            self.by_cell[:, binning.missing] = 0
        counts = table.sum(axis=0)
        present = joined(table, self._batches.pieces)[:, : binning.missing]
        if (counts[1 : binning.above] == 0).any():  # atoms: what falls between them is new
            if self._batches.count:
                news = np.where((present > 0).sum(axis=0) == 1, present, 0).sum(axis=1)
            else:
                news = np.array([(counts[: binning.missing] == 1).sum()])
        else:
            news = np.rint(self._extremes() / factor).astype(np.int64)
        n = int(present.sum())
        if n and self._low == self._high and abs(self._low) >= 2.0**53:
            warnings.append(f"{name}: is constant{_TO_ITS_DIGITS}")
        if counts[binning.invalid]:
            warnings.append(f"{name}: {counts[binning.invalid]} values are not numbers")
        calibration = calibrate(
            binning,
            counts,
            int(news.sum()),
            table if self._batches.count else None,
            news,
            consecutive=not self._batches.cycle_ms,
            pieces=self._batches.pieces,
        )
        mean, std = self._moments(int(self.table[:, : binning.missing].sum()))
        return SignalReference(
            name, role, binning, counts, calibration, mean, std, self._quantiles, importance
        )

    def _extremes(self) -> npt.NDArray[np.int64]:
        """Rows outside the range of all other batches, by batch."""
        news = np.zeros(max(1, self._batches.count), np.int64)
        for sign, best in ((1, self._highest), (-1, -self._lowest)):
            beyond = self._beyond[sign]
            if self._batches.count:
                others = np.partition(best, -2)[-2]
                if sign > 0 or np.isfinite(others):  # else one batch has all, and is counted
                    news[np.argmax(best)] += beyond.size
            elif beyond.size > 1:
                news[0] += int(beyond[-1] > beyond[-2])
            elif sign > 0:
                news[0] += beyond.size
        return news

    def _moments(self, n: int) -> tuple[float | None, float | None]:
        """Mean and standard deviation from the sums of scaled differences to the origin."""
        if not n:
            return None, None
        mean = float(self._sums[0]) / n
        variance = max(0.0, float(self._sums[1]) / n - mean * mean)
        top = float(np.finfo(np.float64).max)
        scaled = (mean + self._origin, math.sqrt(variance))
        with np.errstate(over="ignore"):
            back = [float(np.ldexp(v, -self._exponent)) for v in scaled]
        return max(-top, min(top, back[0])), min(top, back[1])

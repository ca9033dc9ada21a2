"""A categorical signal in two passes: a tally of its names, then exact counts in batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.name_bins import MAX_CATEGORIES, MAX_OTHERS, CategoricalBinning
from detectors.counting.once import counted_once
from detectors.fitting.order import Batches
from detectors.fitting.sampling import NameTally
from detectors.fitting.stretches import rows_of_passing_names
from detectors.fitting.values import Column, coded_names
from detectors.references.calibration import calibrate
from detectors.references.reference import OF_TRUTH, SignalReference

__all__ = ["CategoricalFit"]

_ONE_SIGNAL = np.zeros(0, np.int64)
_HASH_FACTOR = 6_364_136_223_846_793_005


@kernel
def _count(
    known: npt.NDArray[np.int64],
    piece: npt.NDArray[np.int32],
    pieces: int,
    bins: npt.NDArray[np.int64],
    table: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    trace: npt.NDArray[np.int64],
    cell: npt.NDArray[np.int32],
    by_cell: npt.NDArray[np.int32],
) -> None:
    """Counts of bins by batch, and of known names with the batches between which they occur."""
    h = trace[0]
    for i in range(known.size):
        name, b = known[i], np.int64(piece[i] // pieces)
        table[piece[i], bins[name]] += 1
        if cell.size and cell[i] >= 0:
            by_cell[cell[i], bins[name]] += 1
        first[name] = min(first[name], b)
        last[name] = max(last[name], b)
        times[name] += 1
        h = h * _HASH_FACTOR + name
    trace[0] = h


class CategoricalFit:
    """One categorical signal. `survey` all batches, `prepare`, `count` them again, `finish`.

    Attributes
    ----------
    known : int
        Names with a number of their own in what `count` gives; what is beyond them is no name.
    first, last, times : int64
        By name, in the second pass: the batches between which it occurs, and how often.
    """

    def __init__(self, names: int) -> None:
        self.tally = NameTally(names)

    def survey(
        self, column: Column, slots: npt.NDArray[np.int64], sources: npt.NDArray[np.int64]
    ) -> None:
        """First pass over a batch; names are tallied, not sampled."""
        codes, names = coded_names(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        there = np.flatnonzero(counts)  # a dictionary may hold names that no row has
        self.tally.add([names[i] for i in there.tolist()], counts[there].tolist())

    def prepare(self, batches: Batches) -> None:
        """End the first pass: fix the bins; `by_cell` has no row unless it is set after this."""
        self.binning = CategoricalBinning.of(self.tally.counts)
        self.distinct, self._is_exact = self.tally.distinct, self.tally.is_exact
        del self.tally
        binning = self.binning
        self._number = {name: i for i, name in enumerate(binning.code)}
        self.known = len(self._number)
        specials = (*binning.new.tolist(), binning.invalid, binning.missing)
        self._bins = np.array([*binning.code.values(), *specials], np.int64)
        self._batches = batches
        rows = max(1, batches.count * batches.pieces)
        self.table = np.zeros((rows, binning.n_bins), np.int64)
        self.by_cell = np.zeros((0, binning.n_bins), np.int32)
        self.first = np.full(self._bins.size, batches.count + 1)
        self.last = np.full(self._bins.size, -1)
        self.times = np.zeros(self._bins.size, np.int64)
        self.trace = np.zeros(1, np.int64)

    def count(
        self, column: Column, piece: npt.NDArray[np.int32], cell: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int64]:
        """Second pass over some rows, each of a piece of a batch and of a cell, -1 for none.

        `placed` is then the bin of each.
        """
        codes, names = coded_names(column)
        number, place = self._number, self.binning.place
        known = [number[name] if name in number else self.known + place(name) for name in names]
        # From the end: -1 is missing, -2 of a wrong type.
        last = self._bins.size - 1
        rows = np.array([*known, last - 1, last], np.int64)[codes]
        _count(
            rows,
            piece,
            self._batches.pieces,
            self._bins,
            self.table,
            self.first,
            self.last,
            self.times,
            self.trace,
            cell,
            self.by_cell,
        )
        self.placed: npt.NDArray[np.int32] = self._bins[rows].astype(np.int32)
        return rows

    def finish(
        self, name: str, role: str, importance: float, warnings: list[str], factor: float = 1.0
    ) -> SignalReference:
        """End the second pass; rows came `factor` times each, and are counted once."""
        table = counted_once(self.table, factor, _ONE_SIGNAL)
        self.by_cell = counted_once(self.by_cell, factor, _ONE_SIGNAL)
        if role in OF_TRUTH:  # not known yet, which an event says by leaving it out
            table[:, self.binning.missing] = 0
            self.by_cell[:, self.binning.missing] = 0
        counts = table.sum(axis=0)
        # Names that one batch alone made known; those beyond are counted as unseen already.
        times = np.rint(self.times[: self.known] / factor).astype(np.int64)
        if self._batches.count:
            first, last = self.first[: self.known], self.last[: self.known]
            news = rows_of_passing_names(first, last, times, self._batches.count)
        else:
            news = np.array([(times == 1).sum()])
        binning = self.binning
        if unseen := int(counts[binning.new].sum()):
            distinct = f"{self.distinct:,}" if self._is_exact else f"about {self.distinct:,}"
            share = unseen / counts.sum()
            warnings.append(
                f"{name}: has too many names ({distinct}); those beyond the "
                f"{MAX_CATEGORIES + MAX_OTHERS:,} most frequent count as unseen ({share:.1%} of "
                "the rows). Is the column an identifier?"
            )
        calibration = calibrate(
            binning,
            counts,
            int(news.sum()),
            table if self._batches.count else None,
            news,
            consecutive=not self._batches.cycle_ms,
            pieces=self._batches.pieces,
            pairs=int((times == 2).sum()),
        )
        return SignalReference(name, role, binning, counts, calibration, importance=importance)

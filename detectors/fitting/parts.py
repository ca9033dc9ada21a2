"""Counts of the reference's rows by value of a segment: what each part of a stream usually is.

Each part is counted in batches of its own, so that its dependence and its new values are measured
as those of the whole are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.once import counted_once
from detectors.counting.sparse import encode_counts
from detectors.fitting.categorical import CategoricalFit
from detectors.fitting.joint import count_pairs
from detectors.fitting.numeric import NumericFit
from detectors.fitting.order import Batches
from detectors.fitting.outcomes import OutcomeFit, add_places
from detectors.fitting.segment_values import SegmentValues
from detectors.fitting.stretches import rows_of_passing_names
from detectors.outcomes.residual_effects import design_effects
from detectors.references.calibration import (
    GOOD_BATCHES,
    LEAST_BATCHES,
    Calibration,
    calibrate,
)
from detectors.references.parts import LEAST_ROWS_OF_PART, Part, SegmentParts, rounded
from detectors.references.reference import OF_TRUTH, SignalReference

__all__ = ["PartsFit", "most_parts"]

#: Signals times parts that a reference holds at most: each is two kilobytes of every plan.
_MOST: Final = 4_000
_ONE_SIGNAL: Final = np.zeros(0, np.int64)

Ints = npt.NDArray[np.int64]
_Fits = Mapping[str, "NumericFit | CategoricalFit"]


def most_parts(signals: int, segments: int) -> int:
    """Parts of each segment that a reference has room for."""
    return _MOST // max(1, signals * segments)


class PartsFit:
    """Follows the second pass over the rows of one segment, whose values are prepared.

    Parameters
    ----------
    values : SegmentValues
        Of the segment; rows are placed by it before they are counted.
    fits : mapping of str to NumericFit or CategoricalFit
        Of all signals, prepared, in the reference's order.
    outcome : OutcomeFit or None
    batches : Batches
        Of the rows.
    most : int
        So many parts at most.
    """

    def __init__(
        self,
        values: SegmentValues,
        fits: _Fits,
        outcome: OutcomeFit | None,
        batches: Batches,
        most: int,
    ) -> None:
        self._values, self._fits, self._outcome, self._batches = values, fits, outcome, batches
        enough = sum(rows >= LEAST_ROWS_OF_PART for rows in values.rows)
        self._kept = min(enough, most)
        # Few rows of a part are in each batch: as many batches as tell its dependence well.
        self._joined = max(1, batches.count // GOOD_BATCHES)
        self._size = max(1, -(-batches.count // self._joined))
        columns = self._kept * self._size
        self._tables = {
            name: np.zeros((fit.binning.n_bins, columns + 1), np.int32)
            for name, fit in fits.items()
        }
        layouts = [] if outcome is None else outcome.layouts
        self._cells = [np.zeros((columns, cells.width), np.int64) for cells in layouts]
        #: Of each name the part that has it; names that come and go are of one part mostly.
        self._part_of = {
            name: np.full(fit.known, -1, np.int16)
            for name, fit in fits.items()
            if isinstance(fit, CategoricalFit)
        }

    def count(
        self, piece: npt.NDArray[np.int32], values: Mapping[str, npt.NDArray[np.generic]]
    ) -> None:
        """Take the rows that the signals and the outcomes counted last.

        Parameters
        ----------
        piece : int32[n]
            Of a batch, as the signals were given.
        values : mapping of str to array
            What `count` of each signal gave.
        """
        part = self._values.placed
        there = (part >= 0) & (part < self._kept)
        batch = piece // self._batches.pieces // self._joined
        row = np.where(there, part * self._size + batch, -1)
        column = np.where(there, row, self._kept * self._size).astype(np.int32)
        for name, fit in self._fits.items():
            count_pairs(fit.placed, column, self._tables[name])
        for name, part_of in self._part_of.items():
            if name in values:
                names = np.asarray(values[name], np.int64)
                known = there & (names < part_of.size)
                part_of[names[known]] = part[known]
        if self._outcome is not None:
            for table, cells, (where, sums) in zip(
                self._cells, self._outcome.layouts, self._outcome.counted, strict=True
            ):
                add_places(table, cells.sums_at, where, sums, row)

    def finish(self, signals: Sequence[SignalReference], factor: float) -> SegmentParts:
        """The parts, of rows that came `factor` times each, beside the finished signals."""
        parts = []
        for number in range(self._kept):
            rows = slice(number * self._size, (number + 1) * self._size)
            events = round(self._values.rows[number] / factor)
            if events >= LEAST_ROWS_OF_PART:
                parts.append(self._part(number, rows, signals, events, factor))
        others = self._values.distinct - len(parts)
        return SegmentParts(self._values.column, tuple(parts), max(0, others))

    def _part(
        self,
        number: int,
        rows: slice,
        signals: Sequence[SignalReference],
        events: int,
        factor: float,
    ) -> Part:
        turned = self._outcome is not None and self._outcome.turned
        counts, calibrations = [], []
        for signal in signals:
            table = self._tables[signal.name][:, rows].T.astype(np.int64)
            if turned and signal.is_derived:
                table[:, :2] = table[:, 1::-1]
            table = counted_once(table, factor, _ONE_SIGNAL)
            if signal.role in OF_TRUTH:  # not known yet, which an event says by leaving it out
                table[:, signal.binning.missing] = 0
            counts.append(table.sum(axis=0))
            calibrations.append(rounded(self._calibration(number, signal, table, factor)))
        effects, batches = (1.0, 1.0, 1.0), 0
        if self._outcome is not None and signals[-1].is_derived:
            at = self._outcome.chosen
            cells = self._cells[at][rows]
            if factor > 1.0:
                cells = np.rint(cells / factor).astype(np.int64)
            counts.append(cells.sum(axis=0))
            there = cells[cells.any(axis=1)]
            if self._batches.count and len(there) >= LEAST_BATCHES:
                found = design_effects(self._outcome.layouts[at], there)
                effects = found.residual, found.order, found.group
                batches = len(there)
        flat = np.concatenate(counts).astype(np.int64)
        return Part(
            self._values.scopes[number],
            events,
            encode_counts(flat),
            tuple(calibrations),
            effects,
            batches,
        )

    def _calibration(
        self, number: int, signal: SignalReference, table: Ints, factor: float
    ) -> Calibration:
        """Of one signal in one part, from its counts in batches."""
        binning, ordered = signal.binning, self._batches.count > 0
        counts, pairs = table.sum(axis=0), 0
        fit = self._fits[signal.name]
        if isinstance(fit, NumericFit):
            present = table[:, : binning.missing]
            once = (present > 0).sum(axis=0) == 1
            if not ordered:
                once = counts[: binning.missing] == 1
            news = np.where(once, present, 0).sum(axis=1)
            # Beyond the whole's range as many as of the whole, at most.
            novel = int(news.sum()) + min(signal.calibration.novel, int(counts.sum()))
        else:
            mine = self._part_of.get(signal.name, np.zeros(0, np.int16)) == number
            times = np.rint(fit.times[: mine.size][mine] / factor).astype(np.int64)
            if ordered:
                first, last = fit.first[: mine.size][mine], fit.last[: mine.size][mine]
                by_batch = rows_of_passing_names(first, last, times, self._batches.count)
                news = np.add.reduceat(by_batch, np.arange(0, by_batch.size, self._joined))
            else:
                news = np.array([(times == 1).sum()])
                pairs = int((times == 2).sum())
            novel = int(news.sum())
        there = table.sum(axis=1) > 0
        return calibrate(
            binning,
            counts,
            novel,
            table[there] if ordered else None,
            news[there] if ordered else None,
            consecutive=not self._batches.cycle_ms,
            pairs=pairs,
        )

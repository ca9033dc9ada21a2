"""Batches of rows in the order of time, from times that come in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidReferenceError
from detectors.fitting.pace import Pace, pace_of
from detectors.fitting.sampling import RowSample
from detectors.references.calibration import (
    GOOD_BATCHES,
    LEAST_BATCHES,
    batches_of_rows,
    pieces_of_batch,
)

__all__ = ["Batches", "TimeSurvey"]

#: Good batches of a cycle: four of them.
_GOOD_SEVENTHS: Final = 28
#: More would need gigabytes: a table of bins each, for every signal.
_MOST_SEVENTHS: Final = 20_000
_EMPTY: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Batches:
    """The batch of each row, and its piece of it.

    Attributes
    ----------
    count : int
        Number of batches; 0 where rows have no order, which then count as independent.
    length : int
        Rows of a batch, where rows come in order.
    of_row : int32[n]
        Batch of each row, where rows are few and do not come in order.
    edges : int64[count - 1]
        Times between batches, where they are too many for that.
    cells : int64[count]
        Sevenths of the cycle that have rows.
    pieces : int
        Of each batch, where rows are so few that batches leave much to chance.
    """

    count: int = 0
    length: int = 0
    of_row: npt.NDArray[np.int32] | None = None
    edges: npt.NDArray[np.int64] = field(default_factory=lambda: _EMPTY)
    cells: npt.NDArray[np.int64] = field(default_factory=lambda: _EMPTY)
    cycle_ms: int = 0
    pieces: int = 1

    def of(
        self, start: int, n: int, times_ms: npt.NDArray[np.int64] | None
    ) -> npt.NDArray[np.int32]:
        """Pieces of rows start to start + n: batch times `pieces`, and which piece of it."""
        if not self.count:
            return np.zeros(n, np.int32)
        if self.length:
            row = np.arange(start, start + n)
            piece = row // self.length * self.pieces
            piece += row % self.length * self.pieces // self.length
            return np.minimum(piece, self.count * self.pieces - 1).astype(np.int32)
        if self.of_row is not None:
            return self.of_row[start : start + n]
        assert times_ms is not None
        if self.cells.size:
            cells = np.searchsorted(self.cells, times_ms * 7 // self.cycle_ms)
            return np.minimum(cells, self.count - 1).astype(np.int32)
        return np.searchsorted(self.edges, times_ms, side="right").astype(np.int32)


class TimeSurvey:
    """What the first pass sees of the rows' times.

    Times are kept as far as the sample of rows reaches. Where rows beyond it are not in order,
    batches lie between quantiles of the sampled times: no row has to be moved.
    """

    def __init__(self, cycle_ms: int, sample: RowSample) -> None:
        self.cycle_ms = cycle_ms
        self.first_ms = self.last_ms = 0
        self._sample = sample
        self._times: npt.NDArray[np.int64] | None = None
        self._previous: int | None = None
        self._in_order = True
        self._cells = _EMPTY
        self._pace: Pace | None = None
        #: Why the order of the rows is not that of time; empty if nothing speaks against it.
        self.doubt = ""

    @property
    def sampled(self) -> npt.NDArray[np.int64] | None:
        """Times of the sampled rows; None where there are none."""
        return None if self._times is None else self._times[: self._sample.held]

    def order(self) -> npt.NDArray[np.int64]:
        """The sampled rows in the order of time."""
        times = self.sampled
        return np.arange(self._sample.held) if times is None else np.argsort(times, kind="stable")

    @property
    def pace(self) -> Pace | None:
        """How often rows come, after the first pass; None where they have no times."""
        if self._pace is None and self.sampled is not None:
            self._pace = pace_of(self.sampled)
        return self._pace

    def add(
        self,
        times_ms: npt.NDArray[np.int64],
        slots: npt.NDArray[np.int64],
        sources: npt.NDArray[np.int64],
    ) -> None:
        """Add the times of a batch, of which rows `sources` go to the sample's `slots`."""
        if not times_ms.size:
            return
        low, high = int(times_ms.min()), int(times_ms.max())
        if self._times is None or self._previous is None:
            self._times = np.empty(self._sample.size, np.int64)
            self.first_ms, self.last_ms, self._previous = low, high, low
        self.first_ms, self.last_ms = min(self.first_ms, low), max(self.last_ms, high)
        rising = times_ms[0] >= self._previous and (times_ms[1:] >= times_ms[:-1]).all()
        self._in_order = self._in_order and bool(rising)
        self._previous = int(times_ms[-1])
        self._times[slots] = times_ms[sources]
        if self.cycle_ms:
            self._cells = np.union1d(self._cells, times_ms * 7 // self.cycle_ms)
            if self._cells.size > _MOST_SEVENTHS:
                raise InvalidReferenceError(
                    f"cycle_ms is too short for these rows: they span more than {_MOST_SEVENTHS} "
                    f"sevenths of {self.cycle_ms} ms. Choose a longer cycle, or none."
                )

    def batches(self, warnings: list[str]) -> Batches:
        """Batches of all rows; what is noteworthy about them joins the warnings."""
        n = self._sample.rows
        if self.doubt:
            warnings.append(
                f"{self.doubt}: dependence cannot be measured, and events count as independent; a "
                "stream that depends on its past will raise more false alarms than the budget says"
            )
            return Batches()
        if self._times is None or self.first_ms == self.last_ms:
            have = "no times" if self._times is None else "all the same time"
            warnings.append(
                f"rows have {have}: events count as independent, so a stream that depends on its "
                "past will raise more false alarms than the budget says"
            )
            return Batches()
        if not self._in_order:
            kept = n <= self._sample.size
            warnings.append(
                "rows were not in the order of time: sorted"
                if kept
                else "rows were not in the order of time: dealt to batches by their times"
            )
        cells = self._cells
        if self.cycle_ms and cells.size >= LEAST_BATCHES:
            result, unit, good = (
                Batches(cells.size, cells=cells, cycle_ms=self.cycle_ms),
                "sevenths of a cycle",
                _GOOD_SEVENTHS,
            )
        else:
            if self.cycle_ms:
                warnings.append(
                    f"rows span only {cells.size} sevenths of a cycle, {LEAST_BATCHES} are "
                    "needed: how much one cycle differs from the next was not measured"
                )
            result, unit, good = self._by_rows(n), "batches of rows", GOOD_BATCHES
        if result.count < LEAST_BATCHES:
            warnings.append(
                f"{result.count} {unit} are too few to measure dependence: taken as none"
            )
            return Batches()
        if result.count < good:
            warnings.append(
                f"dependence was measured from {result.count} {unit} only: thresholds have a wide "
                "margin"
            )
        return result

    def _by_rows(self, n: int) -> Batches:
        """Batches of equally many rows, or nearly so."""
        length, count = batches_of_rows(n)
        pieces = pieces_of_batch(length, count)
        if self._in_order:
            return Batches(count, length, pieces=pieces)
        times = self.sampled
        assert times is not None
        if n <= self._sample.size:
            of_row = np.empty(n, np.int32)
            in_order = Batches(count, length, pieces=pieces)
            of_row[np.argsort(times, kind="stable")] = in_order.of(0, n, None)
            return Batches(count, of_row=of_row, pieces=pieces)
        edges = np.unique(np.sort(times)[np.arange(1, count) * times.size // count])
        edges = edges[edges > self.first_ms]
        return Batches(edges.size + 1, edges=edges)

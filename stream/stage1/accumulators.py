"""Where events are counted: a row for each (segment, pane), a vector over bins or a sketch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detectors import accumulate
from detectors.counting.ids import NO_ID, hash_columns, others_of_same, sampled_hashes
from detectors.counting.outcome_places import add_sums
from detectors.counting.sparse import encode_counts
from detectors.references.reference import OF_TRUTH
from stream.decode.columns import Columns
from stream.decode.schemaless_values import ValuesBySignal, sort_by_signal
from stream.plans.plan import AnyPlan, Learn, LearningPlan, Plan
from stream.sketches.sketch import Sketch
from stream.stage1.outcomes import EventCells, OutcomeCounter

__all__ = [
    "Accumulators",
    "SketchAccumulators",
    "VectorAccumulators",
    "accumulators_for",
    "identify",
]

_Slots = npt.NDArray[np.int32]


class Accumulators(Protocol):
    """Numbered rows of counts, all empty at first."""

    def grow(self, size: int) -> None:
        """Have so many rows."""

    def place(self, columns: Columns) -> Any:
        """What `count` needs of a batch, made once for all scopes."""

    def count(self, by_signal: Any, slots: _Slots) -> None:
        """Count each event in the row of its slot; negative ones are not counted."""

    def encode(self, row: int) -> bytes:
        """Counts of a row as they are sent."""

    def clear(self, row: int) -> None:
        """Empty a row."""


def accumulators_for(plan: AnyPlan) -> Accumulators:
    """The accumulators that a plan's events are counted in."""
    if isinstance(plan, LearningPlan):
        return SketchAccumulators(plan.learn)
    return VectorAccumulators(plan)


def identify(columns: Columns, time_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    """Hash of what identifies each event, `NO_ID` where nothing does; None if nothing does of any.

    That is its id, or else the values of all its signals, with its time or without, as far as the
    reference could tell its own rows apart by them. A truth that repeats its prediction, id and
    all, is no copy of it.
    """
    ids, truths = _hashes(columns, time_ms), columns.truths
    if ids is None or truths is None:
        return ids
    return np.where(truths, others_of_same(ids), ids)


def _hashes(columns: Columns, time_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    ids = None if columns.ids is None else sampled_hashes(columns.ids)
    by = _told_by(columns.plan)
    if not by or (ids is not None and (ids != NO_ID).all()):
        return ids
    values = [*columns.numeric.T, *columns.codes.T, *([time_ms] if by == "time" else [])]
    hashes = hash_columns(values, len(time_ms))
    return hashes if ids is None else np.where(ids == NO_ID, hashes, ids)


def _told_by(plan: AnyPlan) -> str:
    """By what events without an id are distinguished: see `Copies.rows`."""
    if isinstance(plan, LearningPlan):
        return ""
    by = plan.reference.copies.rows
    some = len(plan.monitored) < len(plan.reference.signals)
    return "" if by == "values" and some else by


class VectorAccumulators:
    """Vectors over the bins of a layout, in 32 bits: a chunk has at most 1.6e9 events.

    Every open chunk has rows of each model, so they are most of the memory of stage 1.
    """

    def __init__(self, plan: Plan) -> None:
        self._layout = plan.layout
        self._outcomes = None if plan.outcome is None else OutcomeCounter(plan.layout, plan.outcome)
        self._of_predictions = np.array(
            [i for i, signal in enumerate(plan.monitored) if signal.role not in OF_TRUTH], np.intp
        )
        self._counts = np.zeros((0, plan.layout.width), np.int32)
        sums = 0 if plan.outcome is None else plan.outcome.cells.sums
        self._sums = np.zeros((0, sums), np.int64)  # of what is no count; the last of each vector

    def grow(self, size: int) -> None:
        """Have so many rows."""
        more = size - len(self._counts)
        self._counts = np.concatenate(
            [self._counts, np.zeros((more, self._counts.shape[1]), np.int32)]
        )
        self._sums = np.concatenate([self._sums, np.zeros((more, self._sums.shape[1]), np.int64)])

    def place(self, columns: Columns) -> EventCells:
        """Bins of all values, and what they add to sums."""
        if self._outcomes is not None:
            cells = self._outcomes.place(columns.numeric, columns.codes)
        else:
            cells = EventCells(self._layout.positions(columns.numeric, columns.codes))
        if (truths := columns.truths) is None:
            return cells
        cells.positions[np.ix_(truths, self._of_predictions)] = -1  # counted when it was made
        return cells._replace(truths=truths)

    def count(self, by_signal: EventCells, slots: _Slots) -> None:
        """Count each event in the row of its slot."""
        accumulate(by_signal.positions, slots, self._counts)
        if by_signal.truths is not None:  # an event is a prediction
            again = slots[by_signal.truths]
            np.subtract.at(self._counts[:, 0], again[again >= 0], 1)
        if by_signal.amounts is not None:
            add_sums(by_signal.amounts, slots, self._sums)

    def encode(self, row: int) -> bytes:
        """Sparse."""
        counts = self._counts[row].astype(np.int64)
        if sums := self._sums.shape[1]:
            counts[-sums:] = self._sums[row]
        return encode_counts(counts)

    def clear(self, row: int) -> None:
        """Empty a row."""
        self._counts[row] = 0
        self._sums[row] = 0


class SketchAccumulators:
    """Sketches, for events of a plan that has no bins yet."""

    def __init__(self, learn: Learn) -> None:
        self._learn = learn
        self._sketches: list[Sketch] = []

    def grow(self, size: int) -> None:
        """Have so many rows."""
        self._sketches += [Sketch() for _ in range(size - len(self._sketches))]

    def place(self, columns: Columns) -> ValuesBySignal:
        """Values by signal; they come as the last column of the segments."""
        return sort_by_signal(columns.segments[-1], self._learn)

    def count(self, by_signal: ValuesBySignal, slots: _Slots) -> None:
        """Count each event in the row of its slot."""
        by_signal.count(slots, self._sketches)

    def encode(self, row: int) -> bytes:
        """As `Sketch.decode` reads it."""
        return self._sketches[row].encode()

    def clear(self, row: int) -> None:
        """Empty a row."""
        self._sketches[row] = Sketch()

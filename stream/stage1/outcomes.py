"""Outcomes of a batch of events: the error of each prediction, and the cells it is counted in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import Layout, OutcomeReference
from detectors.counting.outcome_places import OutcomePlaces, errors_of

__all__ = ["EventCells", "OutcomeCounter"]

_Positions = npt.NDArray[np.int32]


class EventCells(NamedTuple):
    """Where a batch is counted: flat positions int32[n, k]; what sums get is int64[n, j].

    `truths` bool[n] are events that are no predictions, but truths of earlier ones.
    """

    positions: _Positions
    amounts: npt.NDArray[np.int64] | None = None
    truths: npt.NDArray[np.bool_] | None = None


class OutcomeCounter:
    """Derives the error from prediction and truth, and finds the cells of outcomes.

    Parameters
    ----------
    layout : Layout
        Whose last signal is the error.
    outcome : OutcomeReference
    """

    def __init__(self, layout: Layout, outcome: OutcomeReference) -> None:
        self._layout, self._cells = layout, outcome.cells
        self._places = OutcomePlaces(
            outcome.cells, dict(zip(layout.names, layout.binnings, strict=True))
        )
        names = {name: at for at, name in enumerate(layout.names)}
        cells = outcome.cells
        self._said = names[cells.predicted or cells.score]
        self._actual = names[cells.actual]
        self._score = names[cells.score] if cells.score else -1
        self._error = len(layout.names) - 1
        self._column = {int(signal): at for at, signal in enumerate(layout.numeric)}

    def place(self, numeric: npt.NDArray[np.float64], codes: npt.NDArray[np.int32]) -> EventCells:
        """Positions of a batch; the columns are those of the signals before the error."""
        if self._cells.task == "regression":
            return self._of_errors(numeric, codes)
        n, cells, layout = len(numeric), self._cells, self._layout
        none = np.full((n, 1), -1, np.int32)
        bins = layout.positions(numeric, np.concatenate([codes, none], axis=1))
        predicted, actual = self._places.classes(
            self._bins(bins, self._said), self._bins(bins, self._actual)
        )
        scored = self._bins(bins, self._score) if cells.score else None
        where, right, came = self._places.place(predicted, actual, scored)
        first = np.int32(layout.start[self._error])
        bins[:, self._error] = np.where(right < 0, -1, first + 1 - right)
        positions = self._behind(bins, where)
        if not cells.sums:
            return EventCells(positions)
        score = numeric[:, self._column[self._score]]
        return EventCells(positions, self._places.sums_of_scores(score, came))

    def _of_errors(
        self, numeric: npt.NDArray[np.float64], codes: npt.NDArray[np.int32]
    ) -> EventCells:
        errors = errors_of(
            numeric[:, self._column[self._said]], numeric[:, self._column[self._actual]]
        )
        bins = self._layout.positions(np.concatenate([numeric, errors[:, None]], axis=1), codes)
        where, amounts = self._places.sums_of_errors(errors, self._bins(bins, self._said))
        return EventCells(self._behind(bins, where), amounts)

    def _bins(self, positions: _Positions, signal: int) -> _Positions:
        """Bins of a signal, negative where it was not sent."""
        bins: _Positions = positions[:, signal] - np.int32(self._layout.start[signal])
        return bins

    def _behind(self, positions: _Positions, where: _Positions) -> _Positions:
        """The cells behind the bins."""
        first = np.int32(self._layout.cells.start)
        return np.concatenate([positions, np.where(where < 0, -1, first + where)], axis=1)

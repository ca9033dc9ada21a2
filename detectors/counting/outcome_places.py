"""Outcomes of a batch of events: from the bins of its values to cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import Binning, CategoricalBinning, NumericBinning
from detectors.counting.outcome_cells import (
    LARGEST_ERROR,
    LOG_LOSS_UNIT,
    SCORE_UNIT,
    SQUARES_PART,
    OutcomeCells,
)

__all__ = ["RIGHT", "WRONG", "OutcomePlaces", "PlacedOutcomes", "add_sums", "errors_of"]

#: What the error of a classification is called.
RIGHT, WRONG = "right", "wrong"

_Positions = npt.NDArray[np.int32]
_Amounts = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def errors_of(predicted: _Floats, actual: _Floats) -> _Floats:
    """Predicted less actual; inf, which is not counted, where either is no number."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = predicted - actual
    errors[~np.isfinite(errors)] = np.inf
    return errors


class PlacedOutcomes(NamedTuple):
    """Outcomes of some events.

    Attributes
    ----------
    cells : int32[n, 2]
        Where each is counted, -1 for nowhere.
    right, came : int32[n]
        Whether what was said came, and whether the class that the score speaks of did: 0 or 1, -1
        where that is not known.
    """

    cells: _Positions
    right: _Positions
    came: _Positions


class OutcomePlaces:
    """Where events of one layout are counted: a function of the bins of three of its signals.

    Parameters
    ----------
    cells : OutcomeCells
    binnings : mapping of str to Binning
        Of the signals.
    """

    def __init__(self, cells: OutcomeCells, binnings: Mapping[str, Binning]) -> None:
        self.cells = cells
        if cells.task == "regression":
            return
        #: Class of each bin: -1 where there is no value, the number of classes for other names.
        self.actual = _classes(binnings[cells.actual], cells.classes)
        if cells.predicted:
            self.predicted = _classes(binnings[cells.predicted], cells.classes)
        else:
            self.predicted = _sides(binnings[cells.score], cells.threshold)
        self._scored = binnings[cells.score].n_bins - 2 if cells.score else 0

    def classes(self, predicted: _Positions, actual: _Positions) -> tuple[_Positions, _Positions]:
        """Class predicted and class that came of each event, from bins; -1 where there is none."""
        return _looked_up(self.predicted, predicted), _looked_up(self.actual, actual)

    def place(
        self, predicted: _Positions, actual: _Positions, score: _Positions | None
    ) -> PlacedOutcomes:
        """Cells of classes.

        Parameters
        ----------
        predicted, actual : int32[n]
            From `classes`.
        score : int32[n], optional
            Bins of the scores, negative for none.
        """
        cells = self.cells
        out = np.full((actual.size, 2), -1, np.int32)
        known = (predicted >= 0) & (actual >= 0)
        out[known, 0] = predicted[known] * cells.sides + actual[known]
        right = self.right(predicted, actual)
        came = right if cells.task == "multiclass" else _sign_of(actual)
        if score is not None:
            scored = (score >= 0) & (score < self._scored) & (came >= 0)
            out[scored, 1] = cells.calibration_at + 2 * score[scored] + came[scored]
        return PlacedOutcomes(out, right, came)

    def right(self, predicted: _Positions, actual: _Positions) -> _Positions:
        """Whether what was said came, 0 or 1; -1 where that is not known."""
        known = (predicted >= 0) & (actual >= 0)
        # Two names without a cell of their own may be the same or not.
        known &= (predicted != actual) | (actual < len(self.cells.classes))
        return np.where(known, predicted == actual, -1).astype(np.int32)

    def sums_of_scores(self, score: _Floats, came: _Positions) -> _Amounts:
        """What each event adds to the sums, int64[n, 3]; zeros where it has no score."""
        there = (came >= 0) & np.isfinite(score)
        p = np.clip(np.where(there, score, 0.5), 0.0, 1.0)
        of_truth = np.where(came == 1, p, 1.0 - p)
        tiny = np.finfo(np.float64).eps
        loss = -np.log(np.clip(of_truth, tiny, 1.0 - tiny))
        out = np.empty((score.size, 3), np.int64)
        out[:, 0] = np.rint(p / SCORE_UNIT)
        out[:, 1] = np.rint(np.square(1.0 - of_truth) / SCORE_UNIT)
        out[:, 2] = np.rint(loss / LOG_LOSS_UNIT)
        out[~there] = 0
        return out

    def sums_of_errors(self, errors: _Floats, predicted: _Positions) -> tuple[_Positions, _Amounts]:
        """Cells int32[n, 3] and sums int64[n, 4] of a regression.

        Parameters
        ----------
        errors : float64[n]
            From `errors_of`.
        predicted : int32[n]
            Bins of what was predicted.
        """
        there = np.isfinite(errors)
        units = np.abs(np.where(there, errors, 0.0)) / self.cells.unit
        large = units > LARGEST_ERROR
        q = np.rint(np.minimum(units, LARGEST_ERROR)).astype(np.int64)
        out = np.empty((errors.size, 4), np.int64)
        over = errors > 0.0
        out[:, 0] = np.where(over, q, 0)
        out[:, 1] = np.where(over, 0, q)
        out[:, 2], out[:, 3] = np.divmod(q * q, SQUARES_PART)
        out[~there] = 0
        cells = np.full((errors.size, 3), -1, np.int32)
        cells[there, 0] = 0
        cells[large, 1] = 1
        binned = there & (predicted >= 0) & (predicted < self.cells.score_bins)
        above = (errors < 0.0).astype(np.int32)
        cells[binned, 2] = self.cells.calibration_at + 2 * predicted[binned] + above[binned]
        return cells, out


def _sign_of(actual: _Positions) -> _Positions:
    """Whether the positive class came; -1 where no truth did."""
    return np.where(actual < 0, -1, actual == 1).astype(np.int32)


def _looked_up(table: _Positions, bins: _Positions) -> _Positions:
    """Entries of the table; -1 for bins below 0."""
    found = table[np.maximum(bins, 0)]
    found[bins < 0] = -1
    return found


def _classes(binning: Binning, classes: tuple[str, ...]) -> _Positions:
    """Class of each bin: its own, `len(classes)` for other names, -1 for missing and invalid."""
    table = np.full(binning.n_bins, len(classes), np.int32)
    table[[binning.missing, binning.invalid]] = -1
    for number, name in enumerate(classes):
        table[_own_bin(binning, name)] = number
    return table


def _own_bin(binning: Binning, name: str) -> int:
    """The bin that this class has alone; an error if there is none."""
    bin_ = binning.missing
    if isinstance(binning, CategoricalBinning):
        bin_ = binning.bins_of_names.get(name, bin_)
        if bin_ < len(binning.categories):
            return bin_
    raise ValueError(f"class {name!r} has no bin of its own.")


def _sides(binning: Binning, threshold: float) -> _Positions:
    """Class of each bin of the score: 1 from the threshold on, which is an edge."""
    assert isinstance(binning, NumericBinning)
    at = int(np.searchsorted(binning.edges, threshold))
    if at == binning.edges.size or binning.edges[at] != threshold:
        raise ValueError(f"threshold {threshold} must be an edge of the score's bins.")
    table = np.zeros(binning.n_bins, np.int32)
    table[at + 1 :] = 1
    table[[binning.missing, binning.invalid]] = -1
    return table


@kernel
def add_sums(amounts: _Amounts, slots: _Positions, out: _Amounts) -> None:
    """`out[slot, j] += amounts[i, j]` for each event; negative slots are skipped."""
    for i in range(amounts.shape[0]):
        slot = slots[i]
        if slot >= 0:
            for j in range(amounts.shape[1]):
                out[slot, j] += amounts[i, j]

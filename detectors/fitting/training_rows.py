"""Whether a reference's rows are those that its model was trained on: then it is too good there.

A model is right more often of rows that it has seen. Such rows as what is usual would make every
later window worse than usual. What can be seen of it in the rows themselves: errors that the model,
by its own scores, should have made and has not. Scores that are sure of them hide it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import NumericBinning
from detectors.figures import percent
from detectors.references.outcome import OutcomeReference
from detectors.references.reference import SignalReference

__all__ = ["expected_errors", "warnings_of_training"]

Ints = npt.NDArray[np.int64]

#: Standard errors that errors are fewer than expected, and by which part: a model of scores that
#: are a little less sure than they could be is no worse for it.
_CLEAR: Final = 4.0
_FEWER: Final = 0.5
_HALF: Final = 0.5


def expected_errors(
    calibration: Ints, edges: npt.NDArray[np.float64], *, sure: bool
) -> tuple[int, float, float]:
    """Errors of scores that are probabilities: how many, how many at least are expected, variance.

    Each score is taken to be as sure as its bin allows, so that bins cannot make a model look too
    good. A class is meant from a half on; the bin that holds the half, if any, is left out.

    Parameters
    ----------
    calibration : int64[edges + 3, 2]
        Events by bin of the score, and whether its class came.
    edges : float64[edges]
        Of the score's bins.
    sure : bool
        Whether scores are of the class that was said, not of the positive one.
    """
    inside = np.clip(edges, 0.0, 1.0)
    low, high = np.append(0.0, inside), np.append(inside, 1.0)
    says, known = low >= _HALF, (low >= _HALF) | (high <= _HALF)
    if sure:
        says = known = np.ones(low.size, np.bool_)
    events = calibration[:-2].sum(axis=1) * known
    wrong = int(np.where(says, calibration[:-2, 0], calibration[:-2, 1])[known].sum())
    chance = np.where(says, 1.0 - high, low)
    return wrong, float(events @ chance), float(events @ (chance * (1.0 - chance)))


def warnings_of_training(
    outcome: OutcomeReference, signals: Sequence[SignalReference]
) -> list[str]:
    """A warning where the model is better than it can be of rows that are new to it."""
    cells, events = outcome.cells, outcome.events
    if _is_without_error(outcome):
        return [
            f"of {events:,} predictions none is wrong. Are these rows that the model was trained "
            f"on, or is {cells.actual} what it was told? Then all that follows looks worse. Take "
            "rows that are new to it"
        ]
    binning = next((s.binning for s in signals if s.name == cells.score), None)
    if not cells.probability or not isinstance(binning, NumericBinning):
        return []
    wrong, expected, variance = expected_errors(
        cells.calibration(outcome.counts), binning.edges, sure=cells.task == "multiclass"
    )
    spread = math.sqrt(variance * outcome.effects[0])
    if wrong >= _FEWER * expected or expected - wrong <= _CLEAR * spread:
        return []
    share, usual = percent(wrong / events), percent(expected / events)
    return [
        f"{share} of predictions are wrong, where by the model's own scores at least {usual} "
        "should be. Are these rows that the model was trained on? Then all that follows looks "
        "worse. Take rows that are new to it; if they are, its scores are less sure than it is"
    ]


def _is_without_error(outcome: OutcomeReference) -> bool:
    cells, counts = outcome.cells, outcome.counts
    if cells.task == "regression":
        return not counts[cells.sums_at :].any()
    confusion = cells.confusion(counts)
    return int(np.trace(confusion)) == int(confusion.sum())

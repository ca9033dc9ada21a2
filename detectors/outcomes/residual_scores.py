"""What comes less what the reference lets expect, as scores that ADWIN can follow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.strata import axes_of, followed_strata

__all__ = ["ResidualScores"]

Ints = npt.NDArray[np.int64]


class ResidualScores:
    """Scores of the residual, and of the residual times how high the score is.

    Parameters
    ----------
    cells : OutcomeCells
        What is counted.
    reference : int64[cells.width]
        Cells of the reference.
    """

    def __init__(self, cells: OutcomeCells, reference: Ints) -> None:
        self._cells = cells
        share, weights = axes_of(followed_strata(cells, reference))
        residual = np.stack([-share, 1.0 - share], axis=1)
        scaled = (weights[:, :, None] * residual + 1.0) / 2.0 * SCORE_SCALE
        #: int64[2 axes, strata and outcomes]; 0 to SCORE_SCALE, half of it for no residual.
        self._scores = np.rint(scaled).astype(np.int64).reshape(2, -1)
        self._squares = np.square(self._scores)
        self._known = np.repeat(weights[0] > 0.0, 2)

    def moments(self, counts: Ints) -> tuple[Ints, Ints, Ints]:
        """Number, sum and sum of squares of both scores of some cells, int64[2] each."""
        held = followed_strata(self._cells, counts).ravel() * self._known
        n = np.full(2, int(held.sum()))
        return n, self._scores @ held, self._squares @ held

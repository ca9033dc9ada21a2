"""The e-detector of the relation: evidence that outcomes left what the model's scores meant.

As those of ranks (`sequential.edetector`), on what came less what the reference lets expect of the
score. Two axes: this residual, which sees a class that comes more often or less often than scores
say; and the residual times how high the score is, -1 to 1, which sees scores that tell less, or the
opposite: labels that are swapped leave the mean residual where it was.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.residual_effects import DesignEffects
from detectors.outcomes.strata import axes_of, followed_strata
from detectors.sequential.edetector import BETS, TEMPER, EDetectorBank, GrowthTable

__all__ = ["AXES", "RelationEvidence"]

#: What its processes watch.
AXES: Final = ("residual", "order")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class RelationEvidence:
    """An e-detector of one model's relation, fed with the cells of a pane.

    Parameters
    ----------
    cells : OutcomeCells
        What is counted. Without a score an event is right or not, by its predicted class.
    reference : int64[cells.width]
        Cells of the reference.
    threshold : float
        A: the mean number of panes with outcomes between false alarms is at least this.
    z : float
        Standard errors by which the reference's shares may be off: 4 for fast streams, 3 for slow.
    phi : float or DesignEffects
        Design effects of the residuals in the reference.
    """

    def __init__(
        self,
        cells: OutcomeCells,
        reference: Ints,
        *,
        threshold: float,
        z: float = 4.0,
        phi: float | DesignEffects = 1.0,
    ) -> None:
        if not z >= 0.0:
            raise ValueError(f"z must be >= 0; got {z}.")
        self.cells = cells
        phi = phi if isinstance(phi, DesignEffects) else DesignEffects(phi, phi, phi)
        table = GrowthTable.of_cells(_growth(followed_strata(cells, reference), z, phi), phi[:2])
        self._bank = EDetectorBank((), threshold=threshold, table=table)

    def update(self, counts: Ints) -> bool:
        """Feed the cells of a pane, int64[cells.width]; whether it alarms, and starts anew."""
        return bool(self._bank.update(followed_strata(self.cells, counts).ravel())[0])

    @property
    def evidence(self) -> float:
        """Log of the mean of the processes after the last pane; to be compared with log(A)."""
        return float(self._bank.evidence[0])

    @property
    def axis(self) -> str:
        """What the strongest process watches: one of `AXES`."""
        return AXES["xy".index(self._bank.axis(0))]

    @property
    def direction(self) -> int:
        """Either 1 or -1.

        Of the residual: the class comes more often or less often than scores say. Of the order:
        scores tell more or less than they did.
        """
        return self._bank.direction(0)

    def dump(self) -> bytes:
        """The state as bytes: `float64[20]`, an M of each process."""
        return self._bank.dump()

    def load(self, data: bytes) -> None:
        """Take over a dumped state; ValueError if it is none."""
        self._bank.load(data)


def _growth(reference: Ints, z: float, phi: DesignEffects) -> Floats:
    """Log growth of each process for an event by stratum and outcome, float64[20, 2 strata]."""
    share, weights = axes_of(reference)
    events = reference.sum(axis=1)
    n = max(1, int(events.sum()))
    rows = []
    for weight, effect in zip(weights, phi[:2], strict=True):
        spread = float(events @ (np.square(weight) * share * (1.0 - share))) / n
        # What is known from n events is never better known than to 1 / n.
        bound = z * max(math.sqrt(effect * spread / n), 1.0 / n)
        temper = TEMPER * effect if effect > 1.0 else 1.0
        residual = weight[:, None] * np.stack([-share, 1.0 - share], axis=1)
        for sign in (1.0, -1.0):
            apart = sign * residual - bound
            apart[events == 0] = 0.0
            reach = np.maximum(0.5, -apart.min(axis=1, keepdims=True))  # nothing may lose all
            rows += [(np.log1p(bet * 0.5 / reach * apart) / temper).ravel() for bet in BETS]
    return np.stack(rows)

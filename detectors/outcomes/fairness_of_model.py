"""Whether a model treats the values of one protected column alike, as its reference counts it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.outcomes.fairness import RATES, Fairness, Limits, fairness
from detectors.references.outcome import OutcomeReference
from detectors.references.protected import ProtectedOutcomes
from detectors.references.reference import SignalReference

__all__ = ["ModelFairness"]

Ints = npt.NDArray[np.int64]

#: What the reference alone tells is shown, not tested.
_SHOWN: Final = 0.05


class ModelFairness:
    """Fairness of a model's windows by one protected column.

    Parameters
    ----------
    outcome : OutcomeReference
        Of the model.
    protected : ProtectedOutcomes
        One of its columns.
    signals : iterable of SignalReference
        All of the reference.
    limits : Limits
        From where a disparity is too large.

    Attributes
    ----------
    column : str
    reference : Fairness
        Of the reference's own rows.
    phi : dict of str to float
        Design effects of `RATES`: that of what the model says, and of its errors.
    """

    def __init__(
        self,
        outcome: OutcomeReference,
        protected: ProtectedOutcomes,
        signals: Iterable[SignalReference],
        limits: Limits,
    ) -> None:
        named = {signal.name: signal for signal in signals}
        self.column, self.names = protected.column, protected.names
        self.cells, self.limits = outcome.cells.of_classes, limits
        said = named[outcome.cells.predicted or outcome.cells.score]
        of_error, of_said = (max(1.0, s.calibration.phi) for s in (named[outcome.error], said))
        self.phi = {rate: of_said if rate == "selection_rate" else of_error for rate in RATES}
        self._usual = self._by_value(protected.counts)
        self.reference = fairness(
            self.cells, self._usual, self._usual, alpha=_SHOWN, phi=self.phi, limits=limits
        )

    @property
    def rates(self) -> tuple[str, ...]:
        """Those of `RATES` that such outcomes have."""
        return RATES if self.cells.task == "binary" else ("error_rate",)

    def of(self, counts: Ints, alpha: float) -> Fairness:
        """Of outcomes by value, int64[len(names), cells.width], tested at `alpha` a disparity."""
        return fairness(
            self.cells,
            self._by_value(counts),
            self._usual,
            alpha=alpha,
            phi=self.phi,
            limits=self.limits,
        )

    def _by_value(self, counts: Ints) -> dict[str, Ints]:
        """Outcomes of the values that have some."""
        return {
            name: row
            for name, row in zip(self.names, counts, strict=True)
            if self.cells.events(row)
        }

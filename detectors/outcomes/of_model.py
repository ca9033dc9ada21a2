"""The metrics of one model, as its reference counts its outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import NumericBinning
from detectors.outcomes.estimate import estimated_metrics
from detectors.outcomes.metrics import Metric, outcome_metrics
from detectors.references.outcome import OutcomeReference
from detectors.references.reference import SignalReference

__all__ = ["ModelMetrics"]

Ints = npt.NDArray[np.int64]


class ModelMetrics:
    """Metrics of a model's windows, with the intervals that its errors deserve.

    Parameters
    ----------
    outcome : OutcomeReference
        Of the model.
    signals : iterable of SignalReference
        All of the reference.
    cost : mapping, optional
        Cost of errors, as `outcome_metrics` takes it.

    Attributes
    ----------
    outcome : OutcomeReference
        Of the model.
    reference : dict of str to Metric
        Of the reference's own rows.
    phi : float
        Design effect of errors: so many are worth one independent one.
    """

    def __init__(
        self,
        outcome: OutcomeReference,
        signals: Iterable[SignalReference],
        cost: Mapping[str, float] | None = None,
    ) -> None:
        self._cost = cost
        named = {signal.name: signal for signal in signals}
        self.outcome, self._cells = outcome, outcome.cells
        score = named[self._cells.score].binning if self._cells.score else None
        self.edges = score.edges if isinstance(score, NumericBinning) else None
        self.phi = named[outcome.error].effect
        self.reference = self.of(outcome.counts)

    def of(self, counts: Ints) -> dict[str, Metric]:
        """Those of outcomes, int64[cells.width]; empty where there are none."""
        if not self._cells.events(counts):
            return {}
        return outcome_metrics(self._cells, counts, edges=self.edges, phi=self.phi, cost=self._cost)

    def estimated(self, score: Ints) -> dict[str, Metric]:
        """What they will be by the scores alone, int64[score_bins]; empty where scores do not tell.

        Only what has an interval. Realised metrics leave it by the residuals, so it is as much
        wider as those vary more in the reference than independent ones.
        """
        if self.edges is None:
            return {}
        found = estimated_metrics(
            self._cells,
            self.outcome.counts,
            score,
            edges=self.edges,
            phi=self.outcome.effects[0],
            cost=self._cost,
        )
        return found or {}

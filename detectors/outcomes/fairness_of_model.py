"""Whether a model treats the values of one protected column alike, as its reference counts it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.outcomes.fairness import (
    DISPARITIES,
    RATES,
    Fairness,
    Limits,
    compared,
    fairness,
)
from detectors.references.outcome import OutcomeReference
from detectors.references.protected import ProtectedOutcomes
from detectors.references.reference import SignalReference
from detectors.references.segments import columns_of_segments, segment_name, segment_of

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
    protected : ProtectedOutcomes
    column : str
        Its name, `sex`, or `sex, age_band` of a combination.
    scopes : tuple of str
        What its values are called in counts, `sex=F`, and all others together.
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
        self.protected = protected
        self.column, self.scopes = segment_name(protected.column), protected.scopes
        self._rows = {scope: row for row, scope in enumerate(self.scopes)}
        self._begins = f"{columns_of_segments([protected.column])[0]}="
        self.cells, self.limits = outcome.cells.of_classes, limits
        said = named[outcome.cells.predicted or outcome.cells.score]
        of_error = named[outcome.error].effect
        self.phi = {rate: said.effect if rate == "selection_rate" else of_error for rate in RATES}
        usual = self._by_value(protected.counts)
        self.reference = fairness(
            self.cells, usual, usual, alpha=_SHOWN, phi=self.phi, limits=limits
        )

    def by_value(self, counts: Mapping[str, Ints], cells: slice) -> Ints:
        """Outcomes by value, int64[len(scopes), self.cells.width].

        Parameters
        ----------
        counts : mapping of str to int64[n]
            Flat counts by segment, `sex=F`; those of other columns are passed over, and values
            without counts of their own are the last row.
        cells : slice
            Where outcomes are in them.
        """
        table = np.zeros((len(self.scopes), self.cells.width), np.int64)
        for scope, flat in counts.items():
            at = self._rows.get(scope)
            if at is None and scope.startswith(self._begins) and segment_of(scope) == self.column:
                at = len(self.scopes) - 1
            if at is not None:
                table[at] += flat[cells][: self.cells.width]
        return table

    @property
    def disparities(self) -> tuple[str, ...]:
        """Those of `DISPARITIES` that such outcomes have."""
        return self.disparities_of(self.rates)

    @staticmethod
    def disparities_of(rates: Collection[str]) -> tuple[str, ...]:
        """Those of `DISPARITIES` that compare one of these rates."""
        return tuple(name for name, rate in DISPARITIES.items() if rate in rates)

    @property
    def rates(self) -> tuple[str, ...]:
        """Those of `RATES` that such outcomes have."""
        return RATES if self.cells.task == "binary" else ("error_rate",)

    def of(self, counts: Ints, alpha: float, rate: str) -> Fairness:
        """Of one of `rates` of outcomes by value, int64[len(scopes), cells.width].

        A disparity is tested at `alpha`.
        """
        return compared(
            self.cells,
            self._by_value(counts),
            self.reference.rates,
            alpha=alpha,
            phi=self.phi,
            limits=self.limits,
            wanted=(rate,),
        )

    def _by_value(self, counts: Ints) -> dict[str, Ints]:
        """Outcomes of the values that have some."""
        return {
            scope: row
            for scope, row in zip(self.scopes, counts, strict=True)
            if self.cells.events(row)
        }

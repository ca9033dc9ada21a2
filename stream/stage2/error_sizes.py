"""How wrong predictions are now and usually, for what is found of the signal `error`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.outcomes.size_of_error import mean_absolute_error, size_of_error
from stream.plans.plan import Plan

__all__ = ["ErrorSizes"]


class ErrorSizes(NamedTuple):
    """Shares of wrong predictions, or mean absolute errors of a regression.

    Attributes
    ----------
    now, usual : float
        Of a stretch of time, and of the reference at such hours.
    clipped : bool
        Whether `now` is a lower bound, as some errors are too large to be added up as they are.
    """

    now: float
    usual: float
    clipped: bool = False

    @classmethod
    def of(cls, plan: Plan, index: int, counts: npt.NDArray[Any]) -> ErrorSizes:
        """Those of monitored signal `index`, an error, from the flat counts of a stretch."""
        signal = plan.expected(index, counts)
        by_bins = size_of_error(signal.binning, signal.counts)
        outcome = plan.outcome
        assert outcome is not None, "errors are monitored where outcomes are"
        if outcome.cells.task != "regression":
            return cls(size_of_error(signal.binning, counts[plan.layout.slice(index)]), by_bins)
        usual = mean_absolute_error(outcome.cells, outcome.counts)
        # Sums are of all hours; how much larger errors are at some of them is known by bins.
        if of_all_hours := size_of_error(signal.binning, plan.monitored[index].counts):
            usual *= by_bins / of_all_hours
        cells = counts[plan.layout.cells].astype(np.int64)
        return cls(mean_absolute_error(outcome.cells, cells), usual, bool(cells[1]))

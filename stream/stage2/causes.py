"""What drifted features account for, by the rows of the reference: of predictions and of errors."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import SignalReference
from detectors.causes import Explained, expected_errors, explained
from detectors.change_points.explain import LEAST_EVENTS
from detectors.references.joint import JointTables
from stream.contracts.alert_event import AlertExpectedErrors
from stream.plans.plan import Plan

__all__ = ["Causes", "errors_to_expect"]

#: Digits of figures that alerts publish.
_DIGITS: Final = 4

Ints = npt.NDArray[np.int64]


class Causes:
    """Explains moves of one subject's predictions under one plan.

    Parameters
    ----------
    plan : Plan
    joint : JointTables
        Of its reference, of a prediction that is monitored.
    """

    def __init__(self, plan: Plan, joint: JointTables) -> None:
        self._plan, self._joint = plan, joint
        self._index = {signal.name: at for at, signal in enumerate(plan.monitored)}
        self._said = self._index[joint.said]
        self._groups = plan.monitored[self._said].calibration.groups

    @classmethod
    def of(cls, plan: Plan) -> Causes | None:
        """Those of a plan; None where its reference has no tables or the prediction is not seen."""
        joint = plan.reference.joint
        if joint is None or joint.said not in {signal.name for signal in plan.monitored}:
            return None
        return cls(plan, joint)

    def explained(self, counts: Ints) -> dict[str, Explained] | None:
        """By feature, what it explains of the prediction's move in flat counts of the whole stream.

        Of features that have a table. None if the prediction's move is not clear yet.
        """
        plan = self._plan
        usual = self._grouped(plan.expected(self._said, counts).counts)
        now = self._grouped(counts[plan.layout.slice(self._said)])
        found = {}
        for name, table in self._joint.features.items():
            at = self._index.get(name)
            if at is None:
                continue
            of_feature = counts[plan.layout.slice(at)]
            share = explained(table, plan.expected(at, counts).counts, of_feature, usual, now)
            if share is None:
                return None
            found[name] = share
        return found

    def _grouped(self, counts: Ints) -> Ints:
        """Counts of the prediction's bins in the groups of the tables."""
        width = int(self._groups.max()) + 1
        return np.bincount(self._groups, counts, width).astype(np.int64)


def errors_to_expect(
    plan: Plan, expected: SignalReference, counts: Ints
) -> AlertExpectedErrors | None:
    """Errors that a feature's counts, int64[n_bins], let expect.

    None if they are not clearly more than those of the `expected` counts, or not known.
    """
    joint, outcome = plan.reference.joint, plan.reference.outcome
    table = None if joint is None else joint.features.get(expected.name)
    if table is None or outcome is None or int(counts.sum()) < LEAST_EVENTS:
        return None
    found = expected_errors(table, expected.counts, counts)
    if found is None or not found.more:
        return None
    is_size = outcome.cells.task == "regression"
    unit = outcome.cells.unit if is_size else 1.0
    return AlertExpectedErrors(
        "size" if is_size else "rate",
        float(f"{unit * found.before:.{_DIGITS}g}"),
        float(f"{unit * found.after:.{_DIGITS}g}"),
        float(f"{found.unknown:.{_DIGITS}g}") if found.unknown else None,
    )

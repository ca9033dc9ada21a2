"""Counts of the reference's rows by feature and what the model said, and by feature and error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.name_bins import CategoricalBinning
from detectors.fitting.categorical import CategoricalFit
from detectors.fitting.numeric import NumericFit
from detectors.references.joint import FeatureTable, JointTables
from detectors.references.reference import SignalReference

__all__ = ["MAX_TABLES", "JointFit", "count_pairs"]

#: A reference keeps tables of so many features: more would be megabytes in every plan.
MAX_TABLES: Final = 200

Ints = npt.NDArray[np.int64]
_Bins = npt.NDArray[np.int32]


@kernel
def count_pairs(bins: _Bins, said: _Bins, counts: _Bins) -> None:
    """Count rows by two things of each: a row of the table, and a column."""
    for i in range(bins.size):
        counts[bins[i], said[i]] += 1


@kernel
def _add_errors(bins: _Bins, sizes: Ints, errors: Ints) -> None:
    for i in range(sizes.size):
        if sizes[i] >= 0:
            errors[bins[i], 0] += 1
            errors[bins[i], 1] += sizes[i]


class JointFit:
    """Follows the second pass of a `ReferenceFitter` over rows with a prediction or a score.

    Parameters
    ----------
    fits : mapping of str to NumericFit or CategoricalFit
        Of the columns, prepared.
    roles : mapping of str to str
        Of those that are no features.
    """

    def __init__(
        self, fits: Mapping[str, NumericFit | CategoricalFit], roles: Mapping[str, str], said: str
    ) -> None:
        self._fits, self._said = fits, said
        features = [name for name in fits if roles.get(name, "feature") == "feature"]
        n_said = fits[said].binning.n_bins
        self._counts = {
            name: np.zeros((fits[name].binning.n_bins, n_said), np.int32) for name in features
        }
        self._errors = {
            name: np.zeros((fits[name].binning.n_bins, 2), np.int64) for name in features
        }

    @classmethod
    def of(
        cls, fits: Mapping[str, NumericFit | CategoricalFit], roles: Mapping[str, str]
    ) -> JointFit | None:
        """One for these columns; None if they have no feature, or nothing that a model said.

        A score says more than the class that follows from it, but of several classes it does not
        say which.
        """
        of_role = {role: name for name, role in roles.items() if name in fits}
        score, label = of_role.get("score"), of_role.get("label")
        if label is not None:
            binning = fits[label].binning
            several = isinstance(binning, CategoricalBinning) and len(binning.categories) > 2
            if several or score is None:
                score = label
        if score is None or not any(roles.get(name, "feature") == "feature" for name in fits):
            return None
        return cls(fits, roles, score)

    def count(self, sizes: Ints) -> None:
        """Take the rows that the signals counted last.

        Parameters
        ----------
        sizes : int64[n]
            Of their errors, -1 where no truth is known; empty where there are no outcomes.
        """
        said = self._fits[self._said].placed
        for name, counts in self._counts.items():
            bins = self._fits[name].placed
            count_pairs(bins, said, counts)
            _add_errors(bins, sizes, self._errors[name])

    def finish(
        self, signals: Mapping[str, SignalReference], *, outcomes: bool, turned: bool
    ) -> JointTables:
        """The tables, of the features that go together most closely with what the model said.

        Parameters
        ----------
        signals : mapping of str to SignalReference
            As fitted.
        outcomes : bool
            Whether the reference has any.
        turned : bool
            Whether what was counted as wrong is right.
        """
        groups = signals[self._said].calibration.groups.astype(np.int64)
        members = np.zeros((groups.size, int(groups.max()) + 1), np.int64)
        members[np.arange(groups.size), groups] = 1
        tables = {name: counts @ members for name, counts in self._counts.items()}
        by_closeness = sorted(tables, key=lambda name: (-_information(tables[name]), name))
        kept = set(by_closeness[:MAX_TABLES])
        features = {}
        for name, counts in tables.items():
            if name in kept:
                known, wrong = self._errors[name].T
                errors = np.stack([known, known - wrong if turned else wrong], axis=1)
                features[name] = FeatureTable.of(counts, errors if outcomes else None)
        return JointTables(self._said, features, len(tables) - len(features))


def _information(counts: Ints) -> float:
    """Mutual information of both sides of a table, in nats, without what chance alone brings."""
    rows, columns, n = counts.sum(axis=1), counts.sum(axis=0), int(counts.sum())
    there = counts > 0
    expected = np.outer(rows, columns)[there] / n
    found = float(np.sum(counts[there] * np.log(counts[there] / expected))) / n
    return found - (np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * n)

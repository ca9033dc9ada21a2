"""Rows of a reference that are there twice: how many, and whether they can be told from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.ids import hash_columns
from detectors.counting.once import MOST_COPIES
from detectors.figures import percent
from detectors.references.columns import ColumnMapping
from detectors.references.copies import Copies

__all__ = ["CopySurvey", "FoundCopies"]

#: Rows of different hashes that are followed.
_MOST: Final = 4_096
#: If no more of the rows than this are like another by chance, what is alike is the same.
_BY_CHANCE: Final = 0.05
#: Chance that two rows have equal values, above which rows of different values that share a time
#: say too little of how many of equal values do.
_ALIKE: Final = 0.5
#: A smaller share of copies is not worth a word.
_LEAST: Final = 0.005

Ints = npt.NDArray[np.int64]


class FoundCopies(NamedTuple):
    """What the survey found; counts of rows are to be divided by `factor`."""

    copies: Copies
    factor: float
    warnings: list[str]


class _Followed:
    """Counts of the rows of the least hashes: a function of the rows, in whatever order."""

    def __init__(self) -> None:
        self.hashes, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(self, hashes: Ints) -> None:
        """Count more rows."""
        if self.hashes.size == _MOST:
            hashes = hashes[hashes <= self.hashes[-1]]
        fresh, counts = np.unique(hashes, return_counts=True)
        fresh, counts = fresh[:_MOST], counts[:_MOST]
        merged, which = np.unique(np.concatenate([self.hashes, fresh]), return_inverse=True)
        total = np.zeros(merged.size, np.int64)
        np.add.at(total, which, np.concatenate([self.counts, counts]))
        self.hashes, self.counts = merged[:_MOST], total[:_MOST]

    @property
    def different(self) -> float:
        """How many different ones there are, as a share of the rows."""
        return self.counts.size / max(1, int(self.counts.sum()))

    @property
    def share(self) -> float:
        """Of the rows those that had been there before."""
        return 1.0 - self.different

    @property
    def factor(self) -> float:
        """As of `detectors.counting.once`."""
        counts = self.counts[self.counts <= MOST_COPIES]
        return float(np.square(counts).sum() / counts.sum()) if counts.size else 1.0

    @property
    def alike(self) -> float:
        """Chance that two rows are equal; 0 where there are too many to tell."""
        if self.counts.size == _MOST:
            return 0.0
        return float(np.square(self.counts / max(1, int(self.counts.sum()))).sum())


class CopySurvey:
    """Follows some rows by their values, by their times, and by both."""

    def __init__(self) -> None:
        self._values, self._times, self._both = _Followed(), _Followed(), _Followed()

    def add(self, columns: Sequence[npt.NDArray[np.generic]], times_ms: Ints | None) -> None:
        """A batch of rows: numbers, or the codes of names."""
        n = len(columns[0])
        values = hash_columns(columns, n)
        self._values.add(values)
        if times_ms is not None:
            self._times.add(hash_columns([times_ms], n))
            self._both.add(hash_columns([values, times_ms], n))

    def found(self, mapping: ColumnMapping | None) -> FoundCopies:
        """What the rows say; by a mapping without a timestamp their times are only their order."""
        if not self._times.counts.size or (mapping is not None and mapping.timestamp is None):
            known, rows = self._values, "values" if self._values.share <= _BY_CHANCE else ""
        else:
            known = self._both
            # Of different rows: how many have the values, or the time, of another one.
            of_values = 1.0 - self._values.different / known.different
            of_times = 1.0 - self._times.different / known.different
            clear = of_values <= _BY_CHANCE or (
                of_times <= _BY_CHANCE and self._values.alike <= _ALIKE
            )
            rows = "time" if clear else ""
        if not rows:
            return FoundCopies(
                Copies(),
                1.0,
                [
                    "different rows are too alike to tell one that came twice: duplicates are seen "
                    "of events with a prediction_id alone"
                ],
            )
        share = known.share
        warnings = []
        if share >= _LEAST:
            warnings.append(
                f"{percent(share)} of the rows had been there before: each is counted once, and as "
                "many copies in the stream are taken as usual"
            )
        return FoundCopies(Copies(rows, share), known.factor, warnings)

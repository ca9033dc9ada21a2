"""What a reference knows of one signal by slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.references.calibration import Calibration
from detectors.references.calibration_document import calibration_document, read_calibration
from detectors.references.json_reader import Place

__all__ = ["LEAST_ROWS", "SignalSlots", "slot_scores"]

#: A slot holds at least so many rows of each signal that says anything; else all slots stand in.
LEAST_ROWS: Final = 30

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SignalSlots:
    """Counts by slot, and how much the signal varies about them.

    The signal's own calibration is that of whole days; `short` is that of batches of 100 rows.

    Attributes
    ----------
    counts : int32[K, n_bins]
    level_x, level_y : float
        Standard deviation of a day's level, in scores of location and of spread.
    """

    counts: npt.NDArray[np.int32]
    short: Calibration
    level_x: float = 0.0
    level_y: float = 0.0

    @property
    def known(self) -> Ints:
        """Counts of each slot, where a slot holds too few those of all."""
        counts = self.counts.astype(np.int64)
        few = counts.sum(axis=1) < LEAST_ROWS
        counts[few] = self.counts.sum(axis=0, dtype=np.int64)
        return counts

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "counts": self.counts.tolist(),
            "short": calibration_document(self.short),
            "level_x": self.level_x,
            "level_y": self.level_y,
        }

    @classmethod
    def read(cls, place: Place, slots: int, counts: Ints) -> SignalSlots:
        """From the document at a place, checked against the signal's own counts."""
        rows = place["counts"].items()
        if len(rows) != slots:
            place["counts"].fail(f"must have {slots} rows, one a slot; got {len(rows)}")
        table = np.array([row.integers(length=counts.size, minimum=0) for row in rows], np.int64)
        if table.max() > np.iinfo(np.int32).max:
            place["counts"].fail("must be below 2**31")
        if (table.sum(axis=0) > counts).any():
            place["counts"].fail("must not add up to more than the signal's counts")
        return cls(
            counts=table.astype(np.int32),
            short=read_calibration(place["short"], counts.size),
            level_x=place["level_x"].number(minimum=0.0),
            level_y=place["level_y"].number(minimum=0.0),
        )


def slot_scores(counts: Ints) -> Ints:
    """Mid-rank of each bin within its slot, 0 to SCORE_SCALE; counts of values, [..., bins]."""
    total = np.maximum(1, counts.sum(axis=-1, keepdims=True))
    ranks = (np.cumsum(counts, axis=-1) - counts / 2.0) / total
    scores: Ints = np.rint(ranks * SCORE_SCALE).astype(np.int64)
    return scores

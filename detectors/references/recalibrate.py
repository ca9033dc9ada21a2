"""Calibration of a reference from counts of production, where its own rows have no order.

Counts of panes come in the order of time. They are kept as a bounded number of batches, and at the
end these say how the stream depends on its past, as the batches of an ordered reference would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning
from detectors.counting.sparse import decode_counts, encode_counts, merge_encoded
from detectors.references.calibration import GOOD_BATCHES, calibrate
from detectors.references.reference import Reference, SignalReference
from detectors.units import WEEK_MS

__all__ = ["MOST_BATCHES", "PaneBatches", "calibrated", "outside_bins"]

#: Beyond this many batches each two neighbours become one: at least half as many remain.
MOST_BATCHES: Final = 128

Ints = npt.NDArray[np.int64]


class PaneBatches:
    """Counts of runs of panes in the order of time; with a cycle, of sevenths of it.

    A function of the panes and their order alone: batches are merged two by two when there are
    more than `MOST_BATCHES`, whatever they hold.

    Parameters
    ----------
    width : int
        Length of a vector of counts.
    cycle_ms : int
        Length of the stream's season, 0 for none.
    """

    def __init__(self, width: int, cycle_ms: int = 0) -> None:
        self.width = width
        self.cycle_ms = cycle_ms
        self.panes = 0
        self.level = 0  # how often neighbours were merged
        self._held: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, start_ms: int, counts: Ints) -> None:
        """Add the next pane."""
        place = start_ms * 7 // self.cycle_ms if self.cycle_ms else self.panes
        self.panes += 1
        self._put(place >> self.level, encode_counts(counts))
        while len(self._held) > MOST_BATCHES:
            self.level += 1
            held, self._held = self._held, []
            for key, encoded in held:
                self._put(key >> 1, encoded)

    def _put(self, key: int, encoded: bytes) -> None:
        if self._held and self._held[-1][0] == key:
            self._held[-1] = (key, merge_encoded(self._held[-1][1], encoded))
        else:
            self._held.append((key, encoded))

    @property
    def table(self) -> Ints:
        """Counts of each batch, int64[batches, width]."""
        rows = [decode_counts(encoded, self.width) for _, encoded in self._held]
        return np.array(rows, np.int64).reshape(len(rows), self.width)

    def dump(self) -> tuple[int, int, list[tuple[int, bytes]]]:
        """The state as plain values; `load` is the inverse."""
        return self.panes, self.level, list(self._held)

    def load(self, state: tuple[int, int, Sequence[tuple[int, bytes]]]) -> None:
        """Take over a dumped state."""
        self.panes, self.level, held = state
        self._held = list(held)


def outside_bins(signal: SignalReference) -> Ints:
    """Bins of values that the reference does not have: new categories, and numbers beyond it."""
    if isinstance(signal.binning, CategoricalBinning):
        return signal.binning.new
    return np.flatnonzero(signal.counts[: signal.binning.missing] == 0)


def calibrated(
    reference: Reference,
    signals: Sequence[SignalReference],
    table: Ints,
    *,
    first_ms: int,
    last_ms: int,
) -> Reference:
    """A reference with the rate and the dependence of these batches of production.

    Bins and counts stay: they say what is normal. Design effects, covariances and the rate of
    events are those of the batches.

    Parameters
    ----------
    reference : Reference
        What is to be calibrated.
    signals : sequence of SignalReference
        Those whose bins follow each other in the table, after the number of events.
    table : int64[batches, 1 + bins]
        Counts of batches in the order of time, `LEAST_BATCHES` of them at least.
    first_ms, last_ms : int
        The time they are of.
    """
    fresh = {}
    at = 1
    for signal in signals:
        part = table[:, at : at + signal.binning.n_bins]
        at += signal.binning.n_bins
        news = part[:, outside_bins(signal)].sum(axis=1)
        if part.sum() == 0:  # it did not occur: nothing was measured
            continue
        rows = part[part.sum(axis=1) > 0]
        news = news[part.sum(axis=1) > 0]
        measured = calibrate(
            signal.binning,
            signal.counts,
            signal.calibration.novel,
            rows,
            news,
            consecutive=not reference.cycle_ms,
        )
        fresh[signal.name] = replace(signal, calibration=measured)
    events = int(table[:, 0].sum())
    untimed = ("rows have no times", "rows have all the same time")
    warnings = [w for w in reference.warnings if not w.startswith(untimed)]
    if len(table) < GOOD_BATCHES:
        warnings.append(
            f"dependence was measured from {len(table)} batches of production only: thresholds "
            "have a wide margin"
        )
    return replace(
        reference,
        signals=tuple(fresh.get(signal.name, signal) for signal in reference.signals),
        ordered=True,
        first_ms=first_ms,
        last_ms=last_ms,
        events_per_week=events * WEEK_MS // max(1, last_ms - first_ms),
        warnings=tuple(warnings),
    )

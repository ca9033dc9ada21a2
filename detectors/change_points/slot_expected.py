"""What a window's hours and days are expected to hold: as a reference to tell changes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detectors.change_points.estimates import bin_mean, bin_quantiles
from detectors.change_points.history import score_tables
from detectors.counting.counts import Layout
from detectors.references.calendar import STEPS, Calendar, Mixture
from detectors.references.reference import SignalReference

__all__ = ["SlotRanks", "expected_signal"]

_QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def expected_signal(signal: SignalReference, mixture: Mixture) -> SignalReference:
    """The signal with the counts that as many rows of these slots would have."""
    slots = signal.slots
    assert slots is not None
    known = slots.known
    share = mixture.shares @ (known / np.maximum(1, known.sum(axis=1))[:, None])
    counts = np.rint(share * signal.events).astype(np.int64)
    there = replace(signal, counts=counts)
    if signal.kind != "numeric" or not counts[: signal.binning.missing].any():
        return there
    quantiles = bin_quantiles(signal, counts, tuple(_QUANTILES.values()))
    named = {name: q.value for name, q in zip(_QUANTILES, quantiles, strict=True)}
    return replace(there, mean=bin_mean(signal, counts), quantiles=named)


class SlotRanks:
    """Score of every bin by slot, for estimating when a change began: uint16[K, width]."""

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, calendar: Calendar
    ) -> None:
        self._calendar, self._width = calendar, layout.width
        self._ranks = np.zeros((calendar.slots, layout.width), np.uint16)
        for i, signal in enumerate(signals):
            slots = signal.slots
            assert slots is not None
            for slot, counts in enumerate(slots.known):
                self._ranks[slot, layout.slice(i)] = score_tables(replace(signal, counts=counts))[0]

    def of(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
        """Those for a pane, from what the calendar tells behind its counts."""
        place = self._calendar.place_of(counts[self._width :])
        ranks: npt.NDArray[np.uint16] = self._ranks[place.slot]
        if not place.part:
            return ranks
        other = self._ranks[place.other]
        mixed = ranks * np.int64(STEPS - place.part) + other * np.int64(place.part)
        ranks = (mixed // STEPS).astype(np.uint16)
        return ranks

"""Scores of values by slot, for detectors that follow every pane.

A pane's values are ranked within its own slot, so that the mean rank is a half at every hour, and
one state follows the stream through all of them. Where the season slopes from a slot to the next,
scores are mixed by 64ths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.counting.counts import Layout
from detectors.references.calendar import STEPS, Calendar
from detectors.references.reference import SignalReference
from detectors.references.slots import LEAST_ROWS, slot_scores
from detectors.sequential.scores import moments_of

__all__ = ["SlotScores"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: As of streams without slots (see `sequential.scores`).
_CAUTION: Final = 1.25


class SlotScores:
    """Scores of the bins of all numeric signals, by slot.

    Attributes
    ----------
    phi : float64[Sn, 2]
        Design effects of x and y for ADWIN: those of days, a quarter more where a stream is clearly
        dependent; and more by what one day has of a slot, whose error looks like a change.
    start, size : int64[Sn]
        Where the values of each signal are in the flat vector.
    scores : uint16[K, Sn, bins]
    mean, variance : float64[K, Sn, 2]
        Of x and y within each slot.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, calendar: Calendar
    ) -> None:
        numeric = [signals[int(i)] for i in layout.numeric]
        self.calendar, self.width = calendar, layout.width
        self.start = layout.start[layout.numeric]
        self.size = layout.n_bins[layout.numeric] - 2  # without missing and invalid
        shape = (calendar.slots, len(numeric))
        self.scores = np.zeros((*shape, int(self.size.max(initial=0))), np.uint16)
        self.mean, self.variance = np.zeros((*shape, 2)), np.zeros((*shape, 2))
        self.rows = np.ones(shape)
        effects = []
        for row, signal in enumerate(numeric):
            slots = signal.slots
            assert slots is not None
            size = int(self.size[row])
            counts = slots.known[:, :size]
            few = counts.sum(axis=1) < LEAST_ROWS  # all but missing values
            counts[few] = signal.counts[:size]
            x = slot_scores(counts)
            self.scores[:, row, :size] = x
            self.rows[:, row] = n = np.maximum(1, counts.sum(axis=1))
            for axis, score in enumerate((x, np.abs(2 * x - SCORE_SCALE))):
                share = score / SCORE_SCALE
                mean = (counts * share).sum(axis=1) / n
                self.mean[:, row, axis] = mean
                apart = np.square(share - mean[:, None])
                self.variance[:, row, axis] = (counts * apart).sum(axis=1) / n
            if not signal.counts[:size].any():
                self.size[row] = 0  # nothing is known of its values: nothing is evidence
            clear = 1.0 + 2.0 * math.sqrt(2.0 / max(1, slots.short.batches - 1))
            known = (signal.calibration.phi_x, signal.calibration.phi_y)
            effects.append([phi * (_CAUTION if phi > clear else 1.0) for phi in known])
        # The mean of y is a half where values have no atoms; where they have, it is the slot's own.
        self._centre = np.rint((0.5 - self.mean[:, :, 1]) * SCORE_SCALE).astype(np.int64)
        self.phi = np.array(effects).reshape(-1, 2) * (1.0 + min(1.0, calendar.fullest_day))

    def moments(self, counts: Ints) -> tuple[Ints, Ints, Ints]:
        """Number, sum and sum of squares of x and y of a pane: three int64[Sn, 2].

        y is moved so that its mean, too, is a half in every slot.
        """
        place = self.calendar.place_of(counts[self.width :])
        scores, centre = self.scores[place.slot], self._centre[place.slot]
        if place.part:
            mixed = scores.astype(np.int64) * (STEPS - place.part)
            scores = (
                (mixed + self.scores[place.other].astype(np.int64) * place.part) // STEPS
            ).astype(np.uint16)
            mixed = centre * (STEPS - place.part) + self._centre[place.other] * place.part
            centre = mixed // STEPS
        n, s1, s2 = moments_of(counts, self.start, self.size, scores)
        s2[:, 1] += centre * (2 * s1[:, 1] + n[:, 1] * centre)
        s1[:, 1] += n[:, 1] * centre
        return n, s1, s2

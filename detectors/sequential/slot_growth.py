"""Growth of e-processes by slot.

Where the season slopes from a slot to the next, log growth is mixed by 64ths. A mixture of log
growths is never more than the growth of the mixture, so the promise of the e-detector holds there,
too.

Days with levels of their own would allow no more than a step a day. So there are two sets of
processes: one grows as slowly as days ask for; the other as fast as short batches allow, but only
by what is beyond three standard deviations of a day's level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import SCORE_SCALE
from detectors.counting.counts import Layout
from detectors.references.calendar import STEPS
from detectors.references.reference import SignalReference
from detectors.sequential.edetector import BETS, EDetectorBank, add_gains, grow
from detectors.sequential.slot_scores import SlotScores

__all__ = ["SlotEDetectorBank", "SlotGrowth"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: As of streams without slots (see `edetector`).
_TEMPER, _STARTS, _STEP_COUNT, _LEAST_STEP = 1.25, 8.0, 65_535, 1e-9
#: Standard deviations of a day's level that the second set passes over, and part of the slot's own
#: error that it does.
_LEVELS, _SLOT_ERROR = 3.0, 0.5
_OF_SET: Final = 4 * len(BETS)  # axis, direction, bet
_PARTS: Final = 2 * _OF_SET
#: Tables of slots that are kept at a time: of the present one and of one it may slope to.
_KEPT: Final = 2


class _Table(NamedTuple):
    """Log growth of each process for an event in each bin, as `GrowthTable` has it."""

    growth: npt.NDArray[np.uint16]  # [Sn, parts, bins]
    least: Floats  # [Sn, parts]
    step: Floats


@kernel
def _fill(
    size: Ints,
    scores: npt.NDArray[np.uint16],
    mean: Floats,
    bound: Floats,
    temper: Floats,
    bets: Floats,
    growth: npt.NDArray[np.uint16],
    least: Floats,
    step: Floats,
) -> None:
    """Tables of one slot; `bound` and `temper` are float64[sets, Sn, 2]."""
    apart = np.empty(scores.shape[1])
    logs = np.empty(scores.shape[1])
    for i in range(size.size):
        row = 0
        n = size[i]
        for s in range(bound.shape[0]):
            for axis in range(2):
                for sign in (1.0, -1.0):
                    lowest = 0.0
                    for b in range(n):
                        x = scores[i, b] / SCORE_SCALE
                        if axis == 1:
                            x = abs(2.0 * x - 1.0)
                        apart[b] = sign * (x - mean[i, axis]) - bound[s, i, axis]
                        lowest = min(lowest, apart[b])
                    reach = max(0.5, -lowest)  # no bet may lose everything
                    for bet in bets:
                        low, high = np.inf, -np.inf
                        for b in range(n):
                            at = math.log1p(bet * 0.5 / reach * apart[b]) / temper[s, i, axis]
                            logs[b] = at
                            low, high = min(low, at), max(high, at)
                        if n == 0:
                            low, high = 0.0, 0.0
                        of_step = max(high - low, _LEAST_STEP) / _STEP_COUNT
                        least[i, row], step[i, row] = low, of_step
                        for b in range(n):
                            growth[i, row, b] = int(min((logs[b] - low) / of_step, _STEP_COUNT))
                        row += 1


@kernel
def _gains_of_few(
    counts: Ints,
    start: Ints,
    size: Ints,
    scores: npt.NDArray[np.uint16],
    mean: Floats,
    bound: Floats,
    temper: Floats,
    bets: Floats,
    gain: Floats,
    total: Ints,
) -> None:
    """The log growth of a pane without a table: only bins that have events ask for logarithms."""
    apart = np.empty(scores.shape[1])
    held = np.empty(scores.shape[1])
    for i in range(size.size):
        total[i] = counts[start[i] : start[i] + size[i]].sum()
        if total[i] == 0:
            continue
        row = 0
        for s in range(bound.shape[0]):
            for axis in range(2):
                for sign in (1.0, -1.0):
                    lowest, n = 0.0, 0
                    for b in range(size[i]):
                        x = scores[i, b] / SCORE_SCALE
                        if axis == 1:
                            x = abs(2.0 * x - 1.0)
                        at = sign * (x - mean[i, axis]) - bound[s, i, axis]
                        lowest = min(lowest, at)
                        if counts[start[i] + b]:
                            apart[n], held[n] = at, counts[start[i] + b]
                            n += 1
                    reach = max(0.5, -lowest)
                    for bet in bets:
                        stake, logs = bet * 0.5 / reach, 0.0
                        for j in range(n):
                            logs += held[j] * math.log1p(stake * apart[j])
                        gain[i, row] = logs / temper[s, i, axis]
                        row += 1


class SlotGrowth:
    """Growth tables by slot, made when a slot begins: those of all would be megabytes a model.

    Parameters
    ----------
    signals : sequence of SignalReference
    scores : SlotScores
        Of the same signals.
    z : float
        Standard errors by which the reference's mean may be off.
    by_table : bool
        Whether panes are so short that many follow each other in one slot.
    """

    def __init__(
        self,
        signals: Sequence[SignalReference],
        layout: Layout,
        scores: SlotScores,
        z: float,
        *,
        by_table: bool = True,
    ) -> None:
        self.scores, self.by_table = scores, by_table
        numeric = [signals[int(i)] for i in layout.numeric]
        count = len(numeric)
        days, short, level = (np.ones((count, 2)) for _ in range(3))
        for row, signal in enumerate(numeric):
            slots = signal.slots
            assert slots is not None
            days[row] = signal.calibration.phi_x, signal.calibration.phi_y
            short[row] = slots.short.phi_x, slots.short.phi_y
            level[row] = slots.level_x, slots.level_y
        rows = scores.rows.sum(axis=0)[:, None]
        # A slot's own error averages out over slots: that of the stream's mean is of all rows.
        narrow = z * np.maximum(np.sqrt(days * scores.variance / rows), 1.0 / rows)
        of_slot = np.maximum(0.0, 1.0 / scores.rows[..., None] - 1.0 / rows)
        wide = narrow + _LEVELS * level
        wide = wide + _SLOT_ERROR * z * np.sqrt(short * scores.variance * of_slot)
        self._bound = np.stack([narrow, wide], axis=1)  # [K, sets, Sn, 2]
        self._temper = _TEMPER * np.stack([days, short])
        starts = np.minimum(1.0, _STARTS / self._temper)  # [sets, Sn, 2]
        self.starts = np.repeat(starts.transpose(1, 0, 2).reshape(count, 4), _OF_SET // 2, axis=1)
        self._bets = np.array(BETS)
        self._tables: dict[int, _Table] = {}

    def of_pane(self, slot: int, counts: Ints, gain: Floats, total: Ints) -> None:
        """Set the log growth of a pane of one slot, and its values by signal."""
        scores = self.scores
        _gains_of_few(
            counts,
            scores.start,
            scores.size,
            scores.scores[slot],
            scores.mean[slot],
            self._bound[slot],
            self._temper,
            self._bets,
            gain,
            total,
        )

    def table(self, slot: int) -> _Table:
        """That of a slot."""
        held = self._tables.get(slot)
        if held is None:
            scores = self.scores
            shape = (scores.start.size, _PARTS)
            held = _Table(
                np.zeros((*shape, scores.scores.shape[2]), np.uint16),
                np.zeros(shape),
                np.zeros(shape),
            )
            _fill(
                scores.size,
                scores.scores[slot],
                scores.mean[slot],
                self._bound[slot],
                self._temper,
                self._bets,
                *held,
            )
            while len(self._tables) >= _KEPT:
                del self._tables[next(iter(self._tables))]
            self._tables[slot] = held
        return held


class SlotEDetectorBank(EDetectorBank):
    """E-detectors of all numeric signals of a stream with slots."""

    def __init__(self, growth: SlotGrowth, *, threshold: float) -> None:
        self.threshold = float(threshold)
        self._growth = growth
        self.state = np.zeros(growth.starts.shape)
        self.evidence = np.full(len(self.state), -np.inf)
        self.leading = np.zeros(len(self.state), np.int64)

    def _feed(self, counts: Ints, threshold: float) -> npt.NDArray[np.bool_]:
        """Feed a pane's counts, with what the calendar tells behind them."""
        growth, scores = self._growth, self._growth.scores
        place = scores.calendar.place_of(counts[scores.width :])
        gain, total = np.zeros(self.state.shape), np.zeros(len(self.state), np.int64)
        if not growth.by_table and not place.part:
            growth.of_pane(place.slot, counts, gain, total)
        for slot, part in ((place.slot, STEPS - place.part), (place.other, place.part)):
            if part and (growth.by_table or place.part):
                table = growth.table(slot)
                add_gains(counts, scores.start, scores.size, *table, part / STEPS, gain, total)
        drift = np.zeros(len(self.state), np.bool_)
        grow(gain, total, growth.starts, threshold, self.state, self.evidence, self.leading, drift)
        return drift

    def axis(self, row: int) -> str:
        """Either "x" (location) or "y" (spread)."""
        return "x" if self.leading[row] % _OF_SET < _OF_SET // 2 else "y"

    def direction(self, row: int) -> int:
        """Either 1 or -1."""
        return 1 if self.leading[row] % _OF_SET // len(BETS) % 2 == 0 else -1

"""What detectors that follow every pane read of slots: scores, and growth of e-processes.

A pane's values are ranked within its own slot, so that the mean rank is a half at every hour, and
one state follows the stream through all of them. Where the season slopes from a slot to the next,
scores and growth are mixed by 64ths. A mixture of log growths is never more than the growth of the
mixture, so the promise of the e-detector holds there, too.

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
from detectors.references.reference import SignalReference
from detectors.seasons.calendar import STEPS, Calendar
from detectors.seasons.slots import LEAST_ROWS, slot_scores
from detectors.sequential.edetector import BETS, EDetectorBank
from detectors.sequential.scores import moments_of

__all__ = ["SlotEDetectorBank", "SlotGrowth", "SlotScores"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: As of streams without slots (see `edetector` and `scores`).
_TEMPER, _STARTS, _CAUTION, _STEP_COUNT, _LEAST_STEP = 1.25, 8.0, 1.25, 65_535, 1e-9
#: Standard deviations of a day's level that the second set passes over, and part of the slot's own
#: error that it does.
_LEVELS, _SLOT_ERROR = 3.0, 0.5
_OF_SET: Final = 4 * len(BETS)  # axis, direction, bet
_PARTS: Final = 2 * _OF_SET
#: Tables of slots that are kept at a time: of the present one and of one it may slope to.
_KEPT: Final = 2


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
        self.phi = np.array(effects).reshape(-1, 2) * (1.0 + min(1.0, calendar.fullest_day))

    def moments(self, counts: Ints) -> tuple[Ints, Ints, Ints]:
        """Number, sum and sum of squares of x and y of a pane: three int64[Sn, 2]."""
        place = self.calendar.place_of(counts[self.width :])
        scores = self.scores[place.slot]
        if place.part:
            mixed = scores.astype(np.int64) * (STEPS - place.part)
            scores = ((mixed + self.scores[place.other].astype(np.int64) * place.part) // STEPS
                      ).astype(np.uint16)  # fmt: skip
        return moments_of(counts, self.start, self.size, scores)


class _Table(NamedTuple):
    """Log growth of each process for an event in each bin, as `GrowthTable` has it."""

    growth: npt.NDArray[np.uint16]  # [Sn, parts, bins]
    least: Floats  # [Sn, parts]
    step: Floats


@kernel
def _fill(
    size: Ints, scores: npt.NDArray[np.uint16], mean: Floats, bound: Floats, temper: Floats,
    bets: Floats, growth: npt.NDArray[np.uint16], least: Floats, step: Floats,
) -> None:  # fmt: skip
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
def _gains(
    counts: Ints, start: Ints, size: Ints, growth: npt.NDArray[np.uint16], least: Floats,
    step: Floats, weight: float, gain: Floats, total: Ints,
) -> None:  # fmt: skip
    """Add a pane's log growth of each process, times a weight."""
    for i in range(start.size):
        held = counts[start[i] : start[i] + size[i]]
        n = held.sum()
        total[i] = n
        if n == 0:
            continue
        for k in range(gain.shape[1]):
            row = growth[i, k]
            steps = 0
            for b in range(held.size):
                steps += held[b] * np.int64(row[b])
            gain[i, k] += weight * (n * least[i, k] + steps * step[i, k])


@kernel
def _grow(
    gain: Floats, total: Ints, starts: Floats, threshold: float, state: Floats, evidence: Floats,
    leading: Ints, drift: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """One pane: state is M of each process, 0 at the start."""
    parts = state.shape[1]
    grown = np.empty(parts)
    for i in range(total.size):
        drift[i] = False
        if total[i] == 0:
            continue
        mean = 0.0
        for k in range(parts):
            grown[k] = (state[i, k] + min(1.0, total[i] * starts[i, k])) * math.exp(gain[i, k])
            mean += grown[k] / parts
        if 0.0 < mean < np.inf:
            evidence[i] = math.log(mean)
            leading[i] = np.argmax(grown)
        else:  # beyond what a number holds: by logarithms
            logs = np.log(state[i] + np.minimum(1.0, total[i] * starts[i])) + gain[i]
            leading[i] = np.argmax(logs)
            highest = logs[leading[i]]
            evidence[i] = highest + math.log(np.mean(np.exp(logs - highest)))
        drift[i] = mean > threshold
        for k in range(parts):
            state[i, k] = 0.0 if drift[i] else grown[k]


class SlotGrowth:
    """Growth tables by slot, made when a slot begins: those of all would be megabytes a model.

    Parameters
    ----------
    signals : sequence of SignalReference
    scores : SlotScores
        Of the same signals.
    z : float
        Standard errors by which the reference's mean may be off.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, scores: SlotScores, z: float
    ) -> None:
        self.scores = scores
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

    def table(self, slot: int) -> _Table:
        """That of a slot."""
        held = self._tables.get(slot)
        if held is None:
            scores = self.scores
            shape = (scores.start.size, _PARTS)
            held = _Table(
                np.zeros((*shape, scores.scores.shape[2]), np.uint16), np.zeros(shape),
                np.zeros(shape),
            )  # fmt: skip
            _fill(scores.size, scores.scores[slot], scores.mean[slot], self._bound[slot],
                  self._temper, self._bets, *held)  # fmt: skip
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
        for slot, part in ((place.slot, STEPS - place.part), (place.other, place.part)):
            if part:
                table = growth.table(slot)
                _gains(counts, scores.start, scores.size, *table, part / STEPS, gain, total)
        drift = np.zeros(len(self.state), np.bool_)
        _grow(gain, total, growth.starts, threshold, self.state, self.evidence,
              self.leading, drift)  # fmt: skip
        return drift

    def axis(self, row: int) -> str:
        """Either "x" (location) or "y" (spread)."""
        return "x" if self.leading[row] % _OF_SET < _OF_SET // 2 else "y"

    def direction(self, row: int) -> int:
        """Either 1 or -1."""
        return 1 if self.leading[row] % _OF_SET // len(BETS) % 2 == 0 else -1

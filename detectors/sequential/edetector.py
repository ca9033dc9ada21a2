"""E-detectors of the mean score against the reference (Shin, Ramdas and Rinaldo 2023).

For each axis (x, y), direction and bet size lambda a Shiryaev-Roberts process of e-values grows
with the evidence that the mean left the reference's:

    M <- (M + 1) * exp(sum over bins of c_b * log(1 +- lambda * (x_b - m0)))

A signal alarms when the mean of its 20 processes exceeds A, and starts anew. Whatever the
distribution, as long as the true mean is within m0's bound and events are independent, the mean
number of panes to a false alarm is at least A: by construction, without any approximation.

Growth is held as whole numbers of 16 bits with a step of its own for each process, rounded down:
sums are exact, tables a quarter as large, and the bound holds.

The reference's own uncertainty: m0 is its mean widened by z standard errors in the tested
direction. Dependence: with a design effect phi the standard error is wider by its root, and the
exponent is divided by 1.25 phi, so that the process grows no faster than it may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import SCORE_SCALE, NumericBinning
from detectors.counting.counts import Layout
from detectors.references.reference import SignalReference
from detectors.sequential.state_bytes import read_state

__all__ = ["BETS", "STARTS", "TEMPER", "EDetectorBank", "GrowthTable", "add_gains", "grow"]

#: Sizes of the bets; each is best for a shift of the mean score by about a twelfth of it.
BETS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: More caution than phi itself asks for: its estimate is uncertain too (measured).
TEMPER: Final = 1.25
#: Processes that may start for each independent event (n / phi of n events), at most one a pane. In
#: streams with a long memory a pane is a small part of one such event, growth is near 0, and a
#: process started in every pane would count panes until that alone passed the threshold.
STARTS: Final = 8.0
_PARTS: Final = 4 * len(BETS)  # axis, direction, bet
_STEPS: Final = 65_535  # of growth, from the least bin's to the greatest
_LEAST_STEP: Final = 1e-9

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _growth(signal: SignalReference, z: float) -> Floats:
    """Log growth of each process for one event in each bin, float64[20, bins of values]."""
    binning = signal.binning
    assert isinstance(binning, NumericBinning)
    calibration = signal.calibration
    counts = signal.counts[: binning.missing]
    q = binning.scores(signal.counts)[: binning.missing]
    n = int(counts.sum())
    table = np.zeros((_PARTS, q.size))
    axes = ((q, calibration.phi_x), (np.abs(2 * q - SCORE_SCALE), calibration.phi_y))
    row = 0
    for scores, phi in axes:
        x = scores / SCORE_SCALE
        mean = float(counts @ x) / n
        variance = float(counts @ np.square(x - mean)) / n
        # A mean known from n values is never better known than to 1 / n.
        bound = z * max(math.sqrt(phi * variance / n), 1.0 / n)
        temper = TEMPER * phi if calibration.batches else 1.0
        for sign in (1.0, -1.0):
            apart = sign * (x - mean) - bound
            reach = max(0.5, -float(apart.min()))  # no bet may lose everything
            for bet in BETS:
                table[row] = np.log1p(bet * 0.5 / reach * apart) / temper
                row += 1
    return table


@kernel
def add_gains(
    counts: Ints,
    start: Ints,
    size: Ints,
    growth: npt.NDArray[np.uint16],
    least: Floats,
    step: Floats,
    weight: float,
    gain: Floats,
    total: Ints,
) -> None:
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
def grow(
    gain: Floats,
    total: Ints,
    starts: Floats,
    threshold: float,
    state: Floats,
    evidence: Floats,
    leading: Ints,
    drift: npt.NDArray[np.bool_],
) -> None:
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


@kernel
def _add_pane(
    counts: Ints,
    start: Ints,
    size: Ints,
    growth: npt.NDArray[np.uint16],
    least: Floats,
    step: Floats,
    starts: Floats,
    threshold: float,
    state: Floats,
    evidence: Floats,
    leading: Ints,
    drift: npt.NDArray[np.bool_],
) -> None:
    """A pane of a stream without slots, in one call."""
    gain, total = np.zeros(state.shape), np.zeros(start.size, np.int64)
    add_gains(counts, start, size, growth, least, step, 1.0, gain, total)
    grow(gain, total, starts, threshold, state, evidence, leading, drift)


class GrowthTable:
    """What e-detectors read of the reference; banks of the same signals and `z` may share one.

    Parameters
    ----------
    signals, layout
        As of `ScoreTable`.
    z : float
        Standard errors by which the reference's mean may be off: 4 for fast streams, 3 for slow.

    Raises
    ------
    ValueError
        If `z` is below 0, or `layout` has other signals than `signals`.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout | None = None, z: float = 4.0
    ) -> None:
        if not z >= 0.0:
            raise ValueError(f"z must be >= 0; got {z}.")
        layout = layout or Layout({s.name: s.binning for s in signals})
        if layout.names != tuple(s.name for s in signals):
            raise ValueError("layout must have the same signals in the same order.")
        numeric = [signals[int(i)] for i in layout.numeric]
        self.start = layout.start[layout.numeric]
        self.size = layout.n_bins[layout.numeric] - 2  # without missing and invalid
        self._make(len(numeric))
        for row, signal in enumerate(numeric):
            if not signal.counts[: int(self.size[row])].any():
                self.size[row] = 0  # nothing is known of its values: nothing is evidence
                continue
            calibration = signal.calibration
            self._fill(row, _growth(signal, z), (calibration.phi_x, calibration.phi_y))

    @classmethod
    def of_cells(cls, growth: Floats, phi: tuple[float, float]) -> GrowthTable:
        """A table of one row for counts of any cells.

        Parameters
        ----------
        growth : float64[20, cells]
            Log growth of each process for one event in each cell: two axes, for each the way up
            and the way down, for each of these every size of `BETS`.
        phi : (float, float)
            Design effects of both axes.
        """
        table = cls.__new__(cls)
        table.start, table.size = np.zeros(1, np.int64), np.array([growth.shape[1]])
        table._make(1)
        table._fill(0, growth, phi)
        return table

    def _make(self, rows: int) -> None:
        shape = (rows, _PARTS)
        self.growth = np.zeros((*shape, int(self.size.max(initial=0))), np.uint16)
        self.least, self.step, self.starts = np.zeros(shape), np.zeros(shape), np.ones(shape)

    def _fill(self, row: int, table: Floats, phi: tuple[float, float]) -> None:
        """Keep the growth of a row, in steps that are rounded down."""
        self.starts[row] = STARTS / (TEMPER * np.repeat(phi, _PARTS // 2))
        least = table.min(axis=1)
        step = np.maximum(table.max(axis=1) - least, _LEAST_STEP) / _STEPS
        self.least[row], self.step[row] = least, step
        steps = (table - least[:, None]) / step[:, None]
        self.growth[row, :, : self.size[row]] = np.minimum(steps, _STEPS)


class EDetectorBank:
    """E-detectors of all numeric signals, fed with the counts of a pane.

    Parameters
    ----------
    signals, layout, z
        As of `GrowthTable`.
    threshold : float
        A: the mean number of non-empty panes between false alarms is at least this, a signal.
    table : GrowthTable, optional
        One that is shared; `signals`, `layout` and `z` are then not looked at.

    Raises
    ------
    ValueError
        If `threshold` is not above 1.

    Attributes
    ----------
    evidence : float64[Sn]
        Log of the mean of M after the last pane, to be compared with log(A).
    leading : int64[Sn]
        Strongest process after the last pane; see `axis`, `direction` and `effect`.
    state : float64[Sn, processes]
        M of each process.
    """

    def __init__(
        self,
        signals: Sequence[SignalReference],
        layout: Layout | None = None,
        *,
        threshold: float,
        z: float = 4.0,
        table: GrowthTable | None = None,
    ) -> None:
        if not threshold > 1.0:
            raise ValueError(f"threshold must be > 1; got {threshold}.")
        self.threshold = float(threshold)
        self._table = table = table or GrowthTable(signals, layout, z)
        self.state = np.zeros(table.least.shape)
        self.evidence = np.full(len(self.state), -np.inf)
        self.leading = np.zeros(len(self.state), np.int64)

    def update(self, counts: Ints) -> npt.NDArray[np.bool_]:
        """Feed a pane's flat vector of counts; the numeric signals that alarm, bool[Sn].

        A signal without values in this pane is left as it is.
        """
        return self._feed(counts, self.threshold)

    def grow(self, counts: Ints) -> None:
        """Feed a pane as `update` does, but leave it to the caller who alarms and starts anew."""
        self._feed(counts, math.inf)

    def _feed(self, counts: Ints, threshold: float) -> npt.NDArray[np.bool_]:
        drift = np.empty(len(self.state), np.bool_)
        table = self._table
        _add_pane(
            counts,
            table.start,
            table.size,
            table.growth,
            table.least,
            table.step,
            table.starts,
            threshold,
            self.state,
            self.evidence,
            self.leading,
            drift,
        )
        return drift

    def axis(self, row: int) -> str:
        """Either "x" (location) or "y" (spread): what the strongest process of a signal watches."""
        return "x" if self.leading[row] < _PARTS // 2 else "y"

    def direction(self, row: int) -> int:
        """Either 1 or -1: where the mean score moved by the strongest process."""
        return 1 if self.leading[row] // len(BETS) % 2 == 0 else -1

    def effect(self, row: int) -> float:
        """Rough size of the shift of the mean score: what the strongest process bets on."""
        return BETS[int(self.leading[row]) % len(BETS)] / 12.0

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same signals."""
        return self.state.tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of so many signals, or hold what no state does.
        """
        what = f"an EDetectorBank of {len(self.state)} signals"
        self.state[...] = read_state(data, self.state, what)
        self.evidence[...] = -np.inf
        self.leading[...] = 0

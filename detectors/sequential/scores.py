"""From counts to what sequential detectors read: moments of integer scores.

The score x of a value is its mid-rank in the reference; y = |2x - 1| is its distance from the
middle. x sees a change of location, y one of spread. Both are 16-bit integers, so their sums over
a pane are exact and merge in any order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import SCORE_SCALE, NumericBinning
from detectors.counting.counts import Layout
from detectors.references.calibration import cautious
from detectors.references.reference import Reference, SignalReference

__all__ = ["ScoreTable", "moments_of"]

Ints = npt.NDArray[np.int64]


class ScoreTable:
    """Scores of the bins of all numeric signals.

    Attributes
    ----------
    phi : float64[Sn, 2]
        Design effects of x and y to reckon with: a quarter more than estimated where a stream is
        clearly dependent, since an estimate that is too low costs more false alarms than one that
        is too high saves.

    Raises
    ------
    ValueError
        If `layout` has other signals than `signals`, or another order.
    """

    def __init__(self, signals: Sequence[SignalReference], layout: Layout | None = None) -> None:
        if isinstance(signals, Reference):
            signals = signals.signals
        layout = layout or Layout({s.name: s.binning for s in signals})
        if layout.names != tuple(s.name for s in signals):
            raise ValueError("layout must have the same signals in the same order.")
        numeric = [signals[int(i)] for i in layout.numeric]
        self._start = layout.start[layout.numeric]
        self._size = np.zeros(len(numeric), np.int64)
        # Scores of x alone, which give those of y.
        self._scores = np.zeros((len(numeric), int(layout.n_bins.max(initial=0))), np.uint16)
        for row, signal in enumerate(numeric):
            binning = signal.binning
            assert isinstance(binning, NumericBinning)
            x = binning.scores(signal.counts)[: binning.missing]
            self._size[row] = x.size
            self._scores[row, : x.size] = x
        known = [signal.calibration for signal in numeric]
        self.phi = np.array([[cautious(c, c.phi_x), cautious(c, c.phi_y)] for c in known])
        self.phi = self.phi.reshape(-1, 2)

    def moments(self, counts: Ints) -> tuple[Ints, Ints, Ints]:
        """Number, sum and sum of squares of x and y: three int64[Sn, 2].

        Missing values and those of a wrong type have no score.
        """
        return moments_of(counts, self._start, self._size, self._scores)


def moments_of(
    counts: Ints, start: Ints, size: Ints, scores: npt.NDArray[np.uint16]
) -> tuple[Ints, Ints, Ints]:
    """Number, sum and sum of squares of x and y, with these scores of x for each bin."""
    n, s1, s2 = (np.zeros((start.size, 2), np.int64) for _ in range(3))
    _moments(counts, start, size, scores, n, s1, s2)
    return n, s1, s2


@kernel
def _moments(
    counts: Ints,
    start: Ints,
    size: Ints,
    scores: npt.NDArray[np.uint16],
    n: Ints,
    s1: Ints,
    s2: Ints,
) -> None:
    for i in range(start.size):
        items = x1 = y1 = x2 = y2 = 0  # not the arrays: sums in registers are vectors
        for b in range(size[i]):
            count = counts[start[i] + b]
            x = np.int64(scores[i, b])
            y = abs(2 * x - SCORE_SCALE)
            items += count
            x1 += count * x
            y1 += count * y
            x2 += count * x * x
            y2 += count * y * y
        n[i, 0], n[i, 1] = items, items
        s1[i, 0], s1[i, 1] = x1, y1
        s2[i, 0], s2[i, 1] = x2, y2

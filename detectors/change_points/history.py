"""What came when: sums of scores of all signals over blocks of panes, for finding change points.

At most 48 blocks reach back over days. They are shared by all signals, so one list of times does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.change_points.blocks import Blocks
from detectors.counting.binning import SCORE_SCALE, Binning, NumericBinning
from detectors.counting.counts import Layout
from detectors.references.reference import SignalReference

__all__ = [
    "COLUMNS", "INVALID", "MISSING", "NEW", "UNSEEN", "VALUE", "History", "Ranks", "score_tables",
]  # fmt: skip

#: What is summed of a signal: events, scores x and y of its values, and values of three kinds.
COLUMNS: Final = ("events", "x", "y", "missing", "invalid", "new")
_MOST_BLOCKS: Final = 48
# Kinds of bins: a known value, one that the reference does not have, missing, of a wrong type, a
# name that the reference does not have (it has no rank either).
VALUE, NEW, MISSING, INVALID, UNSEEN = range(5)

Ints = npt.NDArray[np.int64]
Ranks: TypeAlias = Callable[[Ints], npt.NDArray[np.uint16]]


def score_tables(signal: SignalReference) -> tuple[Ints, Ints, Ints]:
    """Scores x and y and the kind of each bin, int64[n_bins].

    The mid-ranks of numbers are those that sequential detectors read. Names are ranked by how
    frequent they are in the reference, which most changes of their shares move.
    """
    binning: Binning = signal.binning
    kinds = np.full(binning.n_bins, VALUE, np.int64)
    kinds[binning.missing], kinds[binning.invalid] = MISSING, INVALID
    if isinstance(binning, NumericBinning):
        x = binning.scores(signal.counts)
        kinds[: binning.missing][signal.counts[: binning.missing] == 0] = NEW
    else:
        kinds[binning.new] = UNSEEN
        known = signal.counts[: binning.unseen]
        rank = (np.cumsum(known) - known / 2) / max(1, int(known.sum()))
        x = np.zeros(binning.n_bins, np.int64)
        x[: known.size] = np.rint(rank * SCORE_SCALE).astype(np.int64)
    ranked = np.isin(kinds, (VALUE, NEW))
    return np.where(ranked, x, 0), np.where(ranked, np.abs(2 * x - SCORE_SCALE), 0), kinds


@kernel
def _fold(
    counts: Ints,
    start: Ints,
    n_bins: Ints,
    scores: npt.NDArray[np.uint16],
    kinds: npt.NDArray[np.uint8],
    out: Ints,
) -> None:
    for i in range(start.size):
        for at in range(start[i], start[i] + n_bins[i]):
            count = counts[at]
            if count == 0:
                continue
            out[i, 0] += count
            kind = kinds[at]
            if kind <= NEW:  # it has a rank
                x = np.int64(scores[at])
                out[i, 1] += count * x
                out[i, 2] += count * abs(2 * x - SCORE_SCALE)
            if kind == MISSING:
                out[i, 3] += count
            elif kind == INVALID:
                out[i, 4] += count
            elif kind != VALUE:
                out[i, 5] += count


class History:
    """Blocks of sums of all signals, oldest first.

    Parameters
    ----------
    signals : sequence of SignalReference
        Those of `layout`, in its order.
    layout : Layout
    ranks : callable, optional
        Gives the scores of all bins for a pane's counts, uint16[width], where they go by its hour.
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, ranks: Ranks | None = None
    ) -> None:
        self._ranks = ranks
        self._start, self._n_bins = layout.start, layout.n_bins
        tables = [score_tables(signal) for signal in signals]
        # Position 0 is the number of events.
        self._x = np.concatenate([[0], *(x for x, _, _ in tables)]).astype(np.uint16)
        self._kinds = np.concatenate([[0], *(kinds for _, _, kinds in tables)]).astype(np.uint8)
        self._shape = (self._start.size, len(COLUMNS))
        self._blocks = Blocks(self._start.size * len(COLUMNS), _MOST_BLOCKS)
        self._whole: Ints | None = None  # all blocks decoded, while signals are looked at

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def start_ms(self) -> list[int]:
        """Where each block's first pane begins."""
        return self._blocks.start_ms

    @property
    def end_ms(self) -> list[int]:
        """Where each block's last pane ends."""
        return self._blocks.end_ms

    def add(self, counts: Ints, start_ms: int, end_ms: int) -> None:
        """Take the next pane in."""
        self.release()
        block = np.zeros(self._shape, np.int64)
        x = self._x if self._ranks is None else self._ranks(counts)
        _fold(counts, self._start, self._n_bins, x, self._kinds, block)
        self._blocks.add(block.ravel(), start_ms, end_ms)

    def of(self, index: int) -> Ints:
        """Sums of one signal by block, int64[blocks, columns].

        All are decoded at the first call; `release` them when no more are asked for.
        """
        if self._whole is None:
            blocks = [self._blocks[at] for at in range(len(self))]
            self._whole = np.array(blocks, np.int64).reshape(-1, *self._shape)
        return self._whole[:, index]

    def release(self) -> None:
        """Keep the encoded blocks alone."""
        self._whole = None

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same signals."""
        return self._blocks.dump()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not a state of so many signals.
        """
        self._blocks.load(data)
        self._whole = None

"""The events since a change: full counts of the last panes, to describe what was found by.

A test that follows every pane may find a change in a pane of one event; what moved is told of all
events since the change began. At least the last 1,000 events are held, by blocks of panes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.change_points.blocks import Blocks
from detectors.change_points.changepoint import ChangePoint
from detectors.change_points.explain import LEAST_EVENTS

__all__ = ["Latest", "Since"]

#: With so many events a share is known to a point or two: older blocks are forgotten.
_ENOUGH_EVENTS: Final = 1_000
_MOST_BLOCKS: Final = 48

Ints = npt.NDArray[np.int64]


class Since(NamedTuple):
    """What came since a change: event times in milliseconds, and the flat counts."""

    start_ms: int
    end_ms: int
    counts: Ints


class Latest:
    """The last panes of one stream, in blocks.

    Parameters
    ----------
    width : int
        Of a flat vector of counts, whose position 0 is the number of events.
    """

    def __init__(self, width: int) -> None:
        self._blocks = Blocks(width, _MOST_BLOCKS)
        self._sums: dict[int, Ints] = {}  # since a block, while signals are looked at

    def __len__(self) -> int:
        """Blocks of panes that are held."""
        return len(self._blocks)

    def add(self, counts: Ints, start_ms: int, end_ms: int) -> None:
        """Take the next pane in."""
        self.release()
        blocks = self._blocks
        blocks.add(counts, start_ms, end_ms)
        while len(blocks) > 1 and sum(blocks.first[1:]) >= _ENOUGH_EVENTS:
            blocks.drop()

    def since(self, began: ChangePoint | None) -> Since:
        """What came since a change began; the panes before, too, where those hold too few events.

        No further back than the change may have begun, unless nobody knows when it did. If the
        change is older than what is held, all of that is since then.
        """
        blocks = self._blocks
        at = len(blocks) - 1
        bound = blocks.start_ms[0]
        if began is not None:
            at = next((b for b, s in enumerate(blocks.start_ms) if s >= began.estimate_ms), at)
            bound = began.earliest_ms
        while at and sum(blocks.first[at:]) < LEAST_EVENTS and blocks.start_ms[at - 1] >= bound:
            at -= 1
        if at not in self._sums:
            self._sums[at] = blocks.since(at)
        return Since(blocks.start_ms[at], blocks.end_ms[-1], self._sums[at])

    def release(self) -> None:
        """Keep the encoded blocks alone."""
        self._sums.clear()

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same width."""
        return self._blocks.dump()

    def load(self, data: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        self._blocks.load(data)

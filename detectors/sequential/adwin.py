"""ADWIN2, item by item (Bifet and Gavalda, SDM 2007): a window that shrinks when its mean changes.

The window is kept as buckets of 1, 2, 4, ... items, at most five of a size. Every `clock` items
each boundary between buckets is a candidate cut: if the means of both sides differ by more than
eps, the oldest bucket goes, and again until no cut is left.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.sequential._adwin_window import BLOCK, MAX_BUCKETS, ROWS, SUM, WHOLE, N, feed
from detectors.sequential._items import ItemDetector

__all__ = ["ADWIN"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ADWIN(ItemDetector):
    """Change of the mean of a stream of numbers between 0 and 1.

    Parameters
    ----------
    delta : float
        Chance of a false alarm at each check, by the paper's bound; far less in truth.
    clock : int
        Items from one check to the next.
    reset : "full" or "oldest"
        What an alarm drops: the whole window as river does, so that a change is told once, or the
        oldest buckets until no cut is left, as in the paper: what is left tells it again.

    Raises
    ------
    ValueError
        If `delta` is not between 0 and 1, `clock` below 1, or `reset` another word.

    Examples
    --------
    >>> import numpy as np
    >>> stream = np.r_[np.full(1000, 0.2), np.full(1000, 0.8)]
    >>> int(ADWIN().update_many(stream)[0])
    1023
    """

    def __init__(self, delta: float = 0.002, *, clock: int = 32, reset: str = "full") -> None:
        if not 0.0 < delta < 1.0:
            raise ValueError(f"delta must be between 0 and 1; got {delta}.")
        if clock < 1:
            raise ValueError(f"clock must be >= 1; got {clock}.")
        if reset not in ("oldest", "full"):
            raise ValueError(f'reset must be "oldest" or "full"; got {reset!r}.')
        self.delta = float(delta)
        self.clock = clock
        self.reset = reset
        # Buckets of each row, items since the start or reset, missing values.
        super().__init__(np.zeros(WHOLE + 2 * ROWS * MAX_BUCKETS), ROWS + 2)
        self._waiting = array("d", bytes(8 * BLOCK))
        self._n_waiting = 0
        self._due = min(clock, BLOCK)

    @property
    def width(self) -> int:
        """Items in the window."""
        self._flush()
        return int(self._numbers[N])

    @property
    def mean(self) -> float:
        """Mean of the window; NaN if it is empty."""
        self._flush()
        return float(self._numbers[SUM] / self._numbers[N]) if self._numbers[N] else math.nan

    @property
    def missing(self) -> int:
        """Values skipped because they were NaN or infinite."""
        self._flush()
        return super().missing

    def update(self, x: float) -> Self:
        """Feed one item; `drift_detected` then says whether it gave an alarm.

        Until the next check it only waits with the others: nothing could come of it before.
        """
        at = self._n_waiting
        self._waiting[at] = x
        self._n_waiting = at = at + 1
        if at == self._due:
            self._flush()
        elif self.drift_detected:
            self.drift_detected = False
        return self

    def _flush(self) -> None:
        if self._n_waiting:
            values = np.frombuffer(self._waiting, np.float64, self._n_waiting)
            self._n_waiting = 0
            self.drift_detected = self._feed(values, self._found) > 0  # a check is at the end
            self._plan()

    def _plan(self) -> None:
        """Let no more items wait than there are to the next check."""
        self._due = min(self.clock - self._ticks.item(ROWS) % self.clock, BLOCK)

    def update_many(self, values: Floats | Iterable[float]) -> Ints:
        """Feed many items; the indices of those that gave an alarm."""
        self._flush()
        found = super().update_many(values)
        self._plan()
        return found

    def _feed(self, values: Floats, alarms: Ints) -> int:
        found: int = feed(
            values, self.delta, self.clock, self.reset == "full", self._numbers, self._ticks, alarms
        )
        return found

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same parameters."""
        self._flush()
        return super().dump()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length, or hold what no state does.
        """
        super().load(data)
        self._n_waiting = 0
        self._plan()

    def _is_state(self, numbers: Floats, ticks: Ints) -> bool:
        held = ticks[:ROWS]
        return (
            super()._is_state(numbers, ticks)
            and int(held.max()) <= MAX_BUCKETS
            and float(held @ 2.0 ** np.arange(ROWS)) == numbers[N]
        )

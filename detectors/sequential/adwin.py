"""ADWIN2, item by item (Bifet and Gavalda, SDM 2007): a window that shrinks when its mean changes.

The window is kept as buckets of 1, 2, 4, ... items, at most five of a size. Every `clock` items
each boundary between buckets is a candidate cut: if the means of both sides differ by more than
eps, the oldest bucket goes, and again until no cut is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["LEAST_SUBWINDOW", "MAX_BUCKETS", "Adwin"]

#: Buckets of one size; more give finer cuts and cost more (M of the paper, section 4).
MAX_BUCKETS: Final = 5
#: Items that a side of a cut must have.
LEAST_SUBWINDOW: Final = 5
#: No cut is looked for before so many items.
_GRACE: Final = 10
_ROWS: Final = 48


@kernel
def _drop_oldest(
    held: npt.NDArray[np.int64], sums: npt.NDArray[np.float64],
    squares: npt.NDArray[np.float64], whole: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    row = held.size - 1
    while held[row] == 0:
        row -= 1
    size = 2.0**row
    whole[0] -= size
    whole[1] -= sums[row, 0]
    if whole[0] > 0.0:
        apart = sums[row, 0] / size - whole[1] / whole[0]
        whole[2] -= squares[row, 0] + size * whole[0] * apart * apart / (size + whole[0])
    else:
        whole[2] = 0.0
    held[row] -= 1
    for j in range(held[row]):
        sums[row, j] = sums[row, j + 1]
        squares[row, j] = squares[row, j + 1]
    sums[row, held[row]] = 0.0
    squares[row, held[row]] = 0.0


@kernel
def _insert(
    x: float, held: npt.NDArray[np.int64], sums: npt.NDArray[np.float64],
    squares: npt.NDArray[np.float64], whole: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    """Add an item; two buckets of a full row become one of the next."""
    if whole[0] > 0.0:
        apart = x - whole[1] / whole[0]
        whole[2] += whole[0] * apart * apart / (whole[0] + 1.0)
    whole[0] += 1.0
    whole[1] += x
    sums[0, held[0]] = x
    squares[0, held[0]] = 0.0
    held[0] += 1
    row = 0
    while held[row] > MAX_BUCKETS:
        if row + 1 == held.size:
            _drop_oldest(held, sums, squares, whole)
            return
        size = 2.0**row
        apart = (sums[row, 0] - sums[row, 1]) / size
        to = held[row + 1]
        sums[row + 1, to] = sums[row, 0] + sums[row, 1]
        squares[row + 1, to] = squares[row, 0] + squares[row, 1] + 0.5 * size * apart * apart
        held[row + 1] += 1
        held[row] -= 2
        for j in range(held[row]):
            sums[row, j] = sums[row, j + 2]
            squares[row, j] = squares[row, j + 2]
        for j in range(held[row], held[row] + 2):
            sums[row, j] = 0.0
            squares[row, j] = 0.0
        row += 1


@kernel
def _has_cut(
    delta: float, held: npt.NDArray[np.int64], sums: npt.NDArray[np.float64],
    whole: npt.NDArray[np.float64],
) -> bool:  # fmt: skip
    """Whether the means on both sides of some boundary differ by more than eps (Theorem 3.1)."""
    n = whole[0]
    variance = whole[2] / n
    log_term = math.log(2.0 * math.log(n) / delta)
    n0 = 0.0
    sum0 = 0.0
    for row in range(held.size - 1, -1, -1):
        size = 2.0**row
        for j in range(held[row]):
            n0 += size
            sum0 += sums[row, j]
            n1 = n - n0
            if n1 < LEAST_SUBWINDOW:
                return False
            if n0 < LEAST_SUBWINDOW:
                continue
            m = 1.0 / (n0 - LEAST_SUBWINDOW + 1.0) + 1.0 / (n1 - LEAST_SUBWINDOW + 1.0)
            eps = math.sqrt(2.0 * m * variance * log_term) + 2.0 / 3.0 * m * log_term
            if abs(sum0 / n0 - (whole[1] - sum0) / n1) > eps:
                return True
    return False


@kernel
def _update_many(
    values: npt.NDArray[np.float64], delta: float, clock: int, full: bool,
    held: npt.NDArray[np.int64], sums: npt.NDArray[np.float64],
    squares: npt.NDArray[np.float64], whole: npt.NDArray[np.float64],
    ticks: npt.NDArray[np.int64], alarms: npt.NDArray[np.int64],
) -> int:  # fmt: skip
    """Feed values; the number of alarms, whose indices go to `alarms`."""
    found = 0
    for i in range(values.size):
        if not np.isfinite(values[i]):
            ticks[1] += 1
            continue
        ticks[0] += 1
        _insert(values[i], held, sums, squares, whole)
        if ticks[0] % clock or whole[0] <= _GRACE:
            continue
        drift = False
        while whole[0] > _GRACE and _has_cut(delta, held, sums, whole):
            drift = True
            if full:
                held[:] = 0
                sums[:] = 0.0
                squares[:] = 0.0
                whole[:] = 0.0
                ticks[0] = 0
            else:
                _drop_oldest(held, sums, squares, whole)
        if drift:
            alarms[found] = i
            found += 1
    return found


class Adwin:
    """Change of the mean of a stream of numbers between 0 and 1.

    Parameters
    ----------
    delta : float
        Chance of a false alarm at each check, by the paper's bound; far less in truth.
    clock : int
        Items from one check to the next.
    reset : "oldest" or "full"
        What an alarm drops: buckets until no cut is left, or the whole window as river does.

    Examples
    --------
    >>> import numpy as np
    >>> stream = np.r_[np.full(1000, 0.2), np.full(1000, 0.8)]
    >>> int(Adwin().update_many(stream)[0])
    1023
    """

    def __init__(self, delta: float = 0.002, *, clock: int = 32, reset: str = "oldest") -> None:
        if not 0.0 < delta < 1.0:
            raise ValueError(f"delta must be between 0 and 1; got {delta}.")
        if clock < 1:
            raise ValueError(f"clock must be >= 1; got {clock}.")
        if reset not in ("oldest", "full"):
            raise ValueError(f'reset must be "oldest" or "full"; got {reset!r}.')
        self.delta = delta
        self.clock = clock
        self.reset = reset
        self.drift_detected = False
        self._held = np.zeros(_ROWS, np.int64)
        self._sums = np.zeros((_ROWS, MAX_BUCKETS + 1))
        self._squares = np.zeros((_ROWS, MAX_BUCKETS + 1))
        self._whole = np.zeros(3)  # items, sum, sum of squared deviations
        self._ticks = np.zeros(2, np.int64)  # items since the start or reset, missing values

    @property
    def width(self) -> int:
        """Items in the window."""
        return int(self._whole[0])

    @property
    def mean(self) -> float:
        """Mean of the window; NaN if it is empty."""
        return float(self._whole[1] / self._whole[0]) if self._whole[0] else math.nan

    @property
    def missing(self) -> int:
        """Values skipped because they were NaN or infinite."""
        return int(self._ticks[1])

    def update(self, x: float) -> Adwin:
        """Feed one item; `drift_detected` then says whether it gave an alarm."""
        self.update_many((x,))
        return self

    def update_many(
        self, values: npt.NDArray[np.float64] | Iterable[float]
    ) -> npt.NDArray[np.int64]:
        """Feed many items; the indices of those that gave an alarm."""
        if not isinstance(values, np.ndarray):
            values = np.fromiter(values, np.float64)
        values = np.ascontiguousarray(values, np.float64)
        alarms = np.empty(values.size // self.clock + 2, np.int64)
        found = _update_many(
            values, self.delta, self.clock, self.reset == "full", self._held, self._sums,
            self._squares, self._whole, self._ticks, alarms,
        )  # fmt: skip
        self.drift_detected = bool(found) and int(alarms[found - 1]) == values.size - 1
        return alarms[:found]

    def _arrays(self) -> tuple[npt.NDArray[np.float64] | npt.NDArray[np.int64], ...]:
        return self._held, self._sums, self._squares, self._whole, self._ticks

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same parameters."""
        return b"".join(array.tobytes() for array in self._arrays())

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length.
        """
        expected = sum(array.nbytes for array in self._arrays())
        if len(data) != expected:
            raise ValueError(f"an Adwin state has {expected} bytes; got {len(data)}.")
        at = 0
        for array in self._arrays():
            stored = np.frombuffer(data, array.dtype, array.size, at)
            array[...] = stored.reshape(array.shape)
            at += array.nbytes
        self.drift_detected = False

"""The window of `ADWIN` in arrays: how items go in and where it is cut.

Nothing is decided between two checks, so items go in by blocks: which buckets merge depends on
their numbers alone, and a whole row merges in one pass. The same additions are made in the same
order as one by one: every bit is the same.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = [
    "BLOCK",
    "LEAST_SUBWINDOW",
    "MAX_BUCKETS",
    "NEARLY",
    "ROUNDING",
    "ROWS",
    "SUM",
    "WHOLE",
    "N",
    "feed",
]

#: Buckets of one size; more give finer cuts and cost more (M of the paper, section 4).
MAX_BUCKETS: Final = 5
#: Items that a side of a cut must have.
LEAST_SUBWINDOW: Final = 5
#: No cut is looked for before so many items.
_GRACE: Final = 10
ROWS: Final = 48
#: Items that are inserted at once, at most.
BLOCK: Final = 32
#: Relative errors of the quick look at a cut stay below these.
ROUNDING: Final = 1e-14
NEARLY: Final = 1.0 - 1e-9
#: Entries of the whole window: items, sum, sum of squared deviations.
N, SUM, SPREAD, WHOLE = range(4)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def _drop_oldest(held: Ints, sums: Floats, squares: Floats, whole: Floats) -> None:
    row = ROWS - 1
    while held[row] == 0:
        row -= 1
    size = 2.0**row
    whole[N] -= size
    whole[SUM] -= sums[row, 0]
    if whole[N] > 0.0:
        apart = sums[row, 0] / size - whole[SUM] / whole[N]
        whole[SPREAD] -= squares[row, 0] + size * whole[N] * apart * apart / (size + whole[N])
    else:
        whole[SPREAD] = 0.0
    held[row] -= 1
    for j in range(held[row]):
        sums[row, j] = sums[row, j + 1]
        squares[row, j] = squares[row, j + 1]
    sums[row, held[row]] = 0.0
    squares[row, held[row]] = 0.0


@kernel
def _weigh(items: Floats, k: int, whole: Floats, spare: Floats) -> None:
    """Add k items to the figures of the whole window (Welford 1962)."""
    n = whole[N]
    total = whole[SUM]
    for i in range(k):
        spare[i] = total
        total += items[i]
    first = 0 if n > 0.0 else 1  # the first item of a window has no spread
    for i in range(first, k):
        before = n + i
        apart = items[i] - spare[i] / before
        spare[i] = before * apart * apart / (before + 1.0)
    for i in range(first, k):
        whole[SPREAD] += spare[i]
    whole[N] = n + k
    whole[SUM] = total


@kernel
def _insert(
    new: Floats, k: int, held: Ints, sums: Floats, squares: Floats, whole: Floats, line: Floats
) -> None:
    """Add k items, `new[0]`; the two oldest buckets of a full row become one of the next.

    `new` and `line` are float64[2, ...], sums and squares, of what comes to a row and of the row
    with what came.
    """
    _weigh(new[0], k, whole, line[0])
    for i in range(k):
        new[1, i] = 0.0
    size = 1.0
    for row in range(ROWS):
        while row + 1 == ROWS and held[row] + k > MAX_BUCKETS:
            _drop_oldest(held, sums, squares, whole)
        old = held[row]
        n = old + k
        if n <= MAX_BUCKETS:
            for i in range(k):
                sums[row, old + i] = new[0, i]
                squares[row, old + i] = new[1, i]
            held[row] = n
            return
        for i in range(old):
            line[0, i] = sums[row, i]
            line[1, i] = squares[row, i]
        for i in range(k):
            line[0, old + i] = new[0, i]
            line[1, old + i] = new[1, i]
        k = (n - MAX_BUCKETS + 1) // 2
        for i in range(k):
            first, second = line[0, 2 * i], line[0, 2 * i + 1]
            apart = (first - second) / size
            new[0, i] = first + second
            new[1, i] = line[1, 2 * i] + line[1, 2 * i + 1] + 0.5 * size * apart * apart
        held[row] = n - 2 * k
        for i in range(MAX_BUCKETS):
            there = i < n - 2 * k
            sums[row, i] = line[0, 2 * k + i] if there else 0.0
            squares[row, i] = line[1, 2 * k + i] if there else 0.0
        size *= 2.0


@kernel
def _has_cut(delta: float, held: Ints, sums: Floats, whole: Floats) -> bool:
    """Whether the means on both sides of some boundary differ by more than eps (Theorem 3.1).

    With d the sum of one side less what it would be at the mean of all, the means differ by
    d n / (n0 n1), and eps is more than the root of 2 n variance log_term / (n0 n1). A boundary
    whose d cannot reach that, rounding allowed for, is passed over without a division.
    """
    n = whole[N]
    total = whole[SUM]
    mean = total / n
    variance = whole[SPREAD] / n
    log_term = math.log(2.0 * math.log(n) / delta)
    least = NEARLY * 2.0 * variance * log_term / n
    rounding = ROUNDING * abs(total)
    n0 = 0.0
    sum0 = 0.0
    size = 2.0 ** (ROWS - 1)
    for row in range(ROWS - 1, -1, -1):
        for j in range(held[row]):
            n0 += size
            sum0 += sums[row, j]
            n1 = n - n0
            d = abs(sum0 - n0 * mean) + rounding
            if d * d < least * n0 * n1:
                continue
            if n1 < LEAST_SUBWINDOW:
                return False
            if n0 < LEAST_SUBWINDOW:
                continue
            m = 1.0 / (n0 - LEAST_SUBWINDOW + 1.0) + 1.0 / (n1 - LEAST_SUBWINDOW + 1.0)
            eps = math.sqrt(2.0 * m * variance * log_term) + 2.0 / 3.0 * m * log_term
            if abs(sum0 / n0 - (total - sum0) / n1) > eps:
                return True
        size *= 0.5
    return False


@kernel
def feed(
    values: Floats,
    delta: float,
    clock: int,
    full: bool,
    numbers: Floats,
    ticks: Ints,
    alarms: Ints,
) -> int:
    """Take values in; the number of alarms, whose indices go to `alarms`."""
    whole = numbers[:WHOLE]
    sums, squares = numbers[WHOLE:].reshape(2, ROWS, MAX_BUCKETS)
    held = ticks[:ROWS]
    new = np.empty((2, BLOCK))
    line = np.empty((2, MAX_BUCKETS + BLOCK))
    found = at = 0
    while at < values.size:
        most = min(clock - ticks[ROWS] % clock, BLOCK)
        k = 0
        while k < most and at < values.size:
            new[0, k] = values[at]
            at += 1
            if np.isfinite(new[0, k]):
                k += 1
            else:
                ticks[ROWS + 1] += 1
        _insert(new, k, held, sums, squares, whole, line)
        ticks[ROWS] += k
        if k == 0 or ticks[ROWS] % clock:
            continue
        drift = False
        while whole[N] > _GRACE and _has_cut(delta, held, sums, whole):
            drift = True
            if full:
                numbers[:] = 0.0
                ticks[: ROWS + 1] = 0
            else:
                _drop_oldest(held, sums, squares, whole)
        if drift:
            alarms[found] = at - 1
            found += 1
    return found

"""The time that recent records agree on, where no broker stamped them: a kernel.

A producer's clock can be wrong, and so can the times of a few rows of a file. The agreed time is
the latest that three quarters of the records of the last three seconds have reached; it never goes
back, and depends on the record times of one chunk alone. Why each number is what it is:
docs/adr/0050-a-watermark-that-one-clock-cannot-move.md. `tests/oracles/quorum.py` is its slow twin.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from stream.contracts.moments import MINUS_INFINITY

__all__ = ["NEVER", "SPAN_MS", "Quorum", "warm_up"]

NEVER: Final = MINUS_INFINITY
#: The window: records of so many ms by the chunk's mean rate, at least and at most so many records.
SPAN_MS: Final = 3_000
_MIN_RECORDS: Final = 6
_MAX_RECORDS: Final = 1_024
#: All of so many have to agree; above that three quarters.
_SURE: Final = 8
#: A step further than this needs more evidence: a wrong one blinds for as long.
_FAR_MS: Final = 60_000
_SURE_OF_FAR: Final = 16
#: Record times beyond these are taken for them: no sum or difference of them overflows.
_EARLIEST: Final = 0
_LATEST: Final = 2**53

# Places in the state. The window's times in order stand in `ordered` from BEGIN on.
_NOW, _GONE, _SINCE, _COUNT, _HAVE, _BEGIN = range(6)
_RING: Final = 2_048  # a power of two above _MAX_RECORDS + 1
_ROOM: Final = 4_096

_Ints = npt.NDArray[np.int64]


@kernel
def _insert(time: int, scalars: _Ints, ordered: _Ints) -> None:
    """Put a time into the window, moving what lies on its nearer side."""
    begin, have = scalars[_BEGIN], scalars[_HAVE]
    if begin == 0 or begin + have == _ROOM:
        middle = (_ROOM - have) // 2
        if middle < begin:
            for i in range(have):
                ordered[middle + i] = ordered[begin + i]
        else:
            for i in range(have - 1, -1, -1):
                ordered[middle + i] = ordered[begin + i]
        begin = middle
    end = begin + have
    low, high = begin, end
    if have and ordered[end - 1] <= time:  # as it is where records are in order
        low = end
    while low < high:
        at = (low + high) >> 1
        if ordered[at] <= time:
            low = at + 1
        else:
            high = at
    if end - low <= low - begin:
        for i in range(end, low, -1):
            ordered[i] = ordered[i - 1]
        ordered[low] = time
    else:
        begin -= 1
        for i in range(begin, low - 1):
            ordered[i] = ordered[i + 1]
        ordered[low - 1] = time
    scalars[_BEGIN], scalars[_HAVE] = begin, have + 1


@kernel
def _remove(time: int, scalars: _Ints, ordered: _Ints) -> None:
    """Take a time that is there out of the window."""
    begin, have = scalars[_BEGIN], scalars[_HAVE]
    end = begin + have
    low, high = begin, end
    if ordered[begin] == time:  # the oldest is mostly the least
        high = begin
    while low < high:
        at = (low + high) >> 1
        if ordered[at] < time:
            low = at + 1
        else:
            high = at
    if end - low <= low - begin:
        for i in range(low, end - 1):
            ordered[i] = ordered[i + 1]
    else:
        for i in range(low, begin, -1):
            ordered[i] = ordered[i - 1]
        begin += 1
    scalars[_BEGIN], scalars[_HAVE] = begin, have - 1


@kernel
def _slide(time: int, scalars: _Ints, last: _Ints, ordered: _Ints) -> int:
    """Take a record's time into the window; how many records the window is to hold."""
    count = scalars[_COUNT]
    last[count & (_RING - 1)] = time
    count += 1
    scalars[_COUNT] = count
    _insert(time, scalars, ordered)
    n = _MAX_RECORDS
    gone = scalars[_GONE]
    if gone >= SPAN_MS:
        n = min(_MAX_RECORDS, max(_MIN_RECORDS, (scalars[_SINCE] * SPAN_MS + gone - 1) // gone))
    while scalars[_HAVE] > n:
        _remove(last[(count - scalars[_HAVE]) & (_RING - 1)], scalars, ordered)
    while scalars[_HAVE] < n and scalars[_HAVE] < min(count, _MAX_RECORDS + 1):
        _insert(last[(count - scalars[_HAVE] - 1) & (_RING - 1)], scalars, ordered)
    return n


@kernel
def _after_silence(time: int, n: int, floor: int, scalars: _Ints, last: _Ints) -> int:
    """The earliest of the last records if all are later than `floor`, and not sent at once.

    That is how the time moves on after a silence, and when the rate has fallen.
    """
    now, count = scalars[_NOW], scalars[_COUNT]
    run = _SURE_OF_FAR if n >= _SURE else _SURE
    if count < run or time <= now or last[(count - run) & (_RING - 1)] <= now:
        return floor
    low = high = time
    for back in range(2, run + 1):
        other = last[(count - back) & (_RING - 1)]
        low, high = min(low, other), max(high, other)
    return low if low > max(now, floor) and high - low >= SPAN_MS else floor


@kernel
def agree(
    times: _Ints, scalars: _Ints, last: _Ints, ordered: _Ints, agreed: _Ints, windows: _Ints
) -> None:
    """Take record times in, in log order.

    `agreed` gets the time agreed on after each, `windows` how many records its window is to hold.
    A record of `NEVER` has no time: it changes nothing.
    """
    for i in range(len(times)):
        if times[i] == NEVER:
            agreed[i], windows[i] = scalars[_NOW], _MAX_RECORDS
            continue
        time = min(max(times[i], _EARLIEST), _LATEST)
        n = _slide(time, scalars, last, ordered)
        scalars[_SINCE] += 1
        now, have, begin = scalars[_NOW], scalars[_HAVE], scalars[_BEGIN]
        best = NEVER
        if have >= _MIN_RECORDS:
            need = max(min(have, _SURE), (3 * have + 3) // 4)
            reached = ordered[begin + have - need]
            if now == NEVER:
                # A chunk is not begun by one producer's batch: a record whose clock is far ahead
                # ends a chunk, and so stands first in the next.
                spread = ordered[begin + have - 1] - reached
                if have >= _SURE and (spread >= SPAN_MS or have >= _MAX_RECORDS):
                    best = reached
            elif reached > now and (reached <= now + _FAR_MS or have >= _SURE_OF_FAR):
                best = reached
        if now != NEVER:
            best = _after_silence(time, n, best, scalars, last)
        if best > now:
            if now == NEVER:
                scalars[_SINCE] = 0
            else:
                # Steps count for a span at most: a window measured by its own clock would swing.
                scalars[_GONE] += min(best - now, SPAN_MS)
            scalars[_NOW] = best
        agreed[i], windows[i] = scalars[_NOW], n


class Quorum:
    """The agreed time of one chunk: 48 kB of state."""

    def __init__(self) -> None:
        self._scalars = np.zeros(6, np.int64)
        self._scalars[_NOW] = NEVER
        self._scalars[_BEGIN] = _ROOM // 2
        self._last = np.empty(_RING, np.int64)
        self._ordered = np.empty(_ROOM, np.int64)

    def take(self, times: _Ints) -> tuple[_Ints, _Ints]:
        """The time agreed on after each record, and how many records its window is to hold."""
        agreed, windows = np.empty_like(times), np.empty_like(times)
        agree(times, self._scalars, self._last, self._ordered, agreed, windows)
        return agreed, windows


def warm_up() -> None:
    """Compile the kernels, or load them, before a worker joins its group."""
    Quorum().take(np.zeros(1, np.int64))

"""How far event time has come in the open chunk: the watermark that no one clock can move.

The watermark is the running maximum of min(event time, clock). The clock is the record's own time
where the broker stamped it (LogAppendTime). Elsewhere it is the time that the records of the chunk
agree on; there a lone producer may lead it by `LEAD_MS`, because that time is reached a little
late. Records without a time, as those of files, stand for their newest event.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decode.record import LOG_APPEND_TIME, Record
from stream.stage1.quorum import NEVER, Quorum

__all__ = ["FURTHEST_MS", "LEAD_MS", "ChunkClock", "Reading"]

#: Saves the delay of the agreed time above some records a second. A constant and not a part of a
#: plan's lateness: a chunk has one watermark for all plans.
LEAD_MS: Final = 2_500
#: An event that leads an agreed time by more is refused: the span of a chunk, and a minute.
FURTHEST_MS: Final = 660_000

#: As Kafka's `message.timestamp.type` has them.
BY_BROKER: Final = "LogAppendTime"
BY_PRODUCER: Final = "CreateTime"
NO_TIME: Final = "none"

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
_TYPE = attrgetter("timestamp_type")


class Reading(NamedTuple):
    """What is known of the time of each of a run of records.

    Attributes
    ----------
    own : int64[n]
        The record's time; of one without, that of its newest event, `NEVER` if it has none.
    clock : int64[n]
        The time that its events are held against, `NEVER` before any is agreed on.
    stamped, timed : bool[n]
        Whether the broker gave the time; whether anybody did.
    windows : int64[n]
        Records that the agreed time is taken from; 0 where the broker's is.
    """

    own: _Ints
    clock: _Ints
    stamped: _Bools
    timed: _Bools
    windows: _Ints

    def beyond(self, time_ms: _Ints, record: _Ints) -> _Bools | None:
        """Which events lead an agreed time by more than any silence within a chunk accounts for.

        They would keep panes open for as long as they lead. Their own record's time says nothing:
        it is of the same clock. None if there is none.
        """
        limit = self.clock + FURTHEST_MS
        far = self.timed & ~self.stamped & (self.clock > NEVER) & (self.own > limit)
        if not far.any():
            return None
        found = far[record] & (time_ms > limit[record])
        return found if found.any() else None


class ChunkClock:
    """The clock of one chunk; a function of its records up to the last that was read.

    Attributes
    ----------
    mark_ms : int
        The watermark: it takes the place of the largest event time everywhere.
    type : str
        Who gave the time of the last record that was read.
    reached_ms, newest_ms : int
        The largest min(event time, clock), and the largest min(event time, record's own time).
    """

    def __init__(self) -> None:
        self.mark_ms = NEVER
        self.reached_ms = NEVER
        self.newest_ms = NEVER
        self.type = NO_TIME
        self._quorum: Quorum | None = None

    def read(
        self, records: Sequence[Record], stamps: _Ints, time_ms: _Ints, record: _Ints
    ) -> Reading:
        """Look at the next records; `time_ms` are their events, `record` whose each is."""
        timed = stamps > 0
        by = records[-1].timestamp_type == LOG_APPEND_TIME
        self.type = NO_TIME if not timed[-1] else BY_BROKER if by else BY_PRODUCER
        kinds = set(map(_TYPE, records))
        if kinds == {LOG_APPEND_TIME}:
            stamped = timed
        elif LOG_APPEND_TIME in kinds:
            types = np.array([kind == LOG_APPEND_TIME for kind in map(_TYPE, records)])
            stamped = timed & types
        else:
            stamped = np.zeros(len(stamps), np.bool_)
        own = stamps
        if not timed.all():
            own = np.where(timed, stamps, NEVER)
            untimed = ~timed[record]
            np.maximum.at(own, record[untimed], time_ms[untimed])
        if stamped.all():
            return Reading(own, own, stamped, timed, np.zeros(len(own), np.int64))
        if self._quorum is None:
            self._quorum = Quorum()
        agreed, windows = self._quorum.take(np.where(stamped, NEVER, own))
        clock = np.where(stamped, own, agreed)
        return Reading(own, clock, stamped, timed, np.where(stamped, 0, windows))

    @property
    def spread_ms(self) -> int:
        """By how much the furthest producer leads the agreed time; 0 before there is one."""
        return 0 if self.reached_ms == NEVER else self.newest_ms - self.reached_ms

    def advance(self, reading: Reading, time_ms: _Ints, record: _Ints) -> _Ints:
        """The watermark after each of these events."""
        if not time_ms.size:
            return time_ms
        reached = _running(np.minimum(time_ms, reading.clock[record]), self.reached_ms)
        if reading.clock is reading.own and self.newest_ms == self.reached_ms:
            newest = mark = reached
        else:
            newest = _running(np.minimum(time_ms, reading.own[record]), self.newest_ms)
            mark = np.where(reached == NEVER, NEVER, np.minimum(newest, reached + LEAD_MS))
        self.reached_ms, self.newest_ms = int(reached[-1]), int(newest[-1])
        self.mark_ms = int(mark[-1])
        return mark


def _running(values: _Ints, before: int) -> _Ints:
    """The largest so far."""
    running = np.maximum.accumulate(values)
    return np.maximum(running, before, out=running)

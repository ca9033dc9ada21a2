"""A file's records in blocks that end where panes do, wherever events come late.

Stage 1 says how many events came late once for all records that it is handed together, and stage 2
tells them of the first window that closes then. A worker is handed what came within a second. Of a
file that would be hours: late events would be told of windows that closed long before they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from stream.contracts.unread import Unread
from stream.decode.columns import Decoded
from stream.decode.record import Record, stamps_of
from stream.plans.plan import AnyPlan, PlanBook
from stream.stage1.quorum import NEVER
from stream.stage1.summarise import CHUNK_RECORDS, Decoder
from stream.stage1.watermark import ChunkClock

__all__ = ["PaneBlocks"]

_Ints = npt.NDArray[np.int64]


class PaneBlocks:
    """Cuts records into the blocks that the summariser of one source partition is handed.

    It looks ahead with the summariser's decoder, whose place it takes: what was decoded to look at
    it is not decoded again, unless it is cut.

    Parameters
    ----------
    decoder : Decoder
    plans : PlanBook
    topic : str
        Of the source.
    """

    def __init__(self, decoder: Decoder, plans: PlanBook, topic: str) -> None:
        self._decoder, self._plans, self._topic = decoder, plans, topic
        self._clock, self._in_chunk = ChunkClock(), 0
        self._reached_ms = NEVER
        self._seen: tuple[list[Record], Decoded] | None = None

    def decode(self, records: Sequence[Record]) -> Decoded:
        """As the decoder does."""
        seen, self._seen = self._seen, None
        if seen is not None and len(seen[0]) == len(records) and seen[0][0] is records[0]:
            return seen[1]
        return self._decoder.decode(records)

    def release_idle(self) -> int:
        """As the decoder does."""
        return self._decoder.release_idle()

    def cut(self, records: list[Record]) -> Iterator[list[Record]]:
        """The next records, in one block or in several."""
        if isinstance(records[-1], Unread):
            yield records
            return
        decoded = self._decoder.decode(records)
        ends = self._ends(records, decoded)
        if not ends:
            self._seen = records, decoded
        begin = 0
        for end in [*ends, len(records)]:
            if begin < end:
                yield records[begin:end]
            begin = end

    def _ends(self, records: list[Record], decoded: Decoded) -> list[int]:
        """Where blocks end: behind a record that ends a pane, if events are late beside it."""
        if self._in_chunk == CHUNK_RECORDS:
            self._clock, self._in_chunk = ChunkClock(), 0
        self._in_chunk += len(records)
        reading = self._clock.read(records, stamps_of(records), decoded.time_ms, decoded.record)
        mark = self._clock.advance(reading, decoded.time_ms, decoded.record)
        if not mark.size:
            return []
        before, late = self._reached_ms, np.zeros(mark.size, np.bool_)
        mark = np.maximum(mark, before)
        self._reached_ms = int(mark[-1])
        for group in decoded.groups:
            plan, time_ms = group.plan, decoded.time_ms[group.rows]
            pane_ends = time_ms - time_ms % plan.pane_ms + plan.pane_ms
            late[group.rows] |= pane_ends <= mark[group.rows] - plan.lateness_ms
        if not late.any():
            return []
        completes = np.zeros(mark.size, np.bool_)
        for _, plan in self._plans:
            if plan.topic == self._topic:
                done = _completed(plan, np.concatenate([[before], mark]))
                completes |= done[1:] > done[:-1]
        ends = np.unique(decoded.record[completes]) + 1
        # A block without late events says nothing of them, however long it is.
        has_late = np.zeros(ends.size + 1, np.bool_)
        has_late[np.searchsorted(ends, decoded.record[late], side="right")] = True
        kept: list[int] = ends[has_late[:-1] | has_late[1:]].tolist()
        return kept


def _completed(plan: AnyPlan, mark: _Ints) -> _Ints:
    """Start of the first pane that is not complete at each watermark."""
    time_ms = mark - plan.lateness_ms
    start: _Ints = time_ms - time_ms % plan.pane_ms
    return start

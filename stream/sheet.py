"""Counts of the open chunk: a row of bins for each (segment, pane) that may still change.

What is counted, and under which name, depends on the chunk's records and their order alone, never
on how they were dealt into polls: another reader of the chunk must find the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import accumulate
from detectors.sparse import encode_counts
from stream.columns import Columns
from stream.plan import Plan, Subject
from stream.summary import OTHER_SEGMENT, SummaryEntry

__all__ = ["MAX_SEGMENTS", "MAX_SEGMENT_CHARS", "Sheet"]

#: Values beyond this many of one segment in one chunk are counted together.
MAX_SEGMENTS: Final = 2_000
#: Longer values are counted with the others: nobody reads them, and a summary has to fit a message.
MAX_SEGMENT_CHARS: Final = 200

_Ints = npt.NDArray[np.int64]
_Slots = npt.NDArray[np.int32]


class Sheet:
    """Counts of one subject under one plan in the open chunk.

    Attributes
    ----------
    late, late_sent : int
        Events that came after their pane was complete in this chunk, and how many of them the
        last flush told of.
    """

    def __init__(self, subject: Subject, plan: Plan) -> None:
        self.subject = subject
        self.plan = plan
        self.late = 0
        self.late_sent = 0
        self._rows: dict[tuple[str, int], int] = {}
        self._counts = np.zeros((4, plan.layout.width), np.int64)
        self._free = list(range(len(self._counts)))[::-1]
        self._changed: set[int] = set()
        # The limit is each segment's own: which values come first is then a matter of the log.
        self._values: dict[str, set[str]] = {name: set() for name in plan.segments}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, columns: Columns, time_ms: _Ints, newest_ms: _Ints) -> int:
        """Count the events whose pane is still open in this chunk; the number of late ones.

        `newest_ms` is, for each event, the largest time in the chunk up to and with its own.
        """
        plan = self.plan
        pane = time_ms - time_ms % plan.pane_ms
        late = pane + plan.pane_ms <= newest_ms - plan.lateness_ms
        n_late = int(np.count_nonzero(late))
        self.late += n_late
        if n_late:
            columns = Columns(
                columns.subject, plan, columns.rows[~late], columns.numeric[~late],
                columns.codes[~late],
                [[v for v, is_late in zip(values, late.tolist(), strict=True) if not is_late]
                 for values in columns.segments],
            )  # fmt: skip
            pane = pane[~late]
        if not pane.size:
            return n_late
        positions = plan.layout.positions(columns.numeric, columns.codes)
        panes, which = np.unique(pane, return_inverse=True)
        for slots in self._scopes(columns, panes.tolist(), which.astype(np.int32)):
            accumulate(positions, slots, self._counts)
        return n_late

    def _scopes(self, columns: Columns, panes: list[int], which: _Slots) -> Iterator[_Slots]:
        """Slots of every event for scope `all`, then for each segment; -1 is not counted."""
        yield np.array([self._slot("", pane) for pane in panes], np.int32)[which]
        for name, values in zip(self.plan.segments, columns.segments, strict=True):
            known: dict[tuple[str | None, int], int] = {}
            slots = np.empty(len(which), np.int32)
            for row, place in enumerate(zip(values, which.tolist(), strict=True)):
                slot = known.get(place)
                if slot is None:
                    value, pane = place
                    slot = -1 if value is None else self._slot(self._name(name, value), panes[pane])
                    known[place] = slot
                slots[row] = slot
            yield slots

    def _name(self, name: str, value: str) -> str:
        """Name of a segment's scope, or of the one for what is beyond the limits."""
        seen = self._values[name]
        if value not in seen:
            if len(seen) >= MAX_SEGMENTS or len(value) > MAX_SEGMENT_CHARS:
                return f"{name}={OTHER_SEGMENT}"
            seen.add(value)
        return f"{name}={value}"

    def _slot(self, segment: str, pane_ms: int) -> int:
        """The row of a (segment, pane), made at first sight."""
        row = self._rows.get((segment, pane_ms))
        if row is None:
            if not self._free:
                size = len(self._counts)
                self._free = list(range(size, 2 * size))[::-1]
                self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
            row = self._rows[segment, pane_ms] = self._free.pop()
        self._changed.add(row)
        return row

    @property
    def has_news(self) -> bool:
        """Whether anything was counted that no flush carried yet."""
        return bool(self._changed) or self.late != self.late_sent

    def take(self, newest_ms: int, *, only_complete: bool) -> list[SummaryEntry]:
        """Changed summaries; rows of panes that are complete by now are given back.

        A complete pane never changes again in this chunk, since what comes for it is late: a chunk
        of old events with a pane each costs no more memory than its open panes.
        """
        self.late_sent = self.late
        complete_ms = newest_ms - self.plan.lateness_ms - self.plan.pane_ms
        entries = []
        for (segment, pane_ms), row in list(self._rows.items()):
            complete = pane_ms <= complete_ms
            if row in self._changed and (complete or not only_complete):
                self._changed.discard(row)
                entries.append(SummaryEntry(segment, pane_ms, encode_counts(self._counts[row])))
            if complete:
                del self._rows[segment, pane_ms]
                self._counts[row] = 0
                self._free.append(row)
        return entries

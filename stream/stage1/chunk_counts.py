"""Counts of the open chunk: a row for each (segment, pane) that may still change.

What is counted, and under which name, depends on the chunk's records and their order alone, never
on how they were dealt into polls: another reader of the chunk must find the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.ids import IdRows
from detectors.references.segments import (
    MAX_VALUE_CHARS,
    Segment,
    columns_of_segments,
    other_scope,
    scope_name,
    segment_name,
)
from stream.contracts.summary_message import SummaryEntry
from stream.decode.columns import Columns
from stream.plans.plan import AnyPlan, LearningPlan, Subject
from stream.stage1.accumulators import accumulators_for, identify

__all__ = ["MAX_SEGMENTS", "MAX_SEGMENT_CHARS", "ChunkCounts"]

#: Values, or combinations of them, beyond so many of one segment in one chunk are counted together.
MAX_SEGMENTS: Final = 2_000
#: Longer values are counted with the others: nobody reads them, and a summary has to fit a message.
MAX_SEGMENT_CHARS: Final = MAX_VALUE_CHARS

_Ints = npt.NDArray[np.int64]
_Slots = npt.NDArray[np.int32]
_UNKNOWN: Final = -2
#: A pane's table of values pays from so many events of it in one poll.
_FEW: Final = 32
_FIRST_ROWS: Final = 1


class _Values(dict[Any, int]):
    """Value of a segment -> its number, for `map(values.__getitem__, column)`: one C look-up.

    Numbers are given in the order of the log, up to the limit; `names` has the scope of each.
    None is not counted; number 0 is for all values beyond the limits. Of a combination a value is
    the tuple of its members' values, and one that lacks a member is not counted.
    """

    def __init__(self, segment: Segment, columns: Sequence[str]) -> None:
        super().__init__()
        self[None] = -1
        self._segment = segment
        self._at = [columns.index(name) for name in columns_of_segments([segment])]
        self.names = [other_scope(segment_name(segment))]

    def __missing__(self, value: Any) -> int:
        members: tuple[Any, ...] = (value,) if isinstance(value, str) else value
        if None in members:
            return -1
        if len(self.names) > MAX_SEGMENTS or max(map(len, members)) > MAX_SEGMENT_CHARS:
            return 0
        number = self[value] = len(self.names)
        self.names.append(scope_name(self._segment, value))
        return number

    def numbers(self, columns: Sequence[Sequence[str | None]]) -> _Slots:
        """The number of each event's value, given what events say by column."""
        first, *others = (columns[at] for at in self._at)
        values = zip(first, *others, strict=True) if others else first
        return np.fromiter(map(self.__getitem__, values), np.int32, len(first))


class ChunkCounts:
    """Counts of one subject under one plan in the open chunk.

    Attributes
    ----------
    late, late_sent : int
        Events that came after their pane was complete in this chunk, and how many of them the
        last flush told of.
    folded : int
        Values of segments beyond a limit, which are counted together.
    ahead, ahead_sent, ahead_max_ms : int
        Events from a clock that leads, how many of them the last flush told of, and the most that
        one of them led by.
    stale, aged : int
        Events whose records were made much later than what they tell of, of so many looked at.
    """

    def __init__(self, subject: Subject, plan: AnyPlan) -> None:
        self.subject = subject
        self.plan = plan
        self.late = 0
        self.folded = 0
        self.late_sent = 0
        self.ahead = 0
        self.ahead_sent = 0
        self.ahead_max_ms = 0
        self.stale = 0
        self.aged = 0
        self._rows: dict[tuple[str, int], int] = {}
        self._accumulators = accumulators_for(plan)
        self._ids: IdRows | None = None  # until an event is identified
        self._changed = np.zeros(0, np.bool_)
        self._free: list[int] = []
        # The limit is each segment's own: which values come first is then a matter of the log.
        self._values = [_Values(segment, plan.segment_columns) for segment in plan.segments]
        # For each segment and pane, the row of every value by its number.
        self._tables: dict[tuple[int, int], _Slots] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, columns: Columns, time_ms: _Ints, mark_ms: _Ints) -> int:
        """Count the events whose pane is still open in this chunk; the number of late ones.

        `mark_ms` is, for each event, the chunk's watermark up to and with its own.
        """
        plan = self.plan
        pane = time_ms - time_ms % plan.pane_ms
        late = self.are_late(time_ms, mark_ms)
        n_late = int(np.count_nonzero(late))
        self.late += n_late
        left_out = late
        if isinstance(plan, LearningPlan) and (truths := columns.truths) is not None:
            left_out = late | truths  # no outcomes are learned
        if left_out.any():
            columns = columns.take(np.flatnonzero(~left_out), self.subject.version)
            pane, time_ms = pane[~left_out], time_ms[~left_out]
        if not pane.size:
            return n_late
        by_signal = self._accumulators.place(columns)
        ids = identify(columns, time_ms)
        panes, which = np.unique(pane, return_inverse=True)
        for slots in self._scopes(columns, panes.tolist(), which.astype(np.int32)):
            self._accumulators.count(by_signal, slots)
            if ids is not None:
                self._id_rows().count(ids, slots)
        return n_late

    def are_late(self, time_ms: _Ints, mark_ms: _Ints) -> npt.NDArray[np.bool_]:
        """Which events came after their pane was complete in this chunk."""
        plan = self.plan
        pane_end = time_ms - time_ms % plan.pane_ms + plan.pane_ms
        late: npt.NDArray[np.bool_] = pane_end <= mark_ms - plan.lateness_ms
        return late

    def _id_rows(self) -> IdRows:
        """A sample of ids for each row; made when an event is identified."""
        if self._ids is None:
            self._ids = IdRows()
            self._ids.grow(len(self._changed))
        return self._ids

    def _scopes(self, columns: Columns, panes: list[int], which: _Slots) -> Iterator[_Slots]:
        """Slots of every event for scope `all`, then for each segment; -1 is not counted."""
        yield np.array([self._slot("", pane) for pane in panes], np.int32)[which]
        order = np.argsort(which, kind="stable") if len(panes) > 1 else slice(None)
        cuts = [0, *np.cumsum(np.bincount(which, minlength=len(panes))).tolist()]
        for k, known in enumerate(self._values):
            numbers = known.numbers(columns.segments)
            self.folded += len(numbers) - int(np.count_nonzero(numbers))
            if len(numbers) < _FEW * len(panes):
                yield np.array(
                    [
                        -1 if number < 0 else self._slot(known.names[number], panes[i])
                        for number, i in zip(numbers.tolist(), which.tolist(), strict=True)
                    ],
                    np.int32,
                )
                continue
            numbers = numbers[order]
            slots = np.empty_like(numbers)
            for i, pane in enumerate(panes):
                here = slice(cuts[i], cuts[i + 1])
                slots[here] = self._segment_slots(k, known.names, pane, numbers[here])
            in_order = np.empty_like(slots)
            in_order[order] = slots
            yield in_order

    def _segment_slots(self, k: int, names: list[str], pane_ms: int, numbers: _Slots) -> _Slots:
        """Slots of events of one pane, by the numbers of their segment's values."""
        table = self._tables.get((k, pane_ms))
        if table is None or len(table) <= len(names):
            table = np.full(min(2 * len(names), MAX_SEGMENTS + 1) + 1, _UNKNOWN, np.int32)
            table[-1] = -1  # where None's number leads
            table_before = self._tables.get((k, pane_ms))
            if table_before is not None:
                table[: len(table_before) - 1] = table_before[:-1]
            self._tables[k, pane_ms] = table
        slots = table[numbers]
        new = numbers[slots == _UNKNOWN]
        if new.size:
            for number in dict.fromkeys(new.tolist()):
                table[number] = self._slot(names[number], pane_ms)
            slots = table[numbers]
        self._changed[slots[slots >= 0]] = True
        return slots

    def _slot(self, segment: str, pane_ms: int) -> int:
        """The row of a (segment, pane), made at first sight."""
        row = self._rows.get((segment, pane_ms))
        if row is None:
            if not self._free:
                size = len(self._changed)
                more = max(size, _FIRST_ROWS)
                self._free = list(range(size, size + more))[::-1]
                self._accumulators.grow(size + more)
                self._changed = np.concatenate([self._changed, np.zeros(more, np.bool_)])
                if self._ids is not None:
                    self._ids.grow(size + more)
            row = self._rows[segment, pane_ms] = self._free.pop()
        self._changed[row] = True
        return row

    def note_ahead(self, events: int, max_lead_ms: int) -> None:
        """Count events that are ahead of the clock, by up to `max_lead_ms`."""
        self.ahead += events
        self.ahead_max_ms = max(self.ahead_max_ms, max_lead_ms)

    @property
    def has_news_of_clocks(self) -> bool:
        """Whether there are late events, or events ahead, that no flush reported yet."""
        return self.late != self.late_sent or self.ahead != self.ahead_sent

    @property
    def has_news(self) -> bool:
        """Whether anything was counted that no flush carried yet."""
        return bool(self._changed.any()) or self.has_news_of_clocks

    def take(self, mark_ms: int, *, only_complete: bool) -> list[SummaryEntry]:
        """Changed summaries; rows of panes that are complete by now are given back.

        A complete pane never changes again in this chunk, since what comes for it is late: a chunk
        of old events with a pane each costs no more memory than its open panes.
        """
        self.late_sent, self.ahead_sent = self.late, self.ahead
        complete_ms = mark_ms - self.plan.lateness_ms - self.plan.pane_ms
        entries = []
        for (segment, pane_ms), row in list(self._rows.items()):
            complete = pane_ms <= complete_ms
            if self._changed[row] and (complete or not only_complete):
                self._changed[row] = False
                ids = b"" if self._ids is None else self._ids.sample(row).encode()
                entries.append(SummaryEntry(segment, pane_ms, self._accumulators.encode(row), ids))
            if complete:
                del self._rows[segment, pane_ms]
                self._accumulators.clear(row)
                if self._ids is not None:
                    self._ids.clear(row)
                self._free.append(row)
        for place in [place for place in self._tables if place[1] <= complete_ms]:
            del self._tables[place]
        return entries

"""Tumbling windows of whole panes, a set for every segment of one subject.

A window closes when it holds enough events, or at its deadline: `max_age` after its first pane, or
the end of the cycle where the stream has one. A cycle that holds too few events to be tested is
joined by the next ones. Event time only, and panes come in order, so when a window closes does not
depend on how the frontier moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import decode_counts, encode_counts
from detectors.references.segments import other_scope, segment_of

__all__ = [
    "MAX_CYCLES",
    "MAX_SCOPES",
    "Closed",
    "Skipped",
    "Window",
    "WindowRule",
    "Windows",
]  # fmt: skip

#: Segments of one subject with a window of their own; what is beyond them is counted together.
MAX_SCOPES: Final = 2_000
#: Fewer events show nothing of a distribution.
_MIN_LOOK: Final = 100
#: Half windows that fill sooner are not looked at.
_MIN_HALF_MS: Final = 300_000
_NOWHERE: Final = slice(0, 0)
#: A window of whole cycles that is still too small after so many is given up.
MAX_CYCLES: Final = 8


@dataclass(frozen=True, slots=True)
class WindowRule:
    """When windows close; times in milliseconds, `cycle_ms` 0 for a stream without a cycle."""

    events: int
    max_age_ms: int
    min_events: int
    cycle_ms: int = 0

    def deadline(self, start_ms: int) -> int:
        """Event time at which a window that begins with this pane closes at the latest."""
        if self.cycle_ms:
            return start_ms - start_ms % self.cycle_ms + self.cycle_ms
        return start_ms + self.max_age_ms

    def is_cut(self, start_ms: int, born_ms: int) -> bool:
        """Whether a window lacks its cycle's beginning because the stream began within it."""
        if not self.cycle_ms:
            return False
        missed = born_ms % self.cycle_ms
        return (
            start_ms - start_ms % self.cycle_ms == born_ms - missed and missed * 7 > self.cycle_ms
        )

    def passes_half(self, before: int, after: int, elapsed_ms: int) -> bool:
        """Whether a window came to half of its events: there it is looked at, not tested.

        Not where that took less than five minutes: such windows end episodes soon enough, and
        detectors that still settle after a change would only open the next one.
        """
        half = self.events // 2
        slow = elapsed_ms >= _MIN_HALF_MS and half >= _MIN_LOOK
        return slow and not self.cycle_ms and before < half <= after < self.events

    @property
    def min_tested_events(self) -> int:
        """Windows with fewer events are not tested."""
        return min(self.min_events, self.events)

    def goes_on(self, window: Window, born_ms: int) -> bool:
        """Whether a window stays open over its deadline, for one cycle more."""
        return (
            self.cycle_ms > 0
            and window.events < self.min_tested_events
            and window.deadline_ms - window.start_ms <= (MAX_CYCLES - 1) * self.cycle_ms
            and not self.is_cut(window.start_ms, born_ms)
        )

    def is_full(self, events: int) -> bool:
        """Whether a window closes before its deadline. A cycle is never cut."""
        return not self.cycle_ms and events >= self.events


class Window(msgspec.Struct):
    """The filling window of one segment."""

    start_ms: int
    deadline_ms: int
    events: int
    counts: npt.NDArray[np.int64]
    offsets: dict[int, tuple[int, int]]


class Closed(NamedTuple):
    """A window that closed; `full` is False if it holds too little of its time to be tested."""

    segment: str
    start_ms: int
    end_ms: int
    events: int
    counts: npt.NDArray[Any]  # of integers
    offsets: dict[int, tuple[int, int]]
    full: bool


class Skipped:
    """Scopes whose last window held too little to be tested, and how many in a row did.

    Of the latest 2,000 of them.
    """

    def __init__(self) -> None:
        self.windows: dict[str, int] = {}

    def note(self, window: Closed) -> None:
        """Take the next window of its scope in."""
        before = self.windows.pop(window.segment, 0)
        if window.full:
            return
        self.windows[window.segment] = before + 1
        if len(self.windows) > MAX_SCOPES:
            del self.windows[next(name for name in self.windows if name)]

    @property
    def in_a_row(self) -> int:
        """Windows of the whole stream since the last that was tested."""
        return self.windows.get("", 0)

    @property
    def segments(self) -> list[str]:
        """Segments whose last window was not tested."""
        return [name for name in list(self.windows) if name]


class Windows:
    """The filling windows of all segments, and the last full one of each for display.

    The events of a window are predictions, or truths if more of them came: those of a night bring
    none. `truths` is where these are counted.
    """

    def __init__(self, rule: WindowRule, width: int, truths: slice = _NOWHERE) -> None:
        self.rule = rule
        self.width = width
        self._truths = truths
        self.filling: dict[str, Window] = {}
        self.last: dict[str, Closed] = {}
        self.born_ms: int | None = None  # the first pane of the stream
        self.n_closed = 0  # since this object was made, so that a change can be seen
        self._next_deadline_ms: int | None = None

    def add(
        self,
        segment: str,
        pane_ms: int,
        pane_end_ms: int,
        counts: npt.NDArray[np.int64],
        offsets: dict[int, tuple[int, int]],
    ) -> Closed | None:
        """Add a pane to a segment's window; the window if that fills it."""
        if self.born_ms is None:
            self.born_ms = pane_ms
        window = self.filling.get(segment)
        if window is None and segment and len(self.filling) >= MAX_SCOPES:
            segment = other_scope(segment_of(segment))
            window = self.filling.get(segment)
        if window is None:
            # A deadline within a pane would be passed before or after that pane's end, depending on
            # how far the frontier goes at once.
            deadline = self.rule.deadline(pane_ms)
            deadline += (pane_ms - deadline) % (pane_end_ms - pane_ms)
            window = self.filling[segment] = Window(
                pane_ms, deadline, 0, np.zeros(self.width, np.int64), {}
            )
            if self._next_deadline_ms is None or deadline < self._next_deadline_ms:
                self._next_deadline_ms = deadline
        window.counts += counts
        window.events = self._events(window.counts)
        for partition, (first, last) in offsets.items():
            low, high = window.offsets.get(partition, (first, last))
            window.offsets[partition] = (min(low, first), max(high, last))
        return self._close(segment, pane_end_ms) if self.rule.is_full(window.events) else None

    def expire(self, time_ms: int) -> list[Closed]:
        """Close the windows whose deadline is at or before this time, by deadline and name."""
        if self._next_deadline_ms is None or self._next_deadline_ms > time_ms:
            return []
        for window in self.filling.values():
            while window.deadline_ms <= time_ms and self.rule.goes_on(window, self._born(window)):
                window.deadline_ms += self.rule.cycle_ms
        due = sorted(
            (w.deadline_ms, segment)
            for segment, w in self.filling.items()
            if w.deadline_ms <= time_ms
        )
        closed = [self._close(segment, deadline) for deadline, segment in due]
        self._next_deadline_ms = min((w.deadline_ms for w in self.filling.values()), default=None)
        return closed

    def _events(self, counts: npt.NDArray[np.int64]) -> int:
        return max(int(counts[0]), int(counts[self._truths].sum()))

    def _born(self, window: Window) -> int:
        return window.start_ms if self.born_ms is None else self.born_ms

    def _close(self, segment: str, end_ms: int) -> Closed:
        window = self.filling.pop(segment)
        self.n_closed += 1
        cut = self.rule.is_cut(window.start_ms, self._born(window))
        full = window.events >= self.rule.min_tested_events and not cut
        closed = Closed(
            segment, window.start_ms, end_ms, window.events, window.counts, window.offsets, full
        )
        if full:
            self.last.pop(segment, None)
            self.last[segment] = closed._replace(counts=_narrow(closed.counts))
            if len(self.last) > MAX_SCOPES:  # forget the one that has been silent longest
                del self.last[next(name for name in self.last if name)]
        return closed

    def dump(self, segments: list[str]) -> bytes:
        """Windows of the named segments as bytes; `load` is the inverse."""
        filling = [
            (name, w.start_ms, w.deadline_ms, encode_counts(w.counts), w.offsets)
            for name in segments
            if (w := self.filling.get(name)) is not None
        ]
        named = set(segments)
        last = [  # in the order they closed in: it decides which is forgotten first
            (name, c.start_ms, c.end_ms, encode_counts(c.counts.astype(np.int64)), c.offsets)
            for name, c in self.last.items()
            if name in named
        ]
        return msgspec.msgpack.encode((self.born_ms, filling, last))

    def load(self, data: bytes) -> None:
        """Add the windows of one dump to these.

        Raises
        ------
        ValueError
            If the counts do not fit this width.
        """
        row = tuple[str, int, int, bytes, dict[int, tuple[int, int]]]
        kind = tuple[int | None, list[row], list[row]]
        self.born_ms, filling, last = msgspec.msgpack.decode(data, type=kind)
        for name, start, deadline, encoded, offsets in filling:
            counts = decode_counts(encoded, self.width)
            self.filling[name] = Window(start, deadline, self._events(counts), counts, offsets)
        for name, start, end, encoded, offsets in last:
            counts = decode_counts(encoded, self.width)
            events = self._events(counts)
            self.last[name] = Closed(name, start, end, events, _narrow(counts), offsets, True)
        self._next_deadline_ms = min((w.deadline_ms for w in self.filling.values()), default=None)

    @property
    def next_deadline_ms(self) -> int | None:
        """When a filling window closes at the latest; None if there is none."""
        return self._next_deadline_ms

    @property
    def segments(self) -> list[str]:
        """Names of all segments with a window, sorted."""
        return sorted(self.filling.keys() | self.last.keys())


def _narrow(counts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Counts in the smallest integers that hold them: those of a window mostly fit two bytes."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))

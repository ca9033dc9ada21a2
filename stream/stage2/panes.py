"""Panes of one subject that are not sealed yet: which summaries are taken, and their sum.

Rules 6 and 7 of docs/architecture.md. Inside one chunk a newer summary replaces the older; a later
chunk adds. Counts stay in their sparse encoded form until the pane is sealed, so a pane that waits
for a lagging partition costs little.
"""

from __future__ import annotations

from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.counting.ids import IdSample
from stream.sketches.merge import MergeRule

__all__ = [
    "ACCEPTED",
    "DUPLICATE",
    "LATE",
    "OVERLAP",
    "SHRUNK",
    "Late",
    "PaneStore",
    "Sealed",
    "SealedPane",
]

# Outcomes of offering a summary; all but ACCEPTED leave the store as it was.
ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"  # the same or less of a chunk that is already stored
LATE: Final = "late"  # its pane is sealed
OVERLAP: Final = "overlap"  # a chunk cut again inside an accepted one: declared loss
SHRUNK: Final = "shrunk"  # newer but smaller in some bin: a bug, never to be counted
#: Closed chunks of one (partition, scope, pane) are merged when there are more than this many.
_MERGE_ABOVE: Final = 8
#: Stands for all partitions of the topics before the present one.
_FORMER: Final = -1

T = TypeVar("T")


class _StoredCounts(msgspec.Struct):
    """One (source partition, scope, pane): the newest chunk, and the chunks before it."""

    chunk: int
    through: int
    counts: bytes
    first: int
    closed: list[bytes] = []
    ids: bytes = b""
    closed_ids: list[bytes] = []

    @property
    def size(self) -> int:
        """Bytes of the newest chunk."""
        return len(self.counts) + len(self.ids)

    def close(self) -> None:
        """Make the newest chunk one of those before."""
        self.closed.append(self.counts)
        if self.ids:
            self.closed_ids.append(self.ids)

    def parts(self) -> tuple[list[bytes], list[bytes]]:
        """Counts, and ids, of all chunks."""
        return [*self.closed, self.counts], [*self.closed_ids, *([self.ids] if self.ids else [])]


class SealedPane(NamedTuple, Generic[T]):
    """A sealed pane: counts by segment in the order of names, and where they are from.

    `offsets` has the first offset read and the last counted, by source partition; `newest` the
    newest chunk of each partition, and how many events of it were counted here; `ids` samples of
    the events' ids by segment, of those that have any.
    """

    start_ms: int
    counts: dict[str, T]
    offsets: dict[int, tuple[int, int]]
    newest: dict[int, tuple[int, int]] = {}  # noqa: RUF012 - never written to
    ids: dict[str, IdSample] = {}  # noqa: RUF012


#: A pane whose counts are int64[width] over the bins of a plan's layout.
Sealed: TypeAlias = SealedPane[npt.NDArray[np.int64]]


class PaneStore:
    """Summaries by pane, segment and source partition, in the encoded form they came in."""

    def __init__(self) -> None:
        self._panes: dict[int, dict[str, dict[int, _StoredCounts]]] = {}
        self.bytes_held = 0

    def __len__(self) -> int:
        return len(self._panes)

    @property
    def n_summaries(self) -> int:
        """Summaries in the store, over panes, segments and partitions."""
        return sum(len(stored) for segments in self._panes.values() for stored in segments.values())

    def offer(
        self,
        partition: int,
        chunk: int,
        through: int,
        segment: str,
        pane_ms: int,
        counts: bytes,
        merge_rule: MergeRule[Any],
        ids: bytes = b"",
    ) -> str:
        """Take a summary of an open pane in; one of the outcomes above.

        Raises
        ------
        ValueError
            If the counts or ids are no encoding of this kind, or absurdly large.
        """
        merge_rule.check(counts)
        fresh_ids = IdSample.decode(ids)
        by_partition = self._panes.setdefault(pane_ms, {}).setdefault(segment, {})
        stored = by_partition.get(partition)
        if stored is None:
            by_partition[partition] = _StoredCounts(chunk, through, counts, chunk, ids=ids)
        elif chunk < stored.chunk <= through:
            return OVERLAP
        elif (chunk, through) <= (stored.chunk, stored.through):
            return DUPLICATE
        elif chunk == stored.chunk:
            if merge_rule.is_less(merge_rule.decode(counts), stored.counts):
                return SHRUNK
            if not fresh_ids.covers(IdSample.decode(stored.ids)):
                return SHRUNK
            self.bytes_held -= stored.size
            stored.through, stored.counts, stored.ids = through, counts, ids
        elif chunk <= stored.through:
            return OVERLAP
        else:
            stored.close()
            stored.chunk, stored.through, stored.counts, stored.ids = chunk, through, counts, ids
            if len(stored.closed) > _MERGE_ABOVE:
                self._merge(stored, merge_rule)
        self.bytes_held += len(counts) + len(ids)
        return ACCEPTED

    def _merge(self, stored: _StoredCounts, merge_rule: MergeRule[Any]) -> None:
        self.bytes_held -= sum(map(len, (*stored.closed, *stored.closed_ids)))
        stored.closed = [merge_rule.encode(merge_rule.total(stored.closed))]
        if stored.closed_ids:
            stored.closed_ids = [_merged(stored.closed_ids).encode()]
        self.bytes_held += sum(map(len, (*stored.closed, *stored.closed_ids)))

    def begin_source(self) -> None:
        """Keep what is stored and let partition numbers stand for those of another topic.

        The source was made again: its offsets begin again and say nothing about the old ones.
        """
        for segments in self._panes.values():
            for by_partition in segments.values():
                stored = [h.parts() for h in by_partition.values()]
                parts = [part for counts, _ in stored for part in counts]
                ids = [part for _, ids in stored for part in ids]
                by_partition.clear()
                by_partition[_FORMER] = _StoredCounts(0, 0, parts.pop(), 0, parts, closed_ids=ids)

    def due(self, frontier_ms: int) -> list[int]:
        """Starts of the panes that began before the frontier, oldest first."""
        return sorted(pane for pane in self._panes if pane < frontier_ms)

    def seal(self, pane_ms: int, merge_rule: MergeRule[T]) -> SealedPane[T]:
        """Remove a pane and add up what is stored of it."""
        sealed: dict[str, T] = {}
        ids: dict[str, IdSample] = {}
        offsets: dict[int, tuple[int, int]] = {}
        segments = self._panes.pop(pane_ms)
        newest = {
            partition: (stored.chunk, merge_rule.events_in(stored.counts))
            for partition, stored in segments.get("", {}).items()
            if partition != _FORMER
        }
        for segment in sorted(segments):
            by_partition = segments[segment]
            counts, id_parts = self._give_up(by_partition)
            sealed[segment] = merge_rule.total(counts)
            if id_parts:
                ids[segment] = _merged(id_parts)
            for partition, stored in by_partition.items():
                if partition == _FORMER:
                    continue
                first, last = offsets.get(partition, (stored.first, stored.through))
                offsets[partition] = (min(first, stored.first), max(last, stored.through))
        return SealedPane(pane_ms, sealed, offsets, newest, ids)

    def _give_up(self, by_partition: dict[int, _StoredCounts]) -> tuple[list[bytes], list[bytes]]:
        """Counts and ids that are stored of a pane's segment, no longer accounted for."""
        stored = [h.parts() for h in by_partition.values()]
        counts = [part for parts, _ in stored for part in parts]
        ids = [part for _, parts in stored for part in parts]
        self.bytes_held -= sum(map(len, (*counts, *ids)))
        return counts, ids

    def dump(self) -> bytes:
        """The state as bytes; `load` is its inverse."""
        return msgspec.msgpack.encode((self._panes, self.bytes_held))

    def load(self, data: bytes) -> None:
        """Replace the state by a dumped one."""
        kind = tuple[dict[int, dict[str, dict[int, _StoredCounts]]], int]
        self._panes, self.bytes_held = msgspec.msgpack.decode(data, type=kind)


def _merged(parts: list[bytes]) -> IdSample:
    return IdSample.merged(map(IdSample.decode, parts))


class Late(msgspec.Struct):
    """Late events of one subject from one source partition; cumulative inside a chunk.

    `said` is what stage 1 counted late inside the chunk, by plan; `refused` what came for panes
    that were complete before the chunk began, by pane; `sealed` what panes that idleness may have
    sealed hold of the chunk: whoever reads it again says that once more.
    """

    chunk: int = -1
    through: int = -1
    said: dict[bytes, int] = {}
    refused: dict[int, int] = {}
    closed: int = 0
    sealed: dict[int, int] = {}

    @property
    def total(self) -> int:
        """Late events so far."""
        return self.closed + sum(self.said.values()) + sum(self.refused.values())

    def note(self, chunk: int, through: int, said: int, plan: bytes = b"") -> bool:
        """Move to this point of the source; False if it was passed before."""
        if (chunk, through) < (self.chunk, self.through):
            return False
        if chunk > self.chunk:
            self.closed = self.total
            self.said, self.refused, self.sealed = {}, {}, {}
        self.chunk, self.through = chunk, through
        self.said[plan] = said
        return True

    def seal(self, chunk: int, pane_ms: int, events: int) -> None:
        """Note how many events of the chunk a pane held when it was sealed."""
        if chunk == self.chunk:
            self.sealed[pane_ms] = events

    def refuse(self, pane_ms: int, events: int) -> bool:
        """Count what a sealed pane does not hold of these; whether that is anything."""
        if missed := max(0, events - self.sealed.get(pane_ms, 0)):
            self.refused[pane_ms] = missed
        return missed > 0

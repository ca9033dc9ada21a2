"""How far the source partitions have been read: progress, idleness and the frontier.

Held by stage 2 once a summaries partition, for every source topic that writes to it. Rules 5, 6, 7
and 10 of docs/architecture.md are decided here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.contracts.moments import MINUS_INFINITY, NOT_YET
from stream.contracts.summary_message import Idle, Progress, Source

__all__ = ["ALL_IDLE_SEALS_MS", "PartitionProgress", "SourceTopic", "Sources"]

#: With every partition idle for this long (record time), panes that hold data are sealed.
ALL_IDLE_SEALS_MS: Final = 300_000
#: Ids of topics that were made again; more than this many are not remembered.
_FORMER_TOPICS: Final = 64


class PartitionProgress(msgspec.Struct):
    """What is known of one source partition. `through` is -1 before its first progress.

    What lies before `idle_next` is on the topic wholly, summaries of open panes too: a partition
    says all it has before it says that it is idle. `lost_chunk` is the last chunk that was refused
    because it overlaps what is accepted. `asked` is one that was idle and has not spoken since all
    were asked again.
    """

    chunk: int = -1
    through: int = -1
    chunk_max_ms: int = MINUS_INFINITY
    base_ms: int = MINUS_INFINITY
    idle_since_ms: int = NOT_YET
    idle_next: int = 0
    lost_chunk: int = -1
    asked: bool = False

    @property
    def max_time_ms(self) -> int:
        """The watermark: a running maximum over chunks."""
        return max(self.base_ms, self.chunk_max_ms)

    @property
    def idle(self) -> bool:
        """Whether the partition was caught up and silent at its last word."""
        return self.idle_since_ms >= 0

    @property
    def silent(self) -> bool:
        """Whether it is idle, or sent no message yet, or none since it was asked again."""
        return self.idle or self.through < 0 or self.asked

    def base_of(self, chunk: int) -> int:
        """The watermark before this chunk: what came after its pane was over by then was late."""
        return self.max_time_ms if chunk > self.chunk else self.base_ms

    def overlaps(self, chunk: int, through: int) -> bool:
        """Whether a chunk was cut otherwise than those accepted, and holds some of the same events.

        That is so when retention cut the log under its reader, or the group's offset was set by
        hand. A reader that was overtaken still cuts as its successor does.
        """
        return self.chunk < chunk <= self.through or chunk < self.chunk <= through

    def is_news(self, progress: Progress) -> bool:
        """Whether a progress record says more than is known."""
        return (progress.chunk, progress.through) > (self.chunk, self.through)

    def accept(self, progress: Progress) -> None:
        """Take a progress record in that is news."""
        if progress.chunk > self.chunk:
            self.base_ms = self.max_time_ms
            self.chunk_max_ms = progress.max_time_ms
        else:
            self.chunk_max_ms = max(self.chunk_max_ms, progress.max_time_ms)
        self.chunk, self.through = progress.chunk, progress.through
        self.idle_since_ms = NOT_YET
        self.asked = False


class SourceTopic(msgspec.Struct):
    """The partitions of one source topic. `frontier_ms` is before any lateness; it only grows."""

    topic: str
    partitions: dict[int, PartitionProgress]
    frontier_ms: int = MINUS_INFINITY
    all_idle_since_ms: int = NOT_YET
    sealed_by_idle: bool = False

    def now_ms(self, record_time_ms: int) -> int:
        """The frontier, and the record time that has passed since all partitions are idle."""
        return self.frontier_ms + record_time_ms - self.all_idle_since_ms

    def wake(self) -> None:
        """Before one of them speaks while all are silent: all are waited for.

        Each must report again that it is idle, or have data too. What was sent to all of them at
        once would otherwise be late wherever it is read a little later.
        """
        if all(p.silent for p in self.partitions.values()):
            for partition in self.partitions.values():
                partition.asked = partition.asked or partition.idle
                partition.idle_since_ms = NOT_YET

    def advance(self) -> None:
        """Move the frontier to the least time over the partitions that are not idle."""
        waiting = [p.max_time_ms for p in self.partitions.values() if not p.idle]
        if waiting:
            self.frontier_ms = max(self.frontier_ms, min(waiting))
            self.all_idle_since_ms = NOT_YET
            self.sealed_by_idle = False


class Sources:
    """Progress of all source topics, by topic id."""

    def __init__(self, *, all_idle_seals_ms: int = ALL_IDLE_SEALS_MS) -> None:
        self.topics: dict[str, SourceTopic] = {}
        self.former: list[str] = []  # ids of topics that were made again since
        self.all_idle_seals_ms = all_idle_seals_ms
        self.declared_loss = 0

    def enter(self, source: Source) -> str | None:
        """Note the topic of a source; the id of the topic of that name which it replaces, if any.

        A topic that was deleted and made again has a new id and begins at offset 0. What workers
        that do not know it yet still send about the old one is refused from then on (`former`).
        """
        if source.topic_id in self.topics:
            return None
        replaced = self.id_of(source.topic)
        if replaced is not None:
            del self.topics[replaced]
            self.former = [*self.former, replaced][-_FORMER_TOPICS:]
        self.topics[source.topic_id] = SourceTopic(
            source.topic, {i: PartitionProgress() for i in range(source.n_partitions)}
        )
        return replaced

    def partition(self, source: Source) -> PartitionProgress:
        """Progress of a source partition; the first word of a topic makes all it then has.

        Partitions start at minus infinity and hold the frontier back. One that is added later joins
        with its own first word (rule 10).
        """
        self.enter(source)
        partitions = self.topics[source.topic_id].partitions
        partition = partitions.get(source.partition)
        if partition is None:
            partition = partitions[source.partition] = PartitionProgress()
        return partition

    def refuse_overlap(self, source: Source, chunk: int, through: int) -> bool:
        """Whether this part of a chunk must not be counted; each such chunk is a declared loss."""
        partition = self.partition(source)
        if not partition.overlaps(chunk, through):
            return False
        self.declared_loss += partition.lost_chunk != chunk
        partition.lost_chunk = chunk
        return True

    def progress(self, message: Progress) -> bool:
        """Apply a progress record; True if the frontier may have moved."""
        partition = self.partition(message.source)
        if self.refuse_overlap(message.source, message.chunk, message.through):
            return False
        if not partition.is_news(message):
            return False
        topic = self.topics[message.source.topic_id]
        may_move = partition.silent or partition.max_time_ms <= topic.frontier_ms
        if partition.silent:
            topic.wake()
        partition.accept(message)
        if may_move:  # else the frontier waits for another one, as before: none is looked at
            topic.advance()
        return True

    def idle(self, message: Idle, record_time_ms: int) -> bool:
        """Apply an idle record; True if panes may be sealed because of it.

        One that speaks of less than is accepted comes from a writer that was overtaken.
        """
        partition = self.partition(message.source)
        if message.next_offset <= partition.through:
            return False
        partition.idle_next = message.next_offset
        partition.asked = False
        if not partition.idle:
            partition.idle_since_ms = record_time_ms
        topic = self.topics[message.source.topic_id]
        topic.advance()
        if all(p.idle for p in topic.partitions.values()):
            if topic.all_idle_since_ms < 0:
                topic.all_idle_since_ms = record_time_ms
            elapsed = record_time_ms - topic.all_idle_since_ms
            topic.sealed_by_idle = topic.sealed_by_idle or elapsed >= self.all_idle_seals_ms
        return True

    def frontier_ms(self, topic_id: str) -> int:
        """Least event time that a source may still be short of, lateness not yet taken off."""
        topic = self.topics.get(topic_id)
        return topic.frontier_ms if topic else MINUS_INFINITY

    def id_of(self, name: str) -> str | None:
        """The id of the source topic of a name; None before its first word."""
        return next((i for i, topic in self.topics.items() if topic.topic == name), None)

    def named(self, name: str) -> SourceTopic | None:
        """The source topic of a name."""
        topic_id = self.id_of(name)
        return None if topic_id is None else self.topics[topic_id]

    def sealed_by_idle(self, topic_id: str) -> bool:
        """Whether all partitions have been idle long enough to seal what there is."""
        topic = self.topics.get(topic_id)
        return bool(topic and topic.sealed_by_idle)

    def dump(self) -> bytes:
        """The state as bytes; `load` is its inverse."""
        return msgspec.msgpack.encode((self.topics, self.former, self.declared_loss))

    def load(self, data: bytes) -> None:
        """Replace the state by a dumped one."""
        kind = tuple[dict[str, SourceTopic], list[str], int]
        self.topics, self.former, self.declared_loss = msgspec.msgpack.decode(data, type=kind)

"""Each rule of docs/architecture.md, broken on purpose.

Where a rule is kept by the edge to Kafka, the simulated edge breaks it (see world.WORLD_MUTATIONS);
where a pure class keeps it, the class is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from stream.contracts.moments import MINUS_INFINITY
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage2 import late_rule as offering
from stream.stage2.frontier import PartitionProgress, Sources, SourceTopic
from stream.stage2.panes import ACCEPTED, PaneStore

__all__ = ["BY_CLASS", "BY_EDGE"]

#: By rule: what the edge does instead.
BY_EDGE: Final[dict[int, tuple[str, ...]]] = {
    1: ("chunks of any size", "chunks of any span"),
    2: ("commits within a chunk", "no look at the first offset"),
    3: (
        "progress before summaries", "progress to one partition", "flushes overtake each other",
        "a failed delivery is skipped",
    ),
    4: ("a clock far ahead is believed",),
    5: ("idle without a look at the end", "idle without the rest"),
    8: (
        "snapshot before alerts", "one key for every snapshot",
        "a manifest before its blocks, believed", "zombies commit", "zombies delete",
    ),
    9: ("episodes of a writer's own",),
    10: ("a source is its name",),
}  # fmt: skip


def summaries_of_news_alone(patch: pytest.MonkeyPatch) -> None:
    take = ChunkCounts.take

    def broken(self, newest_ms, *, only_complete):
        entries = take(self, newest_ms, only_complete=only_complete)
        for row in self._rows.values():
            self._accumulators.clear(row)
        return entries

    patch.setattr(ChunkCounts, "take", broken)


def late_is_what_the_frontier_has_passed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PartitionProgress, "base_of", lambda self, chunk: MINUS_INFINITY)


def data_does_not_end_idleness(patch: pytest.MonkeyPatch) -> None:
    accept = PartitionProgress.accept

    def broken(self, progress):
        since = self.idle_since_ms
        accept(self, progress)
        self.idle_since_ms = since

    patch.setattr(PartitionProgress, "accept", broken)


def summaries_add_within_a_chunk(patch: pytest.MonkeyPatch) -> None:
    offer = PaneStore.offer

    def broken(self, partition, chunk, through, segment, pane_ms, counts, *rest):
        held = self._panes.setdefault(pane_ms, {}).setdefault(segment, {}).get(partition)
        if held is None:
            return offer(self, partition, chunk, through, segment, pane_ms, counts, *rest)
        held.closed.append(counts)
        return ACCEPTED

    patch.setattr(PaneStore, "offer", broken)


def a_later_chunk_replaces(patch: pytest.MonkeyPatch) -> None:
    offer = PaneStore.offer

    def broken(self, partition, chunk, through, segment, pane_ms, counts, *rest):
        held = self._panes.get(pane_ms, {}).get(segment, {})
        if partition in held and chunk > held[partition].chunk:
            del held[partition]
        return offer(self, partition, chunk, through, segment, pane_ms, counts, *rest)

    patch.setattr(PaneStore, "offer", broken)


def partitions_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    enter = Sources.enter

    def broken(self, source):
        new = source.topic_id not in self.topics
        replaced = enter(self, source)
        if new:
            self.topics[source.topic_id].partitions.clear()
        return replaced

    patch.setattr(Sources, "enter", broken)


def the_frontier_is_the_furthest(patch: pytest.MonkeyPatch) -> None:
    def broken(self):
        times = [p.max_time_ms for p in self.partitions.values() if not p.idle]
        self.frontier_ms = max(self.frontier_ms, *times, MINUS_INFINITY)

    patch.setattr(SourceTopic, "advance", broken)


def a_sealed_pane_opens_again(patch: pytest.MonkeyPatch) -> None:
    offer = offering._offer

    def broken(store, batch, entry, plan, progress, frontier_ms, late):
        return offer(store, batch, entry, plan, progress, MINUS_INFINITY, late)

    patch.setattr(offering, "_offer", broken)


Break = Callable[[pytest.MonkeyPatch], None]
#: By rule: what a pure class does instead.
BY_CLASS: Final[dict[int, tuple[Break, ...]]] = {
    3: (summaries_of_news_alone,),
    4: (late_is_what_the_frontier_has_passed,),
    5: (data_does_not_end_idleness,),
    6: (summaries_add_within_a_chunk, a_later_chunk_replaces),
    7: (partitions_are_not_waited_for, the_frontier_is_the_furthest, a_sealed_pane_opens_again),
}


def chunks_cut_anew_count_too(patch: pytest.MonkeyPatch) -> None:
    """Of rule 6; it takes offsets that somebody set back."""
    offer = PaneStore.offer

    def broken(self, partition, chunk, through, segment, pane_ms, counts, *rest):
        held = self._panes.get(pane_ms, {}).get(segment, {}).get(partition)
        if held is None or held.chunk == chunk:
            return offer(self, partition, chunk, through, segment, pane_ms, counts, *rest)
        held.closed.append(counts)
        return ACCEPTED

    patch.setattr(PartitionProgress, "overlaps", lambda self, chunk, through: False)
    patch.setattr(PaneStore, "offer", broken)


def the_first_to_speak_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """Of rule 5; it takes a silence of all partitions, and then much at once."""
    patch.setattr(SourceTopic, "wake", lambda self: None)

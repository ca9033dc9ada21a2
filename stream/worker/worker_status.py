"""The status of a worker: read by the metrics collector at scrape time, and by /readyz."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stream.contracts.alert_event import parse_time
from stream.contracts.moments import MINUS_INFINITY
from stream.kafka.sources import absent_words
from stream.metrics.delays import Delays
from stream.metrics.status_protocol import PartitionClock
from stream.page import RecentEpisodes
from stream.text.counted import counted

if TYPE_CHECKING:
    from faust.types import TP

    from stream.alerts.silences import Silence
    from stream.contracts.alert_event import AlertEvent
    from stream.join.partition import PartitionJoin
    from stream.stage1.stats import Stage1Stats
    from stream.stage2.monitor import PartitionMonitor
    from stream.worker.alerts_feed import AlertsFeed
    from stream.worker.join_agent import JoinStage
    from stream.worker.restored_stage import RestoredStage
    from stream.worker.stage1_agent import Stage1
    from stream.worker.stage2_agent import Stage2

__all__ = ["WorkerStatus"]


@dataclass
class WorkerStatus:
    """Plain values and live objects of a running worker.

    It is read from the thread of the metrics server: every method copies what it walks over.
    """

    stage: str
    max_ready_lag: int
    summaries: str = ""
    stage1: Stage1 | None = None
    join: JoinStage | None = None
    stage2: Stage2 | None = None
    consumer: Any = None
    failed: str = ""
    preparing: str = ""  # what is done before the group is joined
    plans_unread: str = ""  # what cannot be read of the plans topic, in words
    absent: dict[str, list[str]] = field(default_factory=dict)  # topics not there -> their models
    broker_away_since: float = 0.0  # by `clock`; 0 while a broker answers
    alerts: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    last_episodes: dict[tuple[str, str, str, str], tuple[str, float]] = field(default_factory=dict)
    batches: int = 0
    batch_seconds: float = 0.0
    delays: Delays = field(default_factory=Delays)
    recent: RecentEpisodes = field(default_factory=RecentEpisodes)
    silences: Sequence[Silence] = ()
    alerts_feed: AlertsFeed | None = None
    clock: Callable[[], float] = time.time

    def count_alert(self, alert: AlertEvent) -> None:
        """Count an alert event by model, kind, severity and status, and note how late it is."""
        self.delays.add(self.clock() - parse_time(alert.time) / 1000)
        data = alert.data
        key = (data.labels.model, data.labels.kind, data.severity, data.status)
        self.alerts[key] = self.alerts.get(key, 0) + 1
        self.last_episodes[key] = (data.episode, self.clock())
        self.recent.note(alert)

    def telling(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """(model, version, kind) of what fires -> its episode, and its newest summary."""
        return self.recent.telling()

    @property
    def alerts_unread(self) -> str:
        """Why the page has nothing of the alerts topic, in words; empty if it has."""
        return self.alerts_feed.unread if self.alerts_feed is not None else ""

    @property
    def alerts_lost(self) -> int:
        """Records of the alerts topic that could not be read for the page."""
        return self.alerts_feed.lost if self.alerts_feed is not None else 0

    @property
    def gaps(self) -> int:
        """How often events had been deleted before they were read.

        Of summaries that is counted by the monitors.
        """
        gaps = self.consumer.gaps if self.consumer is not None else {}
        return sum(n for topic, n in gaps.items() if topic != self.summaries)

    @property
    def assigned(self) -> list[tuple[str, int]]:
        """(topic, partition) of everything this worker has."""
        return sorted(self.lag())

    def _next_offsets(self) -> Iterator[tuple[Any, int]]:
        if self.stage1 is not None:
            for tp, source in list(self.stage1.parts.items()):
                yield tp, max(source.next_offset, source.progress.through)
        if self.join is not None:
            for tp, joining in list(self.join.parts.items()):
                yield tp, joining.monitor.fence
        if self.stage2 is not None:
            for tp, part in list(self.stage2.parts.items()):
                yield tp, part.monitor.fence

    def stopped(self) -> dict[tuple[str, int], tuple[str, int]]:
        """(topic, partition) -> why it is not read any more, and from which offset on."""
        stopped = self.consumer.stopped if self.consumer is not None else {}
        return {
            (tp.topic, tp.partition): (stop.reason, stop.offset)
            for tp, stop in list(stopped.items())
        }

    def lag(self) -> dict[tuple[str, int], int]:
        """Records that are in the log and not processed, by (topic, partition)."""
        ends = {tp: (at, self.consumer.end(tp)) for tp, at in self._next_offsets()}
        return {
            (tp.topic, tp.partition): max(0, end - at)
            for tp, (at, end) in ends.items()
            if end is not None
        }

    def watermarks_ms(self) -> dict[tuple[str, int], int]:
        """Event time that each source partition has reached, if any."""
        times = {(tp.topic, tp.partition): s.watermark_ms for tp, s in self.counters()}
        return {key: time for key, time in times.items() if time > MINUS_INFINITY}

    def clocks(self) -> dict[tuple[str, int], PartitionClock]:
        """What the times of each source partition that has seen an event are like."""
        return {
            (tp.topic, tp.partition): PartitionClock(s.max_time_ms, s.clock.type, s.clock.spread_ms)
            for tp, s in self.counters()
            if s.max_time_ms > MINUS_INFINITY and s.clock is not None
        }

    def snapshots_s(self) -> dict[tuple[str, int], float]:
        """Wall-clock time of the last complete snapshot of each partition that has them."""
        stages: list[RestoredStage[Any]] = [s for s in (self.join, self.stage2) if s is not None]
        parts = [part for stage in stages for part in list(stage.parts.items())]
        return {(tp.topic, tp.partition): p.snapshot_s for tp, p in parts if p.snapshot_s}

    def stage1_stats(self) -> list[Stage1Stats]:
        """Counters of all source partitions since the start, given up ones included."""
        if self.stage1 is None:
            return []
        live = [part.summariser.stats for part in list(self.stage1.parts.values())]
        return [self.stage1.retired, *live]

    def joins(self) -> list[PartitionJoin]:
        """Joins of the pairs partitions that are restored."""
        return [joins for _, joins in self.joins_by_partition()]

    def joins_by_partition(self) -> list[tuple[TP, PartitionJoin]]:
        """The joins of each pairs partition that is restored."""
        parts = list(self.join.parts.items()) if self.join is not None else []
        return [(tp, part.monitor) for tp, part in parts if part.restored]

    def monitors(self) -> list[PartitionMonitor]:
        """Monitors of the summaries partitions that are restored."""
        parts = list(self.stage2.parts.values()) if self.stage2 is not None else []
        return [part.monitor for part in parts if part.restored]

    def counters(self) -> list[tuple[TP, Stage1Stats]]:
        """Counters of each source partition that is assigned now."""
        parts = list(self.stage1.parts.items()) if self.stage1 is not None else []
        return [(tp, part.summariser.stats) for tp, part in parts]

    def monitors_by_partition(self) -> list[tuple[TP, PartitionMonitor]]:
        """The monitor of each summaries partition that is restored."""
        parts = list(self.stage2.parts.items()) if self.stage2 is not None else []
        return [(tp, part.monitor) for tp, part in parts if part.restored]

    def healthy(self) -> tuple[bool, str]:
        """Whether the process does its work (/healthz), and what it says."""
        return not self.failed, self.failed or "alive"

    def ready(self) -> tuple[bool, str]:
        """Whether partitions are assigned, state restored and lag within bound (/readyz)."""
        consumer = self.consumer
        if self.preparing:
            return False, self.preparing
        if not self.failed and self.broker_away_since:
            seconds = self.clock() - self.broker_away_since
            return False, f"no broker answers for {seconds:.0f} s; waiting, nothing is lost"
        if self.failed or consumer is None or not consumer.joined or consumer.app.rebalancing:
            return False, self.failed or "joining the group"
        if consumer.stopped:
            return False, "; ".join(stop.words for stop in list(consumer.stopped.values()))
        if self.plans_unread:
            return False, self.plans_unread
        parts = list(self.stage2.parts.values()) if self.stage2 is not None else []
        if waiting := [part.tp for part in parts if not part.restored]:
            return False, f"restoring {counted(len(waiting), 'summaries partition')}"
        joins = list(self.join.parts.values()) if self.join is not None else []
        if unread := [part.tp for part in joins if not part.restored]:
            return False, f"restoring {counted(len(unread), 'pairs partition')}"
        lag = self.lag()
        behind = sum(lag.values())
        if behind > self.max_ready_lag:
            return False, f"{counted(behind, 'record')} behind, more than {self.max_ready_lag:,}"
        words = f"{counted(len(lag), 'partition')}, {counted(behind, 'record')} behind"
        return True, "; ".join([words, *map(absent_words, self.absent, self.absent.values())])

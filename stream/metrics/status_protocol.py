"""The protocols by which the metrics page and the health endpoints read a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from stream.join.partition import PartitionJoin
from stream.metrics.delays import Delays
from stream.stage1.stats import Stage1Stats
from stream.stage2.monitor import PartitionMonitor

__all__ = ["HealthStatus", "PartitionClock", "WorkerStatusProtocol"]


class PartitionClock(NamedTuple):
    """Times of a source partition.

    `newest_ms` is the largest event time, however wrong; `type` says who gave the records' times,
    and `spread_ms` by how much the furthest of them leads what they agree on, where no broker did.
    """

    newest_ms: int
    type: str
    spread_ms: int


class HealthStatus(Protocol):
    """Answers of /healthz and /readyz: (good, words)."""

    def healthy(self) -> tuple[bool, str]:
        """Whether the process does its work."""

    def ready(self) -> tuple[bool, str]:
        """Whether it has its partitions and its state, and is not far behind."""


class WorkerStatusProtocol(Protocol):
    """What the page shows of a worker. Read from another thread than the one that changes it."""

    @property
    def alerts(self) -> Mapping[tuple[str, str, str, str], int]:
        """(model, kind, severity, status) -> alert events."""

    @property
    def last_episodes(self) -> Mapping[tuple[str, str, str, str], tuple[str, float]]:
        """The same key -> episode of the last of those events, and when it was published."""

    def telling(self) -> Mapping[tuple[str, str, str], tuple[str, str]]:
        """(model, version, kind) of what fires -> its episode, and its newest summary."""

    @property
    def batches(self) -> int:
        """Batches of records that were handled."""

    @property
    def batch_seconds(self) -> float:
        """Seconds spent on them."""

    @property
    def delays(self) -> Delays:
        """From the decision of each alert event to its publication."""

    @property
    def gaps(self) -> int:
        """How often events had been deleted before they were read."""

    @property
    def absent(self) -> Mapping[str, Sequence[str]]:
        """Topic of events that is not there -> the models whose plan reads it."""

    def stopped(self) -> Mapping[tuple[str, int], tuple[str, int]]:
        """(topic, partition) -> why it is not read any more, and from which offset on."""

    def lag(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> records not yet handled."""

    def watermarks_ms(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> event time that has been reached."""

    def clocks(self) -> Mapping[tuple[str, int], PartitionClock]:
        """(topic, partition) -> what its records' and events' times are like."""

    def snapshots_s(self) -> Mapping[tuple[str, int], float]:
        """(topic, partition) -> when the last complete snapshot was written."""

    def stage1_stats(self) -> Iterable[Stage1Stats]:
        """Counters of the source partitions."""

    def joins(self) -> Iterable[PartitionJoin]:
        """The joins of labels that this worker runs now."""

    def monitors(self) -> Iterable[PartitionMonitor]:
        """The monitors this worker runs now."""

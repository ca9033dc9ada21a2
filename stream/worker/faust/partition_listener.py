"""Who is called by the transport when partitions are assigned and revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from faust.types import TP

from stream.kafka.skips import SkipBook

__all__ = ["PartitionListener"]


class PartitionListener(Protocol):
    """Keeps state for assigned partitions: the two stages of the worker."""

    summaries: str  # the one topic that does not hold events
    skips: SkipBook

    async def assigned(self, positions: Mapping[TP, int]) -> None:
        """These partitions are ours and will be read from these offsets."""

    async def closing(self, partitions: Iterable[TP]) -> None:
        """Last chance to make offsets safe; cut off after `REVOKE_TIMEOUT_S`."""

    def revoked(self, partitions: Iterable[TP]) -> None:
        """These partitions are no longer ours: drop their state, publish nothing more."""

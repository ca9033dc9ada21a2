"""Who is called by the transport when partitions are assigned and revoked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from faust.types import TP

from stream.kafka.skips import SkipBook

__all__ = ["PartitionListener"]


class PartitionListener(Protocol):
    """Keeps state for assigned partitions: the stages of the worker."""

    skips: SkipBook

    @property
    def inner(self) -> Collection[str]:
        """The topics that hold no events."""

    async def assigned(self, positions: Mapping[TP, int]) -> None:
        """These partitions are ours and will be read from these offsets."""

    async def closing(self, partitions: Iterable[TP]) -> None:
        """Last chance to make offsets safe; cut off after `REVOKE_TIMEOUT_S`."""

    def revoked(self, partitions: Iterable[TP]) -> None:
        """These partitions are no longer ours: drop their state, publish nothing more."""

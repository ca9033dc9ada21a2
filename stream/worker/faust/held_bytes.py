"""Bytes of decompressed batches that the worker holds, from the poll until they are counted.

Queues count polls. A poll of what was compressed may be a hundred times one that was not.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from itertools import count
from typing import Final

from stream.kafka.batch_fetch import Packed

__all__ = ["HeldBytes"]

#: Nothing more is polled while so many bytes of values wait.
MAX_HELD_BYTES: Final = 64 * 2**20
_LARGE: Final = 2**20
_CHECK_S: Final = 0.02


class HeldBytes:
    """Bytes of large polls that are still referenced."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._numbers = count()

    @property
    def bytes(self) -> int:
        """The sum over all such polls."""
        return sum(list(self._sizes.values()))

    def note(self, batch: object) -> None:
        """Count a poll until it is garbage collected; nobody has to release it.

        A rebalance clears queues without calling anybody.
        """
        if isinstance(batch, Packed) and batch.size > _LARGE:
            number = next(self._numbers)
            self._sizes[number] = batch.size
            weakref.finalize(batch, self._sizes.pop, number).atexit = False

    async def room(self, given_up: Callable[[], bool]) -> None:
        """Return when there is room for another poll, or `given_up` says that nobody waits."""
        while self.bytes > MAX_HELD_BYTES and not given_up():
            await asyncio.sleep(_CHECK_S)

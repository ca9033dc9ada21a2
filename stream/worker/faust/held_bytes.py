"""How much of compressed batches the worker holds, between the poll and the end of its counting.

Queues count polls. A poll of what was compressed may be a hundred times one that was not.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from itertools import count
from typing import Final

from stream.kafka.batch_fetch import Packed

__all__ = ["Held"]

#: Nothing more is polled while so many bytes of values wait.
MAX_HELD_BYTES: Final = 64 * 2**20
_LARGE: Final = 2**20
_LOOK_S: Final = 0.02


class Held:
    """Bytes of large polls that somebody still refers to."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._numbers = count()

    @property
    def bytes(self) -> int:
        """All of them."""
        return sum(list(self._sizes.values()))

    def note(self, batch: object) -> None:
        """Count a poll until it is freed; whoever has it need not say when.

        A rebalance clears queues without a word to anybody.
        """
        if isinstance(batch, Packed) and batch.size > _LARGE:
            number = next(self._numbers)
            self._sizes[number] = batch.size
            weakref.finalize(batch, self._sizes.pop, number).atexit = False

    async def room(self, given_up: Callable[[], bool]) -> None:
        """Return when there is room for another poll, or nobody waits any more."""
        while self.bytes > MAX_HELD_BYTES and not given_up():
            await asyncio.sleep(_LOOK_S)

"""How far a source partition can be read now, and whether it has been: is it idle or is it behind?

The log's end does not tell. Markers and aborted transactions lie before it and bring no records, an
open transaction has records that nobody may read yet, retention may have cut what was not read, and
a position passes records that wait to be handed over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from faust.types import TP

__all__ = ["OPEN_S", "Positions", "ReadProgress"]

log = logging.getLogger(__name__)
#: For so long an open transaction is waited for: brokers let none last longer by default
#: (`transaction.max.timeout.ms`). One that hangs would otherwise blind every model of its topic.
OPEN_S: Final = 900.0


class Positions(Protocol):
    """What stage 1 needs of the transport's consumer."""

    safe: dict[TP, int]
    expected: dict[TP, int]
    stopped: Mapping[TP, object]
    polls: int

    async def fresh_ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Ends of what may be read, as the brokers report them now."""

    def end(self, tp: TP) -> int | None:
        """The log's end as last fetched, with what open transactions have written."""

    async def still_member(self, tp: TP) -> bool:
        """Whether the group still takes a commit from us."""

    async def position(self, tp: TP) -> int | None:
        """The offset that is fetched next."""

    async def pass_cut(self, tp: TP, expected: int) -> bool:
        """Go on where the log begins, if that is later than what is expected next."""


@dataclass(slots=True)
class ReadProgress:
    """The progress of one partition.

    `through` is an offset: everything before it has been read.
    """

    tp: TP
    through: int = 0
    _passed: tuple[int, int] = (-1, 0)  # an end that the position was at, and the poll then
    _open: tuple[int, float] = (-1, 0.0)  # where a transaction is open, and since when

    async def is_read(self, consumer: Positions, end: int, next_offset: int) -> bool | None:
        """Whether everything before `end` is read; None if the next poll has to be waited for."""
        if consumer.expected.get(self.tp) != next_offset:
            return False
        if next_offset < end:
            if (await consumer.position(self.tp) or 0) < end:
                return False
            if self._passed[0] != end:
                self._passed = (end, consumer.polls)
            if consumer.polls == self._passed[1]:
                return None
            cut = await consumer.pass_cut(self.tp, next_offset)
            if not cut and consumer.expected.get(self.tp) != next_offset:
                return False
        self.through = max(self.through, end)
        return True

    def is_waiting(self, consumer: Positions, end: int, now: float) -> bool:
        """Whether records behind `end` are of a transaction that is open, and not for too long."""
        if self.tp in consumer.stopped or (consumer.end(self.tp) or 0) <= end:
            return False
        if self._open[0] != end:
            self._open = (end, now)
            log.info("%s[%d]: a transaction is open at %d; waiting for it", *self.tp, end)
        elif now - self._open[1] >= OPEN_S:
            if self._open[1] >= 0:
                log.warning(
                    "%s[%d]: a transaction has been open at offset %d for %d min: nothing behind "
                    "it can be read. The other partitions no longer wait",
                    *self.tp,
                    end,
                    OPEN_S / 60,
                )
                self._open = (end, float("-inf"))
            return False
        return True

"""aiokafka through a long outage: two habits of its clients that a worker cannot live with.

Both are internals of aiokafka; `check` fails at the start if they have moved.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import MessageAccumulator

__all__ = ["check", "hold_back_metadata", "never_expire"]

#: Between two looks for brokers when nobody answers.
_PAUSE_S: Final = 0.5


def check() -> None:
    """Raise a RuntimeError that says so if aiokafka is not as it was."""
    names = MessageAccumulator.__init__.__code__.co_names
    if not hasattr(AIOKafkaClient, "_metadata_update") or "_batch_ttl" not in names:
        raise RuntimeError(
            "aiokafka is not as driftstream was written against it. Install aiokafka>=0.14,<0.15."
        )


def never_expire(producer: Any) -> None:
    """Let batches wait for a leader for as long as there is none.

    An idempotent producer never gives a batch up that was sent once; but one that finds its
    partition without a leader, as for a moment after an outage, fails at the age of a request.
    """
    producer._message_accumulator._batch_ttl = math.inf


def hold_back_metadata(pause_s: float = _PAUSE_S) -> None:
    """Pause after a look for brokers that failed; for a process that is a worker and nothing else.

    With a partition whose leader is not known the clients ask again at once: 1,300 times a second,
    a core's work for as long as the outage lasts.
    """
    check()
    update = AIOKafkaClient._metadata_update
    if getattr(update, "pauses", False):
        return

    async def paused(self: AIOKafkaClient, *args: Any) -> bool:
        found = bool(await update(self, *args))
        if not found:
            await asyncio.sleep(pause_s)
        return found

    paused.pauses = True  # type: ignore[attr-defined]
    AIOKafkaClient._metadata_update = paused

"""aiokafka through an outage: habits of its clients that a worker cannot live with.

All are internals of aiokafka; `check` fails at the start if they have moved.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from aiokafka import client as internals
from aiokafka.client import AIOKafkaClient
from aiokafka.producer.message_accumulator import MessageAccumulator

from stream.contracts.errors import IncompatibleClientError

__all__ = ["check", "hold_back_metadata", "limit_connecting", "never_expire"]

#: Between two looks for brokers when nobody answers.
_PAUSE_S: Final = 0.5
#: To connect and be greeted, as Kafka's own clients have it.
_CONNECT_S: Final = 10.0


def check() -> None:
    """Raise an IncompatibleClientError if aiokafka is not the one that is patched here."""
    names = MessageAccumulator.__init__.__code__.co_names
    parts = hasattr(AIOKafkaClient, "_metadata_update") and hasattr(internals, "create_conn")
    if not parts or "_batch_ttl" not in names:
        raise IncompatibleClientError(
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


def limit_connecting(seconds: float = _CONNECT_S) -> None:
    """Give a broker up that takes a connection and says nothing, and so ask the next one.

    A broker that starts or is frozen does that, and one whose machine is gone takes none and
    refuses none. A client connects to one at a time and would wait for it as long as for an answer,
    40 s, with all that it has to ask of the others.
    """
    check()
    connect = internals.create_conn
    if getattr(connect, "gives_up", False):
        return

    async def create_conn(*args: Any, **named: Any) -> Any:
        async with asyncio.timeout(seconds):
            return await connect(*args, **named)

    create_conn.gives_up = True  # type: ignore[attr-defined]
    internals.create_conn = create_conn

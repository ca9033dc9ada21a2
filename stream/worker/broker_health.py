"""Whether a broker answers: waited for before the start, checked while a worker runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from stream.kafka.access import AccessError
from stream.kafka.admin import somebody_listens
from stream.kafka.security import client_options
from stream.process.retry import Retry
from stream.worker.sender import Sender
from stream.worker.worker_status import WorkerStatus

__all__ = ["CHECK_S", "check_broker", "wait_for_broker", "went_away"]

log = logging.getLogger(__name__)
#: Seconds between two checks whether a broker answers, and how long a check may take.
CHECK_S: Final = 2.0
#: Before the start: seconds between two checks, and between two lines of the log about it.
_CHECK_AGAIN_S: Final = 0.5
_LOG_EVERY_S: Final = 30.0
#: What both client libraries call a broker that does not answer any more.
_LOST: Final = {
    "KafkaConnectionError", "KafkaTimeoutError", "MetadataEmptyBrokerList", "NoBrokersAvailable",
    "NodeNotReadyError", "RequestTimedOutError",
}  # fmt: skip


async def wait_for_broker(kafka: Mapping[str, object], status: WorkerStatus) -> None:
    """Return when a broker listens, so that a worker may be started before its broker."""
    logged = float("-inf")
    retry = Retry(_CHECK_AGAIN_S)
    while not await asyncio.to_thread(somebody_listens, kafka, timeout_s=CHECK_S):
        now = status.clock()
        status.broker_away_since = status.broker_away_since or now
        if now - logged >= _LOG_EVERY_S:
            logged = now
            servers = ", ".join(client_options(kafka)["bootstrap_servers"])
            log.warning(
                "no broker answers at %s (kafka.bootstrap_servers); waiting for one", servers
            )
        await retry.sleep_async()
    status.broker_away_since = 0.0


async def went_away(error: Exception, kafka: Mapping[str, object]) -> bool:
    """Whether an error means that the broker went away, for good or for a moment."""
    if isinstance(error, AccessError):
        return False  # a broker that refuses is up
    if type(error).__name__ in _LOST:
        return True
    return not await asyncio.to_thread(somebody_listens, kafka, timeout_s=CHECK_S)


async def check_broker(sender: Sender, status: WorkerStatus) -> None:
    """Note since when no broker answers, and log it once."""
    if await sender.somebody_answers(CHECK_S):
        status.broker_away_since = 0.0
    elif not status.broker_away_since:
        log.warning("no broker answers; work goes on when one does")
        status.broker_away_since = status.clock()

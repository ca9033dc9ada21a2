"""Whether a broker answers: waited for before the start, watched while a worker works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from stream.kafka.access import AccessError
from stream.kafka.admin import somebody_listens
from stream.kafka.security import client_options
from stream.worker.sender import Sender
from stream.worker.worker_status import WorkerView

__all__ = ["LOOK_S", "look_at_broker", "wait_for_broker", "went_away"]

log = logging.getLogger(__name__)
#: How often it is looked whether a broker answers, and how long that may take.
LOOK_S: Final = 2.0
#: Before the start: how often it is looked for one, and how often that is said.
_LOOK_AGAIN_S: Final = 0.5
_SAY_AGAIN_S: Final = 30.0
#: What both client libraries call a broker that does not answer any more.
_LOST: Final = {
    "KafkaConnectionError", "KafkaTimeoutError", "MetadataEmptyBrokerList", "NoBrokersAvailable",
    "NodeNotReadyError", "RequestTimedOutError",
}  # fmt: skip


async def wait_for_broker(kafka: Mapping[str, object], view: WorkerView) -> None:
    """Return when somebody listens there: who starts before its broker need not start again."""
    said = float("-inf")
    while not await asyncio.to_thread(somebody_listens, kafka, timeout_s=LOOK_S):
        now = view.clock()
        view.broker_away_since = view.broker_away_since or now
        if now - said >= _SAY_AGAIN_S:
            said = now
            servers = ", ".join(client_options(kafka)["bootstrap_servers"])
            log.warning(
                "no broker answers at %s (kafka.bootstrap_servers); waiting for one", servers
            )
        await asyncio.sleep(_LOOK_AGAIN_S)
    view.broker_away_since = 0.0


async def went_away(error: Exception, kafka: Mapping[str, object]) -> bool:
    """Whether an error means that the broker was there and is no more, or was away for a moment."""
    if isinstance(error, AccessError):
        return False  # who refuses is there
    if type(error).__name__ in _LOST:
        return True
    return not await asyncio.to_thread(somebody_listens, kafka, timeout_s=LOOK_S)


async def look_at_broker(sender: Sender, view: WorkerView) -> None:
    """Note since when no broker answers, and say so once."""
    if await sender.somebody_answers(LOOK_S):
        view.broker_away_since = 0.0
    elif not view.broker_away_since:
        log.warning("no broker answers; work goes on when one does")
        view.broker_away_since = view.clock()

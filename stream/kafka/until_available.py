"""Asking a broker again until it is available."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiokafka.errors import KafkaError, KafkaTimeoutError

from stream.process.retry import Retry

__all__ = ["retry_until_available"]

log = logging.getLogger(__name__)
T = TypeVar("T")
_PAUSE_S: Final = 1.0


async def retry_until_available(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until a broker answers, however long an outage lasts.

    Raises
    ------
    KafkaError
        At once, if asking again cannot help: a missing right, say.
    """
    retry = Retry(_PAUSE_S)
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            if not retry.pause_s:
                log.warning("asking again until a broker answers: %r", error)
            await retry.sleep_async()

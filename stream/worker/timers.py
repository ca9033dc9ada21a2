"""Jobs of the worker's loop that are done every so often, and those that may not take for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["every", "in_time"]

log = logging.getLogger(__name__)


async def in_time(job: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do a job of leaving; what is not done in time is left to the group to notice."""
    try:
        async with asyncio.timeout(seconds):
            await job()
    except TimeoutError:
        log.warning("leaving took longer than %g s; the group will notice by itself", seconds)
    except asyncio.CancelledError:
        # aiokafka's fetcher passes on that its own task was cancelled, if a broker was away.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def every(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    """Do a job for ever, each time after so many seconds."""
    while True:
        await asyncio.sleep(seconds)
        await job()

"""When to try again what failed, or to ask again for what is not there yet: the one policy.

It paces tries that may fail. Not by it go: what is due at intervals, failing or not
(`stream.worker.timers`); the loops inside aiokafka, whose pauses are set in
`stream.worker.faust.aiokafka_patches`; a partition that stands still without a failure
(`stream.kafka.stalls`); commits of positions, which come with the next round; and requests to
`ingest`, which their sender repeats (`Retry-After`).
"""

from __future__ import annotations

import asyncio
import math
import time

__all__ = ["Retry"]


class Retry:
    """Pauses between tries, and when to stop trying.

    Parameters
    ----------
    first_s : float
        The pause after the first failure.
    longest_s : float, optional
        Pauses double up to this; by default all are `first_s`.
    within_s : float
        Seconds from now after which there is no other try; without end by default.
    """

    def __init__(
        self, first_s: float, longest_s: float | None = None, *, within_s: float = math.inf
    ) -> None:
        self._first_s = first_s
        self._longest_s = first_s if longest_s is None else longest_s
        self._end = time.monotonic() + within_s
        self.pause_s = 0.0  # the last pause; 0 if the last try did not fail

    @property
    def is_over(self) -> bool:
        """Whether there is no other try."""
        return time.monotonic() >= self._end

    def next_pause(self, at_least_s: float = 0.0) -> float:
        """Count a failure; the pause that follows it, longer if more was asked for."""
        doubled = min(max(2 * self.pause_s, self._first_s), self._longest_s)
        self.pause_s = max(doubled, at_least_s)
        return self.pause_s

    def succeeded(self) -> None:
        """Begin with the first pause at the next failure."""
        self.pause_s = 0.0

    def sleep(self) -> bool:
        """Count a failure and pause; False, at once, if there is no other try."""
        if self.is_over:
            return False
        time.sleep(self.next_pause())
        return True

    async def sleep_async(self) -> bool:
        """As `sleep`, in an event loop."""
        if self.is_over:
            return False
        await asyncio.sleep(self.next_pause())
        return True

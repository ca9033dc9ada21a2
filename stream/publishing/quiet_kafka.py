"""kafka-python says of every attempt to connect that it failed, several lines a second.

In a service that only wants to tell what its model said, one line of a kind a minute is enough:
what is wrong, the monitor itself says once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["OneAMinute", "quieten_kafka_python"]

_EVERY_S: Final = 60.0


class OneAMinute(logging.Filter):
    """Lets a line of each place in the code through once a minute; errors with a trace always."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging`."""
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        place, now = (record.name, record.lineno), self._clock()
        if now - self._said.get(place, -_EVERY_S) < _EVERY_S:
            return False
        self._said[place] = now
        return True


_ONE: Final = OneAMinute()


def quieten_kafka_python() -> None:
    """Apply it to all loggers of kafka-python."""
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("kafka."):
            logging.getLogger(name).addFilter(_ONE)

"""What a service that serves a model sends: `Monitor`, and all that is behind it.

It needs kafka-python and msgspec only: no numpy, no numba, no pyarrow.
"""

from __future__ import annotations

from stream.publishing.errors import DroppedEventError, InvalidEventError
from stream.publishing.middleware import MonitorMiddleware
from stream.publishing.monitor import Monitor
from stream.publishing.stats import MonitorStats

__all__ = [
    "DroppedEventError",
    "InvalidEventError",
    "Monitor",
    "MonitorMiddleware",
    "MonitorStats",
]

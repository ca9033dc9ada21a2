"""Statistics of the deliveries to a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["DeliveryStats", "TargetStats"]


@dataclass
class DeliveryStats:
    """Counts of a target's requests. Written by its own thread only."""

    delivered: int = 0
    failed: int = 0  # requests that the receiver did not accept; they are tried again
    given_up: int = 0  # events that are not tried again
    last_s: float = 0.0  # Unix time of the last delivery


class TargetStats(NamedTuple):
    """A target's statistics; `lag` is in records of the topic that are not delivered yet."""

    name: str
    stats: DeliveryStats
    lag: int
    failing: bool
    stalled: bool

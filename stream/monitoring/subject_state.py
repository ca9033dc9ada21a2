"""What a snapshot holds of a subject."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.monitoring.health import Health
from stream.monitoring.lifetime import Lifetime
from stream.monitoring.panes import Late
from stream.monitoring.weekly import WeeklyCount

__all__ = ["SubjectState"]


class SubjectState(msgspec.Struct):
    """What a snapshot holds of a subject."""

    model: str
    version: str
    topic_id: str
    frontier_ms: int
    panes_sealed: int
    store: bytes
    late: dict[int, Late]
    health: Health
    plan: bytes
    course: bytes
    episodes: list[Any]
    weekly: WeeklyCount
    lifetime: Lifetime = msgspec.field(default_factory=Lifetime)

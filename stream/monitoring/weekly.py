"""How many episodes opened in a week of event time: what the budget is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from stream.alerts.event import AlertEvent

__all__ = ["WeeklyCount"]

_DAY_MS: Final = 86_400_000


class WeeklyCount(msgspec.Struct, array_like=True):
    """Episodes opened since Monday, in UTC."""

    week: int = 0
    opened: int = 0

    def note(self, alerts: Iterable[AlertEvent], at_ms: int) -> None:
        """Count those that open with these alerts."""
        if opened := sum(alert.data.revision == 1 for alert in alerts):
            week = _week_of(at_ms)
            self.opened = opened + (self.opened if week == self.week else 0)
            self.week = week

    def at(self, time_ms: int) -> int:
        """The number in the week of this time."""
        return self.opened if _week_of(time_ms) == self.week else 0


def _week_of(time_ms: int) -> int:
    return (time_ms + 3 * _DAY_MS) // (7 * _DAY_MS)  # 1970 began on a Thursday, weeks on Mondays

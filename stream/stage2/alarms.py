"""What the budget is about: episodes that opened in a week, and for how long any was open.

The number alone says little: an episode that never closes is one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from stream.contracts.alert_event import AlertEvent
from stream.text.durations import DAY_MS, WEEK_MS

if TYPE_CHECKING:
    from stream.stage2.phase import PlanPhase

__all__ = ["SPAN_DAYS", "Alarms"]

#: Days that the share of time in alarm is of: four weeks.
SPAN_DAYS: Final = 28


class Alarms(msgspec.Struct, array_like=True):
    """Episodes of one subject, as counted against its budget.

    Attributes
    ----------
    week, opened : int
        Episodes opened in that week, which begins on Monday, in UTC.
    reference : str
        Hash of what the panes were compared to.
    panes, in_alarm : int
        Tested panes since the reference came into force, and those after which an episode of drift
        or of data quality was open.
    days : list
        The same by day (UTC), the last `SPAN_DAYS` up to the newest pane: (day, panes, in alarm).
    """

    week: int = 0
    opened: int = 0
    reference: str = ""
    panes: int = 0
    in_alarm: int = 0
    days: list[tuple[int, int, int]] = []

    def note(self, alerts: Iterable[AlertEvent], at_ms: int) -> None:
        """Count the episodes that open with these alerts."""
        if opened := sum(alert.data.revision == 1 for alert in alerts):
            week = _week_of(at_ms)
            self.opened = opened + (self.opened if week == self.week else 0)
            self.week = week

    def at(self, time_ms: int) -> int:
        """Episodes opened in the week of this time."""
        return self.opened if _week_of(time_ms) == self.week else 0

    def pane(self, pane_ms: int, phase: PlanPhase, firing: Collection[str]) -> None:
        """Count a sealed pane if it was tested; `firing` are the kinds that are open after it."""
        if phase.detection is None:
            return
        if phase.reference_hash != self.reference:  # alarms against another are over
            self.reference, self.panes, self.in_alarm, self.days = phase.reference_hash, 0, 0, []
        alarm = int(any(kind != "system" for kind in firing))
        self.panes += 1
        self.in_alarm += alarm
        day, panes, alarms = pane_ms // DAY_MS, 0, 0
        if self.days and self.days[-1][0] == day:
            _, panes, alarms = self.days.pop()
        self.days.append((day, panes + 1, alarms + alarm))
        while self.days[0][0] <= day - SPAN_DAYS:
            del self.days[0]

    @property
    def ratio(self) -> float | None:
        """Share of the tested panes of the last four weeks in alarm; None if there is none."""
        panes = sum(panes for _, panes, _ in self.days)
        return sum(alarms for _, _, alarms in self.days) / panes if panes else None


def _week_of(time_ms: int) -> int:
    return (time_ms + 3 * DAY_MS) // (WEEK_MS)  # 1970 began on a Thursday, weeks on Mondays

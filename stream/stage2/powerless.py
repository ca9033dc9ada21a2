"""Which windowed tests of a plan can find nothing in windows of the size that its stream fills."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import Budget, SlotWindowBank, WindowBank
from detectors.references.calendar import DAYS_TOLD
from detectors.windowed.power import Powerless, powerless
from stream.plans.plan import Plan
from stream.stage2.windows import MAX_CYCLES
from stream.text.durations import HOUR_MS, WEEK_MS

__all__ = ["MONDAY_MS", "Fill", "fill_of", "powerless_tests"]

#: A Monday of 1970.
MONDAY_MS: Final = 4 * 24 * HOUR_MS


class Fill(NamedTuple):
    """How windows fill at the rate of the reference: events of one, and how long it takes.

    `ms` is 0 where the rate is not known; `events` is less than `min_events` if they are never
    tested.
    """

    events: float
    min_events: int
    ms: float

    @property
    def tested(self) -> int:
        """Events of a window that is tested."""
        return int(min(max(self.events, self.min_events), 2**40))


def fill_of(plan: Plan, budget: Budget) -> Fill:
    """How windows of a plan fill."""
    min_events = min(plan.window_min_events, plan.window_events)
    wanted, weekly = budget.window_events, plan.reference.events_per_week
    if not weekly:
        return Fill(wanted, min_events, 0.0)
    if plan.cycle_ms:
        events = weekly * plan.cycle_ms / WEEK_MS
        cycles = max(1, -(-min_events // max(1, int(events))))
        return Fill(events * min(cycles, MAX_CYCLES), min_events, plan.cycle_ms * cycles)
    fills_ms = wanted * WEEK_MS / weekly
    events = min(float(wanted), weekly * plan.window_max_age_ms / WEEK_MS)
    return Fill(events, min_events, min(fills_ms, float(plan.window_max_age_ms)))


def powerless_tests(
    plan: Plan, bank: WindowBank | SlotWindowBank, budget: Budget
) -> tuple[Powerless, ...]:
    """The tests of the plan's windows that find nothing in them, and why."""
    events = fill_of(plan, budget).tested
    rows = plan.reference.events
    return tuple(powerless(bank, rows, events, budget.window_alpha, _told(plan, events)))


def _told(plan: Plan, events: int) -> npt.NDArray[np.int64] | None:
    """What the calendar tells of a window of so many events that come evenly."""
    calendar, weekly = plan.reference.calendar, plan.reference.events_per_week
    if calendar is None:
        return None
    hours = -(-events * WEEK_MS // max(1, weekly) // HOUR_MS)
    hours = max(1, min(hours, DAYS_TOLD * 24))
    told = np.zeros(calendar.tail, np.int64)
    for hour in range(hours):
        start_ms = MONDAY_MS + hour * HOUR_MS
        place = calendar.place(start_ms, calendar.longest_pane_ms)
        told += calendar.told(place, start_ms, max(1, events // hours))
    return told

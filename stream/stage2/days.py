"""Single days of streams with slots: looked at when one is over, from the history's blocks."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors import Calendar, ChangePoint, DayTests
from detectors.change_points.history import COLUMNS, History
from detectors.change_points.latest import Latest
from detectors.counting.binning import SCORE_SCALE
from stream.alerts.finding import Finding
from stream.alerts.severity import severity_of_shift
from stream.contracts.alert_event import format_time
from stream.plans.plan import Plan
from stream.plans.slots import DAY
from stream.stage2.findings import Hit, Span, explained
from stream.stage2.shared_tables import SharedTables
from stream.text.durations import DAY_MS

__all__ = ["DayLooks"]

_MOVES: Final = ("mean", "spread")
#: Standard deviations of the mean rank from which a day is off to one side.
_ONE_SIDED: Final = 1.64
_EVENTS, _X, _Y, _MISSING, _INVALID = (
    COLUMNS.index(name) for name in ("events", "x", "y", "missing", "invalid")
)


class DayLooks:
    """Tests every day of one subject by the clock of its reference.

    It keeps nothing: the history has blocks of panes, and those that lie within the day are its
    sums. They hold all of it but for some tenth of its beginning.

    Attributes
    ----------
    made : int
        Tests since this object was.
    """

    def __init__(
        self,
        plan: Plan,
        shared: SharedTables,
        tests: DayTests,
        calendar: Calendar,
        history: History,
        latest: Latest,
    ) -> None:
        self._plan, self._latest = plan, latest
        self._numeric, self._on = plan.layout.numeric, shared.day_on
        self._tests, self._calendar, self._history = tests, calendar, history
        self._alpha = shared.budget.day_alpha
        self.made = 0

    @classmethod
    def of(
        cls, plan: Plan, shared: SharedTables, history: History, latest: Latest
    ) -> DayLooks | None:
        """None where no days are tested."""
        calendar = plan.reference.calendar
        if calendar is None or shared.days is None or plan.cycle_ms:
            return None
        return cls(plan, shared, shared.days, calendar, history, latest)

    def ended(self, start_ms: int) -> list[Finding] | None:
        """What is found of the day before, if a pane that begins now is of another one.

        To be asked before the pane is fed. None if no day is over.
        """
        history, calendar = self._history, self._calendar
        if not len(history):
            return None
        day = calendar.local_ms(history.end_ms[-1] - 1) // DAY_MS
        if calendar.local_ms(start_ms) // DAY_MS == day:
            return None
        first = next(
            (b for b, at in enumerate(history.start_ms) if calendar.local_ms(at) // DAY_MS >= day),
            len(history) - 1,
        )
        when = ChangePoint(history.start_ms[first], history.start_ms[first], history.end_ms[-1])
        sums = np.array([history.of(int(i))[first:].sum(axis=0) for i in self._numeric], np.float64)
        if not sums.size:
            return []
        n = sums[:, _EVENTS] - sums[:, _MISSING] - sums[:, _INVALID]
        means = sums[:, [_X, _Y]] / (SCORE_SCALE * np.maximum(1.0, n)[:, None])
        result = self._tests.test(n, means)
        on = self._on[self._numeric]
        self.made += int((result.tested & on).sum())
        found = np.flatnonzero((result.p <= self._alpha) & on)
        date = format_time(day * DAY_MS)[:10]
        span, findings = Span("", *self._latest.since(when)), []
        for row in found.tolist():
            apart = result.apart[row]
            # A day that is off to one side has a large spread, too: the alert gives the side.
            axis = 0 if abs(apart[0]) >= _ONE_SIDED else 1
            effect = float(abs(means[row, axis] - self._tests.centre[row, axis]))
            way = ("low", "high")[int(apart[0] > 0.0)] if axis == 0 else "spread"
            hit = Hit(
                DAY,
                float(np.abs(apart).max()),
                self._tests.limit(row, self._alpha),
                severity_of_shift(effect),
                effect,
                float(result.p[row]),
                note=f"unusually {way} on {date}",
                change_point=when,
                direction=1 if apart[axis] > 0.0 else -1,
                moves=_MOVES[axis],
            )
            findings.append(explained(self._plan, int(self._numeric[row]), hit, span))
        return findings

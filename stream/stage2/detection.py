"""What is tested of one subject under one plan: from sealed panes to findings.

Sequential detectors are fed once a pane (once a cycle where the stream has one) with the counts of
scope `all`; windowed tests run on every segment's windows as they close. All decisions are
functions of merged integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import Calendar, ChangePoint, ChangePoints, WindowResult
from detectors.causes import Explained
from detectors.change_points.latest import Latest
from stream.alerts.episodes import Finding
from stream.contracts.budget_summary import BudgetSummary
from stream.plans.plan import Plan
from stream.stage2.beginning import Beginning
from stream.stage2.causes import Causes
from stream.stage2.days import DayLooks
from stream.stage2.error_sizes import ErrorSizes
from stream.stage2.explained_by_quality import explained_rows
from stream.stage2.fairness_tests import FairnessTests
from stream.stage2.findings import Hit, Span, explained
from stream.stage2.limit_tests import LimitTests
from stream.stage2.outcome_view import OutcomeView, OutcomeViews
from stream.stage2.panes import Sealed
from stream.stage2.relation_tests import RelationTests
from stream.stage2.sequential import Sequential
from stream.stage2.shared_tables import SharedTables
from stream.stage2.windows import Closed, Skipped, WindowRule, Windows

__all__ = ["Detection", "OnWindow", "Step"]

_Dump = tuple[
    bytes, bytes, bytes, int, dict[str, int], bytes, bytes, Beginning, bytes, bytes, bytes
]
#: Chance that a look at half a window holds a signal in its episode though nothing is wrong.
_LOOK_ALPHA: Final = 0.05


class Step(NamedTuple):
    """What one moment of event time brought.

    `window_closed` says that a full window of scope `all` was tested; `events` and `start_ms` are
    that window's, else the pane's. `window_halved` says that its window is half full: whether an
    episode may end is looked at there, too. `day_ended` says that single days are looked at, and
    that the pane is the first of another one.
    """

    at_ms: int
    start_ms: int
    events: int
    findings: list[Finding]
    window_closed: bool
    segments_closed: list[str]
    offsets: dict[int, tuple[int, int]]
    window_halved: bool = False
    day_ended: bool = False


#: Told of every window that is tested, whatever comes of it.
OnWindow = Callable[[Plan, Closed, WindowResult], None]


class Detection:
    """Windows, detectors and budget of one subject under one plan.

    With `goes_on` its reference was compared to before, under another plan.
    """

    def __init__(
        self, plan: Plan, on_window: OnWindow | None = None, *, goes_on: bool = False
    ) -> None:
        self.plan = plan
        self._on_window = on_window
        self.layout = plan.layout
        self._shared = shared = SharedTables.of(plan)
        self.budget = shared.budget
        rule = WindowRule(
            self.budget.window_events, plan.window_max_age_ms, plan.window_min_events, plan.cycle_ms
        )
        self.calendar = plan.reference.calendar
        # Behind the counts of a pane its calendar tells of which slots and days they are.
        width = self.layout.width + (0 if self.calendar is None else self.calendar.tail)
        actual = next((i for i, s in enumerate(plan.monitored) if s.role == "actual"), None)
        truths = slice(0, 0) if actual is None else self.layout.slice(actual)
        self.windows = Windows(rule, width, truths)
        self._places = {signal.name: i for i, signal in enumerate(plan.monitored)}
        self.bank = shared.bank
        self.beginning = Beginning(over=goes_on)
        ranks = None if shared.ranks is None else shared.ranks.of
        self.changes = ChangePoints(plan.monitored, self.layout, ranks)
        self.latest = Latest(width)
        self.sequential = Sequential(plan, shared, self.changes)
        self.relation = RelationTests.of(plan, self.budget)
        self._outcomes = OutcomeViews.of_plan(plan, self._plan_of_part)
        self.limits = LimitTests.of(plan, self.budget)
        self.fairness = FairnessTests.of(plan, self.budget)
        self.days = DayLooks.of(plan, shared, self.changes.history, self.latest)
        self.budget_summary = BudgetSummary.of(
            self.budget,
            len(plan.monitored),
            bool(plan.cycle_ms),
            limits=bool(plan.limits),
            relation=self.relation is not None,
            disparities=sum(len(each.disparities) for each in plan.fairness),
        )
        self.results: dict[str, WindowResult] = {}  # of the last full window, by segment
        self.sealed_to_ms = 0
        self.skipped = Skipped()

    def pane(self, sealed: Sealed) -> Step:
        """Take the next sealed pane in; windows with an earlier deadline must have expired."""
        if self.calendar is not None:
            sealed = sealed._replace(counts=self._told(self.calendar, sealed))
        end_ms = sealed.start_ms + self.plan.pane_ms
        self.sealed_to_ms = end_ms
        whole = sealed.counts.get("")
        findings: list[Finding] = []
        day = None if self.days is None or whole is None else self.days.ended(sealed.start_ms)
        findings += day or ()
        if whole is not None and not self.plan.cycle_ms:
            findings += self._sequential(whole, sealed.start_ms, end_ms)
        if self.fairness is not None:
            self.fairness.pane(sealed.counts, sealed.start_ms, end_ms)
        before = self._filled
        closed = [
            window
            for segment, counts in sealed.counts.items()
            if (
                window := self.windows.add(segment, sealed.start_ms, end_ms, counts, sealed.offsets)
            )
        ]
        if not self.beginning.over:
            filling, rule = self.windows.filling.get(""), self.windows.rule
            self.beginning.look(filling, rule, end_ms, self.bank.test)
        events = 0 if whole is None else int(whole[0])
        filling = self.windows.filling.get("")
        began = end_ms if filling is None else filling.start_ms
        halved = self.windows.rule.passes_half(before, self._filled, end_ms - began)
        step = Step(
            end_ms,
            sealed.start_ms,
            events,
            findings,
            False,
            [],
            sealed.offsets,
            halved,
            day is not None,
        )
        return self._close(step, closed)

    @property
    def _filled(self) -> int:
        """Events of the filling window of the whole stream."""
        window = self.windows.filling.get("")
        return 0 if window is None else window.events

    def unlike(self) -> frozenset[str]:
        """Signals of the filling window that are not clearly like the reference again.

        A look, not a test: by it nothing is found, and what was found stays. At a level that is
        weak on purpose, so that a small drift does not come and go.
        """
        result = self.bank.test(self.windows.filling[""].counts, _LOOK_ALPHA)
        found = np.unique(result.signal[result.found]).tolist()
        unlike = {self.plan.monitored[i].name for i in found}
        counts = self.windows.filling[""].counts
        if self.relation is not None and self.relation.is_unlike(counts, _LOOK_ALPHA):
            unlike.add(self.relation.name)
        if self.limits is not None:
            unlike |= self.limits.beyond(counts)
        if self.fairness is not None:
            unlike |= self.fairness.open
        return frozenset(unlike)

    def heard(self, segment: str, signal: str, is_filling: bool) -> bool:
        """Whether any value of a signal came in a segment's window: the filling or the last one.

        Missing values are values. What is no signal of events, as a limit, judges that by itself.
        """
        window = (self.windows.filling if is_filling else self.windows.last).get(segment)
        if window is None:
            return False
        if self.relation is not None and signal == self.relation.name:
            return self.relation.heard(window.counts)
        index = self._places.get(signal)
        return index is None or bool(window.counts[self.layout.slice(index)].any())

    def _told(self, calendar: Calendar, sealed: Sealed) -> dict[str, npt.NDArray[np.int64]]:
        """The counts of all segments with what the calendar tells of the pane."""
        place = calendar.place(sealed.start_ms, self.plan.pane_ms)
        return {
            segment: np.append(counts, calendar.told(place, sealed.start_ms, int(counts[0])))
            for segment, counts in sealed.counts.items()
        }

    def outcomes_now(self, segment: str = "") -> OutcomeView | None:
        """Outcomes of a scope's last full window; None before one, or where none are counted."""
        window = self.windows.last.get(segment)
        if self._outcomes is None or window is None:
            return None
        return self._outcomes.of(window)

    def explain(self, began: ChangePoint | None) -> dict[str, Explained] | None:
        """What each feature explains of the prediction's move since a change.

        By the last events since then, or by the last full window where these are too few to tell.
        None if that is not known, or the move is not clear yet.
        """
        causes = Causes.of(self.plan)
        if causes is None or not self.latest:
            return None
        found = causes.explained(self.latest.since(began).counts)
        self.latest.release()
        window = self.windows.last.get("")
        if found is None and window is not None:
            found = causes.explained(window.counts.astype(np.int64))
        return found

    def expire(self, time_ms: int) -> list[Step]:
        """Close the windows whose deadline has come, a step for each deadline."""
        by_time: dict[int, list[Closed]] = {}
        for window in self.windows.expire(time_ms):
            by_time.setdefault(window.end_ms, []).append(window)
        return [
            self._close(Step(end_ms, windows[0].start_ms, 0, [], False, [], {}), windows)
            for end_ms, windows in by_time.items()
        ]

    def _close(self, step: Step, closed: Iterable[Closed]) -> Step:
        """Test the windows that closed at this moment."""
        for window in closed:
            self.skipped.note(window)
            if self.fairness is not None and not window.segment:
                step.findings.extend(self.fairness.window())
            if not window.full:
                if not window.segment and not self.beginning.over:
                    self.beginning.close(None)
                continue
            if not window.segment:
                if self.plan.cycle_ms:
                    step.findings.extend(
                        self._sequential(window.counts, window.start_ms, window.end_ms)
                    )
                step = step._replace(
                    window_closed=True,
                    start_ms=window.start_ms,
                    events=window.events,
                    offsets=window.offsets,
                )
            else:
                step.segments_closed.append(window.segment)
            step.findings.extend(self._windowed(window))
        self.changes.history.release()
        self.latest.release()
        return step

    def _windowed(self, window: Closed) -> list[Finding]:
        if window.counts[0] < window.events:  # it has more truths than predictions
            counts = window.counts.copy()
            counts[0] = window.events
            window = window._replace(counts=counts)
        result = self._test(window)
        part = self._shared.of_part(window.segment)
        plan, bank = (self.plan, self.bank) if part is None else (part.plan, part.bank)
        if self._on_window is not None:
            self._on_window(self.plan, window, result)
        span = Span(window.segment, window.start_ms, window.end_ms, window.counts)
        compared = window.segment or self.beginning.over
        early = frozenset[int]() if compared else self.beginning.close(result)
        by_quality, rated = explained_rows(
            plan, bank, window.counts, result, self._alpha(window.segment)
        )
        findings = []
        for row in np.flatnonzero(result.found).tolist():
            index = int(result.signal[row])
            test, severity = result.test(row), result.severity(row)
            assert severity  # "" is of rows without a finding
            if row in by_quality and index in rated:
                continue  # the rate says it
            if self._is_better(plan, index, window.counts):
                continue
            # The history is of the whole stream; else only the window is known.
            began = None if window.segment else self.changes.estimate(index, test)
            began = began or ChangePoint(window.start_ms, window.start_ms, window.end_ms)
            hit = Hit(
                test,
                float(result.value[row]),
                float(result.threshold[row]),
                severity,
                float(result.effect[row]),
                float(result.p_value[row]),
                change_point=began,
                look=int(result.look[row]),
                from_start=row in early,
                of_quality=row in by_quality,
            )
            findings.append(explained(plan, index, hit, span))
        if self.relation is not None:
            usual = None if part is None else part.relation
            findings += self.relation.window(window, self._alpha(window.segment), usual)
        if self.limits is not None and not window.segment:
            findings += self.limits.window(window)
        return findings

    def _is_better(self, plan: Plan, index: int, counts: npt.NDArray[np.int64]) -> bool:
        """Whether a signal is the error of predictions, and is less than in the reference."""
        if not plan.monitored[index].is_derived:
            return False
        errors = ErrorSizes.of(plan, index, counts)
        return errors.now <= errors.usual

    def _plan_of_part(self, segment: str) -> Plan | None:
        part = self._shared.of_part(segment)
        return None if part is None else part.plan

    def _alpha(self, segment: str) -> float:
        return self.budget.segment_alpha if segment else self.budget.window_alpha

    def _test(self, window: Closed) -> WindowResult:
        alpha = self._alpha(window.segment)
        part = self._shared.of_part(window.segment)
        bank = self.bank if part is None else part.bank
        result = self.results[window.segment] = bank.test(window.counts, alpha)
        if len(self.results) > len(self.windows.last):  # it forgets segments long silent
            for segment in self.results.keys() - self.windows.last.keys():
                del self.results[segment]
                if self._outcomes is not None:
                    self._outcomes.forget(segment)
        return result

    def _sequential(
        self, counts: npt.NDArray[np.int64], start_ms: int, end_ms: int
    ) -> list[Finding]:
        """Feed what every pane is fed to, or every cycle where there is one."""
        self.changes.history.add(counts, start_ms, end_ms)
        self.latest.add(counts, start_ms, end_ms)
        findings = []
        for found in self.sequential.update(counts):
            # A pane may have one event: the alert describes all events since the change.
            span = Span("", *self.latest.since(found.hit.change_point))
            i = found.signal
            if self._is_better(self.plan, i, span.counts):
                continue
            expected = self.plan.expected(i, span.counts)
            since = span.counts[self.layout.slice(i)]
            hit = found.since(self.plan.monitored[i], expected, since)
            hit = hit._replace(of_quality=found.is_of_quality(expected, since))
            early = self.beginning.holds(hit, self.windows.born_ms, end_ms)
            hit = hit._replace(from_start=early and not self.plan.cycle_ms)
            findings.append(explained(self.plan, i, hit, span))
        if self.relation is not None:
            findings += self.relation.pane(counts, start_ms, end_ms)
        if self.limits is not None:
            findings += self.limits.pane(counts, start_ms, end_ms)
        return findings

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        state = (
            self.windows.dump(self.windows.segments),
            *self.sequential.dump(),
            self.sealed_to_ms,
            self.skipped.windows,
            self.changes.history.dump(),
            self.latest.dump(),
            self.beginning,
            b"" if self.relation is None else self.relation.dump(),
            b"" if self.limits is None else self.limits.dump(),
            b"" if self.fairness is None else self.fairness.dump(),
        )
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Take over a dumped state under the same plan."""
        (
            windows,
            adwin,
            edetector,
            self.sealed_to_ms,
            self.skipped.windows,
            history,
            latest,
            self.beginning,
            relation,
            limits,
            fairness,
        ) = msgspec.msgpack.decode(data, type=_Dump)
        self.windows.load(windows)
        self.sequential.load(adwin, edetector)
        self.changes.history.load(history)
        self.latest.load(latest)
        if self.relation is not None:
            self.relation.load(relation)
        if self.limits is not None:
            self.limits.load(limits)
        if self.fairness is not None:
            self.fairness.load(fairness)
        for window in self.windows.last.values():
            self._test(window)

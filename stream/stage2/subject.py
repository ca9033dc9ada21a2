"""The monitor of one subject: its open panes, its tests, its episodes.

Panes are sealed strictly in order and windows closed at their own times, so the alert events are a
function of the sealed panes: how often and how far the frontier moved leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.alerts.episodes import Episodes
from stream.contracts.alert_event import AlertEvent
from stream.contracts.moments import INFINITY, MINUS_INFINITY
from stream.contracts.summary_message import SummaryBatch
from stream.plans.plan import AnyPlan, PlanBook, Subject
from stream.stage1.versions import OTHER_VERSION
from stream.stage2 import joins
from stream.stage2.alarms import Alarms
from stream.stage2.detection import Detection, OnWindow, Step
from stream.stage2.eviction import EvictablePhase
from stream.stage2.frontier import PartitionProgress
from stream.stage2.health import NO_DATA, VERSIONS, Health, versions_folded
from stream.stage2.late_rule import offer_all
from stream.stage2.lifetime import FOLDED_EPISODE_ENDS_MS, Lifetime
from stream.stage2.panes import Late, PaneStore
from stream.stage2.phase import PlanPhase
from stream.stage2.subject_state import SubjectState

__all__ = ["SubjectMonitor"]


class SubjectMonitor:
    """Panes in, alert events out, for one (model, version)."""

    def __init__(
        self, subject: Subject, plans: PlanBook, on_window: OnWindow | None = None
    ) -> None:
        self.subject = subject
        self.topic_id = ""
        self.frontier_ms = MINUS_INFINITY
        self.panes_sealed = 0
        self.store = PaneStore()
        self.late: dict[int, Late] = {}
        self.episodes = Episodes(subject)
        self.lifetime = Lifetime()
        self._plans = plans
        self._evictable = EvictablePhase(str(subject), on_window)
        self.alarms = Alarms()
        self._health = Health()

    def follow(self, topic_id: str) -> None:
        """Note which source topic the subject's events come from; a new one replaces the old."""
        if topic_id != self.topic_id:
            self.topic_id = topic_id
            self.late = {}
            self._health.begin_source()

    @property
    def phase(self) -> PlanPhase | None:
        """What becomes of sealed panes; None before the first one and while evicted."""
        return self._evictable.phase

    @property
    def detection(self) -> Detection | None:
        """What is tested; None before the first pane, during a warmup, and while evicted."""
        return None if self.phase is None else self.phase.detection

    @property
    def is_idle(self) -> bool:
        """Whether nothing happened for a while; its tests are evicted then, unless it alerts."""
        return self._evictable.is_idle

    def release(self) -> bool:
        """Evict the tests if nothing happened since the last call; whether that was done."""
        # Not while an episode is open: somebody looks for what it was found in.
        return self._evictable.release(keep=bool(self.episodes.active))

    @property
    def silent(self) -> bool:
        """Whether an episode says that no data come."""
        return self._health.silent

    @property
    def clocks_judged(self) -> tuple[int, int]:
        """How many events of wrong clocks were judged, and since when others wait."""
        return self._health.told, self._health.waits_since_ms

    @property
    def is_over(self) -> bool:
        """Whether nothing is known of it, and no pane is open."""
        return self._evictable.plan is None and self.panes_sealed > 0 and not len(self.store)

    @property
    def late_total(self) -> int:
        """Events that came after their pane was complete."""
        return sum(late.total for late in self.late.values())

    @property
    def opened_this_week(self) -> int:
        """Episodes opened since Monday of the frontier's week, in UTC and event time."""
        return self.alarms.at(self.frontier_ms)

    def _plan_at(self, time_ms: int) -> AnyPlan | None:
        return self._plans.plan_at(self.subject.model, self.subject.version, time_ms)

    def accept(self, batch: SummaryBatch, progress: PartitionProgress) -> dict[str, int]:
        """Offer the summaries of one batch to the open panes; how many met which refusal."""
        partition = joins.number_of(batch.source)
        late = self.late.setdefault(partition, Late())
        news_of_late = late.note(batch.chunk, batch.through, batch.late, batch.plan)
        self._health.note(batch)
        refused = offer_all(
            self.store,
            batch,
            self._plan_at,
            progress,
            self.frontier_ms,
            late if news_of_late else None,
        )
        self._health.bad_plans += refused.get("plan", 0)
        return refused

    def raise_frontier(self, source_frontier_ms: int) -> None:
        """Note the frontier of the source without sealing: for a subject first seen now."""
        if self.frontier_ms == MINUS_INFINITY and not len(self.store):
            self.frontier_ms = self._plans.sealed_to_ms(*self.subject, source_frontier_ms)

    def is_settled_at(self, source_frontier_ms: int) -> bool:
        """Whether it changes nothing that the source's frontier is here."""
        frontier = self._plans.sealed_to_ms(*self.subject, source_frontier_ms)
        return frontier <= self.frontier_ms and not self.is_over

    def advance(self, source_frontier_ms: int) -> Iterator[AlertEvent]:
        """Seal the panes that the source's frontier has passed, oldest first."""
        frontier = self._plans.sealed_to_ms(*self.subject, source_frontier_ms)
        if frontier <= self.frontier_ms:
            return
        self.frontier_ms = frontier
        yield from self._seal(self.store.due(frontier), frontier)
        yield from self._retire(frontier)
        yield from self.wait(frontier)
        if (phase := self._evictable.take_due(frontier)) is not None:
            yield from self._pass_time(phase, frontier)
        if plan := self._plan_at(frontier):
            yield from self._judge_clocks(plan, frontier)

    def seal_all(self, begun_ms: int = INFINITY) -> list[AlertEvent]:
        """Seal the panes that began before; the frontier moves to the end of the last."""
        alerts = list(self._seal(self.store.due(begun_ms), INFINITY))
        phase = self._evictable.take()
        if phase is not None and phase.sealed_to_ms > self.frontier_ms:
            self.frontier_ms = phase.sealed_to_ms
        return alerts

    def _seal(self, panes: list[int], frontier_ms: int) -> Iterator[AlertEvent]:
        for pane_ms in panes:
            plan = self._plan_at(pane_ms)
            if plan is None or pane_ms + plan.pane_ms > frontier_ms:
                continue
            yield from self._retire(pane_ms)
            phase = self._evictable.take()
            if phase is None or phase.plan.hash != plan.hash:
                yield from self._rebased(phase, plan, pane_ms)
                phase = self._evictable.begin(plan)
            yield from self._pass_time(phase, pane_ms)
            self.panes_sealed += 1
            sealed = self.store.seal(pane_ms, plan.merge_rule)
            step = phase.pane(sealed)
            self.lifetime.hear(sealed, plan)
            for partition, (chunk, events) in sealed.newest.items():
                self.late.setdefault(partition, Late()).seal(chunk, pane_ms, events)
            yield from self._judge(step, phase)
            self.alarms.pane(pane_ms, phase, self.episodes.active)
            if self.subject.version == OTHER_VERSION:
                self.lifetime.is_folding = True
                yield from self._tell(step._replace(findings=[versions_folded(step)]), phase)
            if self._health.hear(step.at_ms):
                context = phase.alert_context(step.offsets)
                yield from self.episodes.leave("system", NO_DATA, step.at_ms, context)

    def _pass_time(self, phase: PlanPhase, to_ms: int) -> Iterator[AlertEvent]:
        """Close the windows that end by then, and tell of silence before the pane of that time."""
        deadline = self._health.deadline_ms(phase.plan.no_data_after_ms)
        for step in phase.expire(to_ms if deadline is None else min(deadline, to_ms)):
            yield from self._judge(step, phase)
        if deadline is not None and deadline <= phase.plan.pane_of(to_ms):
            yield from self._fall_silent(phase)
            for step in phase.expire(to_ms):
                yield from self._judge(step, phase)

    def wait(self, time_ms: int) -> Iterator[AlertEvent]:
        """Tell of silence if it is due at this time, which may be ahead of the frontier.

        The frontier stands still while no partition has data: record time then goes on for it.
        """
        plan = self._plan_at(self.frontier_ms)
        if plan is None or not plan.no_data_after_ms:
            return
        if time_ms > self.frontier_ms:  # what is not sealed yet was heard all the same
            for pane_ms in self.store.due(INFINITY)[-1:]:
                self._health.note_pane(pane_ms + plan.pane_ms)
        deadline = self._health.deadline_ms(plan.no_data_after_ms)
        if deadline is None or deadline > time_ms or (phase := self._evictable.take()) is None:
            return
        if deadline <= self.frontier_ms:
            yield from self._pass_time(phase, self.frontier_ms)
        else:
            yield from self._fall_silent(phase)

    def _retire(self, to_ms: int) -> Iterator[AlertEvent]:
        """End the version if it was not heard for too long by this time; it may begin again."""
        life = self.lifetime
        over_ms = life.heard_to_ms + FOLDED_EPISODE_ENDS_MS
        if life.is_folding and over_ms <= to_ms and (phase := self._evictable.take()):
            life.is_folding = False
            yield from self.episodes.leave("system", VERSIONS, over_ms, phase.alert_context({}))
        ends_ms = life.ends_ms(self.subject, self._evictable.plan)
        if ends_ms is None or ends_ms > to_ms or (phase := self._evictable.take()) is None:
            return
        yield from self._pass_time(phase, ends_ms)
        yield from self.end(ends_ms)

    def end(self, now_ms: int) -> list[AlertEvent]:
        """Forget what was found and collected, and resolve what fires."""
        phase = self._evictable.take()
        self._evictable.clear()
        self.late, self._health = {}, Health()
        self.lifetime = Lifetime(events=self.lifetime.events)
        context = None if phase is None else phase.alert_context({})
        return [] if context is None else self.episodes.resolve(now_ms, context, "retired")

    def _fall_silent(self, phase: PlanPhase) -> list[AlertEvent]:
        return self._tell(self._health.fall_silent(phase.plan.no_data_after_ms), phase)

    def _judge_clocks(self, plan: AnyPlan, now_ms: int) -> list[AlertEvent]:
        """Tell of clocks without a window that closes, which may never come."""
        if not self._health.is_overdue(self.late_total, now_ms, plan):
            return []
        phase = self._evictable.take() or self._evictable.begin(plan)
        step = Step(now_ms, self._health.waits_since_ms, phase.unjudged, [], False, [], {})
        step.findings.extend(self._health.of_clocks(step, self.late_total))
        return self._tell(step, phase)

    def _tell(self, step: Step, phase: PlanPhase) -> list[AlertEvent]:
        """What the pipeline does wrong, outside of windows."""
        context = phase.alert_context(step.offsets)
        alerts = self.episodes.step(step.at_ms, step.findings, False, context, only=("system",))
        self.alarms.note(alerts, step.at_ms)
        return alerts

    def _judge(self, step: Step, phase: PlanPhase) -> list[AlertEvent]:
        """Findings of one moment to alert events."""
        findings = list(step.findings)
        if step.window_closed:
            self.lifetime.tested = True
            findings += self._health.findings(step, self.late_total)
        closed = step.window_closed or step.segments_closed
        if not findings and not closed and not self.episodes.active:
            return []
        context = phase.alert_context(step.offsets)
        alerts = self.episodes.step(
            step.at_ms,
            findings,
            step.window_closed,
            context,
            step.segments_closed,
            unlike=phase.look(step),
            day_ended=step.day_ended,
            explain=None if phase.detection is None else phase.detection.explain,
            heard=None if phase.detection is None else phase.detection.heard,
        )
        self.alarms.note(alerts, step.at_ms)
        return alerts

    def _rebased(self, phase: PlanPhase | None, plan: AnyPlan, now_ms: int) -> list[AlertEvent]:
        """End what was found against another reference than the one that holds from now on."""
        if phase is None or phase.plan.baseline_id == plan.baseline_id:
            return []
        return self.episodes.resolve(now_ms, phase.alert_context({}), keep=("system",))

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        state = SubjectState(
            *self.subject,
            self.topic_id,
            self.frontier_ms,
            self.panes_sealed,
            self.store.dump(),
            self.late,
            self._health,
            *self._evictable.dump(),
            self.episodes.dump(),
            self.alarms,
            self.lifetime,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def load(cls, data: bytes, plans: PlanBook) -> SubjectMonitor:
        """A monitor in a dumped state.

        Raises
        ------
        ValueError
            If the plan that the state was made under is not in the plan book.
        """
        state = msgspec.msgpack.decode(data, type=SubjectState)
        monitor = cls(Subject(state.model, state.version), plans)
        monitor.topic_id, monitor.frontier_ms = state.topic_id, state.frontier_ms
        monitor.panes_sealed, monitor.late = state.panes_sealed, state.late
        monitor._health = state.health
        monitor.alarms, monitor.lifetime = state.alarms, state.lifetime
        monitor.store.load(state.store)
        monitor.episodes = Episodes.load(monitor.subject, state.episodes)
        if state.plan:
            monitor._evictable.load(state.plan_in(plans), state.phase)
        return monitor

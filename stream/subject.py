"""The monitor of one subject: its open panes, its tests, its episodes.

Panes are sealed strictly in order and windows closed at their own times, so the alert events are a
function of the sealed panes: how often and how far the frontier moved leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from stream.alerts import AlertContext, AlertEvent
from stream.course import Course
from stream.episodes import Episodes, Finding
from stream.evidence import on_one_scale
from stream.frontier import PartitionProgress
from stream.panes import ACCEPTED, DUPLICATE, LATE, Late, PaneStore
from stream.plan import MINUS_INFINITY, AnyPlan, PlanBook, Subject
from stream.shelf import Shelf
from stream.summary import SummaryBatch, SummaryEntry
from stream.watch import OnWindow, Step, Watch

__all__ = ["SubjectMonitor"]

#: A share of late events above this in a window is raised as a `system` episode.
LATE_SHARE_LIMIT: Final = 0.01
_NEVER: Final = 2**62
_DAY_MS: Final = 86_400_000


class _State(msgspec.Struct):
    """What a snapshot holds of a subject."""

    model: str
    version: str
    topic_id: str
    frontier_ms: int
    panes_sealed: int
    store: bytes
    late: dict[int, Late]
    late_judged: int
    bad_plans: int
    plan: bytes
    course: bytes
    episodes: list[Any]
    week: int = 0
    opened: int = 0


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
        self._plans = plans
        self._shelf = Shelf(str(subject), on_window)
        self._week = 0  # the week of event time that episodes were last opened in
        self._opened = 0  # how many in that week
        self._late_judged = 0  # late events that a closed window has judged
        self._bad_plans = 0  # summaries refused for their plan since the last judgement

    def follow(self, topic_id: str) -> None:
        """Note which source topic the subject's events come from; a new one replaces the old."""
        if topic_id != self.topic_id:
            self.topic_id = topic_id
            self.late = {}
            self._late_judged = 0

    @property
    def course(self) -> Course | None:
        """What becomes of sealed panes; None before the first one and while `is_idle`."""
        return self._shelf.course

    @property
    def watch(self) -> Watch | None:
        """What is tested; None before the first pane, while nothing is tested and while idle."""
        return None if self.course is None else self.course.watch

    @property
    def is_idle(self) -> bool:
        """Whether its tests are put away, because nothing happened for a while."""
        return self._shelf.is_away

    def release(self) -> bool:
        """Put the tests away if nothing happened since the last call; whether that was done."""
        return self._shelf.release()

    @property
    def late_total(self) -> int:
        """Events that came after their pane was complete."""
        return sum(late.total for late in self.late.values())

    @property
    def opened_this_week(self) -> int:
        """Episodes opened since Monday of the frontier's week, in UTC and event time."""
        return self._opened if _week_of(self.frontier_ms) == self._week else 0

    def _plan_at(self, time_ms: int) -> AnyPlan | None:
        return self._plans.plan_at(self.subject.model, self.subject.version, time_ms)

    def accept(self, batch: SummaryBatch, progress: PartitionProgress) -> dict[str, int]:
        """Offer the summaries of one batch to the open panes; how many met which refusal."""
        partition = batch.source.partition
        late = self.late.setdefault(partition, Late())
        news_of_late = late.note(batch.chunk, batch.through, batch.late, batch.plan)
        refused: dict[str, int] = {}
        for entry in batch.entries:
            plan = self._plan_at(entry.pane_ms)
            if plan is None or plan.short_hash != batch.plan:
                outcome = "plan"
                self._bad_plans += 1
            elif entry.pane_ms % plan.pane_ms:
                outcome = "undecodable"
            else:
                outcome = self._offer(batch, entry, plan, progress, late if news_of_late else None)
            if outcome not in (ACCEPTED, DUPLICATE):
                refused[outcome] = refused.get(outcome, 0) + 1
        return refused

    def _offer(
        self, batch: SummaryBatch, entry: SummaryEntry, plan: AnyPlan, progress: PartitionProgress,
        late: Late | None,
    ) -> str:  # fmt: skip
        """Offer one summary, or count it late.

        Late is what came after its own partition had passed the pane when the chunk began: a
        function of that partition's log, so every reader finds the same. A pane can also be sealed
        without its partition only after that one was declared idle.
        """
        if batch.chunk < progress.chunk:
            return DUPLICATE
        pane_end = entry.pane_ms + plan.pane_ms
        came_late = pane_end <= progress.base_of(batch.chunk) - plan.lateness_ms
        sealed = pane_end <= self.frontier_ms
        try:
            if not came_late and not sealed:
                return self.store.offer(
                    batch.source.partition, batch.chunk, batch.through, entry.segment,
                    entry.pane_ms, entry.counts, plan.counting,
                )  # fmt: skip
            read_before = (
                batch.chunk == progress.chunk
                and pane_end <= progress.chunk_max_ms - plan.lateness_ms
            )
            if not came_late and read_before:
                return DUPLICATE
            if late is not None and not entry.segment:
                counting = plan.counting
                late.refused[entry.pane_ms] = counting.events(counting.decode(entry.counts))
        except ValueError:
            return "undecodable"
        return LATE

    def raise_frontier(self, source_frontier_ms: int) -> None:
        """Note the frontier of the source without sealing: for a subject first seen now."""
        if self.frontier_ms == MINUS_INFINITY and not len(self.store):
            self.frontier_ms = self._plans.sealed_to_ms(*self.subject, source_frontier_ms)

    def advance(self, source_frontier_ms: int) -> Iterator[AlertEvent]:
        """Seal the panes that the source's frontier has passed, oldest first."""
        frontier = self._plans.sealed_to_ms(*self.subject, source_frontier_ms)
        if frontier <= self.frontier_ms:
            return
        self.frontier_ms = frontier
        yield from self._seal(frontier)
        if (course := self._shelf.take_due(frontier)) is not None:
            for step in course.expire(frontier):
                yield from self._judge(step, course)

    def seal_all(self) -> list[AlertEvent]:
        """Seal every pane held; the frontier moves to the end of the last."""
        alerts = list(self._seal(_NEVER))
        course = self._shelf.take()
        if course is not None and course.sealed_to_ms > self.frontier_ms:
            self.frontier_ms = course.sealed_to_ms
        return alerts

    def _seal(self, frontier_ms: int) -> Iterator[AlertEvent]:
        for pane_ms in self.store.due(frontier_ms):
            plan = self._plan_at(pane_ms)
            if plan is None or pane_ms + plan.pane_ms > frontier_ms:
                continue
            course = self._shelf.take()
            if course is None or course.plan.hash != plan.hash:
                course = self._shelf.begin(plan)
            for step in course.expire(pane_ms):
                yield from self._judge(step, course)
            self.panes_sealed += 1
            step = course.pane(self.store.seal(pane_ms, plan.counting))
            yield from self._judge(step, course)

    def _judge(self, step: Step, course: Course) -> list[AlertEvent]:
        """Findings of one moment to alert events."""
        findings = list(step.findings)
        if step.window_closed:
            findings += self._system_findings(step)
        closed = step.window_closed or step.segments_closed
        if not findings and not closed and not self.episodes.active:
            return []
        plan = course.plan
        context = AlertContext(
            environment=plan.environment,
            dashboard_url=plan.dashboard_url,
            runbook_url=plan.runbook_url,
            reference=course.reference_hash,
            config=plan.hash,
            false_alarms_per_week=plan.false_alarms_per_week,
            alpha=course.window_alpha,
            private=plan.private,
            chances=None if course.watch is None else course.watch.chances,
            offsets={f"{plan.topic}-{p}": span for p, span in sorted(step.offsets.items())},
        )
        alerts = self.episodes.step(
            step.at_ms, findings, step.window_closed, context, step.segments_closed
        )
        if opened := sum(alert.data.revision == 1 for alert in alerts):
            week = _week_of(step.at_ms)
            self._opened = opened + (self._opened if week == self._week else 0)
            self._week = week
        return alerts

    def _system_findings(self, step: Step) -> list[Finding]:
        """What the pipeline itself did wrong since the last full window."""
        findings = []
        late = self.late_total - self._late_judged
        self._late_judged += late
        share = late / max(1, late + step.events)
        if share > LATE_SHARE_LIMIT:
            findings.append(
                _system_finding(step, "late_share", share, LATE_SHARE_LIMIT,
                                f"{share:.1%} of the events came too late to be counted")
            )  # fmt: skip
        if self._bad_plans:
            findings.append(
                _system_finding(step, "plan_mismatch", float(self._bad_plans), 0.0,
                                f"{self._bad_plans} summaries were made under another plan")
            )  # fmt: skip
            self._bad_plans = 0
        return findings

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        state = _State(
            *self.subject, self.topic_id, self.frontier_ms, self.panes_sealed, self.store.dump(),
            self.late, self._late_judged, self._bad_plans,
            *self._shelf.dump(), self.episodes.dump(),
            self._week, self._opened,
        )  # fmt: skip
        return msgspec.msgpack.encode(state)

    @classmethod
    def load(cls, data: bytes, plans: PlanBook) -> SubjectMonitor:
        """A monitor in a dumped state.

        Raises
        ------
        ValueError
            If the plan that the state was made under is not in the plan book.
        """
        state = msgspec.msgpack.decode(data, type=_State)
        held = cls(Subject(state.model, state.version), plans)
        held.topic_id, held.frontier_ms = state.topic_id, state.frontier_ms
        held.panes_sealed, held.late = state.panes_sealed, state.late
        held._late_judged, held._bad_plans = state.late_judged, state.bad_plans
        held._week, held._opened = state.week, state.opened
        held.store.load(state.store)
        held.episodes = Episodes.load(held.subject, state.episodes)
        if state.plan:
            by_hash = {p.short_hash: p for _, p in plans.timeline(state.model, state.version)}
            if state.plan not in by_hash:
                raise ValueError(
                    f"{held.subject} was watched under plan {state.plan.hex()}, which is not on "
                    "the plans topic; publish it again or let the state be rebuilt"
                )
            held._shelf.load(by_hash[state.plan], state.course)
        return held


def _week_of(time_ms: int) -> int:
    return (time_ms + 3 * _DAY_MS) // (7 * _DAY_MS)  # 1970 began on a Thursday, weeks on Mondays


def _system_finding(step: Step, test: str, value: float, threshold: float, change: str) -> Finding:
    return Finding(
        kind="system", signal=test, role="system", test=test, value=value, threshold=threshold,
        severity="warning", effect=on_one_scale("missing_rate", min(value, 1.0)), change=change,
        start_ms=step.start_ms,
        end_ms=step.at_ms, events=step.events,
    )  # fmt: skip

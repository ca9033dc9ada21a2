"""Stage 2, pure: records of one summaries partition in, alert events out.

A `PartitionMonitor` is a function of the log it has read: whoever reads the same records, from the
beginning or from a snapshot, emits the same alert events with the same ids. Clock, Kafka and
Prometheus are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from stream.contracts.alert_event import AlertEvent
from stream.contracts.errors import DriftstreamError
from stream.contracts.summary_message import (
    Idle,
    Progress,
    Source,
    SummaryBatch,
    SummaryError,
    decode_message,
)
from stream.plans.plan import AnyPlan, PlanBook, Subject
from stream.stage2 import joins
from stream.stage2.admission import is_source, marks
from stream.stage2.detection import OnWindow
from stream.stage2.frontier import ALL_IDLE_SEALS_MS, Sources
from stream.stage2.snapshot import Manifest, Round, SnapshotError, SnapshotWriter, cut_blocks
from stream.stage2.subject import SubjectMonitor
from stream.stage2.version_bound import MAX_VERSIONS, gives_way

__all__ = ["PartitionMonitor", "UnknownPlanError"]

_SOURCES: Final = "@sources"


class UnknownPlanError(DriftstreamError, LookupError):
    """A summary names a plan that the plan book does not have (yet): read the plans topic on."""


class PartitionMonitor:
    """All subjects of one partition of the summaries topic.

    Parameters
    ----------
    plans : PlanBook
        Shared with stage 1.
    all_idle_seals_ms : int
        How long all source partitions must be idle, in record time, until panes are sealed anyway.
    on_window : callable, optional
        Told of every window that is tested.
    wait_for_joins : bool
        Whether panes of a plan whose labels are joined wait for the join, as a source of its own.
    """

    def __init__(
        self,
        plans: PlanBook,
        *,
        all_idle_seals_ms: int = ALL_IDLE_SEALS_MS,
        on_window: OnWindow | None = None,
        wait_for_joins: bool = True,
    ) -> None:
        self.plans = plans
        self._wait_for_joins = wait_for_joins
        self._on_window = on_window
        self.sources = Sources(all_idle_seals_ms=all_idle_seals_ms)
        self.subjects: dict[Subject, SubjectMonitor] = {}
        self.fence = 0  # the next offset; records before it are in the state
        self.refused: dict[str, int] = {}
        self.retired: dict[tuple[str, str], int] = {}  # versions by model and reason
        self._dirty: set[Subject] = set()
        self._parts: dict[Subject, list[str]] = {}
        self._round_fence = -1

    def apply(
        self, offset: int, value: bytes | None, timestamp_ms: int, *, plans_current: bool = False
    ) -> list[AlertEvent]:
        """Take one record of the summaries partition in; the alert events that follow from it.

        Parameters
        ----------
        offset, value
            Of the record, in the order of the log.
        timestamp_ms : int
            The record's timestamp. Only idleness is judged by it.
        plans_current : bool
            Whether the plans topic has been read to its end since the record was. If not and the
            record's plan is unknown, `UnknownPlanError` is raised and nothing has changed.
        """
        if offset < self.fence:
            return []
        if offset > self.fence > 0:
            self._lose()
        try:
            message = decode_message(value)
        except SummaryError:
            self._refuse("undecodable")
            self.fence = offset + 1
            return []
        alerts: list[AlertEvent] = []
        if isinstance(message, SummaryBatch) and not plans_current and not self._plan_of(message):
            raise UnknownPlanError(f"{message.model}/{message.version}: {message.plan.hex()}")
        if message.source.topic_id in self.sources.former:
            self._refuse("former_topic")
        elif isinstance(message, SummaryBatch):
            self._enter(message.source)
            alerts = self._accept(message)
        elif isinstance(message, Progress):
            self._enter(message.source)
            if self.sources.progress(message):
                alerts = list(self._advance(message.source.topic_id))
        else:
            self._enter(message.source)
            alerts = self._idle(message, timestamp_ms)
        self.fence = offset + 1
        return alerts

    def seal_all(self) -> list[AlertEvent]:
        """Seal every open pane, as at the end of a file."""
        alerts = []
        for subject in sorted(self.subjects):
            alerts += self.subjects[subject].seal_all()
            self._dirty.add(subject)
        return alerts

    def _lose(self) -> None:
        """Declare a loss: summaries were deleted before they were read.

        Their part of open panes is missing from them; everything else is as it was.
        """
        self.sources.declared_loss += 1

    def _refuse(self, reason: str, n: int = 1) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + n

    def _plan_of(self, batch: SummaryBatch) -> AnyPlan | None:
        """The plan that a batch was counted under, if it is one of its subject's."""
        line = self.plans.timeline(batch.model, batch.version)
        return next((plan for _, plan in line if plan.short_hash == batch.plan), None)

    def _enter(self, source: Source) -> None:
        """Note the topic; subjects of one that it replaces go over to it with what they hold."""
        replaced = self.sources.enter(source)
        if replaced is None:
            return
        for subject, monitor in self.subjects.items():
            if monitor.topic_id == replaced:
                monitor.store.begin_source()
                monitor.follow(source.topic_id)
                self._dirty.add(subject)

    def _accept(self, batch: SummaryBatch) -> list[AlertEvent]:
        subject = Subject(batch.model, batch.version)
        if self.sources.refuse_overlap(batch.source, batch.chunk, batch.through):
            self._refuse("overlap")
            return []
        plan = self._plan_of(batch)
        monitor = self.subjects.get(subject)
        if monitor is None and plan is None:
            self._refuse("plan")
            return []
        if plan is not None and joins.is_join(batch.source, plan):
            self._accept_joined(batch, monitor)
            return []
        if plan is not None and not is_source(batch, plan, monitor, self.plans, self.sources):
            self._refuse("source")
            return []
        alerts: list[AlertEvent] = []
        if monitor is None:
            alerts = self._make_room(subject.model)
            monitor = self.subjects[subject] = SubjectMonitor(subject, self.plans, self._on_window)
        if monitor.topic_id not in ("", batch.source.topic_id):
            monitor.store.begin_source()
        monitor.follow(batch.source.topic_id)
        monitor.raise_frontier(self._frontier_ms(monitor))
        self._offer(batch, monitor)
        return alerts

    def _accept_joined(self, batch: SummaryBatch, monitor: SubjectMonitor | None) -> None:
        """Take truths that were joined; their predictions were there before them."""
        if monitor is None:
            self._refuse("retired")
        else:
            self._offer(batch, monitor)

    def _offer(self, batch: SummaryBatch, monitor: SubjectMonitor) -> None:
        self._dirty.add(monitor.subject)
        progress = self.sources.partition(batch.source)
        if batch.through < progress.idle_next:
            return  # read again after a restart: panes that idleness has sealed hold it
        for outcome, n in monitor.accept(batch, progress).items():
            self._refuse(outcome, n)

    def _topics_of(self, monitor: SubjectMonitor) -> tuple[str, ...]:
        """Ids of the source topics that a subject's panes are made of.

        That of its events, and of the join that it waits for: "" before the first word of one.
        """
        joined = joins.topic_of(monitor.subject, self.plans) if self._wait_for_joins else ""
        if not joined:
            return (monitor.topic_id,)
        return monitor.topic_id, self.sources.id_of(joined) or ""

    def _frontier_ms(self, monitor: SubjectMonitor) -> int:
        """How far all is there that a subject's panes are made of."""
        return min(map(self.sources.frontier_ms, self._topics_of(monitor)))

    def _make_room(self, model: str) -> list[AlertEvent]:
        """End a version of a model that has as many as there may be."""
        versions = [monitor for subject, monitor in self.subjects.items() if subject.model == model]
        if len(versions) < MAX_VERSIONS or (monitor := gives_way(versions)) is None:
            return []
        if lost := monitor.store.n_summaries:  # of panes that will never be judged
            self._refuse("versions", lost)
        alerts = monitor.end(monitor.frontier_ms)
        self._drop(monitor.subject, "bound")
        return alerts

    def _drop(self, subject: Subject, reason: str) -> None:
        """Hold a version no longer."""
        del self.subjects[subject]
        self._parts.pop(subject, None)
        self._dirty.discard(subject)
        self.retired[subject.model, reason] = self.retired.get((subject.model, reason), 0) + 1

    def _advance(self, topic_id: str) -> Iterator[AlertEvent]:
        """Seal what the frontier of a source topic has passed, subject by subject."""
        moved = {
            subject: frontier
            for subject, monitor in self.subjects.items()
            if topic_id in self._topics_of(monitor)
            and not monitor.is_settled_at(frontier := self._frontier_ms(monitor))
        }
        for subject, frontier in sorted(moved.items()):
            monitor = self.subjects[subject]
            before = marks(monitor)
            yield from monitor.advance(frontier)
            if monitor.is_over:
                self._drop(subject, "unheard")
            elif marks(monitor) != before:
                self._dirty.add(subject)

    def _idle(self, message: Idle, timestamp_ms: int) -> list[AlertEvent]:
        topic_id = message.source.topic_id
        if not self.sources.idle(message, timestamp_ms):
            return []
        alerts = list(self._advance(topic_id))
        if self.sources.sealed_by_idle(topic_id):
            for subject in sorted(self.subjects):
                monitor = self.subjects[subject]
                of = self._topics_of(monitor)
                rests = topic_id in of and all(map(self.sources.sealed_by_idle, of))
                if rests and len(monitor.store):
                    alerts += monitor.seal_all(self._now_ms(monitor.topic_id, timestamp_ms))
                    self._dirty.add(subject)
        return [*alerts, *self._wait(topic_id, timestamp_ms)]

    def _now_ms(self, topic_id: str, timestamp_ms: int) -> int:
        """A pane that begins later than this is of a clock that leads: it waits."""
        return max(timestamp_ms, self.sources.topics[topic_id].now_ms(timestamp_ms))

    def _wait(self, topic_id: str, timestamp_ms: int) -> Iterator[AlertEvent]:
        """Tell of subjects that fell silent while no partition has data.

        The time that passed since then, by the records that say so, is added to the frontier.
        """
        topic = self.sources.topics[topic_id]
        if topic.all_idle_since_ms < 0:
            return
        now_ms = topic.now_ms(timestamp_ms)
        for subject in sorted(
            s for s, monitor in self.subjects.items() if monitor.topic_id == topic_id
        ):
            for alert in self.subjects[subject].wait(now_ms):
                self._dirty.add(subject)
                yield alert

    def release_idle(self) -> int:
        """Evict the tests of subjects to which nothing happened since the last call; how many.

        It saves memory and decides nothing, so it may be called at any time, or never.
        """
        return sum(monitor.release() for monitor in self.subjects.values())

    def take_round(self, writer: SnapshotWriter) -> Round | None:
        """Plan a snapshot round of what changed since the last one; None if nothing was read."""
        if self.fence == self._round_fence:
            return None
        dirty = cut_blocks(_SOURCES, self.sources.dump())
        names = list(dirty)
        for subject, monitor in self.subjects.items():
            known = self._parts.get(subject, [])
            if subject in self._dirty or not known or not writer.written.issuperset(known):
                # The length keeps a/b + c and a + b/c apart.
                parts = cut_blocks(f"{len(subject.model)}:{subject}", monitor.dump())
                dirty |= parts
                known = self._parts[subject] = list(parts)
            names += known
        self._dirty.clear()
        self._round_fence = self.fence
        return writer.plan(self.fence, dirty, names)

    def restore(self, manifest: Manifest, payloads: Mapping[str, bytes]) -> None:
        """Take over the state of a snapshot; records before its fence are then ignored.

        Raises
        ------
        SnapshotError
            If a block does not decode, or was made under a plan that the plan book does not have.
        """
        try:
            whole: dict[str, list[bytes]] = {}
            for name in sorted(payloads, key=lambda name: int(name.rpartition("#")[2])):
                whole.setdefault(name.rpartition("#")[0], []).append(payloads[name])
            self.sources.load(b"".join(whole.pop(_SOURCES)))
            for parts in whole.values():
                monitor = SubjectMonitor.load(b"".join(parts), self.plans)
                self.subjects[monitor.subject] = monitor
                # A subject that nothing happened to is not written again when the frontier moves.
                moved = self._sealed_to(monitor)
                monitor.frontier_ms = max(monitor.frontier_ms, moved)
        except (
            ArithmeticError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
            msgspec.MsgspecError,
        ) as error:
            self.subjects.clear()
            raise SnapshotError(
                f"the snapshot of summaries partition {manifest.partition} by {manifest.writer} "
                f"cannot be used: {error}. It is rebuilt from the summaries topic."
            ) from error
        self.fence = manifest.fence

    def _sealed_to(self, monitor: SubjectMonitor) -> int:
        return self.plans.sealed_to_ms(*monitor.subject, self._frontier_ms(monitor))

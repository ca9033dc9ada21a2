"""Stage 2, pure: records of one summaries partition in, alert events out.

A `PartitionMonitor` is a function of the log it has read: whoever reads the same records, from the
beginning or from a snapshot, emits the same alert events with the same ids. Clock, Kafka and
Prometheus are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from stream.alerts import AlertEvent
from stream.frontier import ALL_IDLE_SEALS_MS, Sources
from stream.plan import PlanBook, Subject
from stream.snapshot import MAX_BLOCK_BYTES, Manifest, Round, SnapshotError, SnapshotWriter
from stream.subject import SubjectMonitor
from stream.summary import Idle, Progress, SummaryBatch, SummaryError, decode_message

__all__ = ["PartitionMonitor", "UnknownPlanError"]

_SOURCES = "@sources"


class UnknownPlanError(LookupError):
    """A summary names a plan that the plan book does not have (yet): read the plans topic on."""


class PartitionMonitor:
    """All subjects of one partition of the summaries topic.

    Parameters
    ----------
    plans : PlanBook
        Shared with stage 1.
    all_idle_seals_ms : int
        How long all source partitions must be idle, in record time, until panes are sealed anyway.
    """

    def __init__(self, plans: PlanBook, *, all_idle_seals_ms: int = ALL_IDLE_SEALS_MS) -> None:
        self.plans = plans
        self.sources = Sources(all_idle_seals_ms=all_idle_seals_ms)
        self.subjects: dict[Subject, SubjectMonitor] = {}
        self.fence = 0  # the next offset; records before it are in the state
        self.refused: dict[str, int] = {}
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
        try:
            message = decode_message(value)
        except SummaryError:
            self._refuse("undecodable")
            self.fence = offset + 1
            return []
        if isinstance(message, SummaryBatch):
            if not plans_current and not self._plan_known(message):
                raise UnknownPlanError(f"{message.model}/{message.version}: {message.plan.hex()}")
            self._accept(message)
            alerts: list[AlertEvent] = []
        elif isinstance(message, Progress):
            moved = self.sources.progress(message)
            alerts = list(self._advance(message.source.topic_id)) if moved else []
        else:
            alerts = self._idle(message, timestamp_ms)
        self.fence = offset + 1
        return alerts

    def seal_all(self) -> list[AlertEvent]:
        """Seal every pane held, as at the end of a file."""
        alerts = []
        for subject in sorted(self.subjects):
            alerts += self.subjects[subject].seal_all()
            self._dirty.add(subject)
        return alerts

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _plan_known(self, batch: SummaryBatch) -> bool:
        plans = {plan.short_hash for _, plan in self.plans.timeline(batch.model, batch.version)}
        return batch.plan in plans

    def _accept(self, batch: SummaryBatch) -> None:
        subject = Subject(batch.model, batch.version)
        progress = self.sources.partition(batch.source)
        if progress.overlaps(batch.chunk):
            self._refuse("overlap")
            self.sources.declared_loss += 1
            return
        held = self.subjects.get(subject)
        if held is None:
            if not self._plan_known(batch):
                self._refuse("plan")
                return
            held = self.subjects[subject] = SubjectMonitor(subject, self.plans)
        held.follow(batch.source.topic_id)
        held.raise_frontier(self.sources.frontier_ms(batch.source.topic_id))
        for outcome, n in held.accept(batch, progress).items():
            self.refused[outcome] = self.refused.get(outcome, 0) + n
        self._dirty.add(subject)

    def _advance(self, topic_id: str) -> Iterator[AlertEvent]:
        """Seal what the frontier of a source topic has passed, subject by subject."""
        frontier = self.sources.frontier_ms(topic_id)
        for subject in sorted(s for s, held in self.subjects.items() if held.topic_id == topic_id):
            held = self.subjects[subject]
            sealed_before = held.panes_sealed
            yield from held.advance(frontier)
            if held.panes_sealed != sealed_before:
                self._dirty.add(subject)

    def _idle(self, message: Idle, timestamp_ms: int) -> list[AlertEvent]:
        topic_id = message.source.topic_id
        if not self.sources.idle(message, timestamp_ms):
            return []
        alerts = list(self._advance(topic_id))
        if self.sources.sealed_by_idle(topic_id):
            for subject in sorted(self.subjects):
                held = self.subjects[subject]
                if held.topic_id == topic_id and len(held.store):
                    alerts += held.seal_all()
                    self._dirty.add(subject)
        return alerts

    def take_round(self, writer: SnapshotWriter) -> Round | None:
        """Plan a snapshot round of what changed since the last one; None if nothing was read."""
        if self.fence == self._round_fence:
            return None
        dirty = {_SOURCES: self.sources.dump()}
        names = [_SOURCES]
        for subject, held in self.subjects.items():
            known = self._parts.get(subject, [])
            if subject in self._dirty or not known or not writer.written.issuperset(known):
                payload = held.dump()
                parts = {
                    f"{subject.model}/{subject.version}#{i}": payload[at : at + MAX_BLOCK_BYTES]
                    for i, at in enumerate(range(0, len(payload), MAX_BLOCK_BYTES))
                }
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
            self.sources.load(payloads[_SOURCES])
            whole: dict[str, list[str]] = {}
            for name in payloads:
                if name != _SOURCES:
                    whole.setdefault(name.rpartition("#")[0], []).append(name)
            for names in whole.values():
                names.sort(key=lambda name: int(name.rpartition("#")[2]))
                held = SubjectMonitor.load(b"".join(payloads[n] for n in names), self.plans)
                self.subjects[held.subject] = held
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            self.subjects.clear()
            raise SnapshotError(
                f"the snapshot of summaries partition {manifest.partition} by {manifest.writer} "
                f"cannot be used: {error}"
            ) from error
        self.fence = manifest.fence

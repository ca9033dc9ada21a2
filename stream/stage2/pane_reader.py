"""The last panes of a model as they are on the summaries topic, for a reference made of them.

Summaries are merged by the rules of stage 2 (replace within a chunk, add chunks up), so the counts
are exact, whatever was sent twice. Lateness is not judged: an event that came late is data too.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from detectors import InvalidReferenceError
from detectors.references.protected import ProtectedOutcomes
from detectors.references.recalibrate import PaneBatches
from detectors.references.segments import segment_name, segment_of
from stream.contracts.summary_message import SummaryBatch, SummaryError, decode_message
from stream.plans.plan import Plan, PlanBook
from stream.stage2.panes import PaneStore

__all__ = ["PaneReader", "ReadPanes"]


class ReadPanes(msgspec.Struct):
    """Batches of panes in the order of time, and what they are of."""

    plan: Plan
    batches: PaneBatches
    first_ms: int
    last_ms: int
    events: int
    protected: list[ProtectedOutcomes]  # outcomes by value, of the plan's protected columns


class _VersionPanes:
    """The panes of one version under the newest of its plans that was seen."""

    def __init__(self, plan: Plan, place: int) -> None:
        self.plan, self.place = plan, place
        self.protected = frozenset(map(segment_name, plan.protected))
        self.store = PaneStore()
        self.topic_id = ""
        self.newest_ms = 0


class PaneReader:
    """Collects the last panes of each version of one model.

    Parameters
    ----------
    plans : PlanBook
    model : str
    since_ms : int, optional
        Event time of the first pane; else `span_ms` before the newest of a version.
    """

    def __init__(
        self, plans: PlanBook, model: str, *, since_ms: int | None = None, span_ms: int
    ) -> None:
        self._plans, self._model = plans, model
        self._since_ms, self._span_ms = since_ms, span_ms
        self._by_version: dict[str, _VersionPanes] = {}

    @property
    def versions(self) -> list[str]:
        """Those that were seen, sorted."""
        return sorted(self._by_version)

    def add(self, value: bytes | None) -> None:
        """Take the next record of the summaries topic in; all but this model's are passed over."""
        try:
            batch = decode_message(value)
        except SummaryError:
            return
        if not isinstance(batch, SummaryBatch) or batch.model != self._model:
            return
        version_panes = self._panes_of(batch)
        if version_panes is None:
            return
        if version_panes.topic_id not in ("", batch.source.topic_id):
            version_panes.store.begin_source()
        version_panes.topic_id = batch.source.topic_id
        for entry in batch.entries:
            segment = segment_of(entry.segment)
            if segment and segment not in version_panes.protected:
                continue
            if entry.pane_ms < self._from(version_panes):
                continue
            version_panes.newest_ms = max(version_panes.newest_ms, entry.pane_ms)
            try:
                version_panes.store.offer(
                    batch.source.partition,
                    batch.chunk,
                    batch.through,
                    entry.segment,
                    entry.pane_ms,
                    entry.counts,
                    version_panes.plan.merge_rule,
                    entry.ids,
                )
            except ValueError:  # stage 2 refuses it too
                continue
        for pane_ms in version_panes.store.due(self._from(version_panes)):
            version_panes.store.seal(pane_ms, version_panes.plan.merge_rule)

    def _from(self, version_panes: _VersionPanes) -> int:
        return version_panes.newest_ms - self._span_ms if self._since_ms is None else self._since_ms

    def _panes_of(self, batch: SummaryBatch) -> _VersionPanes | None:
        """Where a batch belongs; None if it was counted under a plan that is gone, or learning."""
        timeline = self._plans.timeline(batch.model, batch.version)
        place = next(
            (i for i, (_, plan) in enumerate(timeline) if plan.short_hash == batch.plan), -1
        )
        plan = timeline[place][1] if place >= 0 else None
        version_panes = self._by_version.get(batch.version)
        if version_panes is not None and place <= version_panes.place:
            return version_panes if place == version_panes.place else None
        if not isinstance(plan, Plan):
            return None
        version_panes = self._by_version[batch.version] = _VersionPanes(plan, place)
        return version_panes

    def take(self, version: str) -> ReadPanes:
        """The complete panes of one version; after it no more can be added.

        Raises
        ------
        InvalidReferenceError
            If there are none.
        """
        version_panes = self._by_version[version]
        plan = version_panes.plan
        batches = PaneBatches(plan.layout.width, plan.cycle_ms)
        whole_to_ms = version_panes.newest_ms - plan.lateness_ms
        panes = [p for p in version_panes.store.due(whole_to_ms) if p + plan.pane_ms <= whole_to_ms]
        if not panes:
            raise InvalidReferenceError(
                f"{self._model}/{version}: there is no complete pane in that time. Go further back."
            )
        events = 0
        tables = [np.zeros((len(of.scopes), of.cells.width), np.int64) for of in plan.fairness]
        for pane_ms in panes:
            by_segment = version_panes.store.seal(pane_ms, plan.merge_rule).counts
            counts = by_segment[""]
            events += int(counts[0])
            batches.add(pane_ms, counts)
            for of, table in zip(plan.fairness, tables, strict=True):
                table += of.by_value(by_segment, plan.layout.cells)
        protected = [
            replace(of.protected, counts=table)
            for of, table in zip(plan.fairness, tables, strict=True)
        ]
        return ReadPanes(plan, batches, panes[0], panes[-1] + plan.pane_ms, events, protected)

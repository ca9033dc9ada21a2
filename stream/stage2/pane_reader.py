"""The last panes of a model as they are on the summaries topic, for a reference made of them.

Summaries are merged by the rules of stage 2 (replace within a chunk, add chunks up), so the counts
are exact, whatever was sent twice. Lateness is not judged: an event that came late is data too.
"""

from __future__ import annotations

import msgspec

from detectors import ReferenceError
from detectors.references.production import PaneBatches
from stream.contracts.summary_message import SummaryBatch, SummaryError, decode_message
from stream.plans.plan import Plan, PlanBook
from stream.stage2.panes import PaneStore

__all__ = ["Recent", "RecentPanes"]


class Recent(msgspec.Struct):
    """Batches of panes in the order of time, and what they are of."""

    plan: Plan
    batches: PaneBatches
    first_ms: int
    last_ms: int
    events: int


class _Line:
    """The panes of one version under the newest of its plans that was seen."""

    def __init__(self, plan: Plan, place: int) -> None:
        self.plan, self.place = plan, place
        self.store = PaneStore()
        self.topic_id = ""
        self.newest_ms = 0


class RecentPanes:
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
        self._lines: dict[str, _Line] = {}

    @property
    def versions(self) -> list[str]:
        """Those that were seen, sorted."""
        return sorted(self._lines)

    def add(self, value: bytes | None) -> None:
        """Take the next record of the summaries topic in; all but this model's are passed over."""
        try:
            batch = decode_message(value)
        except SummaryError:
            return
        if not isinstance(batch, SummaryBatch) or batch.model != self._model:
            return
        line = self._line(batch)
        if line is None:
            return
        if line.topic_id not in ("", batch.source.topic_id):
            line.store.begin_source()
        line.topic_id = batch.source.topic_id
        for entry in batch.entries:
            if entry.segment or entry.pane_ms < self._from(line):
                continue
            line.newest_ms = max(line.newest_ms, entry.pane_ms)
            try:
                line.store.offer(
                    batch.source.partition, batch.chunk, batch.through, "", entry.pane_ms,
                    entry.counts, line.plan.counting, entry.ids,
                )  # fmt: skip
            except ValueError:  # stage 2 refuses it too
                continue
        for pane_ms in line.store.due(self._from(line)):
            line.store.seal(pane_ms, line.plan.counting)

    def _from(self, line: _Line) -> int:
        return line.newest_ms - self._span_ms if self._since_ms is None else self._since_ms

    def _line(self, batch: SummaryBatch) -> _Line | None:
        """Where a batch belongs; None if it was counted under a plan that is gone, or learning."""
        timeline = self._plans.timeline(batch.model, batch.version)
        place = next(
            (i for i, (_, plan) in enumerate(timeline) if plan.short_hash == batch.plan), -1
        )
        plan = timeline[place][1] if place >= 0 else None
        line = self._lines.get(batch.version)
        if line is not None and place <= line.place:
            return line if place == line.place else None
        if not isinstance(plan, Plan):
            return None
        line = self._lines[batch.version] = _Line(plan, place)
        return line

    def take(self, version: str) -> Recent:
        """The complete panes of one version; after it no more can be added.

        Raises
        ------
        ReferenceError
            If there are none.
        """
        line = self._lines[version]
        plan = line.plan
        batches = PaneBatches(plan.layout.width, plan.cycle_ms)
        whole_to_ms = line.newest_ms - plan.lateness_ms
        panes = [p for p in line.store.due(whole_to_ms) if p + plan.pane_ms <= whole_to_ms]
        if not panes:
            raise ReferenceError(
                f"{self._model}/{version}: there is no complete pane in that time. Go further back."
            )
        events = 0
        for pane_ms in panes:
            counts = line.store.seal(pane_ms, plan.counting).counts[""]
            events += int(counts[0])
            batches.add(pane_ms, counts)
        return Recent(plan, batches, panes[0], panes[-1] + plan.pane_ms, events)
